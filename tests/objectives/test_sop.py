"""Sentence order must be told by reading, not by how the rows were cut.

The judge is a logistic regression that sees the first and last token of both segments, and their lengths."""

import itertools

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from ptm_explore.errors import PtmError
from ptm_explore.objectives.sop import Sop
from ptm_explore.text import world
from ptm_explore.text.batches import Row, Stream, ordered
from ptm_explore.text.store import Store
from ptm_explore.text.tokenizers import Tokenizer
from tests import tiny

LENGTH = 48


@pytest.fixture(scope="module")
def generated():
    """Two stores of the generated world in its own order, and their tokenizer."""
    documents = [list(d.sentences) for d in itertools.islice(world.documents(seed=5), 4400)]
    tok = Tokenizer.train([" ".join(d) for d in documents[:500]], "wordpiece", 800)
    return *(store(part, tok) for part in (documents[:2200], documents[2200:])), tok


def store(documents, tok):
    ids = [[np.array(sentence) for sentence in tok.ids(document)] for document in documents]
    return built(ids, tok.vocab_size)


def built(documents, vocab_size):
    """A store of documents that are lists of sentences, arrays of ids."""
    sentences = list(itertools.chain.from_iterable(documents))
    tokens = np.concatenate(sentences)
    begins = np.cumsum([0, *map(len, sentences)])
    return Store(tokens, begins, np.cumsum([0, *map(len, documents)]), np.bincount(tokens, minlength=vocab_size))


def shuffled(given, vocab_size, seed):
    """The same documents, with sentences from anywhere in place of their own."""
    cut = [given.tokens[a:b] for a, b in itertools.pairwise(given.sentences)]
    cut = iter([cut[i] for i in np.random.default_rng(seed).permutation(len(cut))])
    return built([list(itertools.islice(cut, n)) for n in np.diff(given.documents)], vocab_size)


def rows_of(given, tok, arrange=ordered, seed=0):
    return list(arrange(given, 0, given.n_documents, tok, LENGTH, np.random.default_rng(seed)))


def judged(train, test, tok, tokens=(0, 1, 2, 3), lengths=True):
    """Accuracy on rows it has not seen, and their number."""

    def features(rows):
        parts = [(row.ids[1 : row.second - 1], row.ids[row.second : -1]) for row in rows]
        ends = np.array([[a[0], a[-1], b[0], b[-1]] for a, b in parts])[:, list(tokens)]
        hot = [sparse.csr_matrix(np.eye(tok.vocab_size, dtype=np.float32)[column]) for column in ends.T]
        sizes = np.array([[len(a), len(b), len(a) - len(b), len(a) + len(b)] for a, b in parts]) / LENGTH
        return sparse.hstack([*hot, sizes * lengths]).tocsr()

    labels = [np.array([row.label for row in rows]) for rows in (train, test)]
    judge = LogisticRegression(C=0.3, max_iter=300).fit(features(train), labels[0])
    return judge.score(features(test), labels[1]), len(test)
