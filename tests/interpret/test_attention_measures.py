"""What is read from attention: against brute force, finite differences, and the model's own arithmetic."""

import itertools
from types import SimpleNamespace

import pytest
import torch

import ptm_explore as ptm
from ptm_explore.interpret import attention
from ptm_explore.layers.taps import Taps
from ptm_explore.models.pretrained import shipped

TEXT = "The unhappy children walked home."


@pytest.fixture(scope="module", params=shipped())
def model(request):
    return ptm.load(request.param)


def test_rows_of_weights_and_of_rollout_sum_to_one(model):
    for kind in ("weights", "rollout"):
        maps = attention.measure(model, TEXT, kind=kind)
        torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
    assert len(maps) == model.config.n_layers
    assert maps.shape[1] == 1


def test_rollout_is_the_sum_over_all_paths():
    maps = torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(0)).softmax(-1)
    steps = (maps.mean(1) + torch.eye(4)) / 2
    found = attention.rollout(maps)[-1]
    for i, j in itertools.product(range(4), repeat=2):
        paths = itertools.product([i], range(4), range(4), [j])
        total = sum(steps[2, a, b] * steps[1, b, c] * steps[0, c, d] for a, b, c, d in paths)
        assert found[i, j] == pytest.approx(float(total), abs=1e-6)


def test_norms_are_the_lengths_of_what_a_head_adds(model):
    """One head at a time, with all other contexts put to zero, over one key at a time."""
    layer, head, query, key = 0, 1, 2, 4
    maps = attention.measure(model, TEXT, kind="norms")
    name = f"layers.{layer}.attention"
    found = model.trace(TEXT)
    carried = found[f"{name}.probs"][head, query, key] * found[f"{name}.v"][head, key]

    def only(value):
        return torch.zeros_like(context).index_put(place, value)

    context, place = found[f"{name}.context"][None], tuple(map(torch.tensor, (0, head, query)))
    outs = []
    for value in (carried, torch.zeros_like(carried)):
        taps = Taps(read=[f"{name}.out"], edit={f"{name}.context": lambda _, value=value: only(value)})
        tokens = model.encode(TEXT)
        with torch.no_grad():
            model(tokens.ids, None, tokens.segments, taps=taps)
        outs.append(taps.values[f"{name}.out"][0, query])
    assert float((outs[0] - outs[1]).norm()) == pytest.approx(float(maps[layer, head, query, key]), rel=1e-4)


def test_gradient_agrees_with_a_finite_difference():
    m = ptm.load("bert-mini")
    m.net.double()
    layer, place, eps = 0, (0, 1, 3, 2), 1e-5
    name = f"layers.{layer}.attention.probs"
    tokens = m.encode(TEXT)

    def score(change):
        taps = Taps(edit={name: lambda p: p.index_put(tuple(map(torch.tensor, place)), p[place] + change)})
        with torch.no_grad():
            logits = m(tokens.ids, None, tokens.segments, taps=taps).logits
        return float(logits.log_softmax(-1).gather(-1, tokens.ids[..., None]).sum())

    slope = (score(eps) - score(-eps)) / (2 * eps)
    weight = float(attention.measure(m, TEXT)[layer][place[1:]])
    found = float(attention.measure(m, TEXT, kind="gradient")[layer][place[1:]])
    assert found == pytest.approx(max(weight * slope, 0), abs=1e-6)


def test_gradient_serves_every_family(model):
    maps = attention.measure(model, TEXT, kind="gradient")
    assert maps.shape == attention.measure(model, TEXT).shape
    assert maps.min() >= 0
    assert maps.max() > 0


def test_words_get_the_sum_and_give_the_mean():
    maps = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]])
    groups = attention.words_of([None, 0, 0])
    assert groups == [[0], [1, 2]]
    merged = attention.merge(maps, groups)
    torch.testing.assert_close(merged, torch.tensor([[0.5, 0.5], [0.2, 0.8]]))


def test_products_add_up_to_the_score(model):
    found = model.trace(TEXT)
    for query, key in ((2, 1), (3, 3)):
        p = attention.products(found, 1, 0, query, key)
        assert float(p.products.sum()) + p.place == pytest.approx(p.score, abs=1e-4)
        torch.testing.assert_close(p.products, p.query * p.key / len(p.key) ** 0.5)
        assert (p.place == 0) == (model.family != "xlnet")


def test_both_streams_of_xlnet():
    m = ptm.load("xlnet-mini")
    content, query = (attention.measure(m, TEXT, stream=stream) for stream in ("content", "query"))
    assert content.shape == query.shape
    assert not torch.equal(content, query)
    own = query.diagonal(dim1=-2, dim2=-1)
    assert own[..., :-2].max() == 0  # a query does not see its own token; the special ones are given


def test_models_are_compared_between_stretches_that_all_of_them_cut(model):
    bert, text = ptm.load("bert-mini"), "The naïve dog 🤖 wasn't unhappy."
    found = attention.look([bert, model], text, "It slept.")
    assert found.maps[0].shape[-1] == found.maps[1].shape[-1] == len(found.tokens)
    for m, groups in zip((bert, model), found.groups, strict=True):
        offsets = m.encode(text, "It slept.").offsets[0]
        spans = [(offsets[group[0]][0], offsets[group[-1]][1]) for group in groups]
        if found.notice:  # every stretch is the same text in both
            assert [end for _, end in spans] == [
                bert.encode(text, "It slept.").offsets[0][group[-1]][1] for group in found.groups[0]
            ]
        flat = [i for group in groups for i in group]
        assert flat == sorted(flat)
    words = attention.look([bert, model], text, words=True)
    assert len(words.tokens) <= len(attention.look([bert, model], text).tokens)
    assert any("unhappy" in token for token in words.tokens)


def test_unknown_names():
    m = ptm.load("bert-mini")
    with pytest.raises(ptm.PtmError, match=r"attention 'wieghts'\. Did you mean 'weights'"):
        attention.measure(m, TEXT, kind="wieghts")
    with pytest.raises(ptm.PtmError, match="unknown stream of attention in bert 'query'"):
        attention.measure(m, TEXT, stream="query")
    with pytest.raises(ptm.PtmError, match="rollout follows"):
        attention.measure(ptm.load("xlnet-mini"), TEXT, kind="rollout", stream="query")


def test_sections_of_a_pair(model):
    found = ptm.trace(model, "Two words.", "And more.")
    second = [token for token, n in zip(found.tokens, found.sections, strict=True) if n]
    assert "more" in "".join(second).lower()
    assert "two" not in "".join(second).lower()
    assert sum(model.trace("Two words.").sections) == 0


def test_a_trace_that_would_not_fit_is_refused(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(ptm.PtmError, match=r"of 11 tokens would take .* GB, and 1e-06 GB are free.*read="):
        ptm.load("bert-mini").trace(TEXT)
