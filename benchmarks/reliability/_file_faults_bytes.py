"""Files that are damaged, or were not written by sknn.save."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import random
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ._file_parts import Parts, packed

__all__ = ["damaged", "disguised", "zips"]


class _Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def damaged(name: str, data: bytes, draw: random.Random, n: int) -> Iterator[tuple[str, bytes]]:
    """Files with truncated, flipped, zeroed or moved bytes: about `n` of each."""
    parts = Parts(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        starts = [entry.header_offset for entry in archive.infolist()]
        directory = archive.start_dir
    special = [0, 1, 3, 4, 22, *starts[1:], *[start + 31 for start in starts], directory, directory + 9]
    special += [len(data) - 22, len(data) - 1]
    chosen = draw.sample(special, min(len(special), n)) + [draw.randrange(len(data)) for _ in range(n)]
    for end in chosen:
        yield f"{name}: cut off after {end} bytes", data[:end]
    for _ in range(2 * n):
        place, bit = draw.randrange(len(data)), draw.randrange(8)
        yield f"{name}: bit {bit} of byte {place} flipped", _with(data, place, bytes([data[place] ^ 1 << bit]))
    for _ in range(n):  # where the names, sizes and offsets are
        place, bit = draw.randrange(directory, len(data)), draw.randrange(8)
        yield (
            f"{name}: bit {bit} of the directory at {place} flipped",
            _with(data, place, bytes([data[place] ^ 1 << bit])),
        )
    for _ in range(max(1, n // 4)):
        place = draw.randrange(len(data) - 64)
        yield (
            f"{name}: 64 zeros at {place}",
            _with(data, place, bytes(64)) if any(data[place : place + 64]) else data[:-1],
        )
        yield f"{name}: a byte more at {place}", data[:place] + b"\x00" + data[place:]
        yield f"{name}: a byte less at {place}", data[:place] + data[place + 1 :]
    yield f"{name}: twice", data + data
    yield f"{name}: bytes in front", b"#!/bin/sh\n" + data
    yield f"{name}: bytes behind", data + b"\x00"
    for part in parts.parts:
        rest = {key: content for key, content in parts.parts.items() if key != part}
        yield f"{name}: without {part}", packed(rest)


def _with(data: bytes, place: int, content: bytes) -> bytes:
    return data[:place] + content + data[place + len(content) :]


def disguised(command: str, draw: random.Random) -> Iterator[tuple[str, bytes]]:
    """Other files, among them pickles that run a command when they are unpickled."""
    payload = _Payload(command)
    for protocol in range(6):
        yield f"pickle of protocol {protocol}", pickle.dumps(payload, protocol)
    buffer = io.BytesIO()
    torch.save({"payload": payload}, buffer)
    yield "a file of torch.save", buffer.getvalue()
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones(3))
    yield "a file of numpy.savez", buffer.getvalue()
    buffer = io.BytesIO()
    np.save(buffer, np.array([payload], dtype=object), allow_pickle=True)
    yield "an array of objects", buffer.getvalue()
    yield "gzip of a pickle", gzip.compress(pickle.dumps(payload))
    yield "zlib of a pickle", zlib.compress(pickle.dumps(payload))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../evil"), io.BytesIO())
    yield "tar", buffer.getvalue()
    yield "text", b"import os\n"
    yield "an empty zip", packed({})
    yield "a zip of a pickle", packed({"manifest.json": pickle.dumps(payload)})
    yield "a zip of a text", packed({"readme.txt": b"hello"})
    for size in (1, 100, 10_000):
        yield f"{size} random bytes", draw.randbytes(size)
        yield f"{size} random bytes that begin as a zip", b"PK\x03\x04" + draw.randbytes(size)


def zips(name: str, data: bytes, n_zeros: int = 300 * 2**20, n_parts: int = 70_000) -> Iterator[tuple[str, bytes]]:
    """Zip files that sknn.save never writes."""
    parts = Parts(data).parts
    yield f"{name}: compressed", packed(parts, compression=zipfile.ZIP_DEFLATED)
    yield f"{name}: compressed by bzip2", packed(parts, compression=zipfile.ZIP_BZIP2)
    yield f"{name}: links", packed(parts, mode=0o120777)
    yield f"{name}: devices", packed(parts, mode=0o020600)
    yield f"{name}: another date", packed(parts, date=(2020, 1, 1, 0, 0, 0))
    yield f"{name}: another order", packed(dict(reversed(parts.items())))
    bomb = {**parts, "estimators/0.json": bytes(n_zeros)}
    yield f"{name}: many zeros, deflated", packed(bomb, compression=zipfile.ZIP_DEFLATED)
    inner = packed({"0": bytes(n_zeros // 3)}, compression=zipfile.ZIP_DEFLATED)
    yield f"{name}: a bomb in a bomb", packed({**parts, "1.zip": inner}, compression=zipfile.ZIP_DEFLATED)
    for path in ("/etc/passwd", "../evil.py", "a/../../evil.py", "..\\evil.py", "C:\\evil.py", "a//b", "a/",
                 "./manifest.json", "manifest.json/", "estimators/\u2603.json",
                 "n" * 5000, "~/evil", "a\nb", ".hidden"):  # fmt: skip
        yield f"{name}: a part called {path[:20]!r}", packed({**parts, path: b"import os"})
    for part in ("manifest.json", "estimators/0.json"):
        buffer = io.BytesIO(data)
        with zipfile.ZipFile(buffer, "a") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns of the second name
            archive.writestr(part, b"{}")
        yield f"{name}: a second {part}", buffer.getvalue()
    for field, size, values in (("flags", 2, (1, 8, 0x41)), ("method", 2, (8, 12, 99)), ("csize", 4, (0, 2**32 - 2)),
                                ("size", 4, (0, 2**32 - 2)), ("offset", 4, (0, 2**31))):  # fmt: skip
        for value in values:
            yield f"{name}: {field} {value} in the directory", _directory_field(data, field, size, value)
    end = data.rindex(b"PK\x05\x06")
    for place, size, value in (
        (8, 2, 65535),
        (10, 2, 65535),
        (12, 4, 2**32 - 1),
        (16, 4, 0),
        (16, 4, 2**32 - 1),
        (20, 2, 9),
    ):
        field = value.to_bytes(size, "little")
        yield f"{name}: {value} at {place} of the end record", _with(data, end + place, field)
    with_comment = io.BytesIO(data)
    with zipfile.ZipFile(with_comment, "a") as archive:
        archive.comment = b"hello"
    yield f"{name}: a comment", with_comment.getvalue()
    yield f"{name}: {n_parts} parts", packed({**parts, **{f"p{i}": b"" for i in range(n_parts)}})


_PLACES = {"flags": 8, "method": 10, "csize": 20, "size": 24, "offset": 42}


def _directory_field(data: bytes, field: str, size: int, value: int) -> bytes:
    """The zip with another value in the second entry of its directory."""
    start = data.index(b"PK\x01\x02", struct.unpack("<I", data[-6:-2])[0] + 1)
    return _with(data, start + _PLACES[field], value.to_bytes(size, "little"))
