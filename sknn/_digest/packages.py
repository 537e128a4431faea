"""Which code a version tells, and which version."""

from __future__ import annotations

import functools
import importlib.metadata
import sys
from pathlib import Path

__all__ = ["is_installed", "is_packaged", "version_of"]


def is_installed(module: str) -> bool:
    """Whether a module belongs to Python or to a package that pip installed, so that a version tells it."""
    top = module.partition(".")[0]
    if top == "sknn" or (top in sys.stdlib_module_names and top != "__main__"):
        return True
    if top == "__main__":
        return False
    return is_packaged(getattr(sys.modules.get(module) or sys.modules.get(top), "__file__", None))


@functools.cache
def is_packaged(file: str | None) -> bool:
    """Whether pip put a file where it is."""
    return file is not None and not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


@functools.cache
def version_of(module: str) -> str:
    """Version of the package that an installed module belongs to; "" where none is told."""
    top = module.partition(".")[0]
    found = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(found, str):
        return found
    try:
        return importlib.metadata.version(top)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""
