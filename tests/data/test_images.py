"""Arrays and lists of images -> pixels in one layout and size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from sknn._data.images import Form, as_images, form_of, pixels_of

Image = pytest.importorskip("PIL.Image")


def read(X: Any, size: tuple[int, int] | None = None) -> np.ndarray:
    X = as_images(X)
    form = form_of(X)
    return pixels_of(X, form, size or form.size or form.median)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


# ---------------------------------------------------------------------- layouts


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_of_both_layouts_hold_the_same_pixels(channels: int) -> None:
    X = noise(5, 9, 7, channels)
    for same in (X, np.moveaxis(X, 3, 1), torch.from_numpy(X), list(X), list(np.moveaxis(X, 3, 1)), tuple(X)):
        np.testing.assert_array_equal(read(same), X)


def test_grey_images_need_no_axis_of_channels() -> None:
    X = noise(5, 9, 7)
    for same in (X, X[..., None], X[:, None], list(X), X.astype(np.int16), [image[..., None] for image in X]):
        np.testing.assert_array_equal(read(same), X[..., None])


def test_an_array_is_not_copied() -> None:
    X = noise(5, 3, 9, 7)
    assert np.shares_memory(read(X), X)


@pytest.mark.parametrize("dtype", [np.uint16, np.int64, np.float16, np.float64, np.bool_, ">f4"])
def test_pixels_of_any_real_dtype_are_read(dtype: Any) -> None:
    X = (noise(4, 9, 7, 3) > 100).astype(dtype)
    np.testing.assert_array_equal(read(X), X)
    np.testing.assert_array_equal(read(list(X)), X)


@pytest.mark.parametrize(("shape", "size"), [((1, 4, 4), (4, 4)), ((4, 4, 3), (4, 4)), ((3, 3, 3), None)])
def test_of_two_meanings_a_square_is_meant(shape: tuple[int, ...], size: tuple[int, int] | None) -> None:
    if size is None:
        with pytest.raises(ValueError, match="which may be"):
            form_of(as_images(noise(5, *shape)))
    else:
        assert form_of(as_images(noise(5, *shape))).size == size


def test_a_shape_of_two_meanings_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 32, 3\), which may be \(height, width, 3 channels\) or \(3 channels, "):
        read(noise(5, 3, 32, 3))


def test_a_shape_of_two_meanings_is_the_one_of_fit() -> None:
    channels_last, channels_first = Form(3, (4, 9), False, (4, 9)), Form(3, (9, 4), True, (9, 4))
    assert form_of(noise(5, 4, 9, 3), channels_last).size == (4, 9)
    assert form_of(noise(5, 3, 9, 4), channels_first).size == (9, 4)
    assert form_of(noise(5, 3, 9, 3), channels_first._replace(size=None)).channels_first
    assert not form_of(noise(5, 3, 9, 3), channels_last._replace(size=None)).channels_first


# ---------------------------------------------------------------------- sizes


def test_images_of_several_sizes_become_the_median() -> None:
    X = [noise(9, 7, 3), noise(11, 20, 3), noise(30, 10, 3)]
    assert read(X).shape == (3, 11, 10, 3)


def test_images_are_resized_with_antialiasing() -> None:
    X = noise(3, 40, 60, 3)
    x = torch.from_numpy(X).permute(0, 3, 1, 2).float()
    expected = functional.interpolate(x, (10, 15), mode="bilinear", antialias=True).round().permute(0, 2, 3, 1)
    resized = read(X, (10, 15))
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized, expected.numpy())
    np.testing.assert_array_equal(read(list(X), (10, 15)), resized)
    floats = read(X / 255, (10, 15))
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats * 255, resized, atol=0.51)


# ---------------------------------------------------------------------- PIL


@pytest.mark.parametrize(
    ("mode", "channels"),
    [("1", 1), ("L", 1), ("I;16", 1), ("I", 1), ("F", 1), ("RGB", 3), ("P", 3), ("CMYK", 3), ("YCbCr", 3), ("HSV", 3),
     ("RGBA", 4), ("LA", 4), ("PA", 4)],
)  # fmt: skip
def test_images_of_pil_in_any_mode_are_read(mode: str, channels: int) -> None:
    grey = noise(9, 7)
    if mode == "I;16":
        picture = Image.fromarray(grey.astype(np.uint16) * 100)
    else:
        picture = Image.fromarray(grey).convert("RGB").convert(mode) if mode != "F" else Image.fromarray(grey / 255.0)
    assert picture.mode == mode
    pixels = read([picture, picture])
    assert pixels.shape == (2, 9, 7, channels)
    if mode in ("L", "RGB", "RGBA", "LA"):
        np.testing.assert_array_equal(pixels[0, ..., 0], grey)


def test_a_black_and_white_picture_is_on_the_scale_of_others() -> None:
    white = Image.fromarray(np.full((9, 7), 255, np.uint8))
    assert read([white.convert("1"), white.convert("L")]).min() == 255


def test_pictures_equal_their_arrays() -> None:
    X = [noise(9, 7, 3), noise(5, 6, 3)]
    np.testing.assert_array_equal(read([Image.fromarray(image) for image in X]), read(X))


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("X", "kind", "message"),
    [
        (np.zeros((28, 28)), ValueError, r"shape \(28, 28\).*A single grey image is X\[None\]; flattened ones"),
        (np.zeros((2, 3, 9, 9, 3)), ValueError, r"shape \(2, 3, 9, 9, 3\).*Take single frames of a video"),
        (np.zeros((0, 9, 9)), ValueError, r"Found array with 0 sample\(s\)"),
        (np.zeros((2, 9, 0)), ValueError, r"shape \(2, 9, 0\)"),
        (np.zeros((2, 9, 9, 2)), ValueError, r"\(9, 9, 2\).*with 1, 3 or 4 channels"),
        (np.zeros((2, 9, 9), complex), TypeError, r"dtype complex128 are no real numbers"),
        ([], ValueError, r"Found array with 0 sample\(s\)"),
        (["a.png", "b.png"], TypeError, r"X\[0\] is 'a.png'.*np.asarray\(Image.open\(p\)\)"),
        ([Path("a.png")], TypeError, r"np.asarray\(Image.open\(p\)\)"),
        (np.array(["a.png"]), TypeError, r"no real numbers|np.asarray\(Image.open\(p\)\)"),
        ([b"\x89PNG"], TypeError, r"X\[0\] is bytes.*Image.open\(io.BytesIO"),
        ("a.png", TypeError, r"'a.png'"),
        (Image.new("L", (9, 9)), TypeError, r"X is a single image.*Pass \[X\]"),
        (pd.DataFrame({"a": [1]}), TypeError, r"X is a DataFrame, but images were expected"),
        ([noise(9, 9), None], ValueError, r"X\[1\] is None.*Leave out rows"),
        ([noise(9, 9), Image.new("L", (9, 9))], TypeError, r"a ndarray and, in X\[1\], a Image.*one kind"),
        ([noise(9, 9, 3), noise(8, 9, 4)], ValueError, r"3 and 4 channels.*Convert them"),
        ([noise(9, 9), noise(8, 9, 3)], ValueError, r"1 and 3 channels.*convert\('RGB'\)"),
        ([Image.new("L", (9, 9)), Image.new("RGB", (9, 9))], ValueError, r"1 and 3 channels"),
        ([noise(9, 9, 3), noise(9, 9, 3) / 255], ValueError, r"dtype uint8 and, in X\[1\], float64: .*scales"),
        ([noise(9), noise(8)], ValueError, r"X\[0\] has the shape \(9,\)"),
        (np.where(np.arange(81).reshape(1, 9, 9) == 5, np.nan, 1.0), ValueError, r"X\[0\] holds NaN or infinity"),
        ([np.ones((9, 9)), np.full((8, 8), np.inf)], ValueError, r"X\[1\] holds NaN or infinity"),
        (np.ma.masked_less(noise(2, 9, 9), 99), ValueError, r"masked pixels.*X.filled\(0\)"),
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused_with_advice(X: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as error:
        read(X)
    assert "\n" not in str(error.value)
