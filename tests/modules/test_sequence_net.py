"""The network on features of sequences."""

from __future__ import annotations

import pytest
import torch

from sknn._backprop.by_hand import gradient_by_hand
from sknn.modules import Committee, SequenceNet
from sknn.optim import FlatParameters, parameter_groups


def test_components_alone_are_read_by_one_ensemble() -> None:
    network = SequenceNet(30, 3, n_members=5, width=8)
    assert network.of_values is None
    assert network.n_members == 5
    x = torch.randn(4, 30)
    assert torch.equal(network(x), network.of_components(x))


def test_values_are_read_by_twice_as_many_members() -> None:
    network = SequenceNet(30, 3, n_members=4, width=8, n_components=20)
    assert network.of_values is not None
    assert network.n_members == 6
    x = torch.randn(4, 30)
    expected = torch.cat([network.of_components(x[:, :20]), network.of_values(x[:, 20:])], dim=1)
    assert torch.equal(network(x), expected)
    before = network.of_values.knots.clone()
    network.fit_knots(10 + torch.randn(50, 30))
    assert not torch.equal(network.of_values.knots, before)
    assert network.of_values.knots.min() > 5


@pytest.mark.parametrize("n_networks", [1, 2])
def test_the_gradient_of_components_is_written_by_hand(n_networks: int) -> None:
    networks = [SequenceNet(6, 2, width=8) for _ in range(n_networks)]
    network = networks[0] if n_networks == 1 else Committee(networks)
    flat = FlatParameters(parameter_groups([network]))
    stack = gradient_by_hand(network.train(), flat, "float32", 4)
    assert stack is not None
    x = torch.randn(4, 6)
    with torch.no_grad():
        torch.testing.assert_close(stack.forward({"x": x}), network(x))


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="n_kernels=0 is out of range"):
        SequenceNet(5, 2, n_kernels=0)
    with pytest.raises(TypeError, match=r"n_components=1\.5 is a float"):
        SequenceNet(5, 2, n_components=1.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="n_members=0 is out of range"):
        SequenceNet(5, 2, n_members=0)
