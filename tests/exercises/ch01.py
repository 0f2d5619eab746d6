"""Right and wrong answers to the exercises of chapter 01, and what the checkers say to the wrong ones."""

import math


def idf(n, n_with):
    return math.log(n / n_with)


def add_one(count, total, vocabulary):
    return (count + 1) / (total + vocabulary)


def pmi(both, a, b, n):
    return math.log(both * n / (a * b))


RIGHT = {"01.idf": idf, "01.add_one": add_one, "01.pmi": pmi}
WRONG = [
    ("01.idf", lambda n, k: math.log(k / n), "turn the fraction round"),
    ("01.idf", lambda n, k: n / k, "forget the logarithm"),
    ("01.idf", lambda n, k: math.log10(n / k), "10 the base"),
    ("01.idf", lambda n, k: math.log2(n / k), "2 the base"),
    ("01.idf", lambda n, k: k / n, "share of texts"),
    ("01.add_one", lambda c, t, v: c / max(t, 1), "without smoothing"),
    ("01.add_one", lambda c, t, v: (c + 1) / max(t, 1), "sum to"),
    ("01.add_one", lambda c, t, v: (c + 1) / (t + 1), "by 1 only"),
    ("01.add_one", lambda c, t, v: c / (t + v), "only the total"),
    ("01.add_one", lambda c, t, v: add_one(c, t, v) if t else 0.5, "never seen"),
    ("01.pmi", lambda ab, a, b, n: ab * n / (a * b), "forget the logarithm"),
    ("01.pmi", lambda ab, a, b, n: pmi(ab, a, b, n) / math.log(2), "the base"),
    ("01.pmi", lambda ab, a, b, n: math.log(ab / (a * b)), "where is n"),
    ("01.pmi", lambda ab, a, b, n: -pmi(ab, a, b, n), "turn the fraction round"),
    ("01.pmi", lambda ab, a, b, n: math.log(ab / a), "p(b | a)"),
]
