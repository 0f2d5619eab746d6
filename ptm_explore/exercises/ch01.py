"""Chapter 01: rare words, unseen runs, and company."""

import math

from .base import exercise


@exercise("01.idf", "the weight of a word in {1} of {0} texts", cases=[(1000, 5)])
def idf(got, n, n_with):
    """a word in every text says nothing: log(1) = 0. What fraction is 1 there?

    In every text: 0. In one of a thousand: 6.9. Rare words speak.
    """
    yield math.log(n / n_with)
    yield "did you turn the fraction round? A rare word must weigh more", math.log(n_with / n)
    yield "did you forget the logarithm?", n / n_with
    yield "is 10 the base? Use the natural logarithm", math.log10(n / n_with)
    yield "is 2 the base? Use the natural logarithm", math.log2(n / n_with)
    yield "is that the share of texts? It has to be turned round, and its logarithm taken", n_with / n


@exercise("01.add_one", "the probability, seen {0} times of {1},", cases=[(3, 20, 100), (0, 0, 100)])
def add_one(got, count, total, V):
    """every word of the vocabulary gets one more, so the total grows by V

    Nothing is impossible any more, and everything sums to 1.
    """
    yield (count + 1) / (total + V)
    yield f"after a context that was never seen, is each of the {V} words as likely as another?", total == 0
    yield "is that without smoothing? Pretend to have seen each word once more", count / total
    yield "what do all words sum to? The total grew, too: by one for each of the V words", (count + 1) / total
    yield "did the total grow by 1 only? Each of the V words was counted once more", (count + 1) / (total + 1)
    yield "did only the total grow? The count of the word grows as well", count / (total + V)


@exercise("01.pmi", "the PMI of two words that met {0} times", cases=[(8, 40, 50, 1000)])
def pmi(got, both, a, b, n):
    """how often they met, over how often they would by chance: n(a) n(b) / n

    0 for strangers, more for company; negative values are set to 0, for want of data to trust them.
    """
    ratio = both * n / (a * b)
    yield math.log(ratio)
    yield "did you forget the logarithm?", ratio
    yield "is 2 the base? Use the natural logarithm", math.log2(ratio)
    yield "where is n? By chance they would meet n(a) n(b) / n times", math.log(both / (a * b))
    yield "did you turn the fraction round?", -math.log(ratio)
    yield "is that p(b | a)? Compare it with how frequent b is anyway", math.log(both / a)
