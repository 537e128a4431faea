"""The network on features of sequences."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch

from sknn._backprop.by_hand import gradient_by_hand
from sknn._backprop.tabm_stack import TabMStack
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


@pytest.mark.parametrize("in_features", [6, 15], ids=["components", "components and values"])
@pytest.mark.parametrize("own_rows", [True, False], ids=["own rows", "all rows"])
@pytest.mark.parametrize("n_networks", [1, 2])
def test_the_gradient_is_that_of_automatic_differentiation(n_networks: int, own_rows: bool, in_features: int) -> None:
    torch.manual_seed(0)
    networks = [SequenceNet(in_features, 2, width=8, n_components=6) for _ in range(n_networks)]
    network = networks[0] if n_networks == 1 else Committee(networks)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    reference = copy.deepcopy(network)
    stack = gradient_by_hand(network.train(), FlatParameters(parameter_groups([network])), "float32", 4)
    assert isinstance(stack, TabMStack)
    assert stack.covers_all
    for n_rows in (8, 4, 8):
        x = torch.randn(n_rows, in_features)
        reference.zero_grad()
        with _own_rows(reference, own_rows):
            expected = reference(x)
        expected.square().sum().backward()
        with _own_rows(network, own_rows), torch.no_grad():
            raw = stack.forward({"x": x})
            torch.testing.assert_close(raw, expected)
            stack.backward(2 * raw)
        for (name, got), wanted in zip(network.named_parameters(), reference.parameters(), strict=True):
            torch.testing.assert_close(got.grad, wanted.grad, rtol=1e-4, atol=1e-4, msg=lambda m, name=name: name + m)


def _own_rows(network: torch.nn.Module, own_rows: bool) -> AbstractContextManager[None]:
    return network.own_rows() if isinstance(network, Committee) and own_rows else nullcontext()


def test_networks_of_other_parts_are_left_to_automatic_differentiation() -> None:
    network = Committee([SequenceNet(15, 2, width=8, n_components=6), SequenceNet(15, 2, width=8)])
    assert gradient_by_hand(network.train(), FlatParameters(parameter_groups([network])), "float32", 4) is None


def test_many_values_have_coarse_curves_and_narrow_layers() -> None:
    few, many = SequenceNet(30, 1, n_components=6).of_values, SequenceNet(262, 1, n_components=6).of_values
    assert few is not None
    assert many is not None
    assert (few.knots.shape, few.width) == ((24, 49), 128)
    assert many.knots.shape == (256, 17)
    own = SequenceNet(518, 1, n_components=6, width=32).of_values
    assert own is not None
    assert own.width == 32


def test_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="n_kernels=0 is out of range"):
        SequenceNet(5, 2, n_kernels=0)
    with pytest.raises(TypeError, match=r"n_components=1\.5 is a float"):
        SequenceNet(5, 2, n_components=1.5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="n_members=0 is out of range"):
        SequenceNet(5, 2, n_members=0)
