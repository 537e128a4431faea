"""Where an export goes."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["check_destination"]


def check_destination(path: Path) -> None:
    """Raise if no file can be written there, before the work is done."""
    folder = Path(os.path.abspath(path)).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"path={os.fspath(path)!r}: the folder {folder} is not there. Make it first.")
    if path.is_dir():
        raise IsADirectoryError(f"path={os.fspath(path)!r} is a folder; expected the name of a file.")
