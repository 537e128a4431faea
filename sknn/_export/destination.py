"""Checks of the path that an export is written to."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["check_destination"]


def check_destination(path: Path) -> None:
    """Raise if no file can be written there, so that the error comes before the work."""
    folder = Path(os.path.abspath(path)).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"path={os.fspath(path)!r}: the folder {folder} does not exist. Create it first.")
    if path.is_dir():
        raise IsADirectoryError(f"path={os.fspath(path)!r} is a folder; expected the path of a file.")
