"""Any object -> SHA-256 of what it is, the same in every process and on every day.

Pickles will not do: they tell whether two equal strings are one object, in which order a set was built, and
nothing of the code of a function.
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
from sklearn.base import BaseEstimator
from torch.nn.utils import parametrize

from .code import CodeStream, code_facts
from .packages import is_installed
from .stream import UndigestibleError, plain
from .tables import array_pieces, is_table, sparse_parts, tensor_pieces

__all__ = ["UndigestibleError", "counts", "digest"]

_OF_HOOKS = {name for name in vars(torch.nn.Module()) if "_hooks" in name}
_HOOKS = {name for name in _OF_HOOKS if name.endswith("_hooks")}

# Parameters that say how a fit is done and what it tells of it, not what comes of it: of all estimators, of those of
# installed packages, which may be called the same in a class of the user's, and of ours.
_OF_NO_CONSEQUENCE = {"verbose", "n_jobs"}
_OF_NO_CONSEQUENCE_IF_INSTALLED = {"memory"}
_OF_NO_CONSEQUENCE_HERE = {"checkpoint", "checkpoint_every_s", "checkpoint_every_epochs"}


def counts(kind: type, parameter: str) -> bool:
    """Whether a parameter of an estimator of this class may change the result of a fit."""
    if parameter in _OF_NO_CONSEQUENCE:
        return False
    if parameter in _OF_NO_CONSEQUENCE_IF_INSTALLED:
        return not is_installed(kind.__module__)
    is_ours = any(base.__module__.startswith("sknn.") for base in kind.__mro__)
    return parameter not in _OF_NO_CONSEQUENCE_HERE or not is_ours


def digest(value: Any, name: str = "", *, as_cloned: bool = False) -> str:
    """SHA-256 of `value` in hexadecimal.

    Parameters
    ----------
    value : object
    name : str, default=""
        What messages call it.
    as_cloned : bool, default=False
        Estimators count by their parameters alone, since they are cloned before they are fitted. Otherwise what
        they have learned counts too.

    Raises
    ------
    UndigestibleError
        Nothing to know it by.
    """
    stream = _Digest(as_cloned)
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
            self._parts("code", code_facts(value))
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
            # Code may go through a dict in its order, and a network calls its parts so; parameters are looked up.
            self._items(value, in_order=kind is OrderedDict or self.in_code or self.in_network)
        elif kind in (set, frozenset):
            self._tag(kind.__name__, len(value))
            for one in sorted(self._apart(item) for item in value):
                self.hash.update(one)
        elif isinstance(value, np.ndarray | np.generic):
            self._array(value)
        elif isinstance(value, np.random.RandomState):
            # Its pickle holds entropy that the bit generator was made with, and that a seed then replaced.
            self._tag("RandomState")
            self.add(value.get_state(legacy=False))
        elif isinstance(value, torch.Tensor) and value.layout is torch.strided and not value.is_quantized:
            self._tensor(value)
        elif sparse.issparse(value):
            self._tag(kind.__name__)
            self._labelled(sparse_parts(value))
        elif take_apart := is_table(value):
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
        elif kind.__name__ == "_PassthroughScorer":
            # score() of whatever is being scored; the estimator that it keeps is asked about metadata only.
            self._tag("score")
            self.add(str(vars(getattr(value, "_estimator", value)).get("_metadata_request")))
        elif self.as_cloned and hasattr(kind, "get_params") and self._is_cloned_by_parameters(kind):
            self._estimator(value)
        elif isinstance(value, torch.nn.Module):
            with self._learned(), self._inside_network():
                self._network(value)
        else:
            # The scorers of a dict of them are called each by itself.
            with self._learned(in_code=callable(value) and kind.__name__ != "_MultimetricScorer"):
                self._object(value)

    def _apart(self, value: Any) -> bytes:
        """A digest of its own, for parts that have no order."""
        other = _Digest(self.as_cloned)
        other.in_code, other.in_network = self.in_code, self.in_network
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

    @staticmethod
    def _is_cloned_by_parameters(kind: type) -> bool:
        own = getattr(kind, "__sklearn_clone__", None)  # FrozenEstimator and the like are kept as they are
        return own is None or own is getattr(BaseEstimator, "__sklearn_clone__", None)

    def _estimator(self, estimator: Any) -> None:
        self._tag("estimator")
        self._class(type(estimator))
        try:
            params = estimator.get_params(deep=False)
        except Exception:
            raise UndigestibleError(estimator, self.where) from None
        self._items({name: part for name, part in params.items() if counts(type(estimator), name)})
        self.add(str(vars(estimator).get("_metadata_request")) if hasattr(estimator, "__dict__") else None)

    def _network(self, network: torch.nn.Module) -> None:
        """By its state. Of a parametrized one the class is made on the fly, and no name leads to it.

        Whether it stands in training is up to the fit that it is handed to, but not up to code that calls it.
        """
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
            # By their functions in order: torch numbers hooks through the whole process.
            called = [state.get(f"{name}_{how}", {}) for how in ("with_kwargs", "always_called")]
            state = {**state, name: [(hook, *(at in some for some in called)) for at, hook in state[name].items()]}
        left_out = _OF_HOOKS - _HOOKS if self.in_code else {"training", *(_OF_HOOKS - _HOOKS)}
        self._items({name: part for name, part in state.items() if name not in left_out})

    def _object(self, value: Any) -> None:
        """Whatever `pickle` would write of it."""
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
        if type(attributes) is dict and any(base.__name__ == "rv_generic" for base in type(value).__mro__):
            # Distributions of scipy hold numpy's global generator; searches draw by one of their own.
            attributes = {name: part for name, part in attributes.items() if name != "_random_state"}
        if type(attributes) is dict:
            self._tag("attributes", len(attributes))
            self._items(attributes)
        else:
            self.add(attributes)
        for items in state[3:5]:
            self.add(None if items is None else list(items))
