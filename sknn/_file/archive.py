"""A zip of named parts in one canonical form, so that a file can be read in one way only.

No part is compressed: a compressed part could be a thousand times larger than it says. The same parts give the same
bytes, and a file is read only if it is exactly what `pack` writes of its parts: with the same dates and order, and
without comments, gaps or duplicate names.
"""

from __future__ import annotations

import io
import string
import zipfile

from ..exceptions import DamagedFileError, UntrustedFileError
from .checks import damaged_if_it_fails

__all__ = ["pack", "unpack"]

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip
_NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_-.")
_MAX_PARTS = 100_000
_MAX_NAME = 200


def pack(parts: dict[str, bytes]) -> bytes:
    """Return the archive of these parts, in the order of their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(parts.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, 0o600 << 16  # the same on every system
            archive.writestr(entry, content)
    return buffer.getvalue()


def unpack(data: bytes, what: str) -> dict[str, bytes]:
    """Return the parts of an archive that `pack` wrote; `what` names it in messages."""
    if not data.startswith(b"PK"):
        raise DamagedFileError(f"{what} was not written by sknn.save: {_begins(data)}.")
    # zipfile raises half a dozen kinds of errors for what is not a zip.
    failing = damaged_if_it_fails(f"{what} is truncated or damaged", ". Copy or save it again.")
    with failing, zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        _check_entries(entries, len(data), what)
        parts = {entry.filename: archive.read(entry) for entry in entries}
    if len(parts) != len(entries):
        raise DamagedFileError(f"{what} contains two parts with the same name.")
    if pack(parts) != data:
        raise DamagedFileError(f"{what} has been changed: sknn.save writes these parts in another way.")
    return parts


def _check_entries(entries: list[zipfile.ZipInfo], n_bytes: int, what: str) -> None:
    """Check the entries before their content is read."""
    if len(entries) > _MAX_PARTS:
        raise UntrustedFileError(f"{what} has {len(entries)} parts; expected at most {_MAX_PARTS}.")
    for entry in entries:
        name = entry.orig_filename
        if not _is_plain(name):
            raise UntrustedFileError(
                f"{what} contains a part called {name[:_MAX_NAME]!r}; expected a relative name such as 'a/b.json'."
            )
        if entry.external_attr >> 16 & 0o170000 not in (0, 0o100000):
            raise UntrustedFileError(f"{what}: part {name} is a link or a device; expected a plain file.")
        if entry.flag_bits & 0x1:
            raise DamagedFileError(f"{what}: part {name} is encrypted; sknn.save never encrypts.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise UntrustedFileError(
                f"{what}: part {name} is compressed ({entry.compress_size} bytes that claim to be {entry.file_size}); "
                "sknn.save never compresses, so that no part is larger than the file."
            )
    if sum(entry.file_size for entry in entries) > n_bytes:
        raise UntrustedFileError(f"{what} claims more bytes than its {n_bytes}.")


def _is_plain(name: str) -> bool:
    """Return whether a name is a relative path of plain names, without ``..``."""
    folders = name.split("/")
    return len(name) <= _MAX_NAME and all(
        folder and not folder.startswith(".") and _NAME_CHARACTERS.issuperset(folder) for folder in folders
    )


def _begins(data: bytes) -> str:
    """Say how a file begins that is not a zip."""
    if not data:
        return "it is empty"
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05":
        return "it begins like a pickle, which can run any code. If you trust it, use pickle or joblib yourself"
    return f"it begins with {data[:8]!r}, not like a zip"
