"""Sums, extremes, softmax and sorting along dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .call import Call, Emitted, axes_of, axis_of

__all__ = ["REDUCTIONS"]


def _reduction(kind: str) -> Callable[..., Emitted]:
    def reduce(c: Call, x: Any, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Emitted:
        return c.op(kind, c(x), c.ints(axes_of(dim, x)), keepdims=int(keepdim)) if x.ndim else c(x)

    return reduce


def _place_of_extreme(kind: str) -> Callable[..., Emitted]:
    def find(c: Call, x: Any, dim: int | None = None, keepdim: bool = False) -> Emitted:
        if dim is None:
            raise NotImplementedError("argmax or argmin over the rows")
        return c.op(kind, x.name, axis=axis_of(dim, x), keepdims=int(keepdim))

    return find


def _softmax(kind: str) -> Callable[..., Emitted]:
    return lambda c, x, dim, half_to_float=False: c.op(kind, c(x), axis=dim)


def _cumsum(c: Call, x: Any, dim: int, dtype: Any = None) -> Emitted:
    return c.op("CumSum", c(x), c.graph.constant(np.int64(axis_of(dim, x))))


def _sort(c: Call, x: Any, dim: int = -1, descending: bool = False, stable: bool | None = None) -> Emitted:
    axis = axis_of(dim, x)
    return tuple(c.graph.ops("TopK", 2, x.name, c.graph.size(x.shape[axis]), axis=axis, largest=int(descending)))


REDUCTIONS = {
    "sum": _reduction("ReduceSum"), "mean": _reduction("ReduceMean"), "prod": _reduction("ReduceProd"),
    "amax": _reduction("ReduceMax"), "amin": _reduction("ReduceMin"), "argmax": _place_of_extreme("ArgMax"),
    "argmin": _place_of_extreme("ArgMin"), "_softmax": _softmax("Softmax"), "_log_softmax": _softmax("LogSoftmax"),
    "cumsum": _cumsum, "sort": _sort,
}  # fmt: skip
