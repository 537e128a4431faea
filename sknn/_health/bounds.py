"""The range of outputs that a network can give, by its last operations."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .recorder import Operation, Recorder, first_tensor, tensors_in

__all__ = ["Ending", "ending_of", "probed_bounds"]

# Last operations whose results are bounded: lower and upper bound.
_BOUNDS = {
    "sigmoid": (0.0, 1.0), "hardsigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf), "relu_": (0.0, math.inf), "relu6": (0.0, 6.0), "hardtanh": (-1.0, 1.0),
    "softplus": (0.0, math.inf), "exp": (0.0, math.inf), "abs": (0.0, math.inf), "square": (0.0, math.inf),
    "sqrt": (0.0, math.inf),
    "softsign": (-1.0, 1.0), "elu": (-1.0, math.inf), "softmin": (0.0, 1.0), "erf": (-1.0, 1.0),
    "silu": (-0.279, math.inf), "gelu": (-0.17, math.inf), "mish": (-0.309, math.inf),
    "hardswish": (-0.375, math.inf), "selu": (-1.759, math.inf), "celu": (-1.0, math.inf),
    "log_softmax": (-math.inf, 0.0), "logsigmoid": (-math.inf, 0.0),
}  # fmt: skip
# Operations with a number that shift or scale bounds.
_AFFINE = frozenset(["add", "radd", "iadd", "sub", "rsub", "isub", "mul", "rmul", "imul", "div", "truediv", "neg"])
# Operations that add several tensors.
_ADDING = frozenset(["add", "radd", "iadd", "sub", "rsub", "isub", "sum", "mean", "stack", "cat", "logsumexp"])
_UNBOUNDED = (-math.inf, math.inf)


class Ending(NamedTuple):
    """The last operation of a network."""

    name: str  # of that operation, such as "scaled sigmoid" if the result of a bounded one is shifted or scaled
    bounds: tuple[float, float]  # smallest and largest output
    operation: Operation | None  # the last one, or the bounded one that is scaled
    is_free: bool  # whether weights can make the outputs arbitrarily large


def ending_of(recorder: Recorder, result: Tensor) -> Ending:
    """Follow the result of a network back through operations that only shift or scale it by numbers."""
    last = recorder.made_by.get(id(result))
    if last is None:
        return Ending("", _UNBOUNDED, None, is_free=False)
    bounds = _bounds_after(recorder, last)
    inner = last
    if bounds != _UNBOUNDED:
        while inner.name in _AFFINE and not _is_square(inner):
            inner = recorder.made_by[id(next(tensors_in(inner.args)))]
    name = inner.name if inner is last else f"scaled {inner.name}"
    return Ending(name, bounds, inner, is_free=_is_free(recorder, last))


def _is_free(recorder: Recorder, operation: Operation) -> bool:
    """Whether the last operation, or one whose result it adds, multiplies with parameters."""
    if any(isinstance(t, nn.Parameter) for t in tensors_in([*operation.args, *operation.kwargs.values()])):
        return True
    if operation.name not in _ADDING:
        return False
    sources = (recorder.made_by.get(id(t)) for t in tensors_in(operation.args))
    return any(source is not None and _is_free(recorder, source) for source in sources)


@torch.no_grad()
def probed_bounds(net: Any, x: Any) -> tuple[float, float]:
    """The bounds that outputs reach when all weights grow a hundredfold, and a hundredfold again."""
    parameters = list(net.module_.parameters())
    before = [parameter.clone() for parameter in parameters]
    ends = []
    try:
        for _ in range(2):
            for parameter in parameters:
                parameter.mul_(100)
            raw = first_tensor(net.infer(x))
            if not bool(torch.isfinite(raw).all()) or float(raw.std(0, correction=0).max()) == 0:
                return _UNBOUNDED
            ends.append((float(raw.min()), float(raw.max())))
    finally:
        for parameter, value in zip(parameters, before, strict=True):
            parameter.copy_(value)
    (low, high), (lower, higher) = ends
    same = 0.01 * (1 + min(abs(low), abs(high)))
    return (low if abs(low - lower) < same else -math.inf, high if abs(high - higher) < same else math.inf)


def _bounds_after(recorder: Recorder, operation: Operation) -> tuple[float, float]:
    if operation.name not in _AFFINE or _is_square(operation):
        return _bounds_of(operation)
    tensors = list(tensors_in(operation.args))
    numbers = [value for value in operation.args if isinstance(value, Real)]
    source = recorder.made_by.get(id(tensors[0])) if len(tensors) == 1 else None
    if source is None or operation.kwargs or len(numbers) != (operation.name != "neg"):
        return _UNBOUNDED
    bounds = _bounds_after(recorder, source)
    if bounds == _UNBOUNDED:
        return bounds
    shifted = [_applied(operation, bound, float(numbers[0]) if numbers else 0.0) for bound in bounds]
    return min(shifted), max(shifted)


def _applied(operation: Operation, bound: float, number: float) -> float:
    """A bound after an affine operation; 0 after a multiplication with zero."""
    name = operation.name
    if name in ("add", "radd", "iadd"):
        return bound + number
    if name in ("sub", "rsub", "isub"):
        number_first = name == "rsub" or not isinstance(operation.args[0], Tensor)
        return number - bound if number_first else bound - number
    if name == "neg":
        return -bound
    if name in ("mul", "rmul", "imul"):
        return bound * number if number else 0.0
    number_first = not isinstance(operation.args[0], Tensor)
    return math.inf if number_first or not number else bound / number


def _bounds_of(operation: Operation) -> tuple[float, float]:
    if operation.name in ("clamp", "clip", "hardtanh", "clamp_min", "clamp_max"):
        given = [*operation.args[1:], *(v for k, v in operation.kwargs.items() if k in ("min", "max", "min_val"))]
        limits = [v for v in given if isinstance(v, (int, float))]
        if operation.name == "clamp_min":
            return (limits or [-math.inf])[0], math.inf
        if operation.name == "clamp_max":
            return -math.inf, (limits or [math.inf])[0]
        if len(limits) >= 2:
            return limits[0], limits[1]
        return (limits[0], math.inf) if limits and "max" not in operation.kwargs else (-math.inf, math.inf)
    if operation.name in ("pow", "rpow", "mul") and _is_square(operation):
        return 0.0, math.inf
    return _BOUNDS.get(operation.name, _UNBOUNDED)


def _is_square(operation: Operation) -> bool:
    """Whether a tensor is multiplied with itself, or raised to an even power."""
    first, second = (*operation.args, None, None)[:2]
    if operation.name == "mul":
        return isinstance(first, Tensor) and first is second
    return isinstance(first, Tensor) and isinstance(second, Real) and second in (2, 4, 6)
