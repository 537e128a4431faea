"""The operations of ATen as nodes of ONNX: one function each, from named arguments to names of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import OnnxGraph
from .call import Call, Emitted
from .elementwise import ELEMENTWISE
from .indexing import INDEXING
from .products import PRODUCTS
from .reductions import REDUCTIONS
from .shapes import SHAPES

__all__ = ["converter", "emit"]

_CONVERTERS = {**ELEMENTWISE, **PRODUCTS, **REDUCTIONS, **SHAPES, **INDEXING}


def converter(op: str) -> Callable[..., Emitted] | None:
    """The function that emits an operation, or None."""
    return _CONVERTERS.get(op.partition(".")[0])


def emit(graph: OnnxGraph, op: str, args: dict[str, Any], dtype: str | None, shape: tuple[Any, ...]) -> Emitted:
    """Add the nodes of one operation whose result has this dtype and shape."""
    function = converter(op)
    assert function is not None
    return function(Call(graph, dtype, shape), **args)
