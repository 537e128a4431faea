"""U-Net for images, and flow matching around any network of velocities."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from sknn.modules import FlowNetwork, UNet

SHAPES = [(1, 1, 1), (1, 5, 5), (2, 3, 20), (1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 33, 41), (4, 64, 48)]
SMALL = {"in_shape": (1, 8, 8), "condition_size": 3, "width": 8}


def condition(n: int) -> Tensor:
    return torch.eye(3)[torch.arange(n) % 3]


class ToPoint(FlowNetwork):
    """The exact velocities of a flow from noise to the Gaussian distribution N(condition, spread^2)."""

    def __init__(self, spread: float) -> None:
        super().__init__()
        self.spread = spread
        self.weight = torch.nn.Parameter(torch.ones(1))

    def velocity(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        assert condition is not None
        t = t[:, None]
        variance = (1 - t) ** 2 + (t * self.spread) ** 2
        return condition + (t * self.spread**2 - (1 - t)) / variance * (x - t * condition) * self.weight


@pytest.mark.parametrize("shape", SHAPES)
def test_unet_reads_images_of_any_size(shape: tuple[int, int, int]) -> None:
    network = UNet(shape)
    x = torch.randn(3, *shape)
    assert network(x).shape == (3, 1)
    assert network.velocity(x, torch.rand(3)).shape == x.shape
    assert network.multiplications > 0


def test_unet_gradients_reach_every_parameter() -> None:
    network = UNet(**SMALL)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    x = torch.randn(20, 1, 8, 8)
    for _ in range(3):  # the last layers of blocks start with zeros, and pass gradients on after a step
        optimizer.zero_grad()
        network(x, condition(20)).mean().backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def trained() -> UNet:
    """With weights none of which is zero."""
    network = UNet(**SMALL)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network.eval()


def test_unet_depends_on_image_time_and_condition_of_the_row_alone() -> None:
    network = trained()
    x, t = torch.randn(6, 1, 8, 8), torch.rand(6)
    together = network.velocity(x, t, condition(6))
    alone = [network.velocity(x[i : i + 1], t[i : i + 1], condition(6)[i : i + 1]) for i in range(6)]
    torch.testing.assert_close(torch.cat(alone), together, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(network.velocity(x, t, condition(6).flip(1)), together)
    assert not torch.allclose(network.velocity(x, t + 0.1, condition(6)), together)


def test_unet_without_a_condition_has_no_weights_for_it() -> None:
    network = UNet((1, 8, 8))
    assert network.condition is None
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 1)


def test_unet_pickle_and_copy_keep_the_function() -> None:
    network = trained()
    x = torch.randn(4, 1, 8, 8)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(x, condition(4)), network(x, condition(4)))


def test_unet_dropout_acts_in_training_only() -> None:
    network = UNet(**SMALL, dropout=0.5)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, t = torch.randn(4, 1, 8, 8), torch.rand(4)
    assert not torch.equal(network.velocity(x, t, condition(4)), network.velocity(x, t, condition(4)))
    network.eval()
    assert torch.equal(network.velocity(x, t, condition(4)), network.velocity(x, t, condition(4)))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"in_shape": (0, 8, 8)}, r"in_shape\[0\]"),
        ({"in_shape": (8, 8)}, "in_shape"),
        ({"width": 6}, "width=6 is invalid; expected a multiple of 4"),
        ({"dropout": 1.0}, "dropout"),
        ({"n_levels": 0}, "n_levels"),
        ({"n_blocks": 0}, "n_blocks"),
        ({"condition_size": -1}, "condition_size"),
    ],
)
def test_unet_refuses_sizes_that_no_network_has(params, message) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        UNet(**{**SMALL, **params})


class TestFlowNetwork:
    def test_loss_is_the_error_of_the_velocity(self) -> None:
        """The exact velocity of N(0, s^2) leaves s^2 / ((1 - t)^2 + s^2 t^2), whose mean over the times is s * pi / 2."""
        torch.manual_seed(0)
        for spread in (0.3, 1.0):
            x = spread * torch.randn(4000, 3)
            loss = float(ToPoint(spread)(x, torch.zeros(4000, 3)).mean().detach())
            assert loss == pytest.approx(spread * torch.pi / 2, rel=0.05)

    def test_times_fill_the_unit_interval(self) -> None:
        for is_training in (True, False):
            times, noise = ToPoint(1.0).train(is_training)._draws(torch.zeros(200, 5))
            assert 0 <= times.min() < 0.01 < 0.99 < times.max() < 1
            assert times.sort().values.diff().max() < 0.01
            assert abs(float(noise.std()) - 1) < 0.1

    def test_training_draws_anew_and_evaluation_does_not(self) -> None:
        network, x = trained(), torch.randn(5, 1, 8, 8)
        state = torch.get_rng_state()
        assert torch.equal(network(x, condition(5)), network(x, condition(5)))
        assert torch.equal(state, torch.get_rng_state())
        network.train()
        torch.manual_seed(0)
        first, second = network(x, condition(5)), network(x, condition(5))
        assert not torch.equal(first, second)
        torch.manual_seed(0)
        assert torch.equal(network(x, condition(5)), first)

    @pytest.mark.parametrize(("n_steps", "tolerance"), [(4, 0.3), (16, 0.03), (64, 0.003)])
    def test_integration_reaches_the_distribution(self, n_steps, tolerance) -> None:
        """Of a Gaussian distribution the flow is linear: noise z ends at centre + spread * z."""
        noise = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        center = 2 * condition(50).double()
        made = ToPoint(0.3).double().integrate(noise, center, n_steps=n_steps)
        assert (made - (center + 0.3 * noise)).abs().max() < tolerance
