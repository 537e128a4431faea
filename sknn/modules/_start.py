"""What a module may read of the training rows before it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["StartRows", "read_rows"]


class StartRows(Protocol):
    """The argument of a module's method ``fit_start``: training rows, of a committee those of one network.

    Attributes
    ----------
    target : {"classes", "multilabel", "real"}
        Kind of target.
    link : {"softmax", "sigmoid", "identity", "finite_exp"} or None
        What turns a raw score into a prediction; None where a loss of the user's defines it.
    """

    target: str
    link: str | None

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def batches(self, at_most: int | None = None) -> Iterator[tuple[tuple[Tensor, ...], Tensor, Tensor | None]]:
        """Yield ``(inputs, y, sample_weight)``, all rows once, or evenly spaced ones, at most so many.

        `inputs` are the arguments of ``forward``; `y` is float32 ``(batch, n)``: indicators, 0 or 1, of the labels or
        classes (of two classes with one raw score only the second), or the real target as the loss is given it;
        `sample_weight` is float32 ``(batch,)``, or None.
        """
        ...


def read_rows(rows: StartRows, at_most: int | None = None) -> tuple[list[Tensor], Tensor, Tensor]:
    """Inputs, targets (n, n_targets) and weights (n,), 1 where there are none, of all rows, or of so many of them."""
    inputs, targets, weights = zip(*rows.batches(at_most), strict=True)
    ones = [torch.ones_like(y[:, 0]) if weight is None else weight for y, weight in zip(targets, weights, strict=True)]
    return [torch.cat(parts) for parts in zip(*inputs, strict=True)], torch.cat(targets), torch.cat(ones)
