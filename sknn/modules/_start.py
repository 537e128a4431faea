"""What a module may read of the training rows before it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor

__all__ = ["StartRows"]


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

        `inputs` are the arguments of ``forward``; `y` is float32 ``(batch, n)``: label indicators, 0 or 1, or the real
        target as the loss is given it; `sample_weight` is float32 ``(batch,)``, or None.
        """
        ...
