"""A hash that is fed values part by part: what the digests of all kinds of objects share."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

__all__ = ["Stream", "UndigestibleError", "plain"]

# NumPy scalars that equal Python's. Others have another precision.
_SCALARS = (np.bool_, np.integer, np.float64, np.complex128, np.str_, np.bytes_)
_DOUBLE = struct.Struct("<d").pack
_FLUSH = 10_000  # values of a list that are given to the hash at once


class UndigestibleError(TypeError):
    """An object that cannot be hashed reproducibly, such as a generator or an open file."""

    def __init__(self, value: Any, where: Iterable[str]) -> None:
        super().__init__(f"{'.'.join(where) or 'the value'} is or contains a {type(value).__name__}")


def plain(value: Any) -> bytes | None:
    """Bytes of a value of a simple type, which never begin with those of another value; None for other types."""
    kind = type(value)
    if kind is str:
        text = value.encode("utf-8", "surrogatepass")
        return b"s%d:%s" % (len(text), text)
    if kind is float:
        return b"f" + _DOUBLE(value) if value == value else b"F"  # NaN is NaN, whatever its bits
    if kind is int:
        return b"i%d;" % value
    if value is None or kind is bool or value is Ellipsis or value is NotImplemented:
        return b"=%s;" % repr(value).encode()
    if kind is complex:
        return b"c%s;" % repr(value).encode()
    if kind is date or (kind is datetime and value.tzinfo is None) or kind is Decimal:
        return b"%s %s;" % (kind.__name__.encode(), str(value).encode())
    if kind is bytes or kind is bytearray:
        return b"%s %d:%s" % (kind.__name__[-5:].encode(), len(value), bytes(value))
    if issubclass(kind, _SCALARS) and kind is not np.timedelta64 and kind.__module__ == "numpy":
        return plain(value.item())
    return None


def tag(name: str, *facts: Any) -> bytes:
    """Bytes in front of a compound value: its kind and facts such as its length."""
    return b"<%s%s>" % (name.encode(), b"".join(plain(fact) or b"" for fact in facts))


def _row(value: Any) -> bytes | None:
    """Bytes of a list or tuple of plain values, None for others."""
    if type(value) is not list and type(value) is not tuple:
        return None
    tokens = [plain(item) for item in value]
    return None if None in tokens else tag(type(value).__name__, len(value)) + b"".join(tokens)  # pyright: ignore


class Stream:
    """Feeds one object to a hash; subclasses say how it comes apart."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.keeps_order = False  # whether the order of a dict counts: code may iterate over it
        self.where: list[str] = []  # names of the parts around the present one, for messages
        self._open: dict[int, int] = {}  # containers that are being fed -> depth, for circles

    def add(self, value: Any) -> None:
        """Feed any value."""
        raise NotImplementedError

    def _apart(self, value: Any) -> bytes:
        """A digest of the value alone, for parts that have no order."""
        raise NotImplementedError

    def _tag(self, name: str, *facts: Any) -> None:
        self.hash.update(tag(name, *facts))

    def _parts(self, name: str, parts: list[Any]) -> None:
        self._tag(name, len(parts))
        for part in parts:
            self.add(part)

    def _sequence(self, values: Sequence[Any]) -> None:
        """Many values, most of them plain."""
        kinds = set(map(type, values))
        if str in kinds and kinds <= {str, type(None)}:  # a column of categories, None is a missing one
            self._tag("strings")
            lengths = map(len, values) if len(kinds) == 1 else (-1 if value is None else len(value) for value in values)
            self.hash.update(np.fromiter(lengths, np.int64, len(values)).data)
            self.hash.update("".join(filter(None, values)).encode("utf-8", "surrogatepass"))
            return
        ready: list[bytes] = []
        for place, value in enumerate(values):
            token = plain(value) or _row(value)
            if token is not None:
                ready.append(token)
                if len(ready) >= _FLUSH:
                    self.hash.update(b"".join(ready))
                    ready.clear()
            else:
                self.hash.update(b"".join(ready))
                ready.clear()
                with self.inside(str(place)):
                    self.add(value)
        self.hash.update(b"".join(ready))

    def _items(self, mapping: Mapping[Any, Any], *, in_order: bool = False) -> None:
        """Keys and values, in order or sorted by the keys' bytes."""
        names = list(mapping)
        if not in_order:
            names.sort(key=lambda key: plain(key) or self._apart(key))
        for key in names:
            self.add(key)
            with self.inside(str(key)):
                self.add(mapping[key])

    def _labelled(self, parts: Iterator[tuple[str, Any]]) -> None:
        for label, part in parts:
            self._tag("part", label)
            with self.inside(label):
                self.add(part)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Feed a part that messages refer to by this name."""
        if name:
            self.where.append(name)
        try:
            yield
        finally:
            if name:
                self.where.pop()

    @contextmanager
    def _in_order(self) -> Iterator[None]:
        """Feed parts in which the order of dicts counts."""
        before, self.keeps_order = self.keeps_order, True
        try:
            yield
        finally:
            self.keeps_order = before

    def _bytes(self, pieces: Iterator[Any]) -> None:
        for piece in pieces:
            self.hash.update(piece)
