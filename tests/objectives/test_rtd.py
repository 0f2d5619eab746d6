"""Replaced-token detection: what is drawn, what counts as replaced, and whom the loss asks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ptm_explore.errors import PtmError
from ptm_explore.models.electra import ElectraConfig
from ptm_explore.models.recipes import build
from ptm_explore.objectives.rtd import Rtd, sample
from ptm_explore.text.batches import Row, collate
from tests import tiny


@pytest.fixture(scope="module")
def tok():
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def batch(tok):
    rng = np.random.default_rng(0)
    plain = [i for i in range(tok.vocab_size) if i not in tok.special_ids]
    rows = [
        Row(np.array([tok.cls_id, *rng.choice(plain, size=int(n)), tok.sep_id]))
        for n in rng.integers(20, 40, 300)
    ]
    return collate(rows, tok, range(len(rows)))


@pytest.fixture(scope="module")
def net(tok):
    config = ElectraConfig(tok.vocab_size, 16, 1, 2, 24, 64, d_embedding=12, generator_size=0.5)
    return build("electra", config, ("rtd", "generator"), seed=0).eval()


def test_samples_follow_the_softmax():
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    draws = torch.rand(40_000, generator=torch.Generator().manual_seed(0))
    drawn = sample(logits.expand(len(draws), -1), draws)
    shares = torch.bincount(drawn, minlength=4) / len(draws)
    torch.testing.assert_close(shares, logits[0].softmax(0), atol=0.01, rtol=0)
    edges = sample(logits.expand(2, -1), torch.tensor([0.0, 1 - 1e-9]))
    assert edges.tolist() == [0, 3]


def test_masks_85_and_draws_belong_to_the_example(batch, tok):
    out = Rtd().corrupt(batch, tok, seed=0)
    seen = out.input_ids.flatten()[out.at]
    assert float((seen == tok.mask_id).float().mean()) == pytest.approx(0.85, abs=0.03)
    assert torch.equal(seen[seen != tok.mask_id], out.targets[seen != tok.mask_id])
    assert len(out.draws) == len(out.at)
    T = batch.input_ids.size(1)
    part = replace(
        batch,
        input_ids=batch.input_ids[50:60],
        special=batch.special[50:60],
        examples=batch.examples[50:60],
        attention_mask=batch.attention_mask[50:60],
    )
    alone = Rtd().corrupt(part, tok, seed=0)
    mine = (out.at >= 50 * T) & (out.at < 60 * T)
    assert torch.equal(alone.draws, out.draws[mine])


def test_a_drawn_original_is_no_replacement(batch, tok, net):
    goal = Rtd()
    made = goal.corrupt(batch, tok, seed=0)
    with torch.no_grad():
        out = goal.forward(net, made)
        drawn = sample(net.propose(made.input_ids, made.attention_mask, at=made.at).logits, made.draws)
    expected = batch.input_ids.flatten().clone()
    expected[made.at] = drawn
    assert torch.equal(out.shown.flatten(), expected)
    wrong = drawn != made.targets
    assert 0 < int((~wrong).sum()) < len(wrong)
    labels = torch.zeros(batch.input_ids.numel())
    labels[made.at] = wrong.float()
    labels, real = labels.view_as(batch.input_ids), batch.attention_mask
    logits = out.replaced_logits
    by_hand = torch.nn.functional.binary_cross_entropy_with_logits(
        logits[real], labels[real], reduction="sum"
    )
    torch.testing.assert_close(goal.loss(out, made)["rtd"], by_hand)
    assert goal.counts(made) == {"mlm": len(made.at), "rtd": int(real.sum())}
    assert goal.weights() == {"mlm": 1.0, "rtd": 50.0}
    assert int(goal.correct(out, made)["rtd"]) == int(((logits > 0) == labels.bool())[real].sum())
    metrics = goal.summary(goal.scores(out, made))
    assert metrics["heldout_auc"] == pytest.approx(roc_auc_score(labels[real], logits[real]))
    assert metrics["heldout_replaced"] == pytest.approx(float(labels[real].mean()))
    assert metrics["heldout_majority"] == pytest.approx(1 - metrics["heldout_replaced"])


def test_asked_about_the_masked_only(batch, tok, net):
    goal = Rtd(over="masked")
    made = goal.corrupt(batch, tok, seed=0)
    with torch.no_grad():
        out = goal.forward(net, made)
    replaced = (out.shown.flatten()[made.at] != made.targets).float()
    by_hand = torch.nn.functional.binary_cross_entropy_with_logits(
        out.replaced_logits.flatten()[made.at], replaced, reduction="sum"
    )
    torch.testing.assert_close(goal.loss(out, made)["rtd"], by_hand)
    assert goal.counts(made)["rtd"] == len(made.at)


def test_concern_where_only_the_majority_is_learnt():
    metrics = {"heldout_auc": 0.51, "heldout_majority": 0.88}
    assert "chance" in Rtd().concern(metrics)
    assert Rtd().concern(metrics | {"heldout_auc": 0.7}) is None
    assert Rtd().concern({}) is None


def test_describe_with_and_without_a_network(tok, net):
    ids = tok.encode("anna runs in the old house under a red tree").ids[0]
    plain, drawn = (Rtd(rate=0.5).describe(ids, tok, net=n) for n in (None, net))
    hidden = plain.targets >= 0
    assert plain.loss.all()
    assert (plain.seen == tok.mask_id).any()
    assert (drawn.seen != tok.mask_id)[hidden].any()
    assert torch.equal(drawn.seen[~hidden], ids[~hidden])


def test_wrong_options():
    with pytest.raises(PtmError, match="discriminator"):
        Rtd(discriminator=0)
    with pytest.raises(PtmError, match="masked"):
        Rtd(over="some")
