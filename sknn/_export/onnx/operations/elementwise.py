"""Arithmetic, comparison, logic and functions of single numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Value
from .call import Call

__all__ = ["ELEMENTWISE"]


def _unary(kind: str) -> Callable[..., Any]:
    return lambda c, x: c.op(kind, c(x))


def _binary(kind: str) -> Callable[..., Any]:
    return lambda c, x, other: c.op(kind, c(x), c(other))


def _sum(kind: str) -> Callable[..., Any]:
    return lambda c, x, other, alpha=1: c.op(kind, c(x), c(other) if alpha == 1 else c.op("Mul", c(other), c(alpha)))


def _div(c: Call, x: Any, other: Any, rounding_mode: str | None = None) -> Any:
    if rounding_mode is None:
        return c.op("Div", c(x), c(other))
    dtype = c.dtype if c.dtype.startswith("float") else "float64"  # Div of integers rounds towards zero
    quotient = c.op("Div", c(x, dtype), c(other, dtype))
    rounded = c.op("Floor", quotient) if rounding_mode == "floor" else _towards_zero(c, quotient)
    return c.as_result(rounded, dtype)


def _towards_zero(c: Call, name: str) -> str:
    return c.op("Mul", c.op("Sign", name), c.op("Floor", c.op("Abs", name)))


def _remainder(c: Call, x: Any, other: Any) -> Any:
    x, other = c(x), c(other)
    if not c.dtype.startswith("float"):
        return c.op("Mod", x, other)
    return c.op("Sub", x, c.op("Mul", c.op("Floor", c.op("Div", x, other)), other))


def _logarithm(base: float) -> Callable[..., Any]:
    return lambda c, x: c.op("Mul", c.op("Log", c(x)), c(1 / math.log(base)))


def _clamp(c: Call, x: Any, min: Any = None, max: Any = None) -> Any:
    name = c(x)
    if c.dtype == "float64" and not isinstance(min, Value) and not isinstance(max, Value):
        # The encoder's numbers may be NaN. torch keeps NaN; the result of Clip of ONNX is not defined for it.
        clipped = c.op("Clip", name, "" if min is None else c(min), "" if max is None else c(max))
        return c.op("Where", c.op("IsNaN", name), name, clipped)
    name = name if min is None else c.op("Max", name, c(min))
    return name if max is None else c.op("Min", name, c(max))


def _common_dtype(*values: Any) -> str:
    """Dtype in which values are compared: tensors count before numbers, floats before integers."""
    tensors = [value for value in values if isinstance(value, Value)]
    with_dims = [value for value in tensors if value.ndim] or tensors
    dtype = np.result_type(*[np.dtype(value.dtype) for value in with_dims])
    others = [value for value in values if not isinstance(value, Value)] + [v for v in tensors if not v.ndim]
    kinds = {np.dtype(v.dtype).kind if isinstance(v, Value) else np.array(v).dtype.kind for v in others}
    if dtype.kind != "f" and "f" in kinds:
        return "float32"
    return "int64" if dtype.kind == "b" and "i" in kinds else dtype.name


def _comparison(kind: str) -> Callable[..., Any]:
    def compare(c: Call, x: Any, other: Any) -> Any:
        dtype = _common_dtype(x, other)
        return c.op(kind, c(x, dtype), c(other, dtype))

    return compare


def _logical(kind: str) -> Callable[..., Any]:
    return lambda c, x, other: c.op(kind, c(x, "bool"), c(other, "bool"))


def _bitwise(kind: str) -> Callable[..., Any]:
    def combine(c: Call, *values: Any, **named: Any) -> Any:
        operands = [c(value) for value in (*values, *named.values())]
        return c.op(kind if c.dtype == "bool" else f"Bitwise{kind}", *operands)

    return combine


def _is(kind: str) -> Callable[..., Any]:
    return lambda c, x: c.op(kind, c(x, x.dtype if x.dtype.startswith("float") else "float32"))


def _where(c: Call, condition: Any, x: Any, other: Any) -> Any:
    dtype = "int32" if c.dtype == "bool" else c.dtype  # onnxruntime has no Where of booleans
    return c.as_result(c.op("Where", c(condition, "bool"), c(x, dtype), c(other, dtype)), dtype)


ELEMENTWISE = {
    "add": _sum("Add"), "sub": _sum("Sub"), "mul": _binary("Mul"), "div": _div, "remainder": _remainder,
    "fmod": lambda c, x, other: c.op("Mod", c(x), c(other), fmod=1), "pow": lambda c, x, exponent: c.op(
        "Pow", c(x), c(exponent)), "maximum": _binary("Max"), "minimum": _binary("Min"), "clamp": _clamp,
    **{name.lower(): _unary(name) for name in (
        "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Exp", "Log", "Sqrt", "Sin", "Cos", "Tan", "Asin", "Acos",
        "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Erf", "Relu", "Sigmoid", "Reciprocal")},
    "rsqrt": lambda c, x: c.op("Reciprocal", c.op("Sqrt", c(x))), "trunc": lambda c, x: _towards_zero(c, c(x)),
    "expm1": lambda c, x: c.op("Sub", c.op("Exp", c(x)), c(1.0)), "exp2": lambda c, x: c.op("Pow", c(2.0), c(x)),
    "log1p": lambda c, x: c.op("Log", c.op("Add", c(x), c(1.0))), "log2": _logarithm(2), "log10": _logarithm(10),
    "eq": _comparison("Equal"), "ne": lambda c, x, other: c.op("Not", _comparison("Equal")(c, x, other)),
    "lt": _comparison("Less"), "le": _comparison("LessOrEqual"), "gt": _comparison("Greater"),
    "ge": _comparison("GreaterOrEqual"), "isnan": _is("IsNaN"), "isinf": _is("IsInf"),
    "logical_not": lambda c, x: c.op("Not", c(x, "bool")), "logical_and": _logical("And"),
    "logical_or": _logical("Or"), "logical_xor": _logical("Xor"), "bitwise_not": _bitwise("Not"),
    "bitwise_and": _bitwise("And"), "bitwise_or": _bitwise("Or"), "bitwise_xor": _bitwise("Xor"), "where": _where,
}  # fmt: skip
