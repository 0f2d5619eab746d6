"""Right and wrong answers to the exercises of chapter 11, and what the checkers say to the wrong ones."""

from math import log, log2


def control(forms, draw):
    known = {}
    for form in forms:
        if form not in known:
            known[form] = draw()
    return [known[form] for form in forms]


def wasteful(forms, draw):
    known = {form: draw() for form in forms}
    return [known[form] for form in forms]


def bits(first, C, p):
    return first * log2(C) - sum(log2(x) for x in p)


def uuas(heads, edges):
    gold = {frozenset((i, h)) for i, h in enumerate(heads) if h >= 0}
    return len(gold & {frozenset(e) for e in edges}) / len(gold)


def hits(heads, edges):
    return uuas(heads, edges) * (len(heads) - 1)


RIGHT = {"11.control": control, "11.bits": bits, "11.uuas": uuas}
WRONG = [
    ("11.control", lambda forms, draw: [draw() for _ in forms], "for every word"),
    ("11.control", lambda forms, draw: [draw()] * len(forms), "one label"),
    ("11.control", lambda forms, draw: [draw() for _ in set(forms)], "4 came back for 7"),
    ("11.control", lambda forms, draw: [draw() // 2 for _ in forms], "two labels"),
    ("11.control", wasteful, "7 labels were drawn"),
    ("11.bits", lambda first, C, p: bits(first, C, p) * log(2), "nats"),
    ("11.bits", lambda first, C, p: bits(0, C, p), "first portion"),
    ("11.bits", lambda first, C, p: bits(first, C, []), "rest paid for"),
    ("11.bits", lambda first, C, p: 2 * bits(first, C, []) - bits(first, C, p), "sign lost"),
    ("11.bits", lambda first, C, p: bits(first, C, []) + bits(0, C, p) / len(p), "a mean"),
    ("11.bits", lambda first, C, p: 3, "not right yet"),
    ("11.uuas", lambda heads, edges: len({*enumerate(heads)} & {*edges}) / (len(heads) - 1), "no direction"),
    ("11.uuas", lambda heads, edges: hits(heads, edges) / len(heads), "root's -1"),
    ("11.uuas", lambda heads, edges: hits(heads, edges) / len(edges), "guessed"),
    ("11.uuas", lambda h, e: hits(h, e) / (len(h) - 1 + len(e) - hits(h, e)), "union"),
]
