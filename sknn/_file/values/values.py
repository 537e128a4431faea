"""Values of parameters and attributes as JSON, and back.

None, booleans, integers, finite floats, strings and lists stand for themselves. Everything else is an object with a
tag, ``{"$": kind, ...}``, of one of the kinds in the tables below; there is no kind for code.
"""

from __future__ import annotations

import base64
import functools
import inspect
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ...exceptions import DamagedFileError, FileError, UntrustedFileError
from ..hashes import check_hashes
from ..json import check_keys, expect
from ..names import Names, Trust
from .arrays import read_array, read_generator, write_array, write_generator
from .records import RECORDS, read_record, write_record
from .scalars import SCALARS, read_scalar, write_scalar

__all__ = ["ValueReader", "ValueWriter"]

_PLAIN = (type(None), bool, int, str)
_MAX_RANGE = 100_000
_DTYPES = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}


class ValueWriter:
    """Values -> JSON; tensors go to `tensors`.

    Attributes
    ----------
    tensors : dict of str to Tensor
    names : Names
        The classes and functions that were met.
    """

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self.names = Names()
        self._open: list[int] = []

    def write(self, value: Any, where: str) -> Any:
        """JSON for a value.

        Raises
        ------
        TypeError
            It cannot be stored; the message names it and says what to do.
        """
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is float:
            return value if math.isfinite(value) else {"$": "float", "value": repr(value)}
        if id(value) in self._open:
            raise TypeError(f"{where} contains itself, which no file can hold.")
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
        if isinstance(value, torch.dtype | torch.device):
            return {"$": "dtype" if isinstance(value, torch.dtype) else "device", "value": str(value)}
        if kind is functools.partial:
            parts = {"func": value.func, "args": value.args, "keywords": value.keywords}
            return {"$": "partial", **{name: self.write(part, f"{where}.{name}") for name, part in parts.items()}}
        if kind in (bytes, range, slice, complex):
            return _write_builtin(value, lambda part: self.write(part, where))
        if kind in RECORDS:
            return write_record(value, lambda part: self.write(part, where))
        for write in (write_scalar, write_array, write_generator):
            written = write(value, functools.partial(self.write, where=where))
            if written is not None:
                return written
        if isinstance(value, type) or inspect.isroutine(value):
            return {"$": "name", "name": self.names.add(value, where)}
        return self._instance(value, where)

    def _instance(self, value: Any, where: str) -> dict[str, Any]:
        from .instances import write_instance  # which writes values itself

        written = write_instance(self, value, where)
        if written is None:
            raise TypeError(
                f"{where} is a {type(value).__module__}.{type(value).__qualname__}, which a file of sknn.save cannot "
                "hold. Use plain values, a class with its parameters instead of an instance, or None."
            )
        return written

    def add_tensor(self, tensor: Tensor, where: str) -> str:
        """Put a tensor among the others; its name."""
        if tensor.layout != torch.strided or type(tensor) not in (Tensor, nn.Parameter):
            raise TypeError(
                f"{where} is a sparse or special tensor ({type(tensor).__name__}); only plain ones are stored."
            )
        name = f"value.{len(self.tensors)}"
        self.tensors[name] = tensor.detach().cpu()
        return name


class ValueReader:
    """JSON -> values.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Of the same part of the file.
    trust : Trust
    """

    def __init__(self, tensors: dict[str, Tensor], trust: Trust) -> None:
        self.tensors = tensors
        self.trust = trust
        self.read_tensors: set[str] = set()

    def read(self, value: Any, where: str) -> Any:
        """The value that this JSON stands for.

        Raises
        ------
        DamagedFileError, UntrustedFileError
        """
        kind = type(value)
        if kind in _PLAIN or kind is float:
            return value
        if kind is list:
            return [self.read(item, where) for item in value]
        expect(value, dict, where)
        tag = value.get("$")
        read = _READERS.get(tag) if type(tag) is str else None
        if read is None:
            raise DamagedFileError(f"{where} holds a value of the unknown kind {str(tag)[:80]!r}.")
        try:
            return read(self, value, where)
        except (ValueError, TypeError, OverflowError, KeyError, AttributeError, RuntimeError) as error:
            if isinstance(error, FileError):  # it says it better
                raise
            raise DamagedFileError(f"{where} holds a {tag} that is none: {error}.") from error

    def tensor(self, name: Any, where: str) -> Tensor:
        """The tensor of this name, once."""
        if expect(name, str, where) not in self.tensors or name in self.read_tensors:
            raise DamagedFileError(f"{where}: there is no tensor {name[:80]!r}, or it was used before.")
        self.read_tensors.add(name)
        return self.tensors[name]

    def items(self, value: dict[str, Any], where: str) -> list[Any]:
        """The read items of a container."""
        check_keys(value, {"$", "items"}, where)
        return [self.read(item, where) for item in expect(value["items"], list, where)]


def _write_builtin(value: Any, write: Callable[[Any], Any]) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"$": "bytes", "value": base64.b64encode(value).decode("ascii")}
    if isinstance(value, complex):
        return {"$": "complex", "parts": [write(value.real), write(value.imag)]}
    return {"$": type(value).__name__, "parts": [write(part) for part in (value.start, value.stop, value.step)]}


def _read_float(reader: ValueReader, value: dict[str, Any], where: str) -> float:
    check_keys(value, {"$", "value"}, where)
    if value["value"] not in ("nan", "inf", "-inf"):
        raise DamagedFileError(f"{where}: expected nan, inf or -inf.")
    return float(value["value"])


def _read_bytes(reader: ValueReader, value: dict[str, Any], where: str) -> bytes:
    check_keys(value, {"$", "value"}, where)
    return base64.b64decode(expect(value["value"], str, where), validate=True)


def _read_parts(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    check_keys(value, {"$", "parts"}, where)
    kind = {"complex": complex, "range": range, "slice": slice}[value["$"]]
    parts = [reader.read(part, where) for part in expect(value["parts"], list, where)]
    if len(parts) != (2 if kind is complex else 3):
        raise DamagedFileError(f"{where}: a {value['$']} has not {len(parts)} parts.")
    if kind is range and any(type(part) is not int for part in parts):
        raise DamagedFileError(f"{where}: a range has whole numbers.")
    found = kind(*parts)
    if isinstance(found, range) and found[_MAX_RANGE:]:  # whoever makes a list of it takes its time and memory
        raise UntrustedFileError(f"{where}: a range of more than {_MAX_RANGE} numbers.")
    return found


def _read_set(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    items = reader.items(value, where)
    check_hashes(items, where)
    return set(items) if value["$"] == "set" else frozenset(items)


def _read_dict(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    check_keys(value, {"$", "items"}, where)
    found: Any = {} if value["$"] == "dict" else OrderedDict()
    pairs = expect(value["items"], list, where)
    if any(len(expect(pair, list, where)) != 2 for pair in pairs):
        raise DamagedFileError(f"{where}: a dict has pairs of keys and values.")
    keys = [reader.read(pair[0], where) for pair in pairs]
    check_hashes(keys, where)
    for key, pair in zip(keys, pairs, strict=True):
        if key in found:
            raise DamagedFileError(f"{where}: the key {key!r} occurs twice.")
        found[key] = reader.read(pair[1], f"{where}[{str(key)[:40]!r}]")
    return found


def _read_dtype(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    check_keys(value, {"$", "value"}, where)
    return _DTYPES[expect(value["value"], str, where)]


def _read_device(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    check_keys(value, {"$", "value"}, where)
    return torch.device(expect(value["value"], str, where))


def _read_tensor(reader: ValueReader, value: dict[str, Any], where: str) -> Tensor:
    check_keys(value, {"$", "name"}, where)
    return reader.tensor(value["name"], where)


def _read_name(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    check_keys(value, {"$", "name"}, where)
    return reader.trust.find(value["name"], where)


def _read_partial(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    check_keys(value, {"$", "func", "args", "keywords"}, where)
    func, args, keywords = (reader.read(value[name], where) for name in ("func", "args", "keywords"))
    expect(args, tuple, where)
    return functools.partial(func, *args, **expect(keywords, dict, where))


def _read_instance(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    from .instances import read_instance  # which reads values itself

    return read_instance(reader, value, where)


def _with_read(read: Callable[[dict[str, Any], Callable[[Any], Any], str], Any]) -> Any:
    return lambda reader, value, where: read(value, lambda part: reader.read(part, where), where)


_READERS: dict[str, Any] = {
    "float": _read_float,
    "bytes": _read_bytes,
    "complex": _read_parts,
    "range": _read_parts,
    "slice": _read_parts,
    "tuple": lambda reader, value, where: tuple(reader.items(value, where)),
    "set": _read_set,
    "frozenset": _read_set,
    "dict": _read_dict,
    "OrderedDict": _read_dict,
    "tensor": _read_tensor,
    "dtype": _read_dtype,
    "device": _read_device,
    "name": _read_name,
    "partial": _read_partial,
    "array": _with_read(read_array),
    "generator": _with_read(read_generator),
    "record": _with_read(read_record),
    **dict.fromkeys(SCALARS, _with_read(read_scalar)),
    "layer": _read_instance,
    "object": _read_instance,
}
