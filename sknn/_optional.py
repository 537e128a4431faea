"""Packages that only some features need; imported on first use."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["optional_import"]


def optional_import(name: str, *, asked_by: str, extra: str) -> Any:
    """The module called `name`, or an ImportError that names the extra of sknn that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'{asked_by} needs {name.partition(".")[0]}: pip install "sknn[{extra}]"') from error
