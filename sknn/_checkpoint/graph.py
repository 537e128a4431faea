"""The state of a training run as bytes: objects that refer to each other, except those that every fit makes anew."""

from __future__ import annotations

import io
import types
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import cloudpickle
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .._digest import is_importable
from .._network.parametrized import reduce_parametrized
from ..callbacks._protocol import state_in_training

__all__ = ["dumps", "loads"]

_surroundings: ContextVar[Mapping[str, Any]] = ContextVar("surroundings")


def dumps(state: Any, surroundings: Mapping[str, Any]) -> bytes:
    """Bytes of an object graph; tensors that share memory share it after `loads`, too.

    Of `surroundings` (data, settings, classes that cannot be imported), and of views of the tensors among them, only
    the names are written; of callbacks also the state. `loads` is given objects under the same names, and gives this
    state to the callbacks, so that a resumed fit uses the caller's own objects.
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
    """The object graph again, tensors on their devices. Loading may run code, so the bytes must be trusted."""
    token = _surroundings.set(surroundings)
    try:
        return torch.load(io.BytesIO(data), weights_only=False)
    finally:
        _surroundings.reset(token)


class _GraphPickler(cloudpickle.CloudPickler):
    """Pickles closures by value, and what a module or script defines by its name."""

    known: dict[int, str]
    memory: dict[int, str]

    def reducer_override(self, obj: Any) -> Any:
        name = self.known.get(id(obj))
        if name is not None:
            state = (state_in_training(obj),) if isinstance(obj, Callback) else ()
            return _surrounding, (name,), *state
        if isinstance(obj, (type, types.FunctionType)) and is_importable(obj):
            return NotImplemented
        if isinstance(obj, nn.Module) and parametrize.is_parametrized(obj):  # torch made its class
            return reduce_parametrized(obj)
        if type(obj) is Tensor and obj.layout is torch.strided and obj.numel():
            name = self.memory.get(obj.untyped_storage().data_ptr())
            if name is not None:
                return _view, (name, obj.dtype, tuple(obj.shape), obj.stride(), obj.storage_offset())
        if isinstance(obj, torch.optim.Optimizer):  # the state of LBFGS and others is not complete
            # Schedulers put a counting "step" in front of the method.
            return _with_state, (type(obj),), {name: v for name, v in vars(obj).items() if name != "step"}
        return super().reducer_override(obj)


def _surrounding(name: str) -> Any:
    return _surroundings.get()[name]


def _view(name: str, dtype: torch.dtype, shape: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Tensor:
    base: Tensor = _surrounding(name)
    whole = torch.empty(0, dtype=dtype, device=base.device)
    return whole.set_(base.untyped_storage(), offset, shape, stride)  # pyright: ignore[reportArgumentType]


def _with_state(cls: type) -> Any:
    return object.__new__(cls)
