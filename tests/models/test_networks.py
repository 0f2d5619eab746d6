"""What holds for every family without a reference: counts, masks, taps, compilation."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ptm_explore.errors import PtmError
from ptm_explore.layers.taps import Taps
from ptm_explore.models.albert import AlbertConfig
from ptm_explore.models.bert import BertConfig
from ptm_explore.models.electra import ElectraConfig
from ptm_explore.models.gpt import GptConfig
from ptm_explore.models.recipes import FAMILIES, RECIPES, build, count_parameters, recipe
from ptm_explore.models.roberta import RobertaConfig
from ptm_explore.models.xlnet import XlnetConfig

SHAPE = {"vocab_size": 50, "d_model": 24, "n_layers": 2, "n_heads": 3, "d_ff": 40, "max_len": 16}
TINY = {
    "bert": (BertConfig(**SHAPE), ("pooler", "mlm", "pair")),
    "roberta": (RobertaConfig(**SHAPE), ("mlm",)),
    "albert": (AlbertConfig(**SHAPE, d_embedding=10), ("mlm", "pair")),
    "electra": (ElectraConfig(**SHAPE, d_embedding=10, generator_size=1 / 3), ("rtd", "generator")),
    "electra-generator": (ElectraConfig(**SHAPE, d_embedding=10), ("mlm",)),
    "xlnet": (XlnetConfig(**SHAPE), ("lm",)),
    "gpt": (GptConfig(**SHAPE), ("lm",)),
    "gpt1": (GptConfig(**SHAPE, pre_norm=False), ("lm",)),
}


def network(name):
    config, heads = TINY[name]
    return build(name.removesuffix("1").split("-")[0], config, heads, seed=1).eval()


@pytest.fixture(params=TINY)
def net(request):
    return network(request.param)


def ids(B=2, T=9):
    return torch.randint(2, 50, (B, T), generator=torch.Generator().manual_seed(2))


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
        ("roberta-base", ("pooler",), 124_645_632),
        ("roberta-base", ("mlm",), 124_697_433),
        ("roberta-large", ("pooler",), 355_359_744),
        ("roberta-large", ("mlm",), 355_412_057),
        ("albert-base", ("pooler",), 11_683_584),
        ("albert-base", ("mlm", "pair"), 11_813_810),
        ("albert-large", ("pooler",), 17_683_968),
        ("albert-large", ("mlm", "pair"), 17_847_474),
        ("albert-xlarge", ("pooler",), 58_724_864),
        ("albert-xlarge", ("mlm", "pair"), 59_021_490),
        ("albert-xxlarge", ("pooler",), 222_595_584),
        ("albert-xxlarge", ("mlm", "pair"), 223_158_450),
        ("xlnet-base", ("lm",), 116_750_336),
        ("xlnet-large", ("lm",), 360_300_800),
        ("electra-small", ("rtd",), 13_549_057),
        ("electra-base", ("rtd",), 109_483_009),
        ("electra-large", ("rtd",), 335_142_913),
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


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("electra-small", 4_620_026), ("electra-base", 33_740_602), ("electra-large", 51_295_290)],
)
def test_electras_generators_have_the_papers_sizes(name, parameters):
    with torch.device("meta"):
        alone = FAMILIES["electra"](recipe(name).config.generator, ("mlm",))
    assert count_parameters(alone) == parameters


MINIS = ["bert-mini", "roberta-mini", "albert-mini", "electra-mini", "xlnet-mini", "gpt-mini"]


@pytest.mark.parametrize("changes", [{}, {"d_ff": 100, "n_layers": 3}], ids=["mini", "odd"])
@pytest.mark.parametrize("name", MINIS)
def test_flops_equal_what_torch_counts(name, changes):
    r = recipe(name, **changes)
    net = r.build(seed=0)
    B, T = 4, 40
    at = torch.arange(0, B * T, 4)
    ids, share = torch.zeros(B, T, dtype=torch.long), len(at) / (B * T)
    explicit = Taps(read=["*.probs"])  # the counter does not know the CPU's fused attention
    besides = 0.0
    with FlopCounterMode(display=False) as counter:
        if "plm" in r.objectives:
            net(ids, queries=at, taps=explicit)
            besides = r.config.n_layers * 2 * 2 * T * r.config.d_model**2  # of the distances, once a batch
        elif "rtd" in r.objectives:
            net.propose(ids, at=at, taps=explicit)
            net(ids, taps=explicit)
        else:
            at, share = (None, 1.0) if net.causal else (at, share)
            net(ids, at=at, taps=explicit)
    expected = B * T * r.config.flops_per_token(T, share)
    assert counter.get_total_flops() - besides == pytest.approx(expected)


def test_listening_changes_nothing(net):
    taps = Taps(read=["*"])
    quiet, tapped = net(ids()), net(ids(), taps=taps)
    torch.testing.assert_close(quiet.logits, tapped.logits)
    scores = "replaced" if "rtd" in net.heads else "logits"
    names = {"embeddings.out", "layers.1.attention.probs", "layers.1.out", "hidden", scores}
    assert names <= set(taps.values)


@pytest.mark.parametrize("listen", [False, True])
def test_padding_changes_nothing(net, listen):
    short = ids(1, 5)
    long = torch.cat([short, torch.ones(1, 4, dtype=torch.long)], dim=1)  # 1 is RoBERTa's padding
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
    if "rtd" in net.heads:
        pytest.skip("a discriminator judges every token")
    at = torch.tensor([1, 4, 12])
    torch.testing.assert_close(net(ids(), at=at).logits, net(ids()).logits.flatten(0, 1)[at])


def test_compiles_whole(net):
    torch._dynamo.reset()
    compiled = torch.compile(net, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(ids()).logits, net(ids()).logits)


def test_predict_does_not_look_at_what_is_hidden():
    """Whatever stands at hidden positions, and wherever: the same logits; elsewhere it matters."""
    hidden, at = torch.zeros(2, 9, dtype=torch.bool), torch.tensor([3, 9])
    hidden[0, 3] = hidden[0, 4] = hidden[1, 0] = True
    for name in ("bert", "roberta", "albert", "electra", "electra-generator", "xlnet"):
        net = network(name)
        before = net.predict(ids(), hidden, at, mask_id=4)
        assert before.shape == (2, 50)
        same = net.predict(torch.where(hidden, 11, ids()), hidden, at, mask_id=4)
        torch.testing.assert_close(same, before)
        other = net.predict(torch.where(hidden, ids(), 11), hidden, at, mask_id=4)
        assert not torch.allclose(other, before)


def test_roberta_counts_positions_from_the_padding_id():
    embeddings = network("roberta").body.embeddings
    given = torch.tensor([[0, 5, 6, 2, 1, 1]])
    assert embeddings.position_ids(given).tolist() == [[2, 3, 4, 5, 1, 1]]
    assert embeddings.positions.num_embeddings == 18


@pytest.mark.parametrize(
    ("share", "sets"), [("all", (1, 1)), ("attention", (1, 4)), ("ffn", (4, 1)), ("none", (4, 4))]
)
def test_albert_shares_what_it_says(share, sets):
    """Shared parameters are one piece of memory, are counted once, and learn from every layer."""
    net = build("albert", AlbertConfig(50, 24, 4, 3, 40, 16, d_embedding=10, share=share), ("mlm",), seed=0)
    layers = net.body.layers
    assert len(layers) == 4
    for part, n in zip(("attention", "ffn"), sets, strict=True):
        assert len({next(getattr(layer, part).parameters()).data_ptr() for layer in layers}) == n
    attention, ffn = (
        sum(p.numel() for p in getattr(layers[0], part).parameters()) for part in ("attention", "ffn")
    )
    norm = 2 * 24
    each = count_parameters(net) - sets[0] * (attention + norm) - sets[1] * (ffn + norm)
    alone = build("albert", AlbertConfig(50, 24, 1, 3, 40, 16, d_embedding=10), ("mlm",), seed=0)
    assert each == count_parameters(alone) - attention - ffn - 2 * norm


def test_albert_groups_are_runs_of_layers():
    config = AlbertConfig(50, 24, 6, 3, 40, 16, d_embedding=10, n_groups=3, n_inner=2)
    body = build("albert", config, (), seed=0).body
    order = [[id(block) for block in group] for group in body.groups]
    assert [id(layer) for layer in body.layers] == [i for g in (0, 0, 1, 1, 2, 2) for i in order[g]]


@pytest.mark.parametrize("tied", [True, False])
def test_electras_discriminator_moves_the_generator_through_tied_embeddings_only(tied):
    config = ElectraConfig(**SHAPE, d_embedding=10, generator_size=1 / 3, tied=tied)
    net = build("electra", config, ("rtd", "generator"), seed=0)
    net(ids()).replaced_logits.sum().backward()
    assert all(p.grad is None for p in net.generator.parameters())
    assert net.body.embeddings.tokens.weight.grad.any()
    net.zero_grad()
    net.propose(ids()).logits.sum().backward()
    assert bool(net.body.embeddings.tokens.weight.grad is not None) == tied
    extra = sum(p.numel() for p in net.body.embeddings.parameters())
    both = build("electra", ElectraConfig(**SHAPE, d_embedding=10, generator_size=1 / 3), net.heads, seed=0)
    assert count_parameters(net) == count_parameters(both) + (0 if tied else extra)


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("electra", {"generator_size": 2.0}, "at most 1"),
        ("electra", {"generator_size": 0.3}, "multiple of the heads"),
        ("albert", {"share": "embeddings"}, "attention"),
        ("albert", {"n_groups": 9}, "1 to 2"),
    ],
)
def test_odd_settings_are_refused(family, settings, message):
    with pytest.raises(PtmError, match=message):
        build(family, FAMILIES[family].config_class(**SHAPE, **settings), recipe(f"{family}-mini").heads)


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
