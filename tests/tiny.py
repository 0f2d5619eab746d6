"""A tokenizer and a store small enough to know by heart, for tests of what stands on them."""

import numpy as np

from ptm_explore.text.corpora import corpus
from ptm_explore.text.store import tokenise
from ptm_explore.text.tokenizers import Tokenizer

WORDS = [
    "anna",
    "ben",
    "cat",
    "dog",
    "house",
    "tree",
    "river",
    "boat",
    "runs",
    "sleeps",
    "sings",
    "builds",
    "old",
    "new",
    "red",
    "blue",
    "the",
    "a",
    "in",
    "under",
]


def documents(n=60, sentences=6, seed=0):
    """Documents of short sentences; each names its number, so that no two are equal."""
    rng = np.random.default_rng(seed)
    return [
        " ".join(
            " ".join([WORDS[int(i)] for i in rng.integers(len(WORDS), size=5)]).capitalize() + "."
            for _ in range(sentences)
        )
        + f" Number {number} ends."
        for number in range(n)
    ]


def tokenizer(style="bert", kind="wordpiece", vocab_size=120):
    return Tokenizer.train(documents(), kind, vocab_size, style=style)


def splits(tok, texts=None):
    return tokenise(corpus(texts or documents()), tok)
