"""XLNet's two streams: what a prediction may see is what it sees, no more and no less."""

import itertools
import math

import pytest
import torch

from ptm_explore.layers.taps import Taps
from ptm_explore.models.bert import BertConfig
from ptm_explore.models.recipes import build
from ptm_explore.models.xlnet import XlnetConfig

CONFIG = XlnetConfig(23, 12, 2, 3, 14, dropout=0.0, attention_dropout=0.0)


@pytest.fixture(scope="module")
def net():
    net = build("xlnet", CONFIG, ("lm",), seed=0).double().eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=draw, dtype=torch.double)
    return net


def visible_of(order):
    """(T, T): position i sees j where j comes before i in the order."""
    rank = torch.tensor(order).argsort()
    return rank[:, None] > rank[None, :]


class OnlyGiven:
    """XLNet by its definition, one vector at a time, on a list of (token, position): the states of a text
    that is read in the order of the list, and a query that is given nothing but that list."""

    def __init__(self, net):
        self.net, self.known = net, {}

    def content(self, given, layer):
        """The state of the last of the given tokens, which sees those before it and itself."""
        key = (given, layer)
        if key not in self.known:
            if layer == 0:
                self.known[key] = self.net.body.tokens.weight[given[-1][0]]
            else:
                seen = [given[: n + 1] for n in range(len(given))]
                below = [self.content(part, layer - 1) for part in seen]
                self.known[key] = self.block(layer - 1, below[-1], given[-1][1], below, [p for _, p in given])
        return self.known[key]

    def logits(self, given, position):
        """Of the query that stands at a position."""
        g = self.net.body.query
        for layer in range(CONFIG.n_layers):
            below = [self.content(given[: n + 1], layer) for n in range(len(given))]
            g = self.block(layer, g, position, below, [p for _, p in given])
        return self.net.body.tokens.weight @ g + self.net.lm_bias

    def block(self, layer, x, position, states, positions):
        block = self.net.body.layers[layer]
        a, D, H = block.attention, CONFIG.d_model, CONFIG.n_heads
        K = D // H
        Wq, Wk, Wv = a.qkv.weight.chunk(3)
        context = torch.zeros(D, dtype=torch.double)
        for h in range(H) if states else ():
            part = slice(h * K, (h + 1) * K)
            q = (Wq @ x)[part]
            scores = []
            for state, other in zip(states, positions, strict=True):
                angles = (position - other) / 10000 ** (torch.arange(0, D, 2.0) / D)
                r = (a.relative.weight @ torch.cat([angles.sin(), angles.cos()]).double())[part]
                by_content = (q + a.content_bias[h, 0]) @ (Wk @ state)[part]
                scores.append((by_content + (q + a.position_bias[h, 0]) @ r) / math.sqrt(K))
            weights = torch.stack(scores).softmax(0)
            context[part] = sum(w * (Wv @ s)[part] for w, s in zip(weights, states, strict=True))
        x = block.attention_norm(x + a.out.weight @ context)
        return block.ffn_norm(x + block.ffn(x))


@pytest.mark.parametrize("taps", [None, Taps(read=["*.probs"])], ids=["fused", "explicit"])
def test_every_order_of_five_tokens_equals_a_model_given_only_the_allowed_ones(net, taps):
    ids = torch.tensor([[3, 17, 8, 8, 21]])
    given = OnlyGiven(net)
    with torch.no_grad():
        for order in itertools.permutations(range(5)):
            queries = torch.arange(5)
            logits = net(ids, queries=queries, visible=visible_of(order)[None], taps=taps).logits
            for n, place in enumerate(order):
                before = tuple((int(ids[0, p]), p) for p in order[:n])
                # distances are encoded in float32, here and there with another rounding
                torch.testing.assert_close(logits[place], given.logits(before, place), rtol=0, atol=1e-6)


@pytest.mark.parametrize("taps", [None, Taps(read=["*.probs"])], ids=["fused", "explicit"])
def test_no_prediction_depends_on_what_it_may_not_see(net, taps):
    """Every token is changed in turn; logits move where it may be seen, directly or by way of others,
    only."""
    draw = torch.Generator().manual_seed(2)
    ids = torch.randint(0, 23, (3, 9), generator=draw)
    orders = [torch.randperm(9, generator=draw).tolist() for _ in range(3)]
    visible = torch.stack([visible_of(order) for order in orders])
    queries = torch.arange(27)
    with torch.no_grad():
        before = net(ids, queries=queries, visible=visible, taps=taps).logits.view(3, 9, -1)
        for j in range(9):
            other = ids.clone()
            other[:, j] = (other[:, j] + 1) % 23
            moved = net(other, queries=queries, visible=visible, taps=taps).logits.view(3, 9, -1) != before
            assert torch.equal(moved.any(-1), visible[:, :, j])


def test_text_reads_the_same_behind_any_padding_and_berts_does_not(net):
    ids, pads = torch.tensor([[3, 17, 8, 2, 21]]), torch.zeros(1, 5, dtype=torch.long)
    padded = torch.cat([pads, ids], dim=1)
    mask = torch.tensor([[False] * 5 + [True] * 5])
    with torch.no_grad():
        assert (net(padded, mask).hidden[:, 5:] - net(ids).hidden).abs().max() < 1e-12
        bert = build("bert", BertConfig(23, 12, 2, 3, 14, 20), ("mlm",), seed=0).double().eval()
        assert (bert(padded, mask).hidden[:, 5:] - bert(ids).hidden).abs().max() > 1e-3


def test_memory_equals_one_long_text_whose_first_half_sees_no_further(net):
    ids = torch.randint(0, 23, (2, 10), generator=torch.Generator().manual_seed(3))
    visible = torch.ones(2, 10, 10, dtype=torch.bool)
    visible[:, :6, 6:] = False
    with torch.no_grad():
        whole = net(ids, visible=visible).hidden
        first = net(ids[:, :6], keep=6)
        second = net(ids[:, 6:], memory=first.memory, keep=8)
        torch.testing.assert_close(second.hidden, whole[:, 6:], rtol=0, atol=1e-12)
        assert [m.shape for m in second.memory] == [(2, 8, 12)] * 2
        assert not any(m.requires_grad for m in second.memory)


def test_reversed_text_read_backward_has_the_same_states(net):
    ids = torch.randint(0, 23, (3, 7), generator=torch.Generator().manual_seed(4))
    backward = torch.tensor([True, False, True])
    turned = torch.where(backward[:, None], ids.flip(1), ids)
    with torch.no_grad():
        straight, other = net(ids).hidden, net(turned, backward=backward).hidden
        other = torch.where(backward[:, None, None], other.flip(1), other)
        torch.testing.assert_close(other, straight, rtol=0, atol=1e-12)
        memory = net(ids, keep=7).memory
        one_way = net(ids, memory=memory).hidden
        both = net(ids, memory=memory, backward=torch.tensor([True, False, True])).hidden
        torch.testing.assert_close(both[1], one_way[1], rtol=0, atol=1e-12)  # the row that is not reversed
        assert (one_way[0] - both[0]).abs().max() > 1e-3  # now the memory lies behind, not before


def test_rows_with_different_numbers_of_queries(net):
    ids = torch.randint(0, 23, (3, 6), generator=torch.Generator().manual_seed(5))
    queries = torch.tensor([1, 4, 5, 12])  # three in row 0, none in row 1, one in row 2
    with torch.no_grad():
        together = net(ids, queries=queries).logits
        alone = [net(ids[q // 6][None], queries=torch.tensor([q % 6])).logits[0] for q in queries.tolist()]
        torch.testing.assert_close(together, torch.stack(alone), rtol=0, atol=1e-12)


def test_predict_hides_what_it_is_told_to_hide(net):
    ids = torch.tensor([[3, 17, 8, 2, 21]])
    hidden = torch.tensor([[False, True, True, False, False]])
    at = torch.tensor([1])
    with torch.no_grad():
        before = net.predict(ids, hidden, at, mask_id=0)
        for j, changes in enumerate((True, False, False, True, True)):
            other = ids.clone()
            other[0, j] = 11
            assert bool((net.predict(other, hidden, at, mask_id=0) != before).any()) == changes


def test_both_streams_can_be_traced_and_edited(net):
    ids = torch.tensor([[3, 17, 8, 2, 21]])
    queries = torch.tensor([1, 3])
    taps = Taps(read=["*"])
    with torch.no_grad():
        out = net(ids, queries=queries, taps=taps)
        assert taps.values["layers.0.attention.probs"].shape == (1, 3, 5, 5)
        probs = taps.values["layers.1.attention.query.probs"]
        assert probs.shape == (1, 3, 2, 5)
        torch.testing.assert_close(probs.sum(-1), torch.ones(1, 3, 2, dtype=torch.double))
        assert not probs[0, :, 0, 1].any()  # a query never sees the token at its own place
        edit = Taps(edit={"layers.0.attention.query.probs": torch.zeros_like})
        changed = net(ids, queries=queries, taps=edit)
        torch.testing.assert_close(changed.hidden, out.hidden, rtol=0, atol=1e-12)
        assert (changed.logits - out.logits).abs().max() > 1e-3
