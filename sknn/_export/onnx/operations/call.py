"""What the function of an operation needs to emit its nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graph import BatchSize
from ..graph import OnnxGraph, Value

__all__ = ["Call"]


class Call:
    """The graph, and the dtype and shape of the result of one operation; called, it converts an argument."""

    def __init__(self, graph: OnnxGraph, dtype: str | None, shape: tuple[Any, ...]) -> None:
        self.graph, self.shape = graph, shape
        self.dtype = dtype or "float32"  # None where the result is a tuple
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
