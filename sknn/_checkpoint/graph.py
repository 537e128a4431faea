"""A training as bytes: all objects that refer to each other at once, except those that every fit makes anew."""

from __future__ import annotations

import io
import sys
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import cloudpickle
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .._network.parametrized import reduce_parametrized
from ..callbacks._protocol import SknnCallback

__all__ = ["dumps", "has_a_name", "loads"]

_surroundings: ContextVar[Mapping[str, Any]] = ContextVar("surroundings")


def dumps(state: Any, surroundings: Mapping[str, Any]) -> bytes:
    """Bytes of an object graph.

    Parameters
    ----------
    state : object
        Tensors that share memory share it after `loads`, too.
    surroundings : mapping of str to object
        What is written by its name only, and so is every view of a tensor among it: data, settings, and classes that
        are no attribute of a module. `loads` is given objects under the same names.

    Raises
    ------
    Exception
        Whatever pickling an object raises.
    """

    class Pickler(_GraphPickler):
        known = {id(value): name for name, value in surroundings.items()}
        memory = {
            value.untyped_storage().data_ptr(): name
            for name, value in surroundings.items()
            if isinstance(value, Tensor) and value.numel()
        }

    buffer = io.BytesIO()
    torch.save(state, buffer, pickle_module=types.SimpleNamespace(Pickler=Pickler, __name__="graph"))
    return buffer.getvalue()


def loads(data: bytes, surroundings: Mapping[str, Any]) -> Any:
    """The object graph again, tensors on their devices. It runs code that the bytes name: they must be one's own."""
    with _surrounded_by(surroundings):
        return torch.load(io.BytesIO(data), weights_only=False)


@contextmanager
def _surrounded_by(surroundings: Mapping[str, Any]) -> Iterator[None]:
    token = _surroundings.set(surroundings)
    try:
        yield
    finally:
        _surroundings.reset(token)


class _GraphPickler(cloudpickle.CloudPickler):
    """Closures by value; what a module of Python defines by its name, scripts included: they are run again."""

    known: dict[int, str]
    memory: dict[int, str]

    def reducer_override(self, obj: Any) -> Any:
        name = self.known.get(id(obj))
        if name is not None:
            return _surrounding, (name,)
        if isinstance(obj, (type, types.FunctionType)) and has_a_name(obj):
            return NotImplemented
        if isinstance(obj, nn.Module) and parametrize.is_parametrized(obj):  # of a class that torch made for it alone
            return reduce_parametrized(obj)
        if type(obj) is Tensor and obj.layout is torch.strided and obj.numel():
            name = self.memory.get(obj.untyped_storage().data_ptr())
            if name is not None:
                return _view, (name, obj.dtype, tuple(obj.shape), obj.stride(), obj.storage_offset())
        if isinstance(obj, torch.optim.Optimizer):  # of LBFGS and others, its own state is not all of it
            # "step" is put there by schedulers, to count, in front of the method.
            return _with_state, (type(obj),), {name: v for name, v in vars(obj).items() if name != "step"}
        if isinstance(obj, SknnCallback):
            return _with_state, (type(obj),), obj.state_in_training()
        return super().reducer_override(obj)


def has_a_name(obj: Any) -> bool:
    """Whether a class or function is what its module knows under its name."""
    found: Any = sys.modules.get(obj.__module__ or "")
    for part in obj.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is obj


def _surrounding(name: str) -> Any:
    return _surroundings.get()[name]


def _view(name: str, dtype: torch.dtype, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    base: Tensor = _surrounding(name)
    whole = torch.empty(0, dtype=dtype, device=base.device)
    return whole.set_(base.untyped_storage(), offset, shape, stride)  # pyright: ignore[reportArgumentType]


def _with_state(cls: type) -> Any:
    return object.__new__(cls)
