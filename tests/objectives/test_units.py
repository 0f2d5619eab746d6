"""Masking by words, n-grams and spans: whole words, lengths as in the papers, within the quota."""

import numpy as np
import pytest
import torch

from ptm_explore.errors import PtmError
from ptm_explore.objectives.mlm import Mlm
from ptm_explore.text.batches import Row, Stream, collate
from tests import tiny


@pytest.fixture(scope="module")
def words():
    """(tokenizer, 300 rows of 150 words, (B, T) number of each token's word, -1 for special ones)."""
    tok = tiny.tokenizer()
    begins = [i for i in range(tok.vocab_size) if i not in tok.special_ids and not tok.continues[i]]
    goes_on = [i for i in range(tok.vocab_size) if i not in tok.special_ids and tok.continues[i]]
    rng = np.random.default_rng(1)
    rows, numbers = [], []
    for _ in range(300):
        ids, number = [tok.cls_id], [-1]
        for w in range(150):
            pieces = [rng.choice(begins), *rng.choice(goes_on, size=int(rng.integers(0, 3)))]
            ids, number = ids + pieces, number + [w] * len(pieces)
        rows.append(Row(np.array([*ids, tok.sep_id])))
        numbers.append(np.array([*number, -1]))
    return tok, rows, numbers


def masked_words(goal, words):
    """For each row the set of words that are chosen, after checking that each is chosen whole."""
    tok, rows, numbers = words
    batch = collate(rows, tok, range(len(rows)))
    out = goal.corrupt(batch, tok, seed=0)
    picked = torch.zeros(batch.input_ids.numel(), dtype=torch.bool).index_fill(0, out.at, True)
    picked = picked.view_as(batch.input_ids).numpy()
    found = []
    for row, number, chosen in zip(rows, numbers, picked, strict=True):
        chosen = chosen[: len(number)]
        whole = set(number[chosen].tolist())
        assert -1 not in whole
        assert np.array_equal(chosen, np.isin(number, list(whole)))
        assert 0.8 * 0.15 * len(row.ids) <= chosen.sum() <= round(0.15 * len(row.ids))
        found.append(whole)
    return found, batch, out


def runs(found):
    """Share of each length among runs of neighbouring words."""
    counts = np.zeros(40)
    for whole in found:
        inside = np.isin(np.arange(-1, 151), list(whole)).astype(int)
        edges = np.flatnonzero(np.diff(inside))
        for length in edges[1::2] - edges[::2]:
            counts[length] += 1
    return counts / counts.sum()


def test_lengths_grow_with_the_units(words):
    """Chance neighbours make runs of single words too; so units are compared with that."""
    means = {}
    for units in ("words", "ngrams", "spans"):
        found, _, _ = masked_words(Mlm(units=units), words)
        share = runs(found)
        means[units] = float((np.arange(40) * share).sum())
    # alone: 1 / (1 - 0.15); n-grams: 1.64 words each; spans: 3.8, less what the quota cuts
    assert 1.1 < means["words"] < 1.25
    assert 1.6 < means["ngrams"] < 2.0
    assert 3.0 < means["spans"] < 4.5


def test_ngrams_are_as_likely_as_one_over_n(words):
    """Where few words are hidden neighbours hardly touch, and runs are the n-grams themselves."""
    tok, rows, numbers = words
    batch = collate(rows, tok, range(len(rows)))
    counts = np.zeros(40)
    for seed in range(6):
        out = Mlm(rate=0.06, units="ngrams").corrupt(batch, tok, seed)
        picked = torch.zeros(batch.input_ids.numel(), dtype=torch.bool).index_fill(0, out.at, True)
        picked = picked.view_as(batch.input_ids).numpy()
        whole = [set(n[p[: len(n)]].tolist()) for n, p in zip(numbers, picked, strict=True)]
        counts += runs(whole)
    share = counts[1:4] / counts[1:4].sum()
    # the last n-gram of a row may be cut by the quota, so ones are a little more
    np.testing.assert_allclose(share, [6 / 11, 3 / 11, 2 / 11], atol=0.07)
    assert share[0] > share[1] > share[2]


def test_a_span_has_one_fate(words):
    tok, *_ = words
    found, batch, out = masked_words(Mlm(units="spans"), words)
    seen, original = out.input_ids[0].numpy(), batch.input_ids[0].numpy()
    number = words[2][0]
    mixed = 0
    for w in found[0]:
        if w + 1 in found[0]:
            fates = [bool((seen[: len(number)][number == v] == tok.mask_id).all()) for v in (w, w + 1)]
            mixed += fates[0] != fates[1]
    assert mixed <= 2  # where two spans touch
    assert (seen != original).any()


def test_full_sentences_run_on_across_documents_with_a_separator():
    tok = tiny.tokenizer("roberta", "bpe", 300)
    store = tiny.splits(tok, tiny.documents(60, sentences=2)).train
    full, _ = Stream(store, Mlm(full_sentences=True).arrange, tok, 60, seed=0).take(40)
    doc, _ = Stream(store, Mlm().arrange, tok, 60, seed=0).take(40)
    inside = lambda rows: sum((row.ids[1:-1] == tok.sep_id).sum() for row in rows)  # noqa: E731
    assert inside(full) > 20
    assert inside(doc) == 0
    assert np.mean([len(row.ids) for row in full]) > np.mean([len(row.ids) for row in doc])
    assert all(row.ids[0] == tok.cls_id and row.ids[-1] == tok.sep_id for row in full)


def test_unknown_units_are_refused():
    with pytest.raises(PtmError, match="ngrams"):
        Mlm(units="ngram")
