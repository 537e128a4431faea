"""Images as callers pass them -> arrays of pixels in one layout and size: (n, height, width, channels)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch.nn import functional

from .._errors import refused_as, shown
from .containers import as_rows, is_frame, without_tensor
from .recognition import CHANNELS, is_picture

__all__ = ["Form", "as_images", "form_of", "map_like", "pixels_of", "shapes_of"]

# Of one image while it is resized, and of some while they are copied.
_CHUNK_FLOATS = 2**22
_FORMS = (
    "an array (n, height, width), (n, height, width, channels) or (n, channels, height, width) with 1, 3 or 4 "
    "channels, or a list of images"
)


class Form(NamedTuple):
    """What the images of an X have in common; `size` is None if their sizes differ."""

    channels: int
    size: tuple[int, int] | None  # height, width
    channels_first: bool
    median: tuple[int, int]  # height, width


# ---------------------------------------------------------------------- containers


def as_images(X: Any) -> np.ndarray:
    """X as an array of numbers of three or four dimensions, or as an object array (n,) of single images; cheap.

    Raises
    ------
    ValueError, TypeError
        X is no container of images; the message says what it is, and how to bring it into shape.
    """
    with refused_as("X", _FORMS):
        X = without_tensor(X, "X")
    if is_frame(X) or sparse.issparse(X):
        raise TypeError(f"X is a {type(X).__name__}, but images were expected: {_FORMS}.")
    if isinstance(X, np.ma.MaskedArray):
        if np.ma.getmaskarray(X).any():
            raise ValueError("X has masked pixels, which a network cannot be given. Fill them, as by X.filled(0).")
        X = X.data
    if not isinstance(X, np.ndarray) or X.dtype == object:
        if is_picture(X):
            raise TypeError("X is a single image, but a list of images was expected. Pass [X].")
        rows = as_rows(X, "images")
        _check_rows(rows)
        return rows
    _check_numbers(X.dtype)
    if X.ndim not in (3, 4) or 0 in X.shape[1:]:
        raise ValueError(f"X has the shape {X.shape}, but images were expected: {_FORMS}.{_advice(X.shape)}")
    if X.shape[0] == 0:
        raise ValueError(f"X: Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")
    return X


def _advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return " A single grey image is X[None]; flattened ones are X.reshape(len(X), height, width, channels)."
    if len(shape) == 5:
        return " Take single frames of a video, and put its axis of time into the rows."
    return ""


def _check_rows(rows: np.ndarray) -> None:
    """Raise unless each row may be an image."""
    are_pictures = is_picture(rows[0])
    for i, row in enumerate(rows):
        if isinstance(row, str | os.PathLike):
            raise TypeError(
                f"X[{i}] is {shown(row)}, the name of a file or a text, but an image was expected. Load them: "
                "X = [np.asarray(Image.open(p)) for p in paths]."
            )
        if isinstance(row, bytes | bytearray):
            raise TypeError(
                f"X[{i}] is bytes, but an image was expected. Decode it: np.asarray(Image.open(io.BytesIO(X[{i}])))."
            )
        if row is None or np.isscalar(row):
            raise ValueError(f"X[{i}] is {shown(row)}, but an image was expected. Leave out rows without an image.")
        if is_picture(row) != are_pictures:
            raise TypeError(
                f"X holds a {type(rows[0]).__name__} and, in X[{i}], a {type(row).__name__}, but images of one kind "
                "were expected. Pass arrays: [np.asarray(image) for image in X]."
            )


def _check_numbers(dtype: np.dtype) -> None:
    if dtype.kind not in "biuf":
        raise TypeError(f"X: images of dtype {dtype} are no real numbers; expected uint8, another integer, or floats.")


# ---------------------------------------------------------------------- one form


def form_of(X: np.ndarray, fitted: Form | None = None) -> Form:
    """Channels, size and layout of X, as returned by `as_images`.

    `fitted` is the form of the images of fit: where two layouts are possible, its own is meant.

    Raises
    ------
    ValueError, TypeError
        The images have different numbers of channels, other numbers of channels than 1, 3 or 4, or may be meant in two
        layouts.
    """
    shapes = shapes_of(X) if X.dtype == object else [X.shape[1:]]
    distinct = sorted(set(shapes))
    first, channels = False, 1
    if {len(shape) for shape in distinct} != {2}:
        layouts = [_layout(distinct, first) for first in (False, True)]
        first = _choice(layouts, distinct, fitted)
        (channels,) = layouts[first]
    sizes = [_size(shape, first) for shape in shapes]
    height, width = np.median(np.array(sizes), axis=0)
    size = sizes[0] if len(set(sizes)) == 1 else None
    return Form(channels, size, first, (max(1, round(height)), max(1, round(width))))


def shapes_of(X: np.ndarray) -> list[tuple[int, ...]]:
    """The shape of the array of each image of X."""
    return [X.shape[1:]] * len(X) if X.dtype != object else [_shape_of(i, row) for i, row in enumerate(X)]


def _layout(shapes: Iterable[tuple[int, ...]], channels_first: bool) -> set[int]:
    """The numbers of channels of images of these shapes in a layout."""
    return {1 if len(shape) == 2 else shape[0 if channels_first else -1] for shape in shapes}


def _size(shape: tuple[int, ...], channels_first: bool) -> tuple[int, int]:
    height, width = shape if len(shape) == 2 else shape[1:] if channels_first else shape[:2]
    return height, width


def _choice(layouts: list[set[int]], shapes: list[tuple[int, ...]], fitted: Form | None) -> bool:
    """Whether the channels come first."""
    possible = [len(channels) == 1 and channels <= set(CHANNELS) for channels in layouts]
    if fitted is not None and all(possible):
        # Another number of channels or another size than in fit cannot be meant.
        same = [channels == {fitted.channels} for channels in layouts]
        possible = same if any(same) else possible
        sizes = [{_size(shape, first) for shape in shapes} == {fitted.size} for first in (False, True)]
        is_exact = [a and b for a, b in zip(possible, sizes, strict=True)]
        possible = is_exact if any(is_exact) else possible
        if all(possible):
            return fitted.channels_first
    if all(possible):  # (1, 4, 4) is more likely an image of 4 x 4 pixels than one of 1 x 4
        are_square = [all(len(set(_size(shape, first))) == 1 for shape in shapes) for first in (False, True)]
        possible = are_square if any(are_square) else possible
    if sum(possible) == 1:
        return possible[1]
    example = " and ".join(str(shape) for shape in shapes[:2])
    if all(possible):
        (last,), (first,) = layouts
        raise ValueError(
            f"X holds images of the shape {example}, which may be (height, width, {last} channels) or ({first} "
            "channels, height, width). Pass grey images without the axis of channels, and colour images as images of "
            "PIL: [Image.fromarray(image) for image in X]."
        )
    mixed = [channels for channels in layouts if len(channels) > 1 and channels <= set(CHANNELS)]
    if mixed:
        raise ValueError(
            f"X holds images of {' and '.join(map(str, sorted(mixed[0])))} channels, such as those of the shapes "
            f"{example}, but all images must have the same number. Convert them, as by "
            "[np.asarray(Image.fromarray(image).convert('RGB')) for image in X]."
        )
    raise ValueError(
        f"X holds images of the shape {example}, but an image is (height, width), (height, width, channels) or "
        "(channels, height, width), with 1, 3 or 4 channels."
    )


def _shape_of(i: int, row: Any) -> tuple[int, ...]:
    """Shape of the array of a single image, without decoding an image of PIL."""
    if is_picture(row):
        width, height = row.size
        mode = _mode(row)
        shape = (height, width) if mode is None else (height, width, len(mode))
    else:
        array = _array(i, row)
        shape = array.shape
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(
            f"X[{i}] has the shape {shape}, but an image is (height, width), (height, width, channels) or (channels, "
            "height, width)."
        )
    return shape


def _array(i: int, row: Any) -> np.ndarray:
    with refused_as(f"X[{i}]", "an image: an array of numbers"):
        array = np.asarray(without_tensor(row, f"X[{i}]"))
    _check_numbers(array.dtype)
    return array


def _mode(picture: Any) -> str | None:
    """The mode into which an image of PIL is converted; None: as it is, one number a pixel."""
    if picture.mode in ("L", "I", "F") or picture.mode.startswith("I;16"):
        return None
    if picture.mode == "1":
        return None
    has_alpha = picture.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in picture.info
    return "RGBA" if has_alpha else "RGB"


# ---------------------------------------------------------------------- pixels


def pixels_of(X: np.ndarray, form: Form, size: tuple[int, int]) -> np.ndarray:
    """All images of X, which have this form, in one size: finite numbers (n, height, width, channels).

    An array of this size is not copied. Others are resized by bilinear interpolation, with antialiasing where they
    shrink; integers of 8 bits remain such.

    Raises
    ------
    ValueError, TypeError
        Images hold NaN or infinity, or numbers of several dtypes in a list.
    """
    if X.dtype != object:
        pixels = X[..., None] if X.ndim == 3 else np.moveaxis(X, 1, 3) if form.channels_first else X
        _check_finite(pixels)
        return pixels if form.size == size else _resized(pixels, size)
    pixels: np.ndarray | None = None
    seen: np.dtype | None = None
    for i, row in enumerate(X):
        image = _image(i, row, form.channels_first)
        is_uint8 = image.dtype == np.uint8
        if pixels is None or seen is None:
            seen = image.dtype
            pixels = np.empty((len(X), *size, form.channels), np.uint8 if is_uint8 else np.float32)
        if is_uint8 != (seen == np.uint8):
            raise ValueError(
                f"X holds images of dtype {seen} and, in X[{i}], {image.dtype}: their pixels may be on different "
                "scales. Convert all to uint8, or all to floats on one scale."
            )
        _check_finite(image[None], i)
        pixels[i] = image if image.shape[:2] == size else _resized(image[None], size)[0]
    assert pixels is not None
    return pixels


def _image(i: int, row: Any, channels_first: bool) -> np.ndarray:
    """A single image (height, width, channels)."""
    if is_picture(row):
        mode = _mode(row)
        if row.mode == "1":
            mode = "L"  # black and white is 0 and 255, as in other images
        array = np.asarray(row if mode is None else row.convert(mode))
    else:
        array = _array(i, row)
    if array.ndim == 2:
        return array[..., None]
    return np.moveaxis(array, 0, 2) if channels_first else array


def _check_finite(pixels: np.ndarray, position: int | None = None) -> None:
    if pixels.dtype.kind != "f":
        return
    for i, image in enumerate(pixels):
        if not np.isfinite(image).all():
            raise ValueError(
                f"X[{i if position is None else position}] holds NaN or infinity, but pixels must be finite numbers. "
                "Replace them, as by np.nan_to_num(X), or leave out these images."
            )


def map_like(shape: tuple[int, ...], channels_first: bool, values: np.ndarray) -> np.ndarray:
    """A map (height, width, channels, ...) in the layout and size of an image of this shape, with the same sum.

    Where the sizes differ, each value is spread over the pixels that cover the same part of the image.
    """
    for axis, size in enumerate(_size(shape, channels_first)):
        n = values.shape[axis]
        if n != size:
            ends = np.minimum(np.arange(1, size + 1)[:, None] / size, np.arange(1, n + 1) / n)
            starts = np.maximum(np.arange(size)[:, None] / size, np.arange(n) / n)
            values = np.moveaxis(np.tensordot(np.clip(ends - starts, 0, None) * n, values, (1, axis)), 0, axis)
    if len(shape) == 2:
        return values[:, :, 0]
    return np.moveaxis(values, 2, 0) if channels_first else values


def _resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Images (n, height, width, channels) in another size, uint8 where they are, else float32."""
    is_uint8 = pixels.dtype == np.uint8
    n, height, width, channels = pixels.shape
    resized = np.empty((n, *size, channels), np.uint8 if is_uint8 else np.float32)
    chunk = max(1, _CHUNK_FLOATS // (channels * max(height * width, math.prod(size))))
    for start in range(0, n, chunk):
        some = np.ascontiguousarray(pixels[start : start + chunk], dtype=np.float32)
        x = functional.interpolate(
            torch.from_numpy(some).permute(0, 3, 1, 2), size, mode="bilinear", align_corners=False, antialias=True
        )
        x = x.round_().clamp_(0, 255) if is_uint8 else x
        resized[start : start + chunk] = x.permute(0, 2, 3, 1).numpy()
    return resized
