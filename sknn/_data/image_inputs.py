"""Images: in one size, each channel standardised by the training images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
import torch

from .._errors import shown
from ..exceptions import DamagedFileError
from ..modules import ConvNet
from .images import Form, as_images, form_of, map_like, pixels_of, shapes_of
from .inputs import Inputs, RawRows
from .recognition import CHANNELS
from .stored import check_names, stored_array
from .stores import Dense

__all__ = ["ImageInputs"]

# Without image_size, larger images are reduced to so many pixels: a network that is trained from scratch on a
# processor gains little from more, and 10,000 of them are 2 GB.
_MAX_PIXELS = 128 * 128
# With image_size: a batch of 16 such images takes 2 GB in a network.
_MOST_PIXELS = 2048 * 2048
_CHUNK_FLOATS = 2**22
# Mean and spread of more images, or of more pixels of them, are no different for our purpose.
_IMAGES_FOR_STATISTICS, _FLOATS_FOR_STATISTICS = 100, 2**22
_MOST_FLOATS_FOR_STATISTICS = 2**23


class ImageRows(RawRows):
    """Pixels (n_samples, height, width, channels) of images of one `form`, which were resized if `is_resized`."""

    def __init__(self, pixels: np.ndarray, form: Form, is_resized: bool) -> None:
        self.pixels, self.form, self.is_resized = pixels, form, is_resized

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: np.ndarray) -> ImageRows:
        return ImageRows(self.pixels[rows], self.form, self.is_resized)

    def keys(self) -> list[np.ndarray]:
        return [np.ascontiguousarray(self.pixels)]

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> ImageInputs:
        height, width, channels = self.pixels.shape[1:]
        positions = _spaced(np.arange(len(self)) if rows is None else rows, height * width * channels)
        step = math.ceil(math.sqrt(len(positions) * height * width * channels / _MOST_FLOATS_FOR_STATISTICS))
        some = self.pixels[:, ::step, ::step][positions]
        n_pixels = math.prod(some.shape[1:3])
        weights = np.ones(len(positions)) if weight is None else weight[positions].astype(np.float64)
        weights = np.repeat(weights / (weights.sum() * n_pixels), n_pixels)
        # One channel after the other: quick sums, whose bits do not depend on the number of threads.
        pixels = np.ascontiguousarray(some.reshape(-1, channels).T, dtype=np.float64)
        low, high = pixels.min(1), pixels.max(1)
        center = (pixels * weights).sum(1)
        pixels -= center[:, None]
        spread = np.sqrt((np.square(pixels, out=pixels) * weights).sum(1))
        # What was constant in training is 0 afterwards.
        spread[(low == high) | (spread == 0)] = np.inf
        return ImageInputs(
            channels=channels,
            size=(height, width),
            given_size=None if self.is_resized else self.form.size,
            channels_first=self.form.channels_first,
            is_integer=self.pixels.dtype.kind in "bui",
            high=float(high.max()),
            center=center,
            spread=spread,
        )

    def parts(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, slice]]:
        """These images, some at a time, and the places of `rows` that they stand at."""
        size = max(1, _CHUNK_FLOATS // math.prod(self.pixels.shape[1:]))
        for start in range(0, len(rows), size):
            where = slice(start, start + size)
            yield self.pixels[rows[where]], where


class ImageInputs(Inputs):
    """Size of the images, and mean and spread of each channel in the training images.

    Images of another size than `given_size` are refused; None: all are resized. `is_integer` and `high` tell pixels up
    to 255 and pixels up to 1 apart.
    """

    kind = content = "image"
    what = "images"
    default_module = ConvNet
    options = ("image_size",)

    def __init__(
        self,
        *,
        channels: int,
        size: tuple[int, int],
        given_size: tuple[int, int] | None,
        channels_first: bool,
        is_integer: bool,
        high: float,
        center: np.ndarray,
        spread: np.ndarray,
    ) -> None:
        self.row_shape = self.given_shape = (channels, *size)
        self.size, self.given_size, self.channels_first = size, given_size, channels_first
        self.is_integer, self.high = is_integer, high
        self.center, self.spread = center, spread  # float64 (channels,)

    @classmethod
    def prepare(cls, X: Any) -> np.ndarray:
        return as_images(X)

    @classmethod
    def read_first(cls, X: np.ndarray, image_size: Any = None) -> ImageRows:
        """Images in the size `image_size`: (height, width) or one int for both; None for their own or the median."""
        form = form_of(X)
        size = _size_for(form, image_size)
        return ImageRows(pixels_of(X, form, size), form, image_size is not None or form.size is None)

    @property
    def in_features(self) -> int:
        return self.row_shape[0]

    def read(self, X: np.ndarray) -> ImageRows:
        channels = self.row_shape[0]
        form = form_of(X, Form(channels, self.given_size, self.channels_first, self.size))
        if form.channels != channels:
            single = f" A single image is X[None], of shape {self._shape_of_one}." if X.ndim == 3 else ""
            raise ValueError(f"X: expected images of {channels} channels as in fit, got {form.channels}.{single}")
        if self.given_size is not None and form.size not in (self.given_size, self.size):
            found = "several sizes" if form.size is None else _pixels(form.size)
            raise ValueError(
                f"X: expected images of {_pixels(self.given_size)} as in fit, got {found}. Resize them, or pass "
                "module_params={'image_size': (height, width)} to fit, which then resizes all images."
            )
        pixels = pixels_of(X, form, self.size)
        self._check_scale(pixels)
        return ImageRows(pixels, form, self.given_size is None)

    @property
    def _shape_of_one(self) -> str:
        """Shape of an X of one image, whose size is that of fit if all images had one; for a message."""
        size = ("height", "width") if self.given_size is None else self.given_size
        shape = (1, self.row_shape[0], *size) if self.channels_first else (1, *size, self.row_shape[0])
        return f"({', '.join(map(str, shape))})"

    def _check_scale(self, pixels: np.ndarray) -> None:
        """Raise if pixels up to 1 come where fit saw pixels up to 255, or the other way round."""
        is_integer = pixels.dtype.kind in "bui"
        if is_integer == self.is_integer or not pixels.size:
            return
        high = pixels.max()
        if is_integer and self.high <= 1 < high:
            raise ValueError(
                f"X holds integers up to {high}, but the pixels of fit were at most {self.high:g}. Pass pixels on the "
                "same scale, such as X / 255."
            )
        if self.is_integer and self.high > 1 >= high and (pixels % 1 != 0).any():
            raise ValueError(
                f"X holds fractions up to {high:g}, but the pixels of fit were integers up to {self.high:g}. Pass "
                "pixels on the same scale, such as X * 255."
            )

    def encode_rows(self, raw: ImageRows, rows: np.ndarray | None = None) -> Dense:
        """Standardised pixels float32 (n_rows, channels, height, width), the channels of a pixel side by side.

        Convolutions are quicker in this memory format, and keep it; rows of such a tensor have it, too.
        """
        positions = np.arange(len(raw)) if rows is None else rows
        out = np.empty((len(positions), *raw.pixels.shape[1:]), np.float32)
        # float32 holds integers of 8 bits exactly, which are most images.
        dtype = np.float32 if raw.pixels.dtype == np.uint8 else np.float64
        center, factor = self.center.astype(dtype), (1 / self.spread).astype(dtype)
        for part, where in raw.parts(positions):
            np.multiply(np.subtract(part, center, dtype=dtype), factor, out=out[where], casting="same_kind")
        return Dense(torch.from_numpy(out).permute(0, 3, 1, 2))

    def contributions(self, X: np.ndarray, found: list[dict[str, np.ndarray]]) -> Any:
        """Maps in the layout and size of each image; those of images of several sizes are a list."""
        form = form_of(X, Form(self.row_shape[0], self.given_size, self.channels_first, self.size))
        maps = [
            map_like(shape, form.channels_first, np.moveaxis(row["x"], 0, 2))
            for shape, row in zip(shapes_of(X), found, strict=True)
        ]
        return maps if form.size is None else np.stack(maps)

    # ------------------------------------------------------------------ files

    def to_state(self) -> dict[str, Any]:
        return {
            "channels": self.row_shape[0],
            "size": list(self.size),
            "given_size": None if self.given_size is None else list(self.given_size),
            "channels_first": self.channels_first,
            "is_integer": self.is_integer,
            "high": self.high,
            "center": self.center,
            "spread": self.spread,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ImageInputs:
        expected = {"channels": int, "size": list, "channels_first": bool, "is_integer": bool, "high": float}
        check_names("images", state, {*expected, "given_size", "center", "spread"})
        if any(type(state[name]) is not kind for name, kind in expected.items()) or state["channels"] not in CHANNELS:
            raise DamagedFileError("images: a value is of another type, or the number of channels is not 1, 3 or 4.")
        center, spread = (
            stored_array("images", state, name, np.float64, (state["channels"],)) for name in ("center", "spread")
        )
        if not (np.isfinite(center).all() and (spread > 0).all() and math.isfinite(state["high"])):
            raise DamagedFileError("images: a mean or a spread is out of range.")
        size = _stored_size(state["size"])
        if math.prod(size) > _MOST_PIXELS:
            raise DamagedFileError("images: the size is out of range.")
        given_size = None if state["given_size"] is None else _stored_size(state["given_size"])
        return cls(**{**state, "size": size, "given_size": given_size})

    def probe_rows(self, random: np.random.RandomState) -> np.ndarray:
        height, width = self.size
        spread = np.where(np.isinf(self.spread), 0.0, self.spread)
        pixels = self.center + spread * random.standard_normal((2, height, width, self.row_shape[0]))
        pixels = np.round(pixels).astype(np.int64) if self.is_integer else pixels
        return (
            pixels[..., 0] if self.row_shape[0] == 1 else np.moveaxis(pixels, 3, 1) if self.channels_first else pixels
        )


def _spaced(rows: np.ndarray, row_size: int) -> np.ndarray:
    """So many of these rows, evenly spaced, as mean and spread are taken of."""
    n_rows = min(len(rows), max(_IMAGES_FOR_STATISTICS, _FLOATS_FOR_STATISTICS // row_size))
    return rows[np.linspace(0, len(rows) - 1, n_rows).astype(np.int64)]


def _size_for(form: Form, image_size: Any) -> tuple[int, int]:
    """Height and width in which images of this form are read."""
    if image_size is None:
        height, width = form.size or form.median
        scale = min(1.0, math.sqrt(_MAX_PIXELS / (height * width)))
        return max(1, round(scale * height)), max(1, round(scale * width))
    sizes = (image_size, image_size) if isinstance(image_size, Integral) else image_size
    is_pair = isinstance(sizes, tuple | list) and len(sizes) == 2
    if not is_pair or any(not isinstance(n, Integral) or isinstance(n, bool) or n < 1 for n in sizes):
        raise ValueError(
            f"image_size={shown(image_size)} is invalid; expected (height, width) in pixels, one int for both, or None."
        )
    height, width = (int(n) for n in sizes)
    if height * width > _MOST_PIXELS:
        raise ValueError(f"image_size={shown(image_size)} is out of range; expected at most 2048 x 2048 pixels.")
    return height, width


def _stored_size(value: Any) -> tuple[int, int]:
    if not (type(value) is list and len(value) == 2 and all(type(n) is int and 1 <= n <= 2**16 for n in value)):
        raise DamagedFileError("images: a size is not two numbers of pixels.")
    return value[0], value[1]


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"
