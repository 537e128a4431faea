"""Images as a kind of data: what a fit learns about them, and how later ones are read by it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sknn._data.image_inputs import ImageInputs
from sknn.exceptions import DamagedFileError


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def fitted(X: Any, rows: Any = None, weight: Any = None, **options: Any) -> ImageInputs:
    raw = ImageInputs.read_first(ImageInputs.prepare(X), **options)
    return raw.learn(None if rows is None else np.asarray(rows), weight)


def encoded(inputs: ImageInputs, X: Any) -> Tensor:
    return inputs.encode(ImageInputs.prepare(X)).tensors()["x"]


# ---------------------------------------------------------------------- scaling


@pytest.mark.parametrize("scale", [1, 1 / 255, 1000.0])
def test_channels_are_standardised_by_the_training_images(scale: float) -> None:
    X = noise(20, 8, 6, 3) * scale
    train = X[:10].astype(np.float64)
    x = encoded(fitted(X, range(10)), X)
    assert x.dtype == torch.float32
    expected = (X - train.mean((0, 1, 2))) / train.std((0, 1, 2))
    np.testing.assert_allclose(x.permute(0, 2, 3, 1), expected, atol=1e-5)


def test_bytes_are_standardised_like_other_numbers() -> None:
    X = noise(20, 8, 6, 3)
    np.testing.assert_allclose(encoded(fitted(X), X), encoded(fitted(X.astype(float)), X.astype(float)), atol=1e-5)


def test_a_weight_of_two_equals_two_copies() -> None:
    X = noise(3, 8, 6)
    weighted, copied = fitted(X, weight=np.array([1.0, 2.0, 1.0])), fitted(X[[0, 1, 1, 2]])
    np.testing.assert_allclose(weighted.center, copied.center)
    np.testing.assert_allclose(weighted.spread, copied.spread)


def test_of_large_images_some_pixels_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sknn._data.image_inputs._MOST_FLOATS_FOR_STATISTICS", 5 * 8 * 6)
    X = noise(5, 16, 12)
    inputs = fitted(X, weight=np.arange(1.0, 6.0))
    some = X[:, ::2, ::2].reshape(5, -1)
    np.testing.assert_allclose(inputs.center, np.average(some.mean(1), weights=np.arange(1, 6)))


def test_a_constant_channel_is_zero() -> None:
    X = noise(5, 8, 6, 4)
    X[..., 3] = 255
    inputs = fitted(X)
    X[..., 3] = 0
    assert (encoded(inputs, X)[:, 3] == 0).all()
    constant = np.full((3, 8, 6), 0.1)
    assert (encoded(fitted(constant), constant) == 0).all()


def test_the_channels_of_a_pixel_lie_side_by_side_in_memory() -> None:
    for X in (noise(20, 8, 6, 3), np.moveaxis(noise(20, 8, 6, 3), 3, 1)):
        x = encoded(fitted(X), X)
        assert x.shape == (20, 3, 8, 6)
        assert x.is_contiguous(memory_format=torch.channels_last)
        assert x[torch.tensor([3, 1])].is_contiguous(memory_format=torch.channels_last)


def test_parts_of_the_images_are_encoded_as_all_of_them() -> None:
    X = noise(20, 8, 6, 3)
    inputs = fitted(X)
    raw = inputs.read(X)
    rows = np.array([7, 7, 0])
    torch.testing.assert_close(inputs.encode_rows(raw, rows).x, encoded(inputs, X)[rows], rtol=0, atol=0)
    torch.testing.assert_close(inputs.encode_rows(raw.take(rows)).x, encoded(inputs, X)[rows], rtol=0, atol=0)


# ---------------------------------------------------------------------- sizes


def test_images_of_one_size_keep_it_and_others_are_refused_afterwards() -> None:
    inputs = fitted(noise(5, 8, 6, 3))
    assert inputs.row_shape == (3, 8, 6)
    with pytest.raises(ValueError, match=r"expected images of 8 x 6 pixels as in fit, got 9 x 6 pixels.*image_size"):
        encoded(inputs, noise(5, 9, 6, 3))
    with pytest.raises(ValueError, match=r"got several sizes"):
        encoded(inputs, [noise(8, 6, 3), noise(9, 6, 3)])


def test_after_images_of_several_sizes_any_size_is_resized() -> None:
    inputs = fitted([noise(9, 7, 3), noise(11, 20, 3), noise(30, 10, 3)])
    assert inputs.row_shape == (3, 11, 10)
    assert encoded(inputs, noise(2, 40, 50, 3)).shape == (2, 3, 11, 10)


@pytest.mark.parametrize(("image_size", "shape"), [((6, 4), (6, 4)), ([6, 4], (6, 4)), (np.int64(5), (5, 5))])
def test_image_size_resizes_all_images(image_size: Any, shape: tuple[int, int]) -> None:
    inputs = fitted(noise(5, 8, 6, 3), image_size=image_size)
    assert inputs.row_shape == (3, *shape)
    assert encoded(inputs, noise(2, 40, 50, 3)).shape == (2, 3, *shape)


def test_large_images_are_reduced() -> None:
    inputs = fitted(noise(2, 256, 400, 1))
    channels, height, width = inputs.row_shape
    assert (channels, inputs.given_size) == (1, (256, 400))
    assert height * width <= 1.01 * 128 * 128
    assert width / height == pytest.approx(400 / 256, rel=0.02)
    with pytest.raises(ValueError, match=r"expected images of 256 x 400 pixels as in fit, got 200 x 400 pixels"):
        encoded(inputs, noise(2, 200, 400, 1))


@pytest.mark.parametrize("image_size", [0, (3, -1), (3, 4, 5), "small", 3.5, (True, 3), (5000, 5000)])
def test_image_size_out_of_range_is_refused(image_size: Any) -> None:
    with pytest.raises(ValueError, match=r"image_size=.*expected"):
        fitted(noise(5, 8, 6, 3), image_size=image_size)


# ---------------------------------------------------------------------- later images


def test_later_images_may_come_in_the_other_layout() -> None:
    X = noise(5, 8, 6, 3)
    inputs = fitted(X)
    torch.testing.assert_close(encoded(inputs, np.moveaxis(X, 3, 1)), encoded(inputs, X))
    torch.testing.assert_close(encoded(inputs, list(X)), encoded(inputs, X))


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"expected images of 3 channels as in fit, got 1. A single image is X\[None\]"
    ):
        encoded(fitted(noise(5, 8, 6, 3)), noise(8, 6, 3))
    with pytest.raises(ValueError, match=r"expected images of 1 channels as in fit, got 3"):
        encoded(fitted(noise(5, 8, 6)), noise(5, 8, 6, 3))


def test_pixels_on_another_scale_are_refused() -> None:
    X = noise(5, 8, 6, 3)
    with pytest.raises(ValueError, match=r"holds fractions up to 1, but the pixels of fit were integers up to 255"):
        encoded(fitted(X), X / X.max())
    with pytest.raises(ValueError, match=r"holds integers up to 255, but the pixels of fit were at most 1.*X / 255"):
        encoded(fitted(X / 255), X)
    encoded(fitted(X), X.astype(float))
    encoded(fitted(X), np.zeros((2, 8, 6, 3)))


# ---------------------------------------------------------------------- files

SUBJECTS = {
    "grey": fitted(noise(5, 8, 6)),
    "colour": fitted(noise(5, 8, 6, 3)),
    "channels first": fitted(np.moveaxis(noise(5, 4, 6, 3), 3, 1) / 255),
    "several sizes": fitted([noise(9, 7, 4), noise(11, 20, 4)]),
    "reduced": fitted(noise(1, 200, 300, 3)),
    "constant": fitted(np.zeros((3, 8, 6))),
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_state_brings_back_the_same_inputs(subject: str) -> None:
    inputs = SUBJECTS[subject]
    restored = ImageInputs.from_state(copy.deepcopy(inputs.to_state()))
    X = inputs.prepare(inputs.probe_rows(np.random.RandomState(0)))
    torch.testing.assert_close(encoded(restored, X), encoded(inputs, X), rtol=0, atol=0)
    assert vars(restored).keys() == vars(inputs).keys()
    assert encoded(inputs, X).isfinite().all()


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 2}, {"channels": "3"}, {"size": [8]}, {"size": [8, 0]}, {"size": [60_000, 60_000]},
        {"size": None}, {"given_size": [1.5, 2]}, {"given_size": 0}, {"center": np.zeros(2)}, {"center": np.full(3, np.nan)},
        {"center": [0.0, 0.0, 0.0]}, {"spread": np.zeros(3)}, {"spread": np.full(3, np.nan)}, {"high": np.inf},
        {"high": None}, {"is_integer": 1}, {"channels_first": None}, {"extra": 1},
    ],
)  # fmt: skip
def test_damaged_state_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DamagedFileError, match=r"^images: "):
        ImageInputs.from_state({**SUBJECTS["colour"].to_state(), **change})
