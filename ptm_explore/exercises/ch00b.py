"""Chapter 00b: pairs, merges, and the probability of a cut."""

import math
import re

from .base import exercise

WORDS = {tuple("hug"): 1, tuple("pug"): 1, tuple("hugs"): 1, tuple("pun"): 12, tuple("bun"): 4}


@exercise("00b.pair", "the most frequent pair", cases=[(WORDS,)])
def pair(got, words):
    """go through the neighbours in each word and add the word's count, not 1, to theirs

    Byte-pair encoding does nothing else: count, merge the winner, count again.
    """
    yield "u", "n"
    yield "do you count each word once? `pun` occurs 12 times, so its pairs do, too", ("u", "g")
    yield "is that pair right, but with its count? Return the pair alone", (("u", "n"), 16)
    yield "is that one piece? A pair is two neighbours, (left, right)", "u"
    yield "did you turn the pair round? The left piece comes first", ("n", "u")
    yield "did you join them? Return the two pieces; the merge comes next", "un"


@exercise("00b.merge", "what became of {0}", cases=[(list("banana"), ("a", "n")), (list("aaa"), ("a", "a"))])
def merge(got, pieces, pair):
    """walk from the left: where the two stand side by side, put them together and step over both

    What was merged is one piece from now on, and may be merged again.
    """
    text = "".join(pieces)
    yield re.findall("".join(pair) + "|.", text)
    yield "did you stop after the first? Merge wherever the pair stands", ["b", "an", "a", "n", "a"]
    yield "did you keep the parts? Two pieces give way to one", ["b", "an", "a", "n", "an", "a", "n", "a"]
    yield "is that a text? Return a list of pieces", text
    yield "nothing was merged. Do you compare both pieces, left and right?", list(text)
    yield "aaa with the pair (a, a): after a merge, step over both pieces. A piece is used once", ["aa", "aa"]


PIECES = {"un": 0.02, "kind": 0.01, "ness": 0.03}


@exercise("00b.cut", "the log-probability", cases=[(list(PIECES), PIECES)])
def cut(got, pieces, p):
    """pieces are drawn one after the other: probabilities multiply, so logarithms add

    Of all cuts, Unigram takes the one where this is largest: few pieces, and frequent ones.
    """
    yield (log := math.log(math.prod(p.values())))
    yield "is that the probability itself? Take its logarithm", math.exp(log)
    yield "do you add probabilities? They multiply; their logarithms add", math.log(sum(p.values()))
    yield "is that the mean? Each piece has its price, so more pieces cost more", log / len(p)
    yield "is 2 the base? Use the natural logarithm", log / math.log(2)
    yield "where is the sign? The logarithm of a probability is negative", -log
