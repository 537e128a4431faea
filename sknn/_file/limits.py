"""How much memory and time a file may take whose cost cannot be read from its content."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

__all__ = ["Limits"]

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
# Allowed in addition, for reading and comparing what is in the file.
_BYTES_A_BYTE, _BYTES_A_SECOND = 6, 5e7


@dataclass(frozen=True)
class Limits:
    """Bytes and seconds beyond what the interpreter and the bytes of the file take; None: no limit."""

    memory: int | None
    seconds: float | None

    @classmethod
    def of(cls, max_memory: Any, max_seconds: Any) -> Limits:
        """Return the limits that these arguments of `load` mean."""
        if max_seconds is not None and (
            isinstance(max_seconds, bool) or not isinstance(max_seconds, int | float) or not 0 < max_seconds < 1e9
        ):
            raise ValueError(f"max_seconds={max_seconds!r}; expected a number of seconds > 0, or None for no limit.")
        return cls(None if max_memory is None else _bytes(max_memory), max_seconds)

    def for_file(self, n_bytes: int) -> Limits:
        """Return the limits for a file of this size."""
        return Limits(
            None if self.memory is None else self.memory + _BYTES_A_BYTE * n_bytes,
            None if self.seconds is None else self.seconds + n_bytes / _BYTES_A_SECOND,
        )


def _bytes(value: Any) -> int:
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*([a-z]*)\s*", value.lower())
        if match and match[2] in _UNITS and float(match[1]) > 0:
            return int(float(match[1]) * _UNITS[match[2]])
    elif isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ValueError(f"max_memory={value!r}; expected a number of bytes, a text such as '2GB', or None for no limit.")
