import pytest
import torch
import torch.nn.functional as F

from ptm_explore.layers import cross_entropy


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("chunk", [1, 70, 10_000])  # one row at a time, several, all
def test_chunks_equal_the_plain_loss_with_gradients(bias, chunk, monkeypatch):
    monkeypatch.setattr(cross_entropy, "CHUNK", chunk)
    g = torch.Generator().manual_seed(0)
    shapes = [(11, 5), (23, 5)] + [(23,)] * bias
    targets = torch.randint(0, 23, (11,), generator=g)
    values = [torch.randn(*shape, generator=g, dtype=torch.float64) for shape in shapes]
    results = []
    for loss_of in (cross_entropy.linear_cross_entropy, _plain):
        leaves = [value.clone().requires_grad_() for value in values]
        loss = loss_of(*leaves, *([] if bias else [None]), targets)
        (3 * loss).backward()
        results.append([loss.detach(), *(leaf.grad for leaf in leaves)])
    for chunked, plain in zip(*results, strict=True):
        torch.testing.assert_close(chunked, plain, rtol=0, atol=1e-12)


def _plain(features, weight, bias, targets):
    return F.cross_entropy(F.linear(features, weight, bias), targets, reduction="sum")


def test_stays_finite_where_a_target_is_hopeless():
    features = torch.full((1, 1), 1000.0, requires_grad=True)
    loss = cross_entropy.linear_cross_entropy(
        features, torch.tensor([[1.0], [-1.0]]), None, torch.tensor([1])
    )
    assert loss == 2000
