"""Replace files atomically: after any failure there is the old file or the new one."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path

__all__ = ["check_destination", "remove_abandoned", "replace_file"]

_ENDING = ".partial"
# An unfinished file of this age was left by a process that was killed.
_ABANDONED_S = 3600.0


def check_destination(path: Path) -> None:
    """Raise an OSError if no file can be written to `path`, before the content is computed."""
    folder = Path(os.path.abspath(path)).parent
    if not folder.is_dir():
        raise FileNotFoundError(f"path={os.fspath(path)!r}: the folder {folder} does not exist. Create it first.")
    if path.is_dir():
        raise IsADirectoryError(f"path={os.fspath(path)!r} is a folder; expected the name of a file.")


def replace_file(
    path: Path, data: bytes, *, keep_previous: Path | None = None, synced: bool = True, mode: int | None = None
) -> None:
    """Write `data` to a file beside `path`, then rename it to `path`; the old file is moved to `keep_previous`.

    `mode` are the permissions, where the file system has any; None: those of the old file, with its owner where the
    system allows it; for a new file, what the umask says. A link at `path` is replaced, not followed. After an OSError,
    the old file is unchanged and no other is left. `synced` waits for the disk, for power cuts.
    """
    # A name of its own for each call: threads, processes and machines may be writing the same file.
    partial = path.with_name(f".{path.name[:100]}.{os.urandom(6).hex()}{_ENDING}")
    old = _status(path)
    # Nobody else may read it before it has the permissions of the old file.
    opener = None if old is None and mode is None else _open_private
    try:
        with open(partial, "xb", opener=opener) as file:
            file.write(data)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        if old is not None and mode is None:
            _copy_permissions(old, partial)
        elif mode is not None:
            _set_mode(partial, mode)
        if keep_previous is not None and path.exists():
            _move_aside(path, keep_previous)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    if synced:
        _sync_folder(path.parent)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # it does not exist
        return None


def _open_private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _copy_permissions(old: os.stat_result, path: Path) -> None:
    """Give a file the owner, the group and the mode of an old one, as far as the system allows it."""
    mode, new = stat.S_IMODE(old.st_mode) & 0o777, path.stat()
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.chown(path, old.st_uid, old.st_gid)
        except (AttributeError, OSError):  # Windows; or only the superuser may
            # The group is another one now, which the old file did not let in.
            mode &= ~stat.S_IRWXG if old.st_gid != new.st_gid else mode
    _set_mode(path, mode)


def _set_mode(path: Path, mode: int) -> None:
    """Set the mode, where the file system has modes; elsewhere the content matters more."""
    with contextlib.suppress(OSError):
        os.chmod(path, mode)


def _move_aside(path: Path, previous: Path) -> None:
    """Give a file a second name; it keeps the first one until it is replaced."""
    second = previous.with_name(f".{previous.name[:100]}.{os.urandom(6).hex()}{_ENDING}")
    try:
        os.link(path, second)
    except OSError:  # the file system has no links
        os.replace(path, previous)
    else:
        os.replace(second, previous)
        second.unlink(missing_ok=True)  # renaming does nothing where both are names of the same file


def remove_abandoned(folder: Path, name: str = "*") -> None:
    """Remove unfinished files matching `name` that were left by killed processes."""
    for path in folder.glob(f".{name}.*{_ENDING}"):
        with contextlib.suppress(OSError):  # another process has removed it
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power failure, where the system supports it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows cannot open folders
        return
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
