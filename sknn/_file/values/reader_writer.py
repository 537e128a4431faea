"""Values of parameters and attributes as JSON, and back.

None, booleans, integers, finite floats, strings and lists are written as they are. Any other value becomes an object
with a tag, ``{"$": kind, ...}``. `_READERS` lists the kinds; none of them is code.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...exceptions import DamagedFileError, FileError
from ..checks import check_keys, count_distinct, expect
from ..names import Names, Trust
from .arrays import read_array, write_array
from .generators import read_generator, write_generator
from .records import read_record, write_record
from .scalars import SCALARS, read_scalar, write_scalar

__all__ = ["ValueReader", "ValueWriter"]

_PLAIN = (type(None), bool, int, str)


class ValueWriter:
    """Values -> JSON; tensors go to `tensors`, and the classes and functions among the values to `names`.

    `write_instance(writer, value, where)` returns JSON for a layer or callback, None for any other object.
    """

    def __init__(self, write_instance: Callable[..., Any] = lambda *_: None) -> None:
        self._write_instance = write_instance
        self.tensors: dict[str, Tensor] = {}
        self.names = Names()
        self._open: list[int] = []

    def write(self, value: Any, where: str) -> Any:
        """Return JSON for a value; raise a TypeError that says what to do if it cannot be stored."""
        kind = type(value)
        if kind in _PLAIN or (kind is float and math.isfinite(value)):
            return value
        if id(value) in self._open:
            raise TypeError(f"{where} contains itself, which a file cannot store.")
        self._open.append(id(value))
        try:
            if kind is list:
                return [self.write(item, f"{where}[{i}]") for i, item in enumerate(value)]
            return self._tagged(value, where)
        finally:
            self._open.pop()

    def _tagged(self, value: Any, where: str) -> dict[str, Any]:
        kind = type(value)
        if kind in (tuple, set, frozenset):
            items = [self.write(item, f"{where}[{i}]") for i, item in enumerate(value)]
            return {"$": kind.__name__, "items": items if kind is tuple else sorted(items, key=repr)}
        if kind in (dict, OrderedDict):
            pairs = [[self.write(k, f"a key of {where}"), self.write(v, f"{where}[{k!r}]")] for k, v in value.items()]
            return {"$": kind.__name__, "items": pairs}
        if isinstance(value, Tensor):
            return {"$": "tensor", "name": self.add_tensor(value, where)}
        if kind is functools.partial:
            parts = {"func": value.func, "args": value.args, "keywords": value.keywords}
            return {"$": "partial", **{name: self.write(part, f"{where}.{name}") for name, part in parts.items()}}
        for write in (write_scalar, write_array, write_generator, write_record):
            written = write(value, functools.partial(self.write, where=where))
            if written is not None:
                return written
        if isinstance(value, type) or inspect.isroutine(value):
            return {"$": "name", "name": self.names.add(value, where)}
        written = self._write_instance(self, value, where)
        if written is None:
            raise TypeError(
                f"{where} is a {kind.__module__}.{kind.__qualname__}, which sknn.save cannot store. Use plain values, "
                "a class with its parameters instead of an instance, or None."
            )
        return written

    def add_tensor(self, tensor: Tensor, where: str) -> str:
        """Add a tensor to `tensors`, and return its name."""
        if tensor.layout != torch.strided or type(tensor) not in (Tensor, nn.Parameter):
            raise TypeError(
                f"{where} is a sparse or special tensor ({type(tensor).__name__}); expected a plain tensor."
            )
        name = f"value.{len(self.tensors)}"
        self.tensors[name] = tensor.detach().cpu()
        return name


class ValueReader:
    """JSON -> values; `read_tensors` holds the names of the tensors that have been used.

    `read_instance(reader, value, where)` returns the layer or callback described by this JSON.
    """

    def __init__(
        self, tensors: dict[str, Tensor], trust: Trust, read_instance: Callable[..., Any] | None = None
    ) -> None:
        self.tensors = tensors
        self.trust = trust
        self._readers = {**_READERS, "layer": read_instance, "object": read_instance}
        self.read_tensors: set[str] = set()

    def read(self, value: Any, where: str) -> Any:
        """Return the value that this JSON describes."""
        kind = type(value)
        if kind in _PLAIN or kind is float:
            return value
        if kind is list:
            return [self.read(item, where) for item in value]
        tag = expect(value, dict, where).get("$")
        read = self._readers.get(tag) if type(tag) is str else None
        if read is None:
            raise DamagedFileError(f"{where} contains a value of the unknown kind {str(tag)[:80]!r}.")
        try:
            return read(self, value, where)
        except FileError:
            raise
        except (ValueError, TypeError, OverflowError, KeyError, AttributeError, RuntimeError) as error:
            raise DamagedFileError(f"{where} contains an invalid {tag}: {error}.") from error

    def tensor(self, name: Any, where: str) -> Tensor:
        """Return the tensor of this name, which may be used once only."""
        if expect(name, str, where) not in self.tensors or name in self.read_tensors:
            raise DamagedFileError(f"{where}: there is no tensor {name[:80]!r}, or it has been used already.")
        self.read_tensors.add(name)
        return self.tensors[name]

    def items(self, value: dict[str, Any], where: str) -> list[Any]:
        """Return the items of a container."""
        check_keys(value, {"$", "items"}, where)
        return [self.read(item, where) for item in expect(value["items"], list, where)]


def _read_set(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    items = reader.items(value, where)
    count_distinct(items, where)
    return set(items) if value["$"] == "set" else frozenset(items)


def _read_dict(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    check_keys(value, {"$", "items"}, where)
    found: Any = {} if value["$"] == "dict" else OrderedDict()
    pairs = expect(value["items"], list, where)
    if any(len(expect(pair, list, where)) != 2 for pair in pairs):
        raise DamagedFileError(f"{where}: expected pairs of keys and values in a dict.")
    keys = [reader.read(pair[0], where) for pair in pairs]
    count_distinct(keys, where)
    for key, pair in zip(keys, pairs, strict=True):
        if key in found:
            raise DamagedFileError(f"{where}: the key {key!r} occurs twice.")
        found[key] = reader.read(pair[1], f"{where}[{str(key)[:40]!r}]")
    return found


def _read_partial(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    check_keys(value, {"$", "func", "args", "keywords"}, where)
    func, args, keywords = (reader.read(value[name], where) for name in ("func", "args", "keywords"))
    return functools.partial(func, *expect(args, tuple, where), **expect(keywords, dict, where))


def _with_read(read: Callable[[dict[str, Any], Callable[[Any], Any], str], Any]) -> Any:
    return lambda reader, value, where: read(value, functools.partial(reader.read, where=where), where)


_NAMED = {"$", "name"}
_READERS: dict[str, Any] = {
    "tuple": lambda reader, value, where: tuple(reader.items(value, where)),
    **dict.fromkeys(("set", "frozenset"), _read_set),
    **dict.fromkeys(("dict", "OrderedDict"), _read_dict),
    "tensor": lambda reader, value, where: reader.tensor(check_keys(value, _NAMED, where)["name"], where),
    "name": lambda reader, value, where: reader.trust.find(check_keys(value, _NAMED, where)["name"], where),
    "partial": _read_partial,
    "array": _with_read(read_array),
    "generator": _with_read(read_generator),
    "record": _with_read(read_record),
    **dict.fromkeys(SCALARS, _with_read(read_scalar)),
}
