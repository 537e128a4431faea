"""Versions that wrote a file, beside those in use."""

from __future__ import annotations

import platform
import sys
import warnings
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.exceptions import InconsistentVersionWarning

__all__ = ["OtherVersionsWarning", "compared", "versions_in_use", "warn_of_others"]


def versions_in_use() -> dict[str, str]:
    """Package -> version, without the build."""
    own = sys.modules[__name__.partition(".")[0]].__version__
    versions = {
        "python": platform.python_version(),
        "sknn": own,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }
    return {package: version.partition("+")[0] for package, version in versions.items()}


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
    present = versions_in_use()
    if any(_series(written.get(name, present[name])) != _series(present[name]) for name in ("sknn", "torch")):
        message = f"{compared(written)[:500]} It answers as it did then, where the file has probes; train on with care."
        warnings.warn(OtherVersionsWarning(message), stacklevel=stacklevel + 1)


def _series(version: str) -> list[str]:
    return version.split(".")[:2]


def compared(written: dict[str, Any]) -> str:
    """A sentence on what differs."""
    present = versions_in_use()
    others = [f"{p} {v}, here {present[p]}" for p, v in written.items() if p in present and present[p] != v]
    device = written.get("device")
    where = f" on {device}" if device else ""
    return f"It was saved{where} by {'; '.join(others)}." if others else f"It was saved{where} by the same versions."
