"""Versions that wrote a file, beside those in use."""

from __future__ import annotations

import platform
import sys
from typing import Any

import numpy as np
import sklearn
import torch

__all__ = ["compared", "versions_in_use"]


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


def compared(written: dict[str, Any]) -> str:
    """A sentence on what differs."""
    present = versions_in_use()
    others = [f"{p} {v}, here {present[p]}" for p, v in written.items() if p in present and present[p] != v]
    device = written.get("device")
    where = f" on {device}" if device else ""
    return f"It was saved{where} by {'; '.join(others)}." if others else f"It was saved{where} by the same versions."
