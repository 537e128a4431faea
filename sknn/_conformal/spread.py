"""The spread of the errors of a row: what it is computed from, and the module that computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["LearnedSpread", "Spread", "centred_raw"]


@dataclass(frozen=True)
class LearnedSpread:
    """Weights of the logarithm of the spread, float32; a column for each of ``n_outputs`` outputs.

    It is a polynomial of second degree in the encoded numbers and in the raw prediction, without products of two of
    them, plus a number for each category. Beyond the range of the held-out rows it is constant.
    """

    constant: np.ndarray  # (1, n_outputs)
    linear: np.ndarray  # (n_numbers, n_outputs); no rows if the encoded numbers are not used
    square: np.ndarray  # (n_numbers, n_outputs)
    categories: np.ndarray  # (sum of cardinalities, n_outputs); no rows if there are none
    of_raw: np.ndarray  # (2, n_outputs): of the raw prediction, centred and scaled, and of its square
    raw_range: np.ndarray  # (4, n_outputs): lowest, highest, centre and scale of the raw predictions
    limits: np.ndarray  # (2, n_outputs): lowest and highest logarithm

    def __post_init__(self) -> None:
        n_outputs = self.constant.shape[-1]
        n_rows = {"constant": 1, "square": len(self.linear), "of_raw": 2, "raw_range": 4, "limits": 2}
        for field in fields(self):
            values = getattr(self, field.name)
            if values.dtype != np.float32 or not np.isfinite(values).all():
                raise ValueError(f"{field.name} must be finite numbers of the dtype float32")
            if values.shape != (n_rows.get(field.name, len(values)), n_outputs):
                raise ValueError(f"{field.name} has the shape {values.shape}")
        if (self.raw_range[3] <= 0).any():
            raise ValueError("the scale of raw predictions must be positive")


class Spread(nn.Module):
    """Logarithm of the spread for the rows of a batch, by plain products, so that it can be exported.

    Shape
    -----
    ``x`` float32 (batch, ...), ``x_cat`` int64 (batch, n_categorical) or None, ``raw`` float32 (batch, n_outputs);
    output float32 (batch, n_outputs).
    """

    constant: Tensor
    linear: Tensor
    square: Tensor
    categories: Tensor
    of_raw: Tensor
    raw_range: Tensor
    limits: Tensor
    offsets: Tensor  # int64 (n_categorical,): of the codes of each column in `categories`

    def __init__(self, learned: LearnedSpread, cardinalities: Sequence[int]) -> None:
        super().__init__()
        for field in fields(learned):
            self.register_buffer(field.name, torch.from_numpy(getattr(learned, field.name)))
        self.uses_numbers, self.uses_categories = len(learned.linear) > 0, len(learned.categories) > 0
        offsets = np.cumsum([0, *cardinalities], dtype=np.int64)[:-1]
        self.register_buffer("offsets", torch.from_numpy(offsets))

    def forward(self, x: Tensor, x_cat: Tensor | None, raw: Tensor) -> Tensor:
        """The logarithm."""
        z = centred_raw(raw, self.raw_range)
        log_spread = self.constant + z * self.of_raw[0] + z * z * self.of_raw[1]
        if self.uses_numbers:
            log_spread = log_spread + x @ self.linear + (x * x) @ self.square
        if self.uses_categories:
            assert x_cat is not None
            log_spread = log_spread + functional.embedding(x_cat + self.offsets, self.categories).sum(dim=1)
        return torch.minimum(torch.maximum(log_spread, self.limits[0]), self.limits[1])


def centred_raw(raw: Tensor, raw_range: Tensor) -> Tensor:
    """Raw predictions (batch, n_outputs) within their range, centred and scaled."""
    lowest, highest, center, scale = raw_range
    return (torch.minimum(torch.maximum(raw, lowest), highest) - center) / scale
