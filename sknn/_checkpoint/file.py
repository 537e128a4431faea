"""The file of a checkpoint: a readable head, and a body that is opened only if this fit wrote it."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._atomic import replace_file

__all__ = ["CheckpointFile", "Damaged"]

_MAGIC = b"sknn checkpoint 2\n"
_MODE = 0o600  # it may contain rows of the data, and opening it runs what its writer wants
_LENGTH_BYTES, _DIGEST_BYTES = 8, 32


class Damaged(Exception):  # noqa: N818
    """The file is not as it was written; the message says why."""


@dataclass(frozen=True)
class CheckpointFile:
    """Two generations of a checkpoint: the file, and beside it the one before.

    Layout: a line with the format, the length of the head, the head as JSON, the body, the SHA-256 of all that, and a
    code (HMAC-SHA-256 of this digest) whose key is derived from data and parameters of the fit. A body is a pickle, and
    unpickling may run code, so a body without the right code is not opened: only who has the data can write one.
    """

    path: Path

    @property
    def previous(self) -> Path:
        """The path of the generation before."""
        return self.path.with_name(self.path.name + ".previous")

    def write(
        self, head: dict[str, Any], body: bytes, key: bytes, *, keeps_present: bool = True, synced: bool = True
    ) -> None:
        """Replace the file; the present one is kept as `previous` if `keeps_present`. See `replace_file` for `synced`.

        An OSError leaves the present one as it was.
        """
        text = json.dumps(head).encode()
        content = b"".join([_MAGIC, len(text).to_bytes(_LENGTH_BYTES, "little"), text, body])
        digest = hashlib.sha256(content).digest()
        data = b"".join([content, digest, hmac.digest(key, digest, "sha256")])
        previous = self.previous if keeps_present else None
        replace_file(self.path, data, keep_previous=previous, synced=synced, mode=_MODE)

    @staticmethod
    def read(path: Path) -> tuple[dict[str, Any], bytes, bytes, bytes]:
        """Head, body, and digest and code for `is_own`; raises an OSError, or Damaged."""
        data = path.read_bytes()
        if not data.startswith(_MAGIC):
            written = data[: len(_MAGIC)]
            other = written.startswith(_MAGIC[:-2]) and len(data) > len(_MAGIC)
            raise Damaged("it was written in another format" if other else "it is not a checkpoint of sknn")
        content, digest, code = data[: -2 * _DIGEST_BYTES], data[-2 * _DIGEST_BYTES : -_DIGEST_BYTES], data[-32:]
        if hashlib.sha256(content).digest() != digest:
            raise Damaged(f"it was truncated or changed ({len(data):,} bytes)")
        start = len(_MAGIC) + _LENGTH_BYTES
        stop = start + int.from_bytes(content[len(_MAGIC) : start], "little")
        try:
            head = json.loads(content[start:stop])
        except (ValueError, RecursionError) as error:
            raise Damaged("its head is not JSON") from error
        if not _is_head(head):
            raise Damaged("its head is not that of a checkpoint")
        return head, content[stop:], digest, code

    @staticmethod
    def is_own(digest: bytes, code: bytes, key: bytes) -> bool:
        """Whether the writer knew data and parameters of the fit."""
        return hmac.compare_digest(hmac.digest(key, digest, "sha256"), code)


def _is_head(head: Any) -> bool:
    """Whether it has the entries that `Checkpoint` reads, of the right types."""
    if not isinstance(head, dict) or type(head.get("epoch")) is not int or type(head.get("finished")) is not bool:
        return False
    sources = head.get("sources")
    if not isinstance(sources, dict) or type(sources.get("is_complete")) is not bool:
        return False
    modules = sources.get("modules")
    if not isinstance(modules, dict) or not all(isinstance(m, list) and len(m) == 2 for m in modules.values()):
        return False
    tables = [head.get(name) for name in ("identity", "shown")]
    return all(isinstance(table, dict) and all(isinstance(v, str) for v in table.values()) for table in tables)
