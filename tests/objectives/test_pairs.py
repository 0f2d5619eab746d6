"""What factorising buys (XLNet, section 2.6): of a pair whose halves determine each other, both hidden, the
permutation LM learns the joint distribution, ln V nats; a masked LM, whose guesses do not see each other,
stays at 2 ln V however long it learns."""

import math

import pytest
import torch

from ptm_explore.models.bert import BertConfig
from ptm_explore.models.recipes import build
from ptm_explore.models.xlnet import XlnetConfig
from ptm_explore.objectives.plm import in_order
from ptm_explore.text.batches import Batch

V, MASK = 32, 32  # symbols; one more id
SHAPE = {"vocab_size": V + 1, "d_model": 32, "n_layers": 1, "n_heads": 2, "d_ff": 64, "max_len": 8}
STILL = {"dropout": 0.0, "attention_dropout": 0.0}


def pairs(n, draw):
    """(n, 2) any symbol and its partner, whose partner it is."""
    first = torch.randint(0, V, (n,), generator=draw)
    return torch.stack([first, first ^ 1], dim=1)


def masked(net, ids, draw):
    """Nats of both tokens, both hidden at once."""
    at = torch.arange(ids.numel())
    return net(torch.full_like(ids, MASK), at=at).token_loss(ids.flatten())


def permuted(net, ids, draw):
    """Nats of both tokens, one after the other, in a random order for each row."""
    order = torch.rand(ids.shape, generator=draw).argsort(1)
    batch = Batch(ids, torch.zeros_like(ids, dtype=torch.bool), torch.arange(len(ids)))
    batch = in_order(batch, order)
    return net(ids, queries=batch.at, visible=batch.visible).token_loss(batch.targets)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("family", "config", "head", "loss", "bound"),
    [
        ("bert", BertConfig(**SHAPE, **STILL), "mlm", masked, 2 * math.log(V)),
        ("xlnet", XlnetConfig(**SHAPE, **STILL), "lm", permuted, math.log(V)),
    ],
    ids=["masked", "permuted"],
)
def test_a_hidden_pair_costs_its_bound(family, config, head, loss, bound, seed):
    draw = torch.Generator().manual_seed(seed)
    net = build(family, config, (head,), seed=seed)
    optimizer = torch.optim.AdamW(net.parameters(), 5e-3, weight_decay=0.0)
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=300)
    for _ in range(300):
        optimizer.zero_grad()
        (loss(net, pairs(128, draw), draw) / 128).backward()
        optimizer.step()
        scheduler.step()
    with torch.no_grad():
        nats = float(loss(net.eval(), pairs(4096, draw), draw)) / 4096
    assert nats == pytest.approx(bound, rel=0.05)
