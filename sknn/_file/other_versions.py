"""Compare the versions that wrote a file with those in use."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from .._versions import versions

__all__ = ["compared", "warn_of_other_versions"]


class OtherVersionsWarning(InconsistentVersionWarning):
    """A model was saved by other versions than those in use."""

    def __init__(self, message: str) -> None:
        Warning.__init__(self, message)
        self.message = message

    def __str__(self) -> str:
        return self.message


def warn_of_other_versions(written: dict[str, Any], stacklevel: int) -> None:
    """Warn if the major or minor version of sknn or torch differs."""
    present = versions()
    pairs = [(written.get(name, present[name]), present[name]) for name in ("sknn", "torch")]
    if any(old.split(".")[:2] != new.split(".")[:2] for old, new in pairs):
        message = (
            f"{compared(written)[:500]} If the file contains probe rows, the model predicts the same for them. Check "
            "the result if you train it further."
        )
        warnings.warn(OtherVersionsWarning(message), stacklevel=stacklevel + 1)


def compared(written: dict[str, Any]) -> str:
    """Return a sentence that names the versions that differ."""
    present = versions()
    others = [f"{p} {v}, here {present[p]}" for p, v in written.items() if p in present and present[p] != v]
    device = written.get("device")
    return f"It was saved{f' on {device}' if device else ''} by {'; '.join(others) or 'the same versions'}."
