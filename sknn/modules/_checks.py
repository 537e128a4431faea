"""Checks of constructor arguments, made before any tensor is allocated."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from torch import Tensor, nn

from .._errors import shown


def check_size(name: str, value: Any, minimum: int = 1) -> int:
    """Return ``value`` as an int of at least ``minimum``, or raise an error that names the parameter."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}={shown(value)} is a {type(value).__name__}; expected an int >= {minimum}.")
    if value < minimum:
        raise ValueError(f"{name}={shown(value)} is out of range; expected an int >= {minimum}.")
    return int(value)


def check_sizes(name: str, values: Any) -> tuple[int, ...]:
    """Return ``values`` as a tuple of ints of at least 1."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name}={values!r} is a {type(values).__name__}; expected a sequence of ints >= 1.")
    return tuple(check_size(f"{name}[{i}]", value) for i, value in enumerate(values))


def check_fraction(name: str, value: Any, upper_included: bool = False) -> float:
    """Return ``value`` as a float in [0, 1), or in [0, 1] when the upper end is allowed."""
    expected = "a number in [0, 1]" if upper_included else "a number in [0, 1)"
    fraction = _check_real(name, value, expected)
    if not (0 <= fraction < 1 or (upper_included and fraction == 1)):
        raise ValueError(f"{name}={value!r} is out of range; expected {expected}.")
    return fraction


def check_positive(name: str, value: Any) -> float:
    """Return ``value`` as a finite float above 0."""
    expected = "a finite number > 0"
    number = _check_real(name, value, expected)
    if not 0 < number < float("inf"):
        raise ValueError(f"{name}={value!r} is out of range; expected {expected}.")
    return number


def _check_real(name: str, value: Any, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}={value!r} is a {type(value).__name__}; expected {expected}.")
    return float(value)


def check_module_class(name: str, value: Any, example: str) -> type[nn.Module]:
    """Return ``value`` if it is a class of nn.Module; an instance or a string is a TypeError."""
    if isinstance(value, type) and issubclass(value, nn.Module):
        return value
    hint = " An instance would share its state between layers." if isinstance(value, nn.Module) else ""
    raise TypeError(f"{name}={value!r} is not a class of torch.nn.Module; pass a class, say {example}.{hint}")


def check_widths(in_features: Any, out_features: Any, cat_cardinalities: Any) -> tuple[int, int, tuple[int, ...]]:
    """Check the widths that every architecture has; in_features may be 0 if there are categorical columns."""
    cardinalities = check_sizes("cat_cardinalities", cat_cardinalities)
    n_numeric = check_size("in_features", in_features, minimum=0)
    if n_numeric == 0 and not cardinalities:
        raise ValueError("in_features=0 leaves no input; expected an int >= 1, or some cat_cardinalities.")
    return n_numeric, check_size("out_features", out_features), cardinalities


def check_columns(name: str, values: Tensor, n_columns: int) -> None:
    """Raise a ValueError for another number of columns; a single column would otherwise be broadcast to all."""
    if values.ndim != 2 or values.shape[1] != n_columns:
        raise ValueError(f"{name} have shape {tuple(values.shape)}; expected (batch, {n_columns}).")
