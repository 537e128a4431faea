"""Residual network for images."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from sknn.modules import ConvNet

SHAPES = [(1, 1, 1), (1, 2, 2), (2, 3, 9), (1, 8, 8), (1, 28, 28), (3, 32, 32), (4, 64, 48), (3, 224, 224), (1, 8, 500)]


@pytest.mark.parametrize("shape", SHAPES)
def test_conv_net_reads_images_of_any_size(shape: tuple[int, int, int]) -> None:
    network = ConvNet(shape, 5)
    assert network(torch.randn(3, *shape)).shape == (3, 5)
    assert network.eval()(torch.randn(1, *shape)).shape == (1, 5)
    assert network(torch.randn(0, *shape)).shape == (0, 5)


@pytest.mark.parametrize(("side", "map_side"), [(4, 4), (8, 8), (16, 16), (28, 14), (32, 16), (64, 16), (224, 14)])
def test_conv_net_stem_makes_maps_of_about_16_positions_a_side(side: int, map_side: int) -> None:
    network = ConvNet((3, side, side), 5)
    assert network.stem(torch.randn(1, 3, side, side)).shape[2:] == (map_side, map_side)


def test_conv_net_prediction_does_not_depend_on_the_other_images() -> None:
    network, x = ConvNet((3, 32, 32), 5), torch.randn(16, 3, 32, 32)
    network(x)  # running statistics
    together = network.eval()(x)
    alone = torch.cat([network(image) for image in x.split(1)])
    torch.testing.assert_close(alone, together)


def test_conv_net_can_be_trained_on_one_image() -> None:
    network = ConvNet((1, 8, 8), 2)
    network(torch.randn(1, 1, 8, 8)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_conv_net_memory_format_of_the_images_changes_nothing() -> None:
    network, x = ConvNet((3, 32, 32), 5).eval(), torch.randn(4, 3, 32, 32)
    torch.testing.assert_close(network(x.contiguous(memory_format=torch.channels_last)), network(x))


def test_conv_net_weights_have_the_memory_format_of_the_features() -> None:
    weights = [p for p in ConvNet((3, 32, 32), 2).parameters() if p.ndim == 4]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_conv_net_augments_in_training_only() -> None:
    torch.manual_seed(0)
    seen: list[torch.Tensor] = []

    def blackout(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return torch.zeros_like(x)

    network, x = ConvNet((1, 28, 28), 5, augmentation=blackout), torch.randn(4, 1, 28, 28)
    assert torch.equal(*network(x)[:2])
    assert len(seen) == 1
    network.eval()(x)
    assert len(seen) == 1


@pytest.mark.parametrize(("augmentation", "varies"), [("auto", True), ("flip", True), (None, False)])
def test_conv_net_shows_an_image_in_more_than_one_place(augmentation: str | None, varies: bool) -> None:
    torch.manual_seed(0)
    network, x = ConvNet((1, 28, 28), 5, augmentation=augmentation), torch.randn(1, 1, 28, 28).repeat(4, 1, 1, 1)
    raw = network(x)
    assert torch.allclose(raw, raw[:1].expand_as(raw), atol=1e-5) is not varies


def test_conv_net_survives_copy_pickle_and_state_dict() -> None:
    network, x = ConvNet((3, 8, 8), 5), torch.randn(4, 3, 8, 8)
    network(x)
    expected = network.eval()(x)
    restored = ConvNet((3, 8, 8), 5).eval()
    restored.load_state_dict(network.state_dict())
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network)), restored):
        torch.testing.assert_close(other(x), expected, rtol=0, atol=0)


def test_conv_net_learns_the_direction_of_stripes() -> None:
    torch.manual_seed(0)
    y = torch.randint(2, (64,))
    stripes = torch.sin(torch.arange(12.0) + 6 * torch.rand(64, 1))[:, None, :].expand(64, 12, 12)
    x = torch.where((y == 0)[:, None, None], stripes, stripes.mT)[:, None] + 0.3 * torch.randn(64, 1, 12, 12)
    network = ConvNet((1, 12, 12), 2, width=8)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.006)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    assert (network.eval()(x).argmax(1) == y).float().mean() > 0.95


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"in_shape": (28, 28)}, r"in_shape=\(28, 28\) is invalid; expected \(channels, height, width\)"),
        ({"in_shape": (1, 0, 28)}, r"in_shape\[1\]=0 is out of range"),
        ({"augmentation": "mirror"}, r"augmentation='mirror' is unknown; expected 'auto', 'flip', None"),
        ({"width": 0}, r"width=0 is out of range"),
        ({"dropout": 1.0}, r"dropout=1.0 is out of range"),
        ({"n_stages": 0}, r"n_stages=0 is out of range"),
    ],
)
def test_conv_net_refuses_parameters_out_of_range(params: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConvNet(**{"in_shape": (1, 28, 28), "out_features": 2, **params})  # pyright: ignore[reportArgumentType]
