"""What heads do: a head built by hand, brute force, and what holds of any attention."""

import numpy as np
import pytest
import torch

import ptm_explore as ptm
from ptm_explore.interpret import heads
from ptm_explore.model import Model
from ptm_explore.models.bert import Bert, BertConfig
from ptm_explore.text.trees import Tree, trees

T = 24


@pytest.fixture(scope="module")
def bert():
    return ptm.load("bert-mini")


@pytest.fixture(scope="module")
def built(bert):
    """One layer of two heads: positions are all that an embedding holds; head 0 seeks the position before
    its own, head 1 seeks nothing, so it looks at everything evenly."""
    shape = {"d_model": 2 * T, "n_layers": 1, "n_heads": 2, "d_ff": 8, "max_len": T}
    config = BertConfig(vocab_size=bert.config.vocab_size, **shape)
    net = Bert(config, ("mlm",)).eval()
    for parameter in net.parameters():
        parameter.data.zero_()
    net.body.embeddings.norm.weight.data.fill_(1)
    net.body.embeddings.positions.weight.data[:, :T] = torch.eye(T)
    attention = net.body.layers[0].attention
    before = torch.diag(torch.ones(T - 1), -1)  # row k is the dimension of position k - 1
    attention.qkv.weight.data[:T, :T] = 30 * before.T
    attention.qkv.weight.data[2 * T : 3 * T, :T] = torch.eye(T)
    return Model(net, bert.tokenizer)


def test_a_head_built_to_look_back_scores_1(built):
    texts = ["The old dog sleeps in the garden.", "A cat sat."]
    found = heads.statistics(built, texts)
    assert found.loc[(0, 0), "previous"] == pytest.approx(1, abs=1e-3)
    assert found.loc[(0, 0), "distance"] == pytest.approx(1, abs=1e-2)
    assert found.loc[(0, 0), "entropy"] < 0.01
    assert found.loc[(0, 1), "entropy"] == pytest.approx(found.loc[(0, 1), "even entropy"], abs=1e-4)
    lengths = [len(built.encode(text).tokens[0]) for text in texts]
    ordinary = [n - 2 for n in lengths]
    share = sum(k / n for k, n in zip(ordinary, lengths, strict=True)) / sum(ordinary)
    assert found.loc[(0, 1), "first"] == pytest.approx(share, abs=1e-4)
    assert found.loc[(0, 1), "special"] == pytest.approx(2 * share, abs=1e-4)


def test_a_relation_that_a_head_tracks(built):
    """Each word's governor is the word before it: the first head finds all, as the fixed distance does."""
    text = "dog cat boy old new."
    spans, at = [], 0
    for word in ("dog", "cat", "boy", "old", "new"):
        at = text.index(word, at)
        spans.append((at, at + len(word)))
    tree = Tree(text, tuple(spans), ("X",) * 5, (-1, 0, 1, 2, 3), ("root", *["next"] * 4))
    found = heads.relations(built, [tree] * 8, least=10)
    assert found.index.tolist() == ["next"]
    row = found.loc["next"]
    assert (row["layer"], row["head"], row["score"], row["distance"], row["by distance"]) == (0, 0, 1, -1, 1)
    assert row["words"] == 16  # one half of the sentences
    with pytest.raises(ptm.PtmError, match="no relation occurs 99 times"):
        heads.relations(built, [tree], least=99)


def test_a_half_is_chosen_on_and_the_other_scored(bert):
    found = heads.relations(bert, trees("world", 80))
    assert ((found["low"] <= found["score"]) & (found["score"] <= found["high"])).all()
    assert found.loc["det", "by distance"] > 0.5
    assert (found["words"] >= 5).all()


@pytest.mark.parametrize("name", ["bert-mini", "gpt-mini", "xlnet-mini"])
def test_shares_by_brute_force(name):
    m = ptm.load(name)
    text = "The old dog sleeps in the garden."
    found, traced = heads.statistics(m, [text]), m.trace(text)
    rows = [i for i, word in enumerate(traced.words) if word is not None]
    for layer, head in ((0, 0), (1, 2)):
        a = traced.attention[layer, head]
        expected = {
            "previous": np.mean([float(a[i, i - 1]) if i else 0 for i in rows]),
            "next": np.mean([float(a[i, i + 1]) if i + 1 < len(a) else 0 for i in rows]),
            "itself": np.mean([float(a[i, i]) for i in rows]),
            "entropy": np.mean([-sum(float(p) * np.log(p) for p in a[i] if p > 0) for i in rows]),
            "distance": np.mean([sum(float(p) * abs(i - j) for j, p in enumerate(a[i])) for i in rows]),
        }
        for measure, value in expected.items():
            assert found.loc[(layer, head), measure] == pytest.approx(value, abs=1e-4)


def test_likeness(bert, built):
    found = heads.likeness(bert, ["The old dog sleeps.", "A cat sat in the garden."])
    assert sorted(found.rows) == sorted(f"{i}.{j}" for i in range(2) for j in range(4))
    np.testing.assert_allclose(found.values, found.values.T, atol=1e-6)
    assert (found.values >= 0).all()
    assert found.values.max() <= np.log(2) + 1e-6
    apart = heads.likeness(built, ["The old dog sleeps."]).values[0, 1]
    n = 7
    mixed = [0.5 / n] * (n - 1) + [0.5 + 0.5 / n]  # one key certain against all even
    expected = -sum(p * np.log(p) for p in mixed) - np.log(n) / 2
    assert apart == pytest.approx(expected * (n - 1) / n, abs=1e-3)  # nobody is before the first
