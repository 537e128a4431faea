"""The version of sknn, and of what it computes with."""

from __future__ import annotations

import platform

import numpy as np
import sklearn
import skorch
import torch

__version__ = "0.1.0"

__all__ = ["__version__", "versions"]


def versions(*, with_build: bool = False) -> dict[str, str]:
    """Package -> version in use. Without the build, a model of torch 2.8.0+cu126 is one of torch 2.8.0."""
    found = {
        "python": platform.python_version(),
        "sknn": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "skorch": skorch.__version__,
    }
    return found if with_build else {package: version.partition("+")[0] for package, version in found.items()}
