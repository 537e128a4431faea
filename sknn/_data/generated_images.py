"""Images that a network learns to generate, each perhaps with a label or a number."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..exceptions import DamagedFileError
from ..modules import UNet
from .conditions import Condition
from .image_inputs import ImageInputs, ImageRows
from .images import as_images, shapes_of
from .inputs import Inputs, RawRows
from .stored import check_names
from .stores import Dense
from .tagged import Tagged, tags_of, untagged

__all__ = ["Conditioned", "GeneratedImages"]


class Conditioned(Dense):
    """Rows of one shape, with numbers that say what is known of each: ``x``, and ``condition`` (n_rows, size)."""

    def __init__(self, x: Tensor, condition: Tensor) -> None:
        super().__init__(x)
        self.condition = condition

    def __getitem__(self, index: Any) -> Conditioned:
        return Conditioned(self.x[index], self.condition[index])

    def tensors(self, copies: bool = False) -> dict[str, Tensor]:
        return {**super().tensors(copies), "condition": self.condition.clone() if copies else self.condition}

    def to(self, device: torch.device) -> Conditioned:
        return Conditioned(self.x.to(device), self.condition.to(device))


class GeneratedImageRows(RawRows):
    """Images that have been read, and the y of each, (n_samples,), or None; `ndim` is that of an image as given."""

    def __init__(self, images: ImageRows, y: np.ndarray | None, ndim: int) -> None:
        self.images, self.y, self.ndim = images, y, ndim

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> GeneratedImageRows:
        return GeneratedImageRows(self.images.take(rows), None if self.y is None else self.y[rows], self.ndim)

    def keys(self) -> None:
        """Equal images are not merged."""

    def learn(
        self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False
    ) -> GeneratedImages:
        pixels = self.images.pixels if rows is None else self.images.pixels[rows]
        return GeneratedImages(
            self.images.learn(rows, weight),
            # Of all rows: a label of validation rows only is known as well.
            None if self.y is None else Condition.learn(self.y),
            ndim=self.ndim,
            dtype=self.images.pixels.dtype,
            low=float(pixels.min()),
            high=float(pixels.max()),
        )


class GeneratedImages(Inputs):
    """How images become standardised pixels, and how such pixels become images again.

    Made images have the dtype and the layout of those of fit, and no pixel below the `low`est or above the `high`est of
    the training images.
    """

    kind = "generated_image"
    content = None
    what = ImageInputs.what
    default_module = UNet
    options = ImageInputs.options
    reads_tags = True

    def __init__(
        self, images: ImageInputs, condition: Condition | None, *, ndim: int, dtype: Any, low: float, high: float
    ) -> None:
        self.images, self.condition = images, condition
        self.ndim, self.dtype, self.low, self.high = ndim, np.dtype(dtype), low, high
        self.row_shape = self.given_shape = images.row_shape
        self.network_params = {} if condition is None else {"condition_size": condition.size}

    @classmethod
    def prepare(cls, X: Any) -> Any:
        return Tagged(as_images(X.X), X.tags) if isinstance(X, Tagged) else as_images(X)

    @classmethod
    def read_first(cls, X: Any, **options: Any) -> GeneratedImageRows:
        images = untagged(X)
        ndim = max(map(len, shapes_of(images[:1])))
        return GeneratedImageRows(ImageInputs.read_first(images, **options), tags_of(X), ndim)

    @property
    def in_features(self) -> int:
        return self.images.in_features

    def read(self, X: Any) -> GeneratedImageRows:
        y = tags_of(X)
        if (y is None) != (self.condition is None):
            missing = "y is missing, but fit was given one" if y is None else "y is given, but fit had none"
            raise ValueError(f"{missing}. Pass y to both, or to neither.")
        return GeneratedImageRows(self.images.read(untagged(X)), y, self.ndim)

    def encode_rows(self, raw: GeneratedImageRows, rows: np.ndarray | None = None) -> Dense:
        """Standardised pixels float32 (n_rows, channels, height, width), and the condition of each image."""
        store = self.images.encode_rows(raw.images, rows)
        if self.condition is None or raw.y is None:
            return store
        return Conditioned(store.x, self.condition.encode(raw.y if rows is None else raw.y[rows]))

    def made_by(self, network: Any, condition: Tensor, generator: torch.Generator, n_steps: int) -> np.ndarray:
        """Images that a network makes under conditions (n_rows, condition_size)."""
        noise = torch.randn(len(condition), *self.row_shape, dtype=torch.float32, generator=generator)
        given = condition if condition.shape[1] else None
        return self.decode(network.integrate(noise.to(condition.device), given, n_steps=n_steps))

    def joined(self, parts: list[np.ndarray]) -> np.ndarray:
        """The images of parts that `made_by` returned."""
        return np.concatenate(parts)

    def decode(self, x: Tensor) -> np.ndarray:
        """Images in the form of fit, of standardised pixels (n, channels, height, width)."""
        spread = np.where(np.isinf(self.images.spread), 0.0, self.images.spread)
        pixels = x.permute(0, 2, 3, 1).cpu().numpy().astype(np.float64) * spread + self.images.center
        if self.dtype.kind != "f":
            pixels = np.round(pixels)
        pixels = np.clip(pixels, self.low, self.high).astype(self.dtype)
        if self.ndim == 2:
            return pixels[..., 0]
        return np.moveaxis(pixels, 3, 1) if self.images.channels_first else pixels

    # ------------------------------------------------------------------ files

    def to_state(self) -> dict[str, Any]:
        return {
            "images": self.images.to_state(),
            "condition": None if self.condition is None else self.condition.to_state(),
            "ndim": self.ndim,
            "dtype": self.dtype.name,
            "low": self.low,
            "high": self.high,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> GeneratedImages:
        check_names("images", state, ("images", "condition", "ndim", "dtype", "low", "high"))
        images = ImageInputs.from_state(state["images"])
        condition = None if state["condition"] is None else Condition.from_state(state["condition"])
        low, high, ndim = state["low"], state["high"], state["ndim"]
        is_range = type(low) is type(high) is float and np.isfinite([low, high]).all() and low <= high
        if not is_range or ndim not in (2, 3) or (ndim == 2 and images.row_shape[0] > 1):
            raise DamagedFileError("images: range or layout of the pixels is not valid.")
        try:
            dtype = np.dtype(state["dtype"])
        except TypeError:
            dtype = np.dtype(object)
        if dtype.kind not in "biuf":
            raise DamagedFileError("images: the dtype of the pixels is not that of numbers.")
        return cls(images, condition, ndim=ndim, dtype=dtype, low=low, high=high)

    def probe_rows(self, random: np.random.RandomState) -> Any:
        rows = self.images.probe_rows(random)
        return rows if self.condition is None else Tagged(rows, self.condition.draw(len(rows), random))
