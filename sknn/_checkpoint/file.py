"""The file of a checkpoint: what it belongs to, readable, and a body that is only believed if it is one's own."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._atomic import replace_file

__all__ = ["CheckpointFile", "Damaged"]

_MAGIC = b"sknn checkpoint 1\n"
_LENGTH_BYTES, _DIGEST_BYTES = 8, 32


class Damaged(Exception):  # noqa: N818
    """Not what was written; the message says why."""


@dataclass(frozen=True)
class CheckpointFile:
    """Two generations of a checkpoint: the file, and beside it the one before.

    Layout: a line with the format, the length of the head, the head as JSON, the body, its SHA-256, and a code
    (HMAC-SHA-256) under a key that is derived from data and parameters of the fit. A body is a pickle, which can do
    anything, so that one without the right code is not opened: nobody who lacks the data can make one.

    Parameters
    ----------
    path : Path
    """

    path: Path

    @property
    def previous(self) -> Path:
        """The generation before."""
        return self.path.with_name(self.path.name + ".previous")

    def write(self, head: dict[str, Any], body: bytes, key: bytes, *, keeps_present: bool = True) -> None:
        """Replace the file; the present one becomes the one before, unless it is no good.

        An OSError leaves the present one as it was.
        """
        text = json.dumps(head).encode()
        content = b"".join([_MAGIC, len(text).to_bytes(_LENGTH_BYTES, "little"), text, body])
        code = hmac.digest(key, content, "sha256")
        data = b"".join([content, hashlib.sha256(content).digest(), code])
        replace_file(self.path, data, keep_previous=self.previous if keeps_present else None)

    @staticmethod
    def read(path: Path) -> tuple[dict[str, Any], bytes, bytes, bytes]:
        """Head, body, and content and code for `is_own`; an OSError, or Damaged."""
        data = path.read_bytes()
        if not data.startswith(_MAGIC):
            written = data[: len(_MAGIC)]
            other = written.startswith(_MAGIC[:-2]) and len(data) > len(_MAGIC)
            raise Damaged("written in another format of checkpoints" if other else "no checkpoint of sknn")
        content, digest, code = data[: -2 * _DIGEST_BYTES], data[-2 * _DIGEST_BYTES : -_DIGEST_BYTES], data[-32:]
        if hashlib.sha256(content).digest() != digest:
            raise Damaged(f"truncated or changed ({len(data):,} bytes)")
        start = len(_MAGIC) + _LENGTH_BYTES
        stop = start + int.from_bytes(content[len(_MAGIC) : start], "little")
        try:
            head = json.loads(content[start:stop])
        except (ValueError, RecursionError) as error:
            raise Damaged("its head is no JSON") from error
        if not _is_head(head):
            raise Damaged("its head is not one of a checkpoint")
        return head, content[stop:], content, code

    @staticmethod
    def is_own(content: bytes, code: bytes, key: bytes) -> bool:
        """Whether somebody wrote the content who knew data and parameters."""
        return hmac.compare_digest(hmac.digest(key, content, "sha256"), code)


def _is_head(head: Any) -> bool:
    """Whether it has the entries that `Checkpoint` reads, of their types."""
    if not isinstance(head, dict) or type(head.get("epoch")) is not int or type(head.get("finished")) is not bool:
        return False
    tables = [head.get(name) for name in ("identity", "shown")]
    return all(isinstance(table, dict) and all(isinstance(v, str) for v in table.values()) for table in tables)
