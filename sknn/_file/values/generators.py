"""Generators of random numbers of numpy, with the states of their bit generators.

numpy accepts any state, although a position beyond the end of a buffer reads memory of other objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...exceptions import DamagedFileError
from ..checks import check_keys, expect

__all__ = ["check_state", "read_generator", "write_generator"]

_GENERATORS = {"RandomState": np.random.RandomState, "Generator": np.random.Generator}
_BIT_GENERATORS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)
}
# The form of each state: a number is the largest whole number allowed, a tuple the shape of an array.
_HALF: dict[str, Any] = {"has_uint32": 1, "uinteger": 2**32 - 1}
_PCG: dict[str, Any] = {"state": {"state": 2**128 - 1, "inc": 2**128 - 1}, **_HALF}
_STATES: dict[str, dict[str, Any]] = {
    "MT19937": {"state": {"key": (624,), "pos": 624}},
    "PCG64": _PCG,
    "PCG64DXSM": _PCG,
    "Philox": {"state": {"counter": (4,), "key": (2,)}, "buffer": (4,), "buffer_pos": 4, **_HALF},
    "SFC64": {"state": {"state": (4,)}, **_HALF},
}


def write_generator(value: Any, write: Callable[[Any], Any]) -> dict[str, Any] | None:
    """Return JSON for a RandomState or Generator; None for any other value."""
    name = type(value).__name__
    if type(value) is not _GENERATORS.get(name):
        return None
    bits = value._bit_generator if name == "RandomState" else value.bit_generator
    if type(bits).__name__ not in _BIT_GENERATORS:
        return None
    gauss = value.get_state(legacy=False) if name == "RandomState" else {}
    written = {"class": name, "state": write(bits.state), "gauss": write([gauss.get("has_gauss"), gauss.get("gauss")])}
    return {"$": "generator", **written}


def read_generator(value: dict[str, Any], read: Callable[[Any], Any], where: str) -> Any:
    """Return the generator, in the state that it was in."""
    check_keys(value, {"$", "class", "state", "gauss"}, where)
    state, gauss = check_state(read(value["state"]), where), expect(read(value["gauss"]), list, where)
    name, kind = state["bit_generator"], _GENERATORS.get(expect(value["class"], str, where))
    if kind is None or len(gauss) != 2:
        raise DamagedFileError(f"{where}: expected a RandomState or Generator of numpy.")
    bits = _BIT_GENERATORS[name](0)
    bits.state = state
    found: Any = kind(bits)
    if isinstance(found, np.random.RandomState):
        if expect(gauss[0], int, where) not in (0, 1) or not math.isfinite(expect(gauss[1], (int, float), where)):
            raise DamagedFileError(f"{where}: the stored normal number of a RandomState must be finite.")
        found.set_state({**state, "has_gauss": int(gauss[0]), "gauss": float(gauss[1])})
    return found


def check_state(value: Any, where: str) -> dict[str, Any]:
    """Return `value`, if it is a state that a bit generator of numpy can be in."""
    name = expect(value, dict, where).get("bit_generator")
    if type(name) is not str or name not in _STATES:
        raise DamagedFileError(f"{where}: bit generator {str(name)[:40]!r}; expected one of {sorted(_STATES)}.")
    _check_form({key: item for key, item in value.items() if key != "bit_generator"}, _STATES[name], where)
    state = value["state"]
    # A generator that yields only zeros never finishes a draw that is repeated until it fits.
    if (name == "MT19937" and not state["key"].any()) or ("inc" in state and state["inc"] % 2 == 0):
        raise DamagedFileError(f"{where}: no random generator is ever in this state.")
    return value


def _check_form(value: Any, form: Any, where: str) -> None:
    if isinstance(form, dict):
        for key, item in check_keys(value, set(form), where).items():
            _check_form(item, form[key], where)
    elif isinstance(form, tuple):
        if type(value) is not np.ndarray or value.dtype not in (np.uint32, np.uint64) or value.shape != form:
            raise DamagedFileError(f"{where}: the state of a generator has another shape than it should.")
    elif not 0 <= expect(value, int, where) <= form:
        raise DamagedFileError(f"{where}: a number in the state of a generator is out of range.")
