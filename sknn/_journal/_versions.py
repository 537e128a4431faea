"""What decides on a result beside the fit itself: versions, and settings of scikit-learn."""

from __future__ import annotations

import functools
import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sklearn import get_config

from .._digest import digest

__all__ = ["surroundings"]

_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "skorch")
_SETTINGS = ("transform_output", "enable_metadata_routing", "array_api_dispatch")


def surroundings() -> str:
    """Digest of versions and settings as they are now."""
    settings = {name: str(value) for name, value in get_config().items() if name in _SETTINGS}
    return digest([_versions(), settings])


@functools.cache
def _versions() -> dict[str, Any]:
    found: dict[str, Any] = {"python": f"{platform.python_implementation()} {platform.python_version()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    found["sknn"] = _source_of_sknn()
    return found


def _source_of_sknn() -> str:
    """Version of an installed sknn; SHA-256 of its files in a checkout, which changes while its version does not."""
    package = Path(__file__).parents[1]
    if "site-packages" in package.parts:
        return version("sknn")
    text = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if "_journal" not in path.relative_to(package).parts:  # how a fit is stored changes no result
            text.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return text.hexdigest()
