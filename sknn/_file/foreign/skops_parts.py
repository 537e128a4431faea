"""The archive of skops in a canonical form, and the checks made before skops reads it.

skops refuses types that are not trusted. This file closes what it leaves open: object numbers that a file may choose,
arrays that claim to be larger than they are, and objects that refer to others so often that reading never ends.
`skops_nodes` checks which node creates a trusted type, `skops_paths` which one a later `fit` would write for.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections import Counter
from typing import Any

import numpy as np
from scipy import sparse

from ...exceptions import DamagedFileError
from ..archive import pack, unpack
from ..checks import damaged_if_it_fails, expect
from ..names import Trust, not_trusted
from ..parts import read_json, write_json
from .skops_nodes import check_node, name_to_trust, nodes_of
from .skops_paths import check_parameters_to_set, remove_folders

__all__ = ["canonical", "checked", "needed_names"]

_SCHEMA = "schema.json"
_MAX_DEPTH = 300
_OLDEST_PROTOCOL, _NEWEST_PROTOCOL = 1, 100


def canonical(data: bytes) -> bytes:
    """Return the same archive with numbers, names and dates that depend only on its content."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = read_json(parts.pop(_SCHEMA), "the schema of skops", _MAX_DEPTH)
    remove_folders(schema)
    rewriting = _Rewriting(schema)
    schema = rewriting.rewritten(schema)
    schema.pop("_skops_version", None)
    stored = {new: _canonical_part(old, parts[old]) for old, new in rewriting.names.items()}
    # skops pairs the keys of a dict with their types by position, so the keys must not be sorted.
    return pack({_SCHEMA: write_json(schema, sort_names=False), **stored})


def _canonical_part(name: str, content: bytes) -> bytes:
    if not name.endswith(".npz"):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # numpy compresses it and writes the time
        return pack({entry: archive.read(entry) for entry in archive.namelist()})


class _Rewriting:
    """Numbers of objects used in several places, and `names` of parts (old -> new), in the order of the schema."""

    def __init__(self, schema: Any) -> None:
        self.names: dict[str, str] = {}
        self._first: dict[Any, dict[str, Any]] = {}
        nodes = [
            node for node in nodes_of(schema) if node["__loader__"] not in ("JsonNode", "TypeNode", "FunctionNode")
        ]
        self._times = Counter(node["__id__"] for node in nodes if "__id__" in node)

    def rewritten(self, value: Any) -> Any:
        """Return the value with new numbers and names; an object is written the same way wherever it is used."""
        if isinstance(value, list):
            return [self.rewritten(item) for item in value]
        if not isinstance(value, dict):
            return value
        if "__loader__" not in value:
            return {key: self.rewritten(item) for key, item in value.items()}
        number = value.get("__id__")
        is_shared = self._times[number] > 1
        if is_shared and number in self._first:  # a tree creates new arrays each time its state is read
            return self._first[number]
        found = {key: item for key, item in value.items() if key != "__id__"}
        if is_shared:
            self._first[number] = found
            found["__id__"] = len(self._first)
        if isinstance(found.get("file"), str):
            ending = found["file"].rpartition(".")[2]
            found["file"] = self.names.setdefault(found["file"], f"{len(self.names)}.{ending}")
        for key, item in found.items():
            found[key] = self.rewritten(item) if key not in ("file", "__id__") else item
        return found


def checked(parts: dict[str, bytes], what: str, only_named: frozenset[str], trust: Trust) -> bytes:
    """Return an archive of these parts that skops may read; `only_named` as in `check_node`."""
    if _SCHEMA not in parts:
        raise DamagedFileError(f"{what} has no {_SCHEMA}.")
    schema = expect(read_json(parts[_SCHEMA], what, _MAX_DEPTH), dict, what)
    if not _OLDEST_PROTOCOL < expect(schema.get("protocol"), int, f"{what}: protocol") < _NEWEST_PROTOCOL:
        raise DamagedFileError(f"{what}: protocol {schema['protocol']} of skops is not supported.")
    arrays = {name: content for name, content in parts.items() if name != _SCHEMA}
    for name, content in arrays.items():
        _check_part(name, content, what)
    _check_trust(schema, what, only_named, trust)
    first: dict[Any, Any] = {}
    for node in nodes_of(schema):
        check_node(node, arrays, what, only_named, trust)
        number = node.get("__id__")
        # skops writes an object in full wherever it is used, so reading takes time in proportion to the file.
        if number is not None and first.setdefault(expect(number, int, what), node) != node:
            raise DamagedFileError(f"{what}: two different objects have the number {number}.")
    check_parameters_to_set(schema, what)
    remove_folders(schema)
    return pack({**arrays, _SCHEMA: write_json(schema, sort_names=False)})


def _check_trust(schema: Any, what: str, only_named: frozenset[str], trust: Trust) -> None:
    """List all classes that the caller would have to trust, if there are several; `check_node` refuses a single one."""
    names = {name_to_trust(node, only_named) for node in nodes_of(schema)} - {None}
    missing = [name for name in sorted(map(str, names)) if not trust.lists_type(name, what)]
    if len(missing) > 1:
        raise not_trusted(
            missing, what, "which are not trusted, or whose compiled code may crash if the file is damaged"
        )


def needed_names(data: bytes, only_named: frozenset[str]) -> list[str]:
    """Return classes in an archive of `canonical` that `checked` creates only if they are trusted."""
    schema = read_json(unpack(data, "the archive of skops")[_SCHEMA], "the schema of skops", _MAX_DEPTH)
    names = (name_to_trust(node, only_named) for node in nodes_of(schema))
    return sorted({name for name in names if name is not None})


def _check_part(name: str, content: bytes, what: str) -> None:
    if not name.endswith((".npy", ".npz", ".bin")):
        raise DamagedFileError(f"{what}: skops writes no parts such as {name}.")
    with damaged_if_it_fails(f"{what}: {name} is damaged"):
        if name.endswith(".npy"):
            _check_npy(content)
        elif name.endswith(".npz"):
            _check_npz(content)


def _check_npy(content: bytes) -> None:
    """Compare shape and dtype with the number of bytes: numpy allocates the memory first."""
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
    """Check the indices of a sparse matrix: those beyond its shape would read memory of other objects."""
    for array in unpack(content, "a sparse matrix").values():
        _check_npy(array)
    matrix = sparse.load_npz(io.BytesIO(content))
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
