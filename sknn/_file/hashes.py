"""Refuse keys chosen to have one hash: building a dict of n of them takes n**2 steps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..exceptions import UntrustedFileError

__all__ = ["check_hashes"]

_MAX_EQUAL = 1000  # some collisions are harmless: hash(-1) == hash(-2)


def check_hashes(keys: Collection[Any], where: str) -> None:
    """Refuse keys with too many equal hashes, before a set or dict is built of them."""
    hashes = [hash(key) for key in keys]
    if len(hashes) - len(set(hashes)) > _MAX_EQUAL:
        raise UntrustedFileError(f"{where}: more than {_MAX_EQUAL} keys have the hash of another key.")
