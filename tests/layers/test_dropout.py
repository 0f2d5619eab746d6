import pytest
import torch

from ptm_explore.layers.dropout import Dropout, dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_keeps_the_right_share_and_the_mean(p):
    torch.manual_seed(0)
    x = torch.ones(1_000_003)  # no multiple of eight
    y = dropout(x, p, training=True)
    kept = (y != 0).float().mean().item()
    exact = round((1 - p) * 256) / 256
    assert abs(kept - exact) < 5 * (p * (1 - p) / len(x)) ** 0.5
    assert abs(exact - (1 - p)) <= 1 / 512
    torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 1 / exact))


def test_gradient_passes_where_the_value_did():
    torch.manual_seed(0)
    x = torch.randn(1000, requires_grad=True)
    y = dropout(x, 0.3, training=True)
    y.sum().backward()
    torch.testing.assert_close(x.grad * x.detach(), y.detach())


def test_neighbours_are_independent():
    """Eight elements share a draw; their fates must not."""
    torch.manual_seed(0)
    kept = (dropout(torch.ones(80_000), 0.5, training=True) != 0).double().view(-1, 8)
    assert torch.corrcoef(kept.T).fill_diagonal_(0).abs().max() < 0.05


def test_off_in_evaluation_and_at_zero():
    x = torch.randn(5)
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0, training=True) is x


def test_seeded():
    def draw():
        torch.manual_seed(3)
        return dropout(torch.ones(100), 0.5, training=True)

    assert torch.equal(draw(), draw())


def test_onto_a_residual_is_the_sum():
    x, residual = torch.randn(1000), torch.randn(1000)
    layer = Dropout(0.3)
    torch.manual_seed(0)
    together = layer(x, onto=residual)
    torch.manual_seed(0)
    torch.testing.assert_close(together, residual + layer(x))
    assert torch.equal(layer.eval()(x, onto=residual), residual + x)
