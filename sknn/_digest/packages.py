"""Which code is installed, so that a version identifies it, and which is the user's own."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
import sysconfig
from pathlib import Path
from typing import Any

__all__ = ["is_importable", "is_installed", "is_packaged", "version_of"]

_STDLIB = tuple({Path(sysconfig.get_paths()[name]) for name in ("stdlib", "platstdlib")})


def is_installed(module: str) -> bool:
    """Whether a module belongs to Python, to sknn or to an installed package; its version then identifies its code."""
    top = module.partition(".")[0]
    if top in ("sknn", "__main__"):
        return top == "sknn"
    file = getattr(sys.modules.get(module) or sys.modules.get(top), "__file__", None)
    return top in sys.stdlib_module_names if file is None else is_packaged(file)


@functools.cache
def is_packaged(file: str) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    path = Path(file)
    return bool({"site-packages", "dist-packages"} & set(path.parts)) or any(path.is_relative_to(p) for p in _STDLIB)


def is_importable(value: Any) -> bool:
    """Whether its module, as it is loaded, holds this class or function under its qualified name."""
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for name in getattr(value, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is value


@functools.cache
def version_of(module: str) -> str:
    """Version of the package that an installed module belongs to; "" if it has none."""
    top = module.partition(".")[0]
    found = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(found, str):
        return found
    try:
        return importlib.metadata.version(top)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""
