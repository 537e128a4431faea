"""Keys that a file chose so that all have one hash would take the square of their number to put into a dict."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..exceptions import UntrustedFileError

__all__ = ["check_hashes"]

_MAX_EQUAL = 1000  # hash(-1) == hash(-2), and whole numbers that are far apart, are no attack


def check_hashes(keys: Collection[Any], where: str) -> None:
    """Refuse keys of which too many have the hash of another one; call it before a set or dict is made of them.

    Raises
    ------
    UntrustedFileError
    TypeError
        One has no hash.
    """
    hashes = [hash(key) for key in keys]
    if len(hashes) - len(set(hashes)) > _MAX_EQUAL:
        raise UntrustedFileError(f"{where}: far more keys have the same hash than those of any model.")
