"""A folder with one file for each finished fit: written whole or not at all, checked when read."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import json
import os
import pickle
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from .._atomic import remove_abandoned, replace_file
from ..exceptions import JournalError

__all__ = ["Store", "UnstorableError"]

_FORMAT = 1
_MARKER = "sknn-journal.json"
_SUFFIX = ".fit"
_MAGIC = b"sknn-journal-fit"


class UnstorableError(TypeError):
    """A result that no file can hold."""


class Store:
    """Finished fits by their digests.

    A file is a line with the SHA-256 of all that follows, a line of JSON, and, where fitted estimators were asked for,
    their pickles. What fails the check counts as absent, and is removed.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> str | None:
        """Make the folder, and mark it; the trouble, if nothing can be written for want of room.

        Raises
        ------
        JournalError
            A file stands there, it cannot be written to, or a newer sknn made it.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise JournalError(f"folder={str(self.folder)!r} is a file; a journal needs a folder of its own.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._is_marked():
                replace_file(self.folder / _MARKER, json.dumps({"format": _FORMAT}).encode())
            else:
                probe = self.folder / f".{os.urandom(6).hex()}.probe"
                probe.write_bytes(b"probe")
                probe.unlink()
            remove_abandoned(self.folder)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT) and self.folder.is_dir():
                return str(error)
            raise JournalError(
                f"folder={str(self.folder)!r} cannot be written to ({error}). Choose another folder, or "
                "change its permissions."
            ) from error
        return None

    def _is_marked(self) -> bool:
        try:
            found = json.loads((self.folder / _MARKER).read_bytes())["format"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False
        if not isinstance(found, int) or found > _FORMAT:
            raise JournalError(
                f"folder={str(self.folder)!r} holds a journal of format {found!r}, and this version of sknn reads "
                f"format {_FORMAT}. Update sknn, or choose another folder."
            )
        return True

    # ------------------------------------------------------------------ entries

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{_SUFFIX}"

    def stored_keys(self) -> list[str]:
        """Digests of the fits stored, in order of writing."""
        found = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            try:
                found.append((path.stat().st_mtime_ns, path.stem))
            except OSError:
                continue  # removed meanwhile
        return [key for _, key in sorted(found)]

    def holds(self, key: str) -> bool:
        return self._path(key).is_file()

    def read(self, key: str, *, unpickle: bool = False) -> dict[str, Any] | None:
        """What was stored under `key`, or None. Nothing is unpickled unless asked for, and only after the check."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        head, _, body = content.partition(b"\n")
        if head != _head(body):
            self._remove(path)
            return None
        text, _, pickles = body.partition(b"\n")
        try:
            record = json.loads(text)
            if record["key"] != key:  # a file that somebody renamed
                return None
            record["result"] = _decode(record["result"], pickles if unpickle else None)
        except Exception:  # of another version, or a class that is gone: fitted again
            return None
        return record

    def write(self, key: str, result: Any, about: dict[str, Any]) -> None:
        """Store a result for good.

        Raises
        ------
        UnstorableError
            The result holds something that is neither number, text nor array, and cannot be pickled.
        OSError
            No room, no permission, no folder.
        """
        pickles = io.BytesIO()
        record = {"key": key, **about, "result": _encode(result, pickles)}
        body = json.dumps(record).encode() + b"\n" + pickles.getvalue()
        replace_file(self._path(key), _head(body) + b"\n" + body)

    def remove(self, keys: list[str]) -> None:
        for key in keys:
            self._remove(self._path(key))

    @staticmethod
    def _remove(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return


def _head(body: bytes) -> bytes:
    return b"%s %d %s" % (_MAGIC, _FORMAT, hashlib.sha256(body).hexdigest().encode())


# ---------------------------------------------------------------------- results as JSON


def _encode(value: Any, pickles: io.BytesIO) -> Any:
    """JSON that `_decode` makes the same value of: floats to the last bit, NaN and infinity included."""
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_encode(item, pickles) for item in value]
    if type(value) is tuple:
        return {"tuple": [_encode(item, pickles) for item in value]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": {key: _encode(item, pickles) for key, item in value.items()}}
    if type(value) is np.ndarray and not value.dtype.hasobject and value.dtype.kind in "biufcSUmM":
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": [value.dtype.str, list(value.shape), data]}
    if type(value) is np.ndarray and value.dtype == object:
        return {"objects": [list(value.shape), _encode(value.ravel().tolist(), pickles)]}
    if hasattr(value, "fit"):
        return {"pickle": [pickles.tell(), pickles.write(_pickled(value))]}
    raise UnstorableError(f"a {type(value).__name__}, which is neither number, text, array nor estimator")


def _pickled(estimator: Any) -> bytes:
    try:
        return pickle.dumps(estimator, protocol=5)
    except Exception:
        pass
    try:  # lambdas, and classes defined on the spot
        return cloudpickle.dumps(estimator)
    except Exception as error:
        raise UnstorableError(f"a {type(estimator).__name__} that cannot be pickled ({error})") from error


def _decode(value: Any, pickles: bytes | None) -> Any:
    if isinstance(value, list):
        return [_decode(item, pickles) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tuple":
        return tuple(_decode(item, pickles) for item in content)
    if kind == "dict":
        return {key: _decode(item, pickles) for key, item in content.items()}
    if kind == "array":
        dtype, shape, data = content
        return np.frombuffer(base64.b64decode(data), dtype=np.dtype(dtype)).reshape(shape).copy()
    if kind == "objects":
        shape, items = content
        array = np.empty(len(items), dtype=object)
        array[:] = _decode(items, pickles)
        return array.reshape(shape)
    start, size = content
    return None if pickles is None else pickle.loads(pickles[start : start + size])
