"""The operations of ATen as nodes of ONNX: one function each, from named arguments to names of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .call import Call
from .elementwise import ELEMENTWISE
from .products import PRODUCTS
from .shapes import SHAPES

__all__ = ["Call", "converter"]

_CONVERTERS = {**ELEMENTWISE, **PRODUCTS, **SHAPES}


def converter(op: str) -> Callable[..., Any] | None:
    """The function that emits an operation, or None; it returns the name of a value, or a tuple of names."""
    return _CONVERTERS.get(op.partition(".")[0])
