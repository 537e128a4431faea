"""Checks of the values from which a kind of data is restored: the file that holds them may be damaged."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from .._errors import shown
from ..exceptions import DamagedFileError

__all__ = ["check_names", "stored_array", "stored_int"]


def check_names(what: str, state: Any, names: Collection[str]) -> None:
    """Raise unless `state` is a dict of exactly these names; `what` begins each message."""
    if not isinstance(state, dict) or state.keys() != set(names):
        found = sorted(map(str, state)) if isinstance(state, dict) else state
        raise DamagedFileError(f"{what}: expected {sorted(names)} in the file, found {shown(found)}.")


def stored_int(what: str, state: dict[str, Any], name: str, lowest: int, highest: int) -> int:
    """An int within this range, both ends included."""
    value = state[name]
    if type(value) is not int or not lowest <= value <= highest:
        raise DamagedFileError(f"{what}: {name} is {shown(value)}; expected an int from {lowest} to {highest}.")
    return value


def stored_array(what: str, state: dict[str, Any], name: str, dtype: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """An array of this dtype and shape, None for any size, without NaN."""
    value = state[name]
    fits = isinstance(value, np.ndarray) and value.dtype == dtype and value.ndim == len(shape)
    if not fits or any(size not in (None, n) for n, size in zip(value.shape, shape, strict=True)):
        expected = tuple("n" if size is None else size for size in shape)
        raise DamagedFileError(f"{what}: {name} is not an array of {np.dtype(dtype)} of the shape {expected}.")
    if value.dtype.kind == "f" and np.isnan(value).any():
        raise DamagedFileError(f"{what}: {name} holds NaN.")
    return value
