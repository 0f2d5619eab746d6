"""Chapter 11: probing. C labels."""

import math
from itertools import count

from .base import exercise


@exercise("11.control")
def control(answer):
    """keep a dictionary from forms to labels, and draw only for a form that is not yet in it

    The same word always has the same label: a probe can learn it only by remembering words.
    """
    forms, numbers = ["the", "dog", "saw", "the", "cat", "the", "dog"], count()
    got = list(answer(forms, lambda: next(numbers)))
    drawn = next(numbers)
    yield f"is there a label for each word? {len(got)} came back for {len(forms)} words", len(got) != 7
    yield "is a label drawn for every word? The same form must get the same one each time", got == [*range(7)]
    yield "do all words have one label? Then there is nothing to learn", len(set(got)) == 1
    yield "has a form two labels? Draw once, and remember it", len({*zip(forms, got, strict=True)}) > 4
    yield f"{drawn} labels were drawn for four forms; draw only for a new form", drawn > 4


@exercise("11.bits", "the code length (bits)", cases=[(4, 8, [0.5, 0.25, 0.9]), (6, 3, [0.1, 0.8])])
def bits(got, first, C, p):
    """log2(C) bits for each of the first labels, and -log2(p) for each that a probe gave the probability p

    A probe that learns from few labels soon pays little: the code length sees that, the accuracy does not.
    """
    start, rest = first * math.log2(C), -sum(map(math.log2, p))
    yield start + rest
    yield "are these nats? For bits the logarithm has the base 2", (start + rest) * math.log(2)
    yield "is the first portion paid for? It costs log2(C) bits a label", rest
    yield "is the rest paid for? Each later label costs -log2(p)", start
    yield "is a sign lost? log2(p) is negative, a length is not", start - rest
    yield "is that a mean? A code pays for every label: sum", start + rest / len(p)


TREES = ([2, 2, -1, 4, 2], [(0, 2), (2, 1)]), ([1, -1, 1, 1], [(0, 1), (2, 3), (1, 2), (0, 2)])


@exercise("11.uuas", "the share of the tree's edges", cases=TREES)
def uuas(got, heads, edges):
    """the edges of the tree are the pairs (i, heads[i]) for all words but the root; a pair has no direction

    Undirected unlabelled attachment score, which joining neighbours can win at, too.
    """
    directed = {(i, h) for i, h in enumerate(heads) if h >= 0}
    gold, found = {frozenset(e) for e in directed}, {frozenset(e) for e in edges}
    right = len(gold & found)
    yield right / len(gold)
    yield "does (2, 1) count as (1, 2)? An edge has no direction here", len(directed & {*edges}) / len(gold)
    yield "is the root's -1 counted as an edge? It hangs on no word", right / len(heads)
    yield "is that of the edges that were guessed? Of the tree's edges", right / len(found)
    yield "is that intersection over union? Of the tree's edges alone", right / len(gold | found)
