"""States of numpy's bit generators: numpy takes any, so that a position beyond the end reads foreign memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...exceptions import DamagedFileError
from ..json import check_keys, expect

__all__ = ["BIT_GENERATORS", "check_state"]

BIT_GENERATORS: dict[str, Any] = {
    kind.__name__: kind
    for kind in (np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64)
}
# Name of an array -> its length, of each kind.
_ARRAYS = {"MT19937": {"key": 624}, "Philox": {"counter": 4, "key": 2}, "SFC64": {"state": 4}}
_WORDS = {"Philox": {"buffer": 4}}
_N_POSITIONS = {"MT19937": 624, "Philox": 4}


def check_state(value: Any, where: str) -> dict[str, Any]:
    """`value`, if it is a state that one of `BIT_GENERATORS` can be in.

    Raises
    ------
    DamagedFileError
    """
    name = expect(value, dict, where).get("bit_generator")
    if type(name) is not str or name not in BIT_GENERATORS:
        raise DamagedFileError(f"{where}: no generator of random numbers that a file may hold.")
    arrays = _ARRAYS.get(name, {})
    inner = expect(value.get("state"), dict, where)
    if name == "MT19937":
        names, positions = {"bit_generator", "state"}, inner
        check_keys(inner, {*arrays, "pos"}, where)
        _check_whole(inner["pos"], _N_POSITIONS[name], where)
    else:
        names = {"bit_generator", "state", "has_uint32", "uinteger", *_WORDS.get(name, ())}
        names |= {"buffer_pos"} if name in _N_POSITIONS else set()
        positions = value
        check_keys(inner, set(arrays) or {"state", "inc"}, where)
    check_keys(value, names, where)
    for key, length in arrays.items():
        _check_words(inner[key], length, where)
    for key, length in _WORDS.get(name, {}).items():
        _check_words(value[key], length, where)
    if name == "Philox":
        _check_whole(positions["buffer_pos"], _N_POSITIONS[name], where)
    if name != "MT19937":
        _check_whole(value["has_uint32"], 1, where)
        _check_whole(value["uinteger"], 2**32 - 1, where)
    if not arrays:
        for key in ("state", "inc"):
            _check_whole(inner[key], 2**128 - 1, where)
    # A generator that gives nothing but zeros never ends a draw that is repeated until it fits.
    if (name == "MT19937" and not inner["key"].any()) or (not arrays and inner["inc"] % 2 == 0):
        raise DamagedFileError(f"{where}: a state that no generator of random numbers is ever in.")
    return value


def _check_whole(value: Any, largest: int, where: str) -> None:
    if not 0 <= expect(value, int, where) <= largest:
        raise DamagedFileError(f"{where}: a position or number outside of the generator's state.")


def _check_words(value: Any, length: int, where: str) -> None:
    if type(value) is not np.ndarray or value.dtype not in (np.uint32, np.uint64) or value.shape != (length,):
        raise DamagedFileError(f"{where}: a generator's state of another shape than it has.")
