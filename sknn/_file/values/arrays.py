"""Arrays, scalars and dtypes of numpy."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...exceptions import DamagedFileError
from ..checks import check_keys, expect

__all__ = ["read_array", "write_array"]

_KINDS = "biufcSUMm"  # their bytes are the whole value
_MAX_DIMENSIONS = 32
_LARGEST: dict[str, Any] = {"b": (np.uint8, 1), "U": (np.uint32, 0x10FFFF)}  # of booleans and characters


def write_array(value: Any, write: Callable[[Any], Any]) -> dict[str, Any] | None:
    """Return JSON for an array, a scalar or a dtype of numpy; None for any other value."""
    if isinstance(value, np.dtype) and value.kind in _KINDS:
        return {"$": "array", "form": "dtype", "dtype": value.str, "shape": [], "items": None}
    if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
        return _written("scalar", np.asarray(value), write)
    if type(value) is np.ndarray and value.dtype.kind in _KINDS + "OT":
        return _written("array", value, write)
    return None


def _written(form: str, array: np.ndarray, write: Callable[[Any], Any]) -> dict[str, Any]:
    items: Any
    if array.dtype.kind in "OT":
        kind, items = array.dtype.kind, [write(item) for item in array.ravel().tolist()]
    else:
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        kind, items = array.dtype.str, base64.b64encode(array.tobytes()).decode("ascii")
    return {"$": "array", "form": form, "dtype": kind, "shape": list(array.shape), "items": items}


def read_array(value: dict[str, Any], read: Callable[[Any], Any], where: str) -> Any:
    """Return the array, scalar or dtype; it is never larger than its bytes in the file."""
    check_keys(value, {"$", "form", "dtype", "shape", "items"}, where)
    name, shape = expect(value["dtype"], str, where), expect(value["shape"], list, where)
    if len(shape) > _MAX_DIMENSIONS or any(expect(size, int, where) < 0 for size in shape):
        raise DamagedFileError(f"{where}: {str(shape)[:80]} is not the shape of an array.")
    if value["form"] == "dtype":
        return _dtype(name, where)
    if name in ("O", "T"):
        return _read_objects(name, shape, [read(item) for item in expect(value["items"], list, where)], where)
    dtype = _dtype(name, where)
    data = base64.b64decode(expect(value["items"], str, where), validate=True)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise DamagedFileError(f"{where}: {len(data)} bytes for an array of {dtype} and shape {shape}.")
    array = np.frombuffer(data, dtype=dtype).astype(dtype.newbyteorder("=")).reshape(shape)  # a copy, writable
    _check_items(array, where)
    if value["form"] == "array":
        return array
    if value["form"] != "scalar" or shape:
        raise DamagedFileError(f"{where}: form {str(value['form'])[:80]!r}; expected array, scalar or dtype.")
    return array[()]


def _read_objects(name: str, shape: list[int], items: list[Any], where: str) -> np.ndarray:
    if len(items) != math.prod(shape):
        raise DamagedFileError(f"{where}: {len(items)} items for an array of shape {shape}.")
    array = np.empty(len(items), dtype=object)
    array[:] = items
    if name == "T":
        array = array.astype(np.dtypes.StringDType())  # pyright: ignore[reportAttributeAccessIssue]
    return array.reshape(shape)


def _dtype(name: str, where: str) -> np.dtype[Any]:
    # Refuses "O", "f8,i4" and "(10000,)f8", which numpy reads as objects, records and subarrays.
    if len(name) > 20 or name[1:2] not in set(_KINDS) or "," in name or "(" in name:
        raise DamagedFileError(f"{where}: the dtype {name[:80]!r} cannot be stored in a file.")
    dtype = np.dtype(name)
    if dtype.str != name:
        raise DamagedFileError(f"{where}: the dtype {name!r} is written as {dtype.str!r} by sknn.save.")
    if dtype.kind in "mM" and np.datetime_data(dtype)[0] == "generic":
        raise DamagedFileError(f"{where}: the dtype {name!r} has no unit, such as {name + '[ns]'!r}.")
    return dtype


def _check_items(array: np.ndarray, where: str) -> None:
    """Refuse bytes that are not a boolean or a character; numpy itself fails only when the items are used."""
    if array.dtype.kind in _LARGEST and array.nbytes:
        unit, largest = _LARGEST[array.dtype.kind]
        if (array.reshape(-1).view(unit) > largest).any():
            raise DamagedFileError(f"{where}: the bytes are not valid {array.dtype} values.")
