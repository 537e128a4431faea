"""SHA-256 of any object, the same in every process and on every day.

Pickles do not serve: they depend on which equal strings are one object and on the order in which a set was built, and
they contain nothing of the code of a function.
"""

from __future__ import annotations

import copyreg
import functools
import types
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch.nn.utils import parametrize

from .code import CodeStream
from .stream import UndigestibleError, plain
from .tables import array_pieces, sparse_parts, table_kind, tensor_pieces

__all__ = ["UndigestibleError", "digest"]

_OF_HOOKS = {name for name in vars(torch.nn.Module()) if "_hooks" in name}
_HOOKS = {name for name in _OF_HOOKS if name.endswith("_hooks")}


def digest(value: Any, name: str = "", *, reads_globals: bool = True) -> str:
    """SHA-256 of `value`, which messages call `name`, in hexadecimal; raises UndigestibleError."""
    stream = _Digest()
    stream.reads_globals = reads_globals
    try:
        with stream.inside(name):
            stream.add(value)
    except RecursionError:
        raise UndigestibleError(value, [name]) from None
    return stream.hash.hexdigest()


class _Digest(CodeStream):
    """Takes any object apart."""

    # ------------------------------------------------------------------ any value

    def add(self, value: Any) -> None:
        token = plain(value)
        if token is not None:
            self.hash.update(token)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.ModuleType):
            self._module(value, ())
        elif isinstance(value, types.CodeType):
            self._code(value)
        elif id(value) in self._open:
            self._tag("circle", self._open[id(value)])
        else:
            self._open[id(value)] = len(self._open)
            try:
                self._compound(value)
            finally:
                del self._open[id(value)]

    def _compound(self, value: Any) -> None:
        kind = type(value)
        if kind in (list, tuple):
            self._tag(kind.__name__, len(value))
            self._sequence(value)
        elif kind is dict or kind is OrderedDict:
            self._tag(kind.__name__, len(value))
            self._items(value, in_order=kind is OrderedDict or self.keeps_order)
        elif kind in (set, frozenset):
            self._tag(kind.__name__, len(value))
            for one in sorted(self._apart(item) for item in value):
                self.hash.update(one)
        elif isinstance(value, np.ndarray | np.generic):
            self._array(value)
        elif isinstance(value, np.random.RandomState):
            # Its pickle contains entropy that the bit generator was made with, and that a seed then replaced.
            self._tag("RandomState")
            self.add(value.get_state(legacy=False))
        elif isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_quantized:
            self._tensor(value)
        elif sparse.issparse(value):
            self._tag(kind.__name__)
            self._labelled(sparse_parts(value))
        elif take_apart := table_kind(value):
            self._tag("table")
            self._class(kind)
            self._labelled(take_apart(value))
        elif isinstance(value, functools._lru_cache_wrapper):
            self._tag("cached")
            self.add(value.__wrapped__)
        elif isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType | None):
            self._name(value)
        elif getattr(value, "_type", None) == "metadata_request":
            self._tag("metadata", str(value))  # its owner leads back to the estimator
        elif isinstance(value, torch.nn.Module):
            with self._in_order():
                self._network(value)
        else:
            self._object(value)

    def _apart(self, value: Any) -> bytes:
        other = _Digest()
        other.keeps_order, other.reads_globals = self.keeps_order, self.reads_globals
        other.where, other._open = self.where, self._open
        other.add(value)
        return other.hash.digest()

    # ------------------------------------------------------------------ numbers

    def _array(self, array: Any) -> None:
        if isinstance(array, np.ma.MaskedArray):
            self._parts("masked", [np.asarray(array.data), np.ma.getmaskarray(array)])
            return
        kind = "" if isinstance(array, np.memmap) or type(array) is np.ndarray else type(array).__name__
        array = np.asarray(array)
        self._tag("array", kind, str(array.dtype), array.dtype.str, *array.shape)
        if array.dtype.hasobject or array.dtype.kind == "T":
            self._sequence(array.ravel().tolist())
        else:
            self._bytes(array_pieces(array))

    def _tensor(self, tensor: torch.Tensor) -> None:
        self._tag("tensor", type(tensor).__name__, str(tensor.dtype), tensor.requires_grad, *tensor.shape)
        if tensor.is_meta:
            raise UndigestibleError(tensor, self.where)
        self._bytes(tensor_pieces(tensor))

    # ------------------------------------------------------------------ objects

    def _network(self, network: torch.nn.Module) -> None:
        """By its state. The class of a parametrized one is made on the fly and cannot be imported by its name."""
        kind = parametrize.type_before_parametrizations(network)
        if kind.__reduce__ is not object.__reduce__ or kind.__reduce_ex__ is not object.__reduce_ex__:
            self._object(network)
            return
        self._tag("network")
        self._class(kind)
        state = kind.__getstate__(network)  # pyright: ignore
        if type(state) is not dict:
            self.add(state)
            return
        for name in _HOOKS & set(state):
            # By their functions in order: torch numbers hooks across the whole process.
            called = [state.get(f"{name}_{how}", {}) for how in ("with_kwargs", "always_called")]
            state = {**state, name: [(hook, *(at in some for some in called)) for at, hook in state[name].items()]}
        self._items({name: part for name, part in state.items() if name not in _OF_HOOKS - _HOOKS})

    def _object(self, value: Any) -> None:
        """By what `pickle` would write of it."""
        reduce = copyreg.dispatch_table.get(type(value))
        try:
            state = value.__reduce_ex__(4) if reduce is None else reduce(value)
        except Exception:
            raise UndigestibleError(value, self.where) from None
        if isinstance(state, str):
            self._tag("global", type(value).__qualname__, str(getattr(value, "__module__", None)), state)
            return
        self._tag("object", len(state))
        self._class(type(value))
        for part in state[:2]:
            self.add(part)
        attributes = state[2] if len(state) > 2 else None
        if type(attributes) is dict:
            self._tag("attributes", len(attributes))
            self._items(attributes)
        else:
            self.add(attributes)
        for items in state[3:5]:
            self.add(None if items is None else list(items))
