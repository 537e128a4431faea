"""numpy's arrays, scalars, dtypes and generators of random numbers."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...exceptions import DamagedFileError
from ..json import check_keys, expect
from .random_states import BIT_GENERATORS, check_state

__all__ = ["read_array", "read_generator", "write_array", "write_generator"]

_KINDS = "biufcSUMm"  # whose bytes say everything
_MAX_DIMENSIONS = 32
_FACES = {"RandomState": np.random.RandomState, "Generator": np.random.Generator}


def write_array(value: Any, write: Callable[[Any], Any]) -> dict[str, Any] | None:
    """JSON for an array, a scalar or a dtype of numpy; None for any other value."""
    if isinstance(value, np.dtype) and value.kind in _KINDS:
        return {"$": "array", "form": "dtype", "dtype": value.str, "shape": [], "items": None}
    if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
        return _written("scalar", np.asarray(value), write)
    if type(value) is np.ndarray and (value.dtype.kind in _KINDS or value.dtype.kind in "OT"):
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
    """The array, scalar or dtype; no larger than what the file holds of it."""
    check_keys(value, {"$", "form", "dtype", "shape", "items"}, where)
    name, shape = expect(value["dtype"], str, where), expect(value["shape"], list, where)
    if len(shape) > _MAX_DIMENSIONS or any(expect(size, int, where) < 0 for size in shape):
        raise DamagedFileError(f"{where}: {str(shape)[:80]} is no shape.")
    if value["form"] == "dtype":
        return _dtype(name, where)
    n_items = math.prod(shape)
    if name in ("O", "T"):
        items = [read(item) for item in expect(value["items"], list, where)]
        if len(items) != n_items:
            raise DamagedFileError(f"{where}: {len(items)} items for an array of shape {shape}.")
        array = np.empty(n_items, dtype=object)
        array[:] = items
        if name == "T":
            array = array.astype(np.dtypes.StringDType())  # pyright: ignore[reportAttributeAccessIssue]
        return array.reshape(shape)
    dtype = _dtype(name, where)
    data = base64.b64decode(expect(value["items"], str, where), validate=True)
    if len(data) != n_items * dtype.itemsize:
        raise DamagedFileError(f"{where}: {len(data)} bytes for an array of {dtype} and shape {shape}.")
    array = np.frombuffer(data, dtype=dtype).astype(dtype.newbyteorder("=")).reshape(shape)  # a copy, writable
    _check_items(array, where)
    if value["form"] == "array":
        return array
    if value["form"] != "scalar" or shape:
        raise DamagedFileError(f"{where}: {str(value['form'])[:80]!r} is no form of an array.")
    return array[()]


def _dtype(name: str, where: str) -> np.dtype[Any]:
    # Strings such as "O", "f8,i4" or "(10000,)f8" mean other things, and are none of these.
    if len(name) > 20 or name[1:2] not in set(_KINDS) or "," in name or "(" in name:
        raise DamagedFileError(f"{where}: {name[:80]!r} is no dtype that a file may hold.")
    dtype = np.dtype(name)
    if dtype.str != name:
        raise DamagedFileError(f"{where}: the dtype {name!r} is written in another way.")
    return dtype


def _check_items(array: np.ndarray, where: str) -> None:
    """Bytes that are no boolean or no character would only be noticed when somebody looks at them."""
    bad = False
    if array.dtype.kind == "b":
        bad = bool((array.view(np.uint8) > 1).any())
    elif array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        codes = np.ascontiguousarray(array).reshape(-1).view(np.uint32)
        bad = bool((codes > 0x10FFFF).any())
    if bad:
        raise DamagedFileError(f"{where}: bytes that are no {array.dtype}.")


def write_generator(value: Any, write: Callable[[Any], Any]) -> dict[str, Any] | None:
    """JSON for a RandomState or Generator; None for any other value."""
    face = type(value).__name__
    if type(value) is not _FACES.get(face):
        return None
    bits = value._bit_generator if face == "RandomState" else value.bit_generator
    if type(bits).__name__ not in BIT_GENERATORS:
        return None
    gauss = value.get_state(legacy=False) if face == "RandomState" else {}
    written = {"face": face, "state": write(bits.state), "gauss": write([gauss.get("has_gauss"), gauss.get("gauss")])}
    return {"$": "generator", **written}


def read_generator(value: dict[str, Any], read: Callable[[Any], Any], where: str) -> Any:
    """The generator, in the state that it was in."""
    check_keys(value, {"$", "face", "state", "gauss"}, where)
    state, gauss = check_state(read(value["state"]), where), expect(read(value["gauss"]), list, where)
    name, face = state["bit_generator"], value["face"]
    if type(face) is not str or face not in _FACES or len(gauss) != 2:
        raise DamagedFileError(f"{where}: no generator of random numbers that a file may hold.")
    bits = BIT_GENERATORS[name](0)
    bits.state = state
    found = _FACES[face](bits)
    if face == "RandomState" and name == "MT19937":
        if expect(gauss[0], int, where) not in (0, 1) or not math.isfinite(expect(gauss[1], (int, float), where)):
            raise DamagedFileError(f"{where}: a normal number in store that is none.")
        found.set_state({**state, "has_gauss": int(gauss[0]), "gauss": float(gauss[1])})
    return found
