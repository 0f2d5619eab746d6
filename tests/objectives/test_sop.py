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
    return Store(
        tokens, begins, np.cumsum([0, *map(len, documents)]), np.bincount(tokens, minlength=vocab_size)
    )


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


def at_chance(share, n, sigmas=4):
    return abs(share - 0.5) < sigmas * 0.5 / n**0.5


def cut_to_size(given, first, last, tok, length, rng):
    """A known leak: the earlier segment keeps its end, the later one its beginning, then they are swapped."""
    for row in ordered(given, first, last, tok, 4 * length, rng):
        parts = [row.ids[1 : row.second - 1], row.ids[row.second : -1]]
        earlier, later = parts[::-1] if row.label else parts
        earlier, later = earlier[-(length // 6) :], later[: length // 6]
        a, b = (later, earlier) if row.label else (earlier, later)
        yield Row(np.concatenate([[tok.cls_id], a, [tok.sep_id], b, [tok.sep_id]]), len(a) + 2, row.label)


def greedy(given, first, last, tok, length, rng):
    """A subtle leak: each window begins with the sentence that did not fit into the one before, so with a
    longer one than others."""
    for document in range(first, last):
        cuts = given.sentences[given.documents[document] : given.documents[document + 1] + 1]
        s = 0
        while s < len(cuts) - 2:
            stop = max(int(np.searchsorted(cuts, cuts[s] + length - 3, side="right")) - 1, s + 1)
            if stop - s > 1:
                middle, label = cuts[rng.integers(s + 1, stop)], int(rng.random() < 0.5)
                parts = [given.tokens[cuts[s] : middle], given.tokens[middle : cuts[stop]]]
                a, b = parts[::-1] if label else parts
                yield Row(np.concatenate([[tok.cls_id], a, [tok.sep_id], b, [tok.sep_id]]), len(a) + 2, label)
            s = stop


@pytest.mark.parametrize("seed", [0, 1])
def test_order_that_means_nothing_cannot_be_told(generated, seed):
    train, test, tok = generated
    rows = [
        rows_of(shuffled(part, tok.vocab_size, 10 * seed + i), tok, seed=100 + 10 * seed + i)
        for i, part in enumerate((train, test))
    ]
    share, n = judged(*rows, tok)
    assert n >= 4000
    assert at_chance(share, n)


@pytest.mark.parametrize("leak", [cut_to_size, greedy])
def test_the_judge_catches_a_leak(generated, leak):
    train, test, tok = generated
    rows = [
        rows_of(shuffled(part, tok.vocab_size, i), tok, leak, seed=100 + i)
        for i, part in enumerate((train, test))
    ]
    share, n = judged(*rows, tok)
    assert not at_chance(share, n)
    assert share > {cut_to_size: 0.9, greedy: 0.52}[leak]


def test_what_text_in_its_order_tells_is_the_text(generated):
    """Here first tokens do tell something ("She" seldom opens a story): coherence, as the judge is at chance
    once the sentences are shuffled. Where rows end tells nothing: each ends with a sentence."""
    train, test, tok = generated
    rows = [rows_of(part, tok, seed=i) for i, part in enumerate((train, test))]
    share, n = judged(*rows, tok, tokens=(3,), lengths=False)
    assert at_chance(share, n)


def test_rows_are_whole_neighbouring_sentences_of_one_document(generated):
    _, given, tok = generated
    text = f" {' '.join(map(str, given.tokens.tolist()))} "
    rows = rows_of(given, tok)
    for row in rows[:300]:
        assert len(row.ids) <= LENGTH
        parts = [row.ids[1 : row.second - 1], row.ids[row.second : -1]]
        first, second = parts[::-1] if row.label else parts
        assert f" {' '.join(map(str, [*first, *second]))} " in text
    labels = [row.label for row in rows]
    assert at_chance(np.mean(labels), len(labels))


def test_every_window_is_split_at_each_boundary_alike_and_never_inside_a_sentence():
    """Sentences of 3 tokens, each token telling which sentence of which document it belongs to."""
    tok = tiny.tokenizer()
    plain = [i for i in range(tok.vocab_size) if i not in tok.special_ids]
    documents = [[np.full(3, plain[s]) for s in range(8)] for _ in range(1500)]
    given = built(documents, tok.vocab_size)
    rows = list(ordered(given, 0, 1500, tok, 3 + 12, np.random.default_rng(0)))
    sizes = [(row.second - 2) // 3 for row in rows if len(row.ids) == 15]
    assert all((row.second - 2) % 3 == 0 for row in rows)
    for size in (1, 2, 3):  # of the 4 sentences in a full window
        assert abs(sizes.count(size) - len(sizes) / 3) < 4.5 * (len(sizes) * 2 / 9) ** 0.5
    for row in rows:
        order = np.concatenate(
            [row.ids[row.second : -1], row.ids[1 : row.second - 1]][:: 1 if row.label else -1]
        )
        assert (np.diff(order[::3]) == 1).all()


def test_text_without_pairs_says_so():
    tok = tiny.tokenizer()
    given = built([[np.array([7, 8, 9])] for _ in range(5)], tok.vocab_size)
    with pytest.raises(PtmError, match="two sentences"):
        Stream(given, Sop().arrange, tok, 24, seed=0).take(1)
    with pytest.raises(PtmError, match="no room"):
        Stream(given, Sop().arrange, tok, 4, seed=0).take(1)
