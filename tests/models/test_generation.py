"""A cache changes nothing but the time: the same numbers as reading everything again, and as the reference.
And what may be drawn, against the definitions written out."""

import itertools

import pytest
import torch
import transformers

from ptm_explore.errors import PtmError
from ptm_explore.layers.attention import Cache
from ptm_explore.layers.taps import Taps
from ptm_explore.models import pretrained
from ptm_explore.models.gpt import GptConfig
from ptm_explore.models.recipes import build
from ptm_explore.models.sampling import candidates

B, T = 3, 13
MASKS = {
    "none": None,
    "left": torch.arange(T) >= torch.tensor([[0], [3], [5]]),
    # rows of different lengths, then the tokens that go on with them
    "right": (torch.arange(T) < torch.tensor([[6], [2], [4]])) | (torch.arange(T) >= 6),
}
CHUNKS = {"token by token": [1] * T, "odd": [5, 1, 3, 4], "two": [6, 7]}


def network(pre_norm=True):
    net = build("gpt", GptConfig(50, 24, 3, 3, 40, 16, pre_norm=pre_norm), ("lm",), seed=1).double().eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
    return net


@pytest.fixture(scope="module")
def ids():
    return torch.randint(0, 50, (B, T), generator=torch.Generator().manual_seed(2))


def read(net, ids, chunks, mask=None, taps=lambda: None):
    """The logits (B, T, V) of tokens read with one cache, chunk after chunk."""
    cache, outs, end = Cache(), [], 0
    for size in chunks:
        start, end = end, end + size
        assert len(cache) == start
        outs.append(net(ids[:, start:end], None if mask is None else mask[:, :end], cache=cache, taps=taps()))
    assert len(cache) == end
    return torch.cat([out.logits for out in outs], dim=1)


@torch.no_grad()
@pytest.mark.parametrize("pre_norm", [True, False], ids=["gpt2", "gpt1"])
@pytest.mark.parametrize("listen", [False, True])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("chunks", CHUNKS)
def test_cached_equals_uncached(ids, chunks, mask, listen, pre_norm):
    net, mask = network(pre_norm), MASKS[mask]
    taps = (lambda: Taps(read=["*"])) if listen else lambda: None
    whole = net(ids, mask, taps=taps()).logits
    assert whole.isfinite().all()
    pieces = read(net, ids, CHUNKS[chunks], mask, taps)
    real = torch.ones(B, T, dtype=torch.bool) if mask is None else mask
    torch.testing.assert_close(pieces[real], whole[real], rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("listen", [False, True])
def test_padding_in_the_cache_is_not_seen(ids, listen):
    net, mask = network(), MASKS["right"]
    other = ids.masked_fill(~mask, 49)
    assert not torch.equal(ids, other)
    taps = (lambda: Taps(read=["*"])) if listen else lambda: None
    a, b = (read(net, x, [6, 3, 4], mask, taps) for x in (ids, other))
    torch.testing.assert_close(a[mask], b[mask], rtol=0, atol=0)


@torch.no_grad()
def test_taps_have_their_names_and_edits_reach_the_cache(ids):
    net, cache = network(), Cache()
    net(ids[:, :5], cache=cache)
    plain, cached = Taps(read=["*"]), Taps(read=["*"])
    net(ids, taps=plain)
    net(ids[:, 5:], cache=cache, taps=cached)
    assert list(plain.values) == list(cached.values)
    for name, value in cached.values.items():
        whole = plain.values[name]
        if name.endswith(("q", "k", "v", "context")):
            whole = whole[:, :, 5:]
        elif name.endswith(("scores", "probs")):  # a key that is not seen has any score, no probability
            whole = whole[:, :, 5:]
            seen = torch.ones(T - 5, T, dtype=torch.bool).tril(5)
            value, whole = value.where(seen, 0), whole.where(seen, 0)
        else:
            whole = whole[:, 5:]
        if name != "embeddings.positions":  # has one row for all
            torch.testing.assert_close(value, whole, rtol=0, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}")
    edited = Cache()
    net(ids[:, :5], cache=edited, taps=Taps(edit={"layers.1.attention.k": torch.zeros_like}))
    assert not edited.layers[1][0].any()
    assert edited.layers[0][0].any()


@torch.no_grad()
def test_at_counts_among_the_new_tokens(ids):
    net, cache = network(), Cache()
    net(ids[:, :5], cache=cache)
    at = torch.tensor([3, 9, 23])  # columns 3, 1 and 7 of rows 0, 1 and 2, eight new tokens each
    found = net(ids[:, 5:], cache=cache, at=at).logits
    torch.testing.assert_close(found, net(ids).logits[[0, 1, 2], [8, 6, 12]], rtol=0, atol=1e-12)


@torch.no_grad()
def test_a_task_reads_its_last_new_token(ids):
    net = build("gpt", GptConfig(50, 24, 2, 3, 40, 16), ("sequence",), seed=1).double().eval()
    mask, cache = MASKS["right"].clone(), Cache()
    mask[0, 11:] = False
    net(ids[:, :6], mask[:, :6], cache=cache)
    found = net(ids[:, 6:], mask, cache=cache).task_logits
    torch.testing.assert_close(found, net(ids, mask).task_logits, rtol=0, atol=1e-12)


@torch.no_grad()
def test_half_a_text_can_go_on_in_two_ways(ids):
    """A cache is the texts' own: nothing of it is left in the network."""
    net, first, second = network(), Cache(), Cache()
    for cache in (first, second):
        net(ids[:, :5], cache=cache)
    net(ids[:, 5:], cache=first)
    other = torch.cat([ids[:, :5], ids[:, 5:].flip(1)], dim=1)
    torch.testing.assert_close(
        net(other[:, 5:], cache=second).logits, net(other).logits[:, 5:], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("listen", [False, True])
def test_gradients_flow_through_the_cache(ids, listen):
    gradients = []
    for chunks in ([T], [4, 1, 8]):
        net = network()
        taps = (lambda: Taps(read=["*"])) if listen else lambda: None
        read(net, ids, chunks, taps=taps).square().sum().backward()
        gradients.append([p.grad for p in net.parameters()])
    for whole, pieces in zip(*gradients, strict=True):
        torch.testing.assert_close(pieces, whole, rtol=1e-10, atol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("listen", [False, True])
def test_cached_equals_the_reference_with_its_cache(ids, mask, listen, tmp_path):
    shape = {"vocab_size": 50, "n_positions": 16, "n_embd": 24, "n_layer": 3, "n_head": 3, "n_inner": 40}
    config = transformers.GPT2Config(**shape, attn_implementation="eager")
    torch.manual_seed(5)
    reference = transformers.GPT2LMHeadModel(config).eval()
    for parameter in reference.parameters():
        parameter += 0.2 * torch.randn_like(parameter)
    reference.save_pretrained(tmp_path)
    net, reference = pretrained.read(tmp_path)[0].double(), reference.double()
    mask = torch.ones(B, T, dtype=torch.bool) if MASKS[mask] is None else MASKS[mask]
    cache, theirs, end = Cache(), None, 0
    for size in (5, 1, 3, 4):
        start, end = end, end + size
        taps = Taps(read=["*"]) if listen else None
        mine = net(ids[:, start:end], mask[:, :end], cache=cache, taps=taps).logits
        out = reference(
            ids[:, start:end],
            attention_mask=mask[:, :end].long(),
            past_key_values=theirs,
            use_cache=True,
            position_ids=torch.arange(start, end)[None],
        )
        theirs, real = out.past_key_values, mask[:, start:end]
        torch.testing.assert_close(mine[real], out.logits[real], rtol=0, atol=1e-10)


def test_what_a_cache_cannot_take(ids):
    net, cache = network(), Cache()
    net(ids, cache=cache)
    cases = [
        (lambda: net(ids[:, :4], cache=cache), r"13 tokens in the cache and 4 to read make 17.* reads 16"),
        (lambda: net(ids[:2, :1], cache=cache), "3 rows, and 2"),
        (lambda: net(ids[:, :2], torch.ones(3, 2).bool(), cache=cache), "covers 2 tokens.* 13 .* 2 to read"),
    ]
    for call, message in cases:
        with pytest.raises(PtmError, match=message):
            call()
        assert len(cache) == T  # what fails leaves the cache as it was
    net(ids[:, :3], cache=cache)
    assert len(cache) == 16


LOGITS = torch.tensor([0.3, -1.0, 2.0, 1.9, 0.0, -4.0, 1.0])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [None, 1, 3, 7, 100])
def test_top_k_keeps_the_likeliest(top_k, temperature):
    ids, probabilities = candidates(LOGITS, temperature, top_k)
    order = sorted(range(7), key=lambda i: -LOGITS[i])[:top_k]
    assert ids.tolist() == order
    weights = (LOGITS[order].double() / temperature).exp()
    torch.testing.assert_close(probabilities, weights / weights.sum())


@pytest.mark.parametrize("top_k", [None, 4])
@pytest.mark.parametrize("top_p", [1e-9, 0.2, 0.45, 0.5, 0.8, 0.9, 0.99, 0.9999, 1.0])
def test_the_nucleus_is_the_smallest_set_that_reaches_p(top_p, top_k):
    pool, all_probabilities = candidates(LOGITS, 0.7, top_k)
    probability = dict(zip(pool.tolist(), all_probabilities.tolist(), strict=True))
    mass = lambda tokens: sum(probability[i] for i in tokens)  # noqa: E731
    reaching = [
        set(tokens)
        for n in range(1, len(pool) + 1)
        for tokens in itertools.combinations(probability, n)
        if mass(tokens) >= top_p - 1e-12
    ]
    smallest = min(map(len, reaching))
    best = max((tokens for tokens in reaching if len(tokens) == smallest), key=mass)
    ids, probabilities = candidates(LOGITS, 0.7, top_k, top_p)
    assert set(ids.tolist()) == best
    for i, p in zip(ids.tolist(), probabilities.tolist(), strict=True):
        assert p == pytest.approx(probability[i] / mass(best))


def test_a_nucleus_that_is_reached_exactly_takes_no_more():
    quarters = torch.zeros(4)
    assert len(candidates(quarters, 1.0, None, 0.5)[0]) == 2
    assert len(candidates(quarters, 1.0, None, 0.5001)[0]) == 3


@pytest.mark.parametrize("temperature", [0.0, 1e-300])
def test_cold_keeps_the_likeliest(temperature):
    ids, probabilities = candidates(LOGITS, temperature)
    assert ids[0] == 2
    assert probabilities[0] == 1
    assert len(ids) == 1 or not probabilities[1:].any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": "hot"},
        {"top_k": 0},
        {"top_k": -3},
        {"top_k": 2.5},
        {"top_p": 0.0},
        {"top_p": 1.01},
        {"top_p": -0.5},
        {"top_p": float("nan")},
    ],
)
def test_nonsense_is_answered(wrong):
    (name,) = wrong
    with pytest.raises(PtmError, match=f"{name}="):
        candidates(LOGITS, **wrong)
