"""Damaged files of one fitted estimator of scikit-learn: correct zip, hashes and headers, other arrays and numbers."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import all_estimators
from sklearn.utils._param_validation import StrOptions

from ._file_parts import Parts

__all__ = ["WIDE", "damages"]

WIDE = 5000  # columns: compiled code that believes it reads far beyond a smaller array
_PART, _SCHEMA = "sklearn.skops", "schema.json"
_NUMBERS: tuple[Any, ...] = (0, -1, 1, 2, 7, 20, WIDE, 10**9, 2**31 - 1, -(2**31), 2**62, 0.5, 1e300, None, "x", True)
_POSITIONS = (0, -1, 20, 10**9)  # which compiled code may use as an offset
_ALTERNATIVES: dict[str, list[str]] = {}


def damages(data: bytes) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names, and functions that return the damaged file; at least one for each number and array in it.

    Each damage comes a second time in a file that claims to be of a table of `WIDE` columns.
    """
    outer = Parts(data)
    inner = Parts(outer.parts[_PART])
    schema = inner.json(_SCHEMA)
    wide = _widened(schema)
    for of, all_columns in (("", schema), ("wide, ", wide)):
        if of and wide == schema:
            return
        for what, changed in _changed_parts(inner.parts, all_columns):

            def made(changed: Callable[[], dict[str, bytes]] = changed, columns: Any = all_columns) -> bytes:
                other = Parts(outer.parts[_PART])
                other.parts |= {_SCHEMA: _dumped(columns), **changed()}
                return outer.replaced(_PART, other.packed())

            yield of + what, made


def _changed_parts(parts: dict[str, bytes], schema: Any) -> Iterator[tuple[str, Callable[[], dict[str, bytes]]]]:
    yield "nothing else", dict
    arrays = [name for name in parts if name.endswith(".npy")]
    for name in arrays:
        array = np.load(io.BytesIO(parts[name]), allow_pickle=False)
        for what, edit in _array_edits(array):
            yield f"{name} {what}", lambda n=name, a=array, e=edit: {n: _written(e(a))}
        for other in arrays:
            if other != name:
                yield f"{name} is {other}", lambda n=name, o=other: {n: parts[o]}
    for name in (name for name in parts if name.endswith(".npz")):
        yield from ((f"{name} {what}", lambda n=name, c=c: {n: c}) for what, c in _sparse(parts[name]))
    for path, nodes in _integers_in(schema, ()):
        for value in _POSITIONS:
            shown = f"all of {'.'.join(str(key) for key in path if key != 'content')[-60:]}={value}"
            yield shown, lambda p=nodes, v=value: {_SCHEMA: _dumped(_replaced(schema, p, v))}
    for path, node in _scalars(schema, ()):
        for value in _values(node, path):
            shown = f"{'.'.join(str(key) for key in path if key != 'content')[-60:]}={value!r}"
            yield shown, lambda p=path, v=value: {_SCHEMA: _dumped(_replaced(schema, [p], v))}


def _widened(schema: Any) -> Any:
    """A schema in which each estimator was fitted on `WIDE` columns."""
    other = copy.deepcopy(schema)
    for path, node in _scalars(other, ()):
        if path[-1] == "n_features_in_" and type(json.loads(node["content"])) is int:
            node["content"] = str(WIDE)
    return other


def _dumped(schema: Any) -> bytes:
    return json.dumps(schema).encode()


def _written(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _array_edits(array: np.ndarray) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    if array.ndim:
        yield "half of the rows", lambda a: a[: len(a) // 2]
        yield "one row", lambda a: a[:1]
        yield "no rows", lambda a: a[:0]
        yield "rows twice", lambda a: np.concatenate([a, a])
        yield "one row less", lambda a: a[:-1]
    if array.ndim > 1:
        yield "one column", lambda a: a[:, :1]
        yield "no columns", lambda a: a[:, :0]
        yield "one column less", lambda a: a[:, :-1]
        yield "columns twice", lambda a: np.concatenate([a, a], axis=1)
        yield "transposed", lambda a: np.ascontiguousarray(a.T)
        yield "in the order of Fortran", np.asfortranarray
        yield "one dimension", lambda a: a.ravel()
    yield "one more dimension", lambda a: a[..., None]
    yield "no dimension", lambda a: a.ravel()[0] if a.size else np.zeros((), a.dtype)
    if array.dtype.kind in "biuf":
        for dtype in ("f4", "f8", "i4", "i8", "u1", "?", "c16", "U3", "M8[s]"):
            if np.dtype(dtype) != array.dtype:
                yield f"as {dtype}", lambda a, d=dtype: a.astype(d)
        least, most = (-np.inf, np.inf) if array.dtype.kind == "f" else (0, 1)
        if array.dtype.kind in "iu":
            least, most = np.iinfo(array.dtype).min, np.iinfo(array.dtype).max
        extremes = [least, most, array.dtype.type(most // 2 if array.dtype.kind in "iu" else 1)]
        big = 1e300 if array.dtype.itemsize == 8 else 1e38
        extremes += [np.nan, -np.inf, big] if array.dtype.kind == "f" else [p for p in _POSITIONS if least <= p <= most]
        for value in extremes:
            with np.errstate(all="ignore"):
                filled = np.full_like(array, value)
            yield f"full of {value}", lambda a, f=filled: f
            if array.ndim and array.size:
                yield (
                    f"one {value}",
                    lambda a, f=filled: np.concatenate([f.ravel()[:1], a.ravel()[1:]]).reshape(a.shape),
                )
        yield "negative", lambda a: -a if a.dtype.kind == "f" else a
        yield "shuffled", lambda a: np.random.RandomState(0).permutation(a.ravel()).reshape(a.shape)


def _sparse(content: bytes) -> Iterator[tuple[str, bytes]]:
    matrix = sparse.load_npz(io.BytesIO(content)).tocsr()
    n = matrix.shape[0]
    edits = [("one column", matrix[:, :1]), ("half of the rows", matrix[: n // 2]), ("transposed", matrix.T.tocsr())]
    edits += [("wide", sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(n, WIDE)))]
    edits += [("no rows", matrix[:0]), ("float32", matrix.astype(np.float32)), ("NaN", matrix * np.nan)]
    edits += [("long indices", _with_long_indices(matrix)), ("columns", matrix.tocsc())]
    for what, edited in edits:
        buffer = io.BytesIO()
        sparse.save_npz(buffer, edited, compressed=False)
        inside = Parts(buffer.getvalue())
        inside.parts = dict(sorted(inside.parts.items()))
        yield what, inside.packed()


def _with_long_indices(matrix: Any) -> Any:
    other = matrix.copy()
    other.indices, other.indptr = other.indices.astype(np.int64), other.indptr.astype(np.int64)
    return other


def _scalars(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Paths of the nodes of numbers, texts and None."""
    if isinstance(value, dict):
        if value.get("__loader__") == "JsonNode":
            yield path, value
            return
        for key, item in value.items():
            if key != "key_types":
                yield from _scalars(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _scalars(item, (*path, i))


def _integers_in(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    """Paths of dicts and lists that hold integers, and the paths of these: vocabularies, numbers of categories."""
    if isinstance(value, dict) and value.get("__loader__") in ("DictNode", "ListNode", "TupleNode"):
        content = value["content"]
        items = content.items() if isinstance(content, dict) else enumerate(content)
        paths = [(*path, "content", key) for key, item in items if _is_integer(item)]
        if paths:
            yield path, paths
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if key != "key_types":
                yield from _integers_in(item, (*path, key))


def _is_integer(node: Any) -> bool:
    return node.get("__loader__") == "JsonNode" and type(json.loads(node["content"])) is int


def _values(node: dict[str, Any], path: tuple[Any, ...]) -> list[Any]:
    now = json.loads(node["content"])
    options = _alternatives().get(str(path[-1]), [])
    if "n_features" in str(path):  # lists of more names than fit in memory take time, and show nothing
        return [0, -1, 1, 20, WIDE, None, "x"]
    if isinstance(now, str):
        return [option for option in options if option != now] + [None, "x"]
    return [value for value in (*_NUMBERS, *options) if value != now or type(value) is not type(now)]


def _alternatives() -> dict[str, list[str]]:
    """Parameter -> texts that an estimator accepts for it, such as kinds of metrics."""
    if not _ALTERNATIVES:
        for _, kind in all_estimators():
            constraints: Any = vars(kind).get("_parameter_constraints", {})
            for name, choices in constraints.items() if isinstance(constraints, dict) else ():
                options = [choice.options for choice in choices if isinstance(choice, StrOptions)]
                known = _ALTERNATIVES.setdefault(name, [])
                known += sorted(set().union(*options) - set(known))
    return _ALTERNATIVES


def _replaced(schema: Any, paths: list[tuple[Any, ...]], value: Any) -> Any:
    other = copy.deepcopy(schema)
    for path in paths:
        node = other
        for key in path:
            node = node[key]
        node["content"] = json.dumps(value)
    return other
