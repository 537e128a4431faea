"""Versions that wrote a file, beside those in use."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from .._versions import versions

__all__ = ["OtherVersionsWarning", "compared", "warn_of_others"]


class OtherVersionsWarning(InconsistentVersionWarning):
    """A model was saved by other versions than those that read it.

    Parameters
    ----------
    message : str
    """

    def __init__(self, message: str) -> None:
        Warning.__init__(self, message)
        self.message = message

    def __str__(self) -> str:
        return self.message


def warn_of_others(written: dict[str, Any], stacklevel: int) -> None:
    """Warn if the major or minor version of sknn or torch is another."""
    present = versions()
    if any(_series(written.get(name, present[name])) != _series(present[name]) for name in ("sknn", "torch")):
        message = f"{compared(written)[:500]} It answers as it did then, where the file has probes; train on with care."
        warnings.warn(OtherVersionsWarning(message), stacklevel=stacklevel + 1)


def _series(version: str) -> list[str]:
    return version.split(".")[:2]


def compared(written: dict[str, Any]) -> str:
    """A sentence on what differs."""
    present = versions()
    others = [f"{p} {v}, here {present[p]}" for p, v in written.items() if p in present and present[p] != v]
    device = written.get("device")
    where = f" on {device}" if device else ""
    return f"It was saved{where} by {'; '.join(others)}." if others else f"It was saved{where} by the same versions."
