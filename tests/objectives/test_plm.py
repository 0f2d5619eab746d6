"""Permutation language modelling: who may see whom, against the ranks one by one; spans, memory, orders."""

import numpy as np
import pytest
import torch

from ptm_explore.errors import PtmError
from ptm_explore.models.recipes import build
from ptm_explore.models.xlnet import XlnetConfig
from ptm_explore.objectives.plm import Plm, ranks, visibility
from ptm_explore.text.batches import Row, Stream, collate
from tests import tiny


@pytest.fixture(scope="module")
def tok():
    return tiny.tokenizer("xlnet", "unigram")


@pytest.fixture(scope="module")
def big(tok):
    """Rows of 50 to 120 random tokens with <sep> and <cls> at the end."""
    rng = np.random.default_rng(0)
    plain = [i for i in range(tok.vocab_size) if i not in tok.special_ids]
    rows = [
        Row(np.array([*rng.choice(plain, size=int(n)), tok.sep_id, tok.cls_id]))
        for n in rng.integers(50, 120, size=600)
    ]
    return collate(rows, tok, range(len(rows)))


def chosen(batch):
    flat = torch.zeros(batch.input_ids.numel(), dtype=torch.bool).index_fill(0, batch.at, True)
    return flat.view_as(batch.input_ids)


def test_one_token_in_k_is_predicted_and_nothing_is_hidden(big, tok):
    for goal in (Plm(), Plm(K=3), Plm(spans=False)):
        out = goal.corrupt(big, tok, seed=0)
        assert torch.equal(out.input_ids, big.input_ids)
        assert torch.equal(out.targets, big.input_ids.flatten()[out.at])
        assert not (chosen(out) & big.special).any()
        assert chosen(out).any(1).all()
        assert len(out.at) / int((~big.special).sum()) == pytest.approx(1 / goal.K, rel=0.03)


def test_spans_have_the_lengths_of_the_paper(big, tok):
    """Runs of targets inside each row: 1 to 5 tokens, in proportion to 1/n (neighbours may touch, rarely)."""
    picked = chosen(Plm().corrupt(big, tok, seed=1)).numpy()
    counts = np.zeros(12)
    for row in picked:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        for length in edges[1::2] - edges[::2]:
            counts[length] += 1
    share = counts[1:6] / counts.sum()
    expected = np.array([1 / n for n in range(1, 6)])
    np.testing.assert_allclose(share, expected / expected.sum(), atol=0.04)
    scattered = chosen(Plm(spans=False).corrupt(big, tok, seed=1)).numpy()
    alone = scattered & ~np.roll(scattered, 1, 1) & ~np.roll(scattered, -1, 1)
    assert alone.sum() / scattered.sum() > 0.6


def test_visibility_follows_the_ranks(big, tok):
    out = Plm().corrupt(big, tok, seed=0)
    for b in range(5):
        order, real = out.order[b].tolist(), int(big.attention_mask[b].sum())
        targets = sorted(r for r in order if r >= 0)
        assert targets == list(range(len(targets)))
        for i in range(real):
            for j in range(len(order)):
                seen = j < real and (order[j] < 0 or (order[i] >= 0 and order[j] < order[i]))
                assert bool(out.visible[b, i, j]) == seen


def test_the_order_is_random_and_belongs_to_the_example(big, tok):
    whole = Plm().corrupt(big, tok, seed=0)
    first = [row[row >= 0].argmin() / max(int((row >= 0).sum()) - 1, 1) for row in whole.order]
    assert 0.4 < float(np.mean(first)) < 0.6  # the first to be predicted stands anywhere
    rows = [Row(big.input_ids[i][big.attention_mask[i]].numpy()) for i in (7, 8)]
    part = Plm().corrupt(collate(rows, tok, [7, 8]), tok, seed=0)
    T = part.order.size(1)
    # the draws of a row do not depend on who stands beside it, though padding may differ
    assert torch.equal(part.order[0, :40] >= 0, whole.order[7, :40] >= 0) or whole.order.size(1) != T


def test_an_explicit_order_and_its_mistakes(tok):
    order = ranks([2, 0, 4], 5)
    assert order.tolist() == [1, -1, 0, -1, 2]
    assert visibility(order).int().tolist() == [
        [0, 1, 1, 1, 0],
        [0, 1, 0, 1, 0],
        [0, 1, 0, 1, 0],
        [0, 1, 0, 1, 0],
        [1, 1, 1, 1, 0],
    ]
    ids = tok.encode("anna runs in the old house").ids[0]
    found = Plm().describe(ids, tok, order=[3, 1])
    assert found.order.tolist()[:4] == [-1, 1, -1, 0]
    assert found.targets[3] == ids[3]
    assert found.visible.diagonal().all()
    assert not found.query.diagonal()[[1, 3]].any()
    assert found.query[1, 3]
    for bad, message in (
        ([], "empty"),
        ([1, 1], "twice"),
        ([99], "outside"),
        ([-1], "outside"),
        (5, "list"),
        ([0.5], "list"),
    ):
        with pytest.raises(PtmError, match=message):
            Plm().describe(ids, tok, order=bad)
    with pytest.raises(PtmError, match="K=1"):
        Plm(K=1)


def test_memory_is_the_text_before_or_behind(tok):
    """Rows carry the tokens before them in the stream; reversed ones those behind, reversed."""
    store = tiny.splits(tok, tiny.documents(40)).train
    stream = store.tokens.astype(int).tolist()
    rows, _ = Stream(store, Plm(memory=8, bidirectional=True).arrange, tok, 24, seed=0).take(200)
    found = {True: 0, False: 0}
    for row in rows:
        text = row.ids[:-2].tolist()
        if tok.pad_id in row.before:
            continue
        around = [*text[::-1], *row.before[::-1]] if row.backward else [*row.before, *text]
        joined = " ".join(map(str, around))
        assert joined in " ".join(map(str, stream))
        found[row.backward] += 1
    assert min(found.values()) > 20


def test_memory_reaches_the_network_without_gradient(tok):
    net = build("xlnet", XlnetConfig(tok.vocab_size, 16, 2, 2, 24), ("lm",), seed=0).eval()
    store = tiny.splits(tok).train
    goal = Plm(memory=8)
    rows, numbers = Stream(store, goal.arrange, tok, 24, seed=0).take(4)
    batch = goal.corrupt(collate(rows, tok, numbers), tok, seed=0)
    out = goal.forward(net, batch)
    assert out.features.shape == (len(batch.targets), 16)
    without = Plm().forward(net, type(batch)(**{**vars(batch), "before": None}))
    assert not torch.allclose(out.features, without.features)
    goal.loss(out, batch)["plm"].backward()
    assert net.body.query.grad.any()
