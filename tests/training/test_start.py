"""The warm start, against counting by hand."""

import numpy as np
import pytest
import torch

from ptm_explore.layers.taps import Taps
from ptm_explore.models.recipes import recipe
from ptm_explore.training import start
from tests import tiny


@pytest.fixture(scope="module")
def store():
    return tiny.splits(tiny.tokenizer()).train


def test_vectors_factorise_the_positive_pmi(store):
    """At full rank, products of the unrotated, uncentred vectors are the PPMI; so cosines before and after
    agree for the differences of vectors. Here against a dense computation from the definition."""
    V = len(store.counts)
    tokens = store.tokens.astype(int)
    counts = np.zeros((V, V))
    for i, a in enumerate(tokens):
        for d in range(1, 5):
            if i + d < len(tokens):
                counts[a, tokens[i + d]] += 1 / d
                counts[tokens[i + d], a] += 1 / d
    total = counts.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        pmi = np.log(counts * counts.sum() / np.outer(total, total))
    ppmi = np.where(counts > 0, np.maximum(pmi, 0), 0)
    u, s, _ = np.linalg.svd(ppmi)
    D = 12
    expected = (u * np.sqrt(s))[:, :D]
    seen = total > 0
    expected = expected[seen] - expected[seen].mean(0)
    found = start.cooccurrence_vectors(store, V, D, seed=0).numpy()[seen]
    # equal up to a rotation: the same Gram matrix, up to scale
    gram = lambda x: (x @ x.T) / (x**2).sum()  # noqa: E731
    np.testing.assert_allclose(gram(found), gram(expected), atol=2e-3)
    assert found.std() == pytest.approx(start.STD, rel=1e-4)


def test_unseen_tokens_get_small_vectors(store):
    V = len(store.counts) + 10
    vectors = start.cooccurrence_vectors(store, V, 16, seed=0)
    assert 0 < vectors[-10:].std() < start.STD / 5


def test_sinusoids():
    table = start.sinusoids(50, 8)
    assert table[0].tolist() == [0, 1] * 4
    assert float(table[3, 0]) == pytest.approx(np.sin(3))
    near, far = (float(table[10] @ table[10 + d]) for d in (1, 9))
    assert near > far


def test_mimetic_heads_prefer_what_is_alike():
    net = recipe("bert-mini", vocab_size=120).build(seed=0)
    attention = net.body.layers[0].attention
    with torch.no_grad():
        start.mimetic(attention, torch.Generator().manual_seed(0))
    query, key, _ = attention.qkv.weight.chunk(3)
    assert torch.equal(query, key)
    K = 128 // 4
    torch.testing.assert_close(query[:K] @ query[:K].T, torch.eye(K), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["roberta", "albert", "electra", "xlnet", "gpt"])
def test_every_family_starts_warm(family, store):
    """Token embeddings have the geometry of the counts, heads compare, biases of the vocabulary know it."""
    V = len(store.counts)
    cold, warm = (recipe(f"{family}-mini", vocab_size=V).build(seed=0) for _ in range(2))
    start.warm_start(warm, store, seed=0)
    tables = {n: p for n, p in warm.named_parameters() if n.endswith("tokens.weight")}
    (table,) = tables.values()
    expected = start.cooccurrence_vectors(store, *table.shape, seed=0)
    torch.testing.assert_close(table.data, expected)
    for module in warm.modules():
        if hasattr(module, "qkv"):
            query, key, _ = module.qkv.weight.chunk(3)
            assert torch.equal(query, key)
    logs = start.log_unigram(store, V)
    vocabulary = [p for n, p in warm.named_parameters() if n.endswith("bias") and p.shape == (V,)]
    assert all(torch.equal(p.data, logs) for p in vocabulary)
    assert len(vocabulary) == (family != "gpt")
    changed = [
        n for (n, a), b in zip(warm.named_parameters(), cold.parameters(), strict=True) if (a != b).any()
    ]
    assert not any("ffn" in n or "norm" in n for n in changed)


def test_xlnets_heads_look_nearby_at_first(store):
    net = recipe("xlnet-mini", vocab_size=len(store.counts)).build(seed=0).eval()
    start.warm_start(net, store, seed=0)
    trace = Taps(read=["layers.0.attention.query.probs"])
    ids = torch.randint(10, len(store.counts), (8, 31), generator=torch.Generator().manual_seed(0))
    queries = torch.arange(8) * 31 + 15
    with torch.no_grad():
        net(ids, queries=queries, taps=trace)
    probs = trace.values["layers.0.attention.query.probs"].mean((0, 1, 2))  # (S,)
    assert probs[15] == 0
    assert probs[14] + probs[16] > 2 * (probs[5] + probs[25])


def test_start_changes_no_shape_and_is_a_function_of_the_seed(store):
    nets = [recipe("bert-mini", vocab_size=len(store.counts)).build(seed=0) for _ in range(3)]
    shapes = {name: p.shape for name, p in nets[0].named_parameters()}
    for net, seed in zip(nets, (0, 0, 1), strict=True):
        start.warm_start(net, store, seed)
    a, b, c = (dict(net.named_parameters()) for net in nets)
    assert {name: p.shape for name, p in a.items()} == shapes
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["body.embeddings.tokens.weight"], c["body.embeddings.tokens.weight"])
    counts = torch.from_numpy(np.log(store.counts + 1.0)).float()
    torch.testing.assert_close(a["head.bias"].data, counts - counts.mean())
