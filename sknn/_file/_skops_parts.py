"""The archive of skops in a canonical form, and what must be true of it before skops reads it.

skops refuses types that nobody trusts. What it leaves open is closed here: numbers of objects that a file may choose,
arrays that claim to be larger than they are, and objects that refer to others so often that reading never ends.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse

from ..exceptions import DamagedFileError, UntrustedFileError
from ._archive import pack, unpack
from ._json import expect, read_json, write_json

__all__ = ["canonical", "checked"]

_SCHEMA = "schema.json"
_MAX_DEPTH = 300
_OLDEST_PROTOCOL, _NEWEST_PROTOCOL = 1, 100
# Nodes that call what a file names, or that skops does not write.
_REFUSED_NODES = frozenset(["MethodNode", "OperatorFuncNode", "CachedNode"])
_MAX_POOL = 64


def canonical(data: bytes) -> bytes:
    """The same archive with numbers, names and dates that depend on nothing but its content."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = read_json(parts.pop(_SCHEMA), "the schema of skops", _MAX_DEPTH)
    names, numbers = _numbered(schema)
    schema = _rewritten(schema, names, numbers)
    schema.pop("_skops_version", None)
    stored = {names[name]: _canonical_part(name, content) for name, content in parts.items() if name in names}
    # The order of a dict is that of its names here, and skops pairs names and their types by it.
    return pack({_SCHEMA: write_json(schema, sort_names=False), **dict(sorted(stored.items()))})


def _canonical_part(name: str, content: bytes) -> bytes:
    if not name.endswith(".npz"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # numpy writes the time, and compresses
        return pack({entry: archive.read(entry) for entry in sorted(archive.namelist())})


def _numbered(schema: Any) -> tuple[dict[str, str], dict[int, int]]:
    """New names of parts, and new numbers of the objects that stand in several places, in the order of the schema."""
    names: dict[str, str] = {}
    seen: dict[int, int] = {}
    for node in _nodes(schema):
        file, number = node.get("file"), node.get("__id__")
        if isinstance(file, str) and file not in names:
            names[file] = f"{len(names)}.{file.rpartition('.')[2]}"
        if number is not None and node.get("__loader__") not in ("JsonNode", "TypeNode", "FunctionNode"):
            seen[number] = seen.get(number, 0) + 1
    shared = [number for number, times in seen.items() if times > 1]
    return names, {number: i for i, number in enumerate(shared, start=1)}


def _rewritten(value: Any, names: dict[str, str], numbers: dict[int, int]) -> Any:
    if isinstance(value, list):
        return [_rewritten(item, names, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _rewritten(item, names, numbers) for key, item in value.items()}
    if "__loader__" in found:
        number = numbers.get(found.pop("__id__", None))
        if number is not None:
            found["__id__"] = number
        if isinstance(found.get("file"), str):
            found["file"] = names[found["file"]]
    return found


def checked(parts: dict[str, bytes], what: str, only_named: frozenset[str]) -> bytes:
    """An archive of these parts that skops may read.

    Parameters
    ----------
    parts : dict of str to bytes
    what : str
    only_named : frozenset of str
        Classes that a file may name, but of which it may make no object.

    Raises
    ------
    DamagedFileError, UntrustedFileError
    """
    if _SCHEMA not in parts:
        raise DamagedFileError(f"{what} has no {_SCHEMA}.")
    schema = expect(read_json(parts[_SCHEMA], what, _MAX_DEPTH), dict, what)
    if not _OLDEST_PROTOCOL < expect(schema.get("protocol"), int, f"{what}: protocol") < _NEWEST_PROTOCOL:
        raise DamagedFileError(f"{what}: protocol {schema['protocol']} of skops is not read.")
    first: dict[Any, Any] = {}
    for node in _nodes(schema):
        _check_node(node, parts, what, only_named)
        number = node.get("__id__")
        # skops writes an object in full wherever it stands, so the work of reading is that of the file.
        if number is not None and first.setdefault(expect(number, int, what), node) != node:
            raise DamagedFileError(f"{what}: two different objects have the number {number}.")
    for name, content in parts.items():
        if name != _SCHEMA:
            _check_part(name, content, what)
    return pack(parts)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """All nodes of a schema, outer before inner."""
    if isinstance(value, dict):
        if "__loader__" in value:
            yield value
        for item in value.values():
            yield from _nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _nodes(item)


def _check_node(node: dict[str, Any], parts: dict[str, bytes], what: str, only_named: frozenset[str]) -> None:
    loader = expect(node["__loader__"], str, what)
    names = [expect(node.get(key), str, f"{what}: {key}") for key in ("__module__", "__class__")]
    full_name = ".".join(names)
    if loader in _REFUSED_NODES:
        raise UntrustedFileError(f"{what} holds a {loader} of {full_name[:120]}, which calls what the file says.")
    if full_name in only_named and loader not in ("TypeNode", "FunctionNode", "JsonNode") and not _is_scalar(names[0]):
        raise UntrustedFileError(f"{what} makes a {full_name[:120]} by a {loader}; only its name was expected there.")
    if loader == "RandomGeneratorNode" and _pool_size(node) > _MAX_POOL:
        raise UntrustedFileError(f"{what}: a random generator with a pool of that size.")
    if "file" in node and (type(node["file"]) is not str or node["file"] not in parts or node["file"] == _SCHEMA):
        raise DamagedFileError(f"{what}: part {str(node['file'])[:80]!r} is missing.")


def _is_scalar(module: str) -> bool:
    return module in ("builtins", "numpy")


def _pool_size(node: dict[str, Any]) -> float:
    try:
        return float(node["content"]["seed_seq"]["content"]["pool_size"]["content"])
    except (KeyError, TypeError, ValueError):
        return math.inf


def _check_part(name: str, content: bytes, what: str) -> None:
    ending = name.rpartition(".")[2]
    check: dict[str, Callable[[bytes], None]] = {"npy": _check_npy, "npz": _check_npz, "bin": lambda content: None}
    if ending not in check:
        raise DamagedFileError(f"{what}: {name} is of no kind that skops writes.")
    try:
        check[ending](content)
    except (DamagedFileError, UntrustedFileError):
        raise
    except Exception as error:
        raise DamagedFileError(f"{what}: {name} is damaged: {type(error).__name__}: {error}") from error


def _check_npy(content: bytes) -> None:
    """Shape and dtype say as many bytes as there are: numpy takes the memory before it looks."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version} of numpy's format")
    shape, _, dtype = readers[version](file)
    if dtype.hasobject or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"an array of {dtype} and shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"{len(content)} bytes for an array of {dtype} and shape {shape}")


def _check_npz(content: bytes) -> None:
    """A sparse matrix whose indices are within its shape: others would read foreign memory."""
    for array in unpack(content, "a sparse matrix").values():
        _check_npy(array)
    matrix = sparse.load_npz(io.BytesIO(content))
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
