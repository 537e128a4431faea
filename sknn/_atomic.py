"""Files that are either the old one or the new one, whatever happens in between."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

__all__ = ["remove_abandoned", "replace_file"]

_ENDING = ".partial"
# Age at which a file that nobody finished belongs to a process that was killed.
_ABANDONED_S = 3600.0


def replace_file(path: Path, data: bytes, *, keep_previous: Path | None = None, synced: bool = True) -> None:
    """Write `data` beside `path`, then put it in its place.

    Parameters
    ----------
    path : Path
    data : bytes
    keep_previous : Path or None
        Where the file that was there before goes.
    synced : bool
        Whether to wait until the disk has written the file, so that it survives a power cut.

    Raises
    ------
    OSError
        The folder is not there, may not be written, or is full. The old file is as it was, and nothing else is left.
    """
    # Of this call alone: threads, processes and machines may be writing the same file.
    partial = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}{_ENDING}")
    try:
        with open(partial, "xb") as file:
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        if keep_previous is not None and path.exists():
            _move_aside(path, keep_previous)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    if synced:
        _sync_folder(path.parent)


def _move_aside(path: Path, previous: Path) -> None:
    """Give a file a second name, so that it keeps the first one until another file takes it."""
    second = previous.with_name(f".{previous.name[:100]}.{os.urandom(6).hex()}{_ENDING}")
    try:
        os.link(path, second)
    except OSError:  # no links on this file system
        os.replace(path, previous)
    else:
        os.replace(second, previous)


def remove_abandoned(folder: Path, name: str = "*") -> None:
    """Remove what processes that were killed left half-written of the files that match `name`."""
    for path in folder.glob(f".{name}.*{_ENDING}"):
        with contextlib.suppress(OSError):  # another process was quicker
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder last through a power cut, where the system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
