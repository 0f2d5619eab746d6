"""Probes find what was planted: the layer of a property, a tree, and nothing where there is nothing."""

import numpy as np
import pytest

import ptm_explore as ptm
from ptm_explore.interpret.probing import _compression, probe, probe_states, structural_probe, structure
from ptm_explore.text.trees import Tree, trees


def planted(layer, sentences=60, words=8, labels=4, width=12, layers=4, seed=0):
    rng = np.random.default_rng(seed)
    states, truth, forms = [], [], []
    for _ in range(sentences):
        label = rng.integers(labels, size=words)
        x = rng.normal(size=(layers, words, width))
        x[layer, np.arange(words), label] += 8
        states.append(x)
        truth.append([f"label {n}" for n in label])
        forms.append([f"w{rng.integers(40)}" for _ in range(words)])
    return states, truth, forms


def test_the_planted_layer_is_found():
    found = probe_states(*planted(layer=2))
    accuracy, control = found.scores.values[:, 0, 0], found.scores.values[:, 1, 0]
    assert accuracy.argmax() == 2
    assert accuracy[2] > 0.97
    assert all(abs(accuracy[i] - 0.25) < 0.12 for i in (0, 1, 3))
    assert control[2] < 0.5
    np.testing.assert_allclose(found.scores.values[:, 2, 0], accuracy - control)
    assert max(found.compression, key=found.compression.get) == "layer 1"  # after the embeddings
    low, high = found.scores.values[2, 0, 1:]
    assert low <= accuracy[2] <= high
    assert found.compression["embeddings"] < 1.1


def test_the_control_task_is_one_label_for_each_form():
    """States that are nothing but the word's identity solve any control task: selectivity is nil or less."""
    states, truth, forms = planted(layer=0)
    for sentence, words in zip(states, forms, strict=True):
        sentence[:] = 0
        for i, word in enumerate(words):
            sentence[:, i, 0] = int(word[1:])
    wide = [np.eye(40)[s[..., 0].astype(int)] for s in states]
    found = probe_states(wide, truth, forms)
    assert found.scores.values[0, 1, 0] > 0.95
    assert found.scores.values[0, 2, 0] < 0


def test_code_length_of_certain_and_of_impossible_labels():
    rng = np.random.default_rng(0)
    y = rng.integers(4, size=640)
    x = np.eye(4)[y] * 10
    first = 640 / 32
    assert 0.6 * 640 / first < _compression(x, y, 4) < 640 / first  # hardly more than the first portion costs
    assert _compression(rng.normal(size=(640, 4)), y, 4) < 1.02


def test_code_lengths_do_not_leak_from_a_sentence_to_itself():
    """Labels drawn for each sentence, states that tell sentences apart: nothing is known of new ones."""
    rng = np.random.default_rng(0)
    states, labels = [], []
    for _ in range(80):
        own = rng.normal(size=24)
        states.append(own + rng.normal(size=(1, 8, 24)) * 0.05)
        labels.append([str(rng.integers(2))] * 8)
    found = probe_states(states, labels, [["w"] * 8] * 80)
    assert found.compression["embeddings"] < 1.05


def random_tree(rng, n):
    heads = [-1, *(int(rng.integers(i)) for i in range(1, n))]
    return Tree("w " * n, tuple((2 * i, 2 * i + 1) for i in range(n)), ("X",) * n, tuple(heads), ("r",) * n)


def test_a_planted_tree_is_found():
    """A node is the sum of one direction an edge from the root: squared distances are path lengths."""
    rng = np.random.default_rng(0)
    planted, states = [], []
    for _ in range(60):
        tree = random_tree(rng, 9)
        x = np.zeros((9, 24))
        for i, head in enumerate(tree.heads):
            if head >= 0:
                x[i] = x[head]
                x[i, i] += 1
        states.append(x + rng.normal(size=x.shape) * 0.01)
        planted.append(tree)
    (uuas, *_), (distance, *_), (depth, *_) = structure(states, planted, steps=400)
    assert min(uuas, distance, depth) > 0.9
    noise = [rng.normal(size=x.shape) for x in states]
    assert structure(noise, planted, steps=100)[0][0] < 0.4


def test_trees_of_the_world_and_of_a_file(shared_data):
    for tree in trees("world", 200):
        assert [tree.text[a:b] for a, b in tree.words][-1] in (".", "?", "”", "!")
        assert tree.heads.count(-1) == 1
        assert np.isfinite(tree.distances).all()
        root = tree.heads.index(-1)
        for word, head in enumerate(tree.heads):
            assert tree.depths[word] == (0 if word == root else tree.depths[head] + 1)
    found = trees(shared_data / "ud_english_ewt" / "en_ewt-ud-dev.conllu", 5)
    assert found[1].text.startswith("President Bush on Tuesday nominated")
    assert found[1].heads[:4] == (1, 4, 3, 4)
    with pytest.raises(ptm.PtmError, match="no CoNLL-U file"):
        trees("nowhere.conllu")


def test_of_a_model():
    bert = ptm.load("bert-mini")
    sentences = trees("world", 60)
    found = probe(bert, sentences, "tags")
    assert found.scores.rows == ["embeddings", "layer 0", "layer 1"]
    assert (found.scores.values[:, 0, 0] > found.majority + 0.3).all()
    shape = structural_probe(bert, sentences, steps=50)
    assert shape.values.shape == (3, 3, 3)
    task = ptm.task("world:genre")
    texts = probe(bert, task.train[:80])
    assert texts.scores.values[1, 0, 0] > texts.majority
    with pytest.raises(ptm.PtmError, match="at least 10"):
        probe(bert, sentences[:5], "tags")
    with pytest.raises(ptm.PtmError, match="at least 10"):
        structural_probe(bert, sentences[:5])
