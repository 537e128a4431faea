"""Files that are either the old one or the new one, whatever happens in between."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_file", "sync_folder"]


def replace_file(path: Path, data: bytes, *, keep_previous: Path | None = None) -> None:
    """Write `data` beside `path`, then put it in its place.

    Parameters
    ----------
    path : Path
    data : bytes
    keep_previous : Path or None
        Where the file that was there before goes.

    Raises
    ------
    OSError
        The folder is not there, may not be written, or is full. The old file is as it was, and nothing else is left.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if keep_previous is not None and path.exists():
            os.replace(path, keep_previous)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems cannot
        pass
    finally:
        os.close(descriptor)
