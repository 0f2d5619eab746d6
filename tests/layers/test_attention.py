"""The fused and the explicit path are one attention; masks hide what they say; taps cost nothing unheard."""

import pytest
import torch

from ptm_explore.layers.attention import Attention, attend
from ptm_explore.layers.taps import Taps


def qkv(B=2, H=3, T=7, S=7, K=5):
    g = torch.Generator().manual_seed(0)
    return [torch.randn(B, H, n, K, generator=g, dtype=torch.float64, requires_grad=True) for n in (T, S, S)]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_fused_equals_explicit_with_gradients(causal, masked):
    mask = None
    if masked:
        mask = torch.ones(2, 1, 1, 7, dtype=torch.bool)
        mask[1, ..., 4:] = False
    results = []
    for taps in (None, Taps(read=["probs"])):
        q, k, v = qkv()
        out = attend(q, k, v, mask, causal, taps=taps)
        out.square().sum().backward()
        results.append([out.detach(), q.grad, k.grad, v.grad])
    for fused, explicit in zip(*results, strict=True):
        torch.testing.assert_close(fused, explicit, rtol=0, atol=1e-12)


def test_attend_equals_the_formula_written_out():
    q, k, v = qkv(B=1, H=1, T=2, S=3, K=2)
    out = attend(q, k, v)[0, 0]
    for t in range(2):
        weights = [float(torch.exp(q[0, 0, t] @ k[0, 0, s] / 2**0.5)) for s in range(3)]
        expected = sum(w * v[0, 0, s] for s, w in enumerate(weights)) / sum(weights)
        torch.testing.assert_close(out[t], expected)


@pytest.mark.parametrize("listen", [False, True])
def test_causal_attention_never_sees_the_future(listen):
    torch.manual_seed(0)
    attention = Attention(12, 3, causal=True).double()
    x = torch.randn(1, 6, 12, dtype=torch.float64)
    for t in range(6):
        other = x.clone()
        other[:, t] += 1
        before, after = (attention(a, taps=Taps(read=["*"]) if listen else None) for a in (x, other))
        torch.testing.assert_close(before[:, :t], after[:, :t], rtol=0, atol=0)
        assert not torch.allclose(before[:, t], after[:, t])


def test_causal_mask_aligns_the_last_query_with_the_last_key():
    """With more keys than queries (a cache), the queries are the last positions."""
    q, k, v = qkv(T=2, S=5)
    taps = Taps(read=["probs"])
    attend(q, k, v, causal=True, taps=taps)
    probs = taps.values["probs"][0, 0]
    assert probs[0, 4] == 0
    assert (probs[0, :4] > 0).all()
    assert (probs[1] > 0).all()


def test_dropout_trains_the_same_on_average_on_both_paths():
    torch.manual_seed(0)
    q, k, v = (x.detach().repeat(400, 1, 1, 1) for x in qkv(B=1))
    plain = attend(q, k, v).mean(0)
    for taps in (None, Taps(read=["probs"])):
        dropped = attend(q, k, v, dropout=0.2, taps=taps)
        assert not torch.allclose(dropped[0], dropped[1])
        torch.testing.assert_close(dropped.mean(0), plain, atol=0.15, rtol=0)


def test_taps_read_edit_and_give_gradients():
    torch.manual_seed(0)
    attention = Attention(8, 2)
    x = torch.randn(1, 4, 8)
    taps = Taps(read=["*.probs", "*.out"], gradients=True)
    attention(x, taps=taps.at("layers.0.attention")).sum().backward()
    assert set(taps.values) == {"layers.0.attention.probs", "layers.0.attention.out"}
    assert taps.gradients()["layers.0.attention.out"].eq(1).all()
    assert taps.gradients()["layers.0.attention.probs"].shape == (1, 2, 4, 4)
    silence = Taps(edit={"context": torch.zeros_like})
    torch.testing.assert_close(attention(x, taps=silence), attention.out.bias.expand(1, 4, 8))


def test_only_the_listened_layer_takes_the_explicit_path():
    taps = Taps(read=["layers.1.attention.probs"])
    assert taps.at("layers.1").at("attention").listens("probs")
    assert not taps.at("layers.0").at("attention").listens("scores", "probs")
