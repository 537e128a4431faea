"""A zip of named parts in one canonical form, so that nothing of a file is left to interpretation.

Every part is stored as it is: a compressed part could be a thousand times larger than it says. The same parts give the
same bytes, and a file is read only if it is what `pack` writes of its parts: no other date, order, comment, gap or
second entry of the same name.
"""

from __future__ import annotations

import io
import string
import zipfile

from ..exceptions import DamagedFileError, UntrustedFileError

__all__ = ["pack", "unpack"]

_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
_NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_-.")
_MAX_PARTS = 100_000
_MAX_NAME = 200


def pack(parts: dict[str, bytes]) -> bytes:
    """The archive of these parts, in the order of their names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(parts.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, 0o600 << 16  # the same on every system
            archive.writestr(entry, content)
    return buffer.getvalue()


def unpack(data: bytes, what: str) -> dict[str, bytes]:
    """The parts of an archive that `pack` wrote.

    Parameters
    ----------
    data : bytes
    what : str
        How messages call it.

    Raises
    ------
    DamagedFileError
        It is no zip, or another one than `pack` writes.
    UntrustedFileError
        Paths that lead elsewhere, links, or more bytes than the file has.
    """
    if not data.startswith(b"PK"):
        raise DamagedFileError(f"{what} is no file of sknn.save: {_looks_like(data)}.")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, len(data), what)
            parts = {entry.filename: archive.read(entry) for entry in entries}
    except (DamagedFileError, UntrustedFileError):
        raise
    except Exception as error:  # zipfile raises half a dozen kinds for what is no zip
        raise DamagedFileError(
            f"{what} is truncated or damaged: {type(error).__name__}: {error}. Copy or save it again."
        ) from error
    if len(parts) != len(entries):
        raise DamagedFileError(f"{what} holds two parts of the same name, so it is unclear which one counts.")
    if pack(parts) != data:
        raise DamagedFileError(f"{what} has been changed: it is not what sknn.save writes of its parts.")
    return parts


def _check_entries(entries: list[zipfile.ZipInfo], n_bytes: int, what: str) -> None:
    """Everything about the entries that can be told before one of them is read."""
    if len(entries) > _MAX_PARTS:
        raise UntrustedFileError(f"{what} has {len(entries)} parts; at most {_MAX_PARTS} were expected.")
    for entry in entries:
        name = entry.orig_filename
        if not _is_plain(name):
            raise UntrustedFileError(
                f"{what} holds a part called {name[:_MAX_NAME]!r}; expected names such as 'a/b.json', which cannot "
                "lead out of a folder."
            )
        if entry.external_attr >> 16 & 0o170000 not in (0, 0o100000):
            raise UntrustedFileError(f"{what}: part {name} is a link or a device, but a plain file was expected.")
        if entry.flag_bits & 0x1:
            raise DamagedFileError(f"{what}: part {name} is encrypted; sknn.save never does that.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise UntrustedFileError(
                f"{what}: part {name} is compressed ({entry.compress_size} bytes that claim to be {entry.file_size}); "
                "sknn.save stores parts as they are, so that none can be larger than the file."
            )
    if sum(entry.file_size for entry in entries) > n_bytes:
        raise UntrustedFileError(f"{what} claims more bytes than its {n_bytes}.")


def _is_plain(name: str) -> bool:
    """Whether a name is a relative path of plain names, without ``..``."""
    folders = name.split("/")
    return len(name) <= _MAX_NAME and all(
        folder and not folder.startswith(".") and _NAME_CHARACTERS.issuperset(folder) for folder in folders
    )


def _looks_like(data: bytes) -> str:
    """What a file that is no zip may be."""
    if not data:
        return "it is empty"
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05":
        return "it begins as a pickle does, which could run any code. If you trust it, use pickle or joblib yourself"
    return f"it begins with {data[:8]!r}, not as a zip"
