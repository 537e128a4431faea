"""What the function of an operation needs to emit its nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graph import BatchSize
from ..graph import OnnxGraph, Value

__all__ = ["Call", "Emitted", "axes_of", "axis_of", "common_dtype"]

Emitted = Any  # the name of a value, or a tuple of such names


class Call:
    """The graph, and the dtype and shape of the result of one operation; called, it converts an argument.

    Parameters
    ----------
    graph : OnnxGraph
    dtype : str or None
        None where the result is a tuple.
    shape : tuple of int and BatchSize
    """

    def __init__(self, graph: OnnxGraph, dtype: str | None, shape: tuple[Any, ...]) -> None:
        self.graph = graph
        self.dtype = dtype or "float32"
        self.shape = shape
        self.op, self.ints, self.sizes = graph.op, graph.ints, graph.sizes

    def __call__(self, value: Any, dtype: str | None = None) -> str:
        """A value or number as `dtype`, by default the dtype of the result."""
        dtype = dtype or self.dtype
        if isinstance(value, Value):
            return value.name if value.dtype == dtype else self.graph.cast(value.name, dtype)
        if isinstance(value, BatchSize):
            rows = self.op("Squeeze", self.graph.size(value), self.ints([0]))
            return rows if dtype == "int64" else self.graph.cast(rows, dtype)
        return self.graph.constant(np.array(value), dtype)

    def as_result(self, name: str, dtype: str) -> str:
        """A value of `dtype` in the dtype of the result."""
        return name if dtype == self.dtype else self.graph.cast(name, self.dtype)


def common_dtype(*values: Any) -> str:
    """Dtype in which values are compared: tensors count before numbers, floats before integers."""
    tensors = [value for value in values if isinstance(value, Value)]
    with_dims = [value for value in tensors if value.ndim] or tensors
    dtype = np.result_type(*[np.dtype(value.dtype) for value in with_dims])
    others = [value for value in values if not isinstance(value, Value)] + [v for v in tensors if not v.ndim]
    kinds = {np.dtype(v.dtype).kind if isinstance(v, Value) else np.array(v).dtype.kind for v in others}
    if dtype.kind != "f" and "f" in kinds:
        return "float32"
    return "int64" if dtype.kind == "b" and "i" in kinds else dtype.name


def axis_of(dim: int, x: Value) -> int:
    """A dimension counted from the first."""
    return dim % max(1, x.ndim)


def axes_of(dim: Any, x: Value) -> list[int]:
    """Dimensions counted from the first; None and an empty list mean all."""
    if dim is None or dim == []:
        return list(range(x.ndim))
    return [axis_of(d, x) for d in (dim if isinstance(dim, list) else [dim])]
