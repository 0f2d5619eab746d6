"""What holds for every family without a reference: counts, masks, taps, compilation."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ptm_explore.errors import PtmError
from ptm_explore.layers.taps import Taps
from ptm_explore.models.bert import BertConfig
from ptm_explore.models.gpt import GptConfig
from ptm_explore.models.recipes import RECIPES, build, count_parameters, flops_per_token, recipe

SHAPE = {"vocab_size": 50, "d_model": 24, "n_layers": 2, "n_heads": 3, "d_ff": 40, "max_len": 16}
TINY = {
    "bert": (BertConfig(**SHAPE), ("pooler", "mlm", "pair")),
    "gpt": (GptConfig(**SHAPE), ("lm",)),
    "gpt1": (GptConfig(**SHAPE, pre_norm=False), ("lm",)),
}


def network(name):
    config, heads = TINY[name]
    return build(name.removesuffix("1"), config, heads, seed=1).eval()


@pytest.fixture(params=TINY)
def net(request):
    return network(request.param)


def ids(B=2, T=9):
    return torch.randint(0, 50, (B, T), generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(
    ("name", "heads", "parameters"),
    [
        ("bert-base", ("pooler",), 109_482_240),
        ("bert-base", ("mlm",), 109_514_298),
        ("bert-base", ("mlm", "pair"), 110_106_428),
        ("bert-large", ("pooler",), 335_141_888),
        ("bert-large", ("mlm", "pair"), 336_226_108),
        ("bert-tiny", ("pooler",), 4_385_920),
        ("bert-small", ("pooler",), 28_763_648),
        ("bert-medium", ("pooler",), 41_373_184),
        ("gpt1", ("lm",), 116_534_784),
        ("gpt2", ("lm",), 124_439_808),
        ("gpt2-medium", ("lm",), 354_823_168),
        ("gpt2-large", ("lm",), 774_030_080),
        ("gpt2-xl", ("lm",), 1_557_611_200),
    ],
)
def test_parameters_equal_the_published_checkpoints(name, heads, parameters):
    assert count_parameters(recipe(name).build(heads, device="meta")) == parameters


@pytest.mark.parametrize("name", [name for name in RECIPES if "-mini" in name])
def test_minis_are_small_and_share_a_shape(name):
    r = recipe(name)
    assert r.parameters <= 1_800_000
    c = r.config
    assert (c.n_layers, c.d_model, c.n_heads, c.vocab_size, c.max_len) == (2, 128, 4, 4096, 512)


@pytest.mark.parametrize("name", ["bert-mini", "gpt-mini"])
def test_flops_equal_what_torch_counts(name):
    r = recipe(name)
    net = r.build(seed=0)
    B, T = 4, 40
    positions = torch.arange(0, B * T, 4) if "mlm" in r.objectives else None
    share = 1.0 if positions is None else len(positions) / (B * T)
    explicit = Taps(read=["*.probs"])  # the counter does not know the CPU's fused attention
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(B, T, dtype=torch.long), at=positions, taps=explicit)
    assert counter.get_total_flops() == pytest.approx(B * T * flops_per_token(r.config, T, share))


def test_listening_changes_nothing(net):
    taps = Taps(read=["*"])
    quiet, tapped = net(ids()), net(ids(), taps=taps)
    torch.testing.assert_close(quiet.logits, tapped.logits)
    assert {"embeddings.out", "layers.1.attention.probs", "layers.1.out", "hidden", "logits"} <= set(
        taps.values
    )


@pytest.mark.parametrize("listen", [False, True])
def test_padding_changes_nothing(net, listen):
    short = ids(1, 5)
    long = torch.cat([short, torch.full((1, 4), 7)], dim=1)
    mask = torch.arange(9)[None] < 5
    taps = Taps(read=["*"]) if listen else None
    torch.testing.assert_close(net(short).hidden, net(long, mask, taps=taps).hidden[:, :5])


@pytest.mark.parametrize("name", ["gpt", "gpt1"])
@pytest.mark.parametrize("listen", [False, True])
def test_future_changes_nothing_in_the_past(name, listen):
    net = network(name)
    a, b = ids(), ids()
    b[:, 5:] = (b[:, 5:] + 1) % 50
    out = [net(x, taps=Taps(read=["*"]) if listen else None).logits for x in (a, b)]
    torch.testing.assert_close(out[0][:, :5], out[1][:, :5], rtol=0, atol=0)
    assert not torch.allclose(out[0][:, 5:], out[1][:, 5:])


def test_encoder_sees_both_ways():
    net = network("bert")
    a, b = ids(), ids()
    b[:, -1] = (b[:, -1] + 1) % 50
    assert not torch.allclose(net(a).logits[:, 0], net(b).logits[:, 0])


def test_logits_at_positions_are_the_logits_there(net):
    at = torch.tensor([1, 4, 12])
    torch.testing.assert_close(net(ids(), at=at).logits, net(ids()).logits.flatten(0, 1)[at])


def test_compiles_whole(net):
    torch._dynamo.reset()
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(ids()).logits, net(ids()).logits)


def test_seed_decides_the_weights_and_nothing_else_does():
    config, heads = TINY["bert"]
    state = torch.get_rng_state()
    a, b, c = (build("bert", config, heads, seed=s).state_dict() for s in (5, 5, 6))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["body.embeddings.tokens.weight"], c["body.embeddings.tokens.weight"])
    weights = a["body.layers.0.ffn.up.weight"]
    assert weights.std() == pytest.approx(0.0176, rel=0.1)  # a normal of 0.02 cut at two of them
    assert weights.abs().max() <= 0.04


def test_unknown_names_offer_near_ones():
    with pytest.raises(PtmError, match="bert-mini"):
        recipe("bert-mni")
    with pytest.raises(PtmError, match="n_layers"):
        recipe("bert-mini", n_layer=3)
    with pytest.raises(PtmError, match="gpt"):
        build("gtp", GptConfig(), ())
