"""Parts of a saved file, which can be packed again with other content and correct hashes."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

__all__ = ["Parts", "packed"]


def packed(parts: dict[str, bytes], **options: Any) -> bytes:
    """A zip of these parts, with the dates and modes that sknn.save writes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", options.get("compression", zipfile.ZIP_STORED)) as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, options.get("date", (1980, 1, 1, 0, 0, 0)))
            entry.create_system, entry.external_attr = 3, options.get("mode", 0o600) << 16
            entry.compress_type = options.get("compression", zipfile.ZIP_STORED)
            archive.writestr(entry, content)
    return buffer.getvalue()


class Parts:
    """The parts of a file.

    Parameters
    ----------
    data : bytes
        What sknn.save wrote.
    """

    def __init__(self, data: bytes) -> None:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self.parts = {name: archive.read(name) for name in archive.namelist()}

    def json(self, name: str) -> Any:
        """The content of a JSON part."""
        return json.loads(self.parts[name])

    def packed(self) -> bytes:
        """The file with the old manifest."""
        return packed(self.parts)

    def signed(self) -> bytes:
        """The file with correct sizes and hashes."""
        parts = dict(self.parts)
        for name in [name for name in parts if name.endswith(".safetensors")]:
            owner = name.replace(".safetensors", ".json")
            try:
                value = json.loads(parts[owner])
                value["tensors"] = hashlib.sha256(parts[name]).hexdigest()
                parts[owner] = _dumped(value)
            except (ValueError, TypeError, RecursionError):
                pass  # that part is not JSON any more
        manifest = json.loads(parts["manifest.json"])
        listed = {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in parts.items()
            if name != "manifest.json"
        }
        parts["manifest.json"] = _dumped({**manifest, "parts": listed})
        return packed(parts)

    def changed(self, name: str, change: Callable[[Any], Any]) -> bytes:
        """The file with one JSON part changed in place, or replaced by what `change` returns."""
        other = copy.deepcopy(self)
        value = other.json(name)
        found = change(value)
        other.parts[name] = _dumped(value if found is None else found)
        return other.packed() if name == "manifest.json" else other.signed()

    def replaced(self, name: str, content: bytes) -> bytes:
        """The file with one part replaced."""
        other = copy.deepcopy(self)
        other.parts[name] = content
        return other.packed() if name == "manifest.json" else other.signed()

    def tensors(self, name: str) -> tuple[dict[str, Any], bytes]:
        """Header and bytes of a part of tensors."""
        content = self.parts[name]
        size = int.from_bytes(content[:8], "little")
        return json.loads(content[8 : 8 + size]), content[8 + size :]


def _dumped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def with_header(header: Any, body: bytes) -> bytes:
    """The tensors with another header."""
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body
