"""Layers, losses and callbacks passed as instances: a class and the arguments of its constructor.

The arguments are read from the attributes of the same name, and the object they create is compared with the instance.
`save` refuses a class that keeps its arguments elsewhere.
"""

from __future__ import annotations

import inspect
import types
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy

from ..._random import isolated_random_state
from ...exceptions import DamagedFileError
from ..bounded import build_like, freeze, state_of
from ..checks import check_keys, expect
from .reader_writer import ValueReader, ValueWriter

__all__ = ["read_instance", "write_instance"]

_CONTAINERS: tuple[type, ...] = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
# Arguments of torch's layers and losses that are deprecated, or decide only initial weights and where they are stored.
_WITHOUT_EFFECT = frozenset(["device", "dtype", "init", "reduce", "size_average"])
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def write_instance(writer: ValueWriter, value: Any, where: str) -> dict[str, Any] | None:
    """Return JSON for a layer or a callback; None for any other object."""
    if isinstance(value, nn.Module):
        _check_layers(value, where)
        return _write_layer(writer, value, where)
    if isinstance(value, Callback):
        arguments = _arguments(value, where)
        again = _made_again(type(value), arguments, where)
        if _public(again) != _public(value):
            raise _not_again(value, where)
        name = writer.names.add(type(value), where)
        return {"$": "object", "class": name, "arguments": _write_all(writer, arguments, where)}
    return None


def read_instance(reader: ValueReader, value: dict[str, Any], where: str) -> Any:
    """Return the layer or callback described by this JSON."""
    if value["$"] == "object":
        check_keys(value, {"$", "class", "arguments"}, where)
        kind = reader.trust.find(value["class"], where)
        if not (isinstance(kind, type) and issubclass(kind, Callback)):
            raise DamagedFileError(f"{where}: expected a callback, got {value['class']}.")
        return kind(**_read_all(reader, value["arguments"], where))
    return _read_layer(reader, value, where)


def _check_layers(layer: nn.Module, where: str) -> None:
    parameters = [id(p) for part in layer.modules() for p in part.parameters(recurse=False)]
    # modules() yields each module once; named_modules() also yields one used in two places twice.
    named = [id(p) for _, part in layer.named_modules(remove_duplicate=False) for p in part.parameters(recurse=False)]
    if len(named) != len(set(parameters)):
        raise TypeError(f"{where} uses the same weights in two places. Pass a class of your own that shares them.")
    # A lazy layer has hooks of its own until its first forward pass.
    parts = [part for part in layer.modules() if not isinstance(part, LazyModuleMixin)]
    if any(getattr(part, hooks) for part in parts for hooks in _HOOKS):
        raise TypeError(f"{where} has hooks, which are code and cannot be stored. Pass a class of your own instead.")


def _write_layer(writer: ValueWriter, layer: nn.Module, where: str) -> dict[str, Any]:
    kind = type(layer)
    written: dict[str, Any] = {"$": "layer", "class": writer.names.add(kind, where), "training": layer.training}
    if kind in _CONTAINERS:
        named = [(name, child) for name, child in layer._modules.items() if child is not None]
        children = [[name, _write_layer(writer, child, f"{where}.{name}")] for name, child in named]
        return {**written, "arguments": {}, "children": children, "state": {}, "frozen": []}
    arguments = _arguments(layer, where)
    with isolated_random_state(0, torch.device("cpu")), torch.device("meta"):
        again = _made_again(kind, arguments, where)
    if repr(again) != repr(layer) or _shapes(again) != _shapes(layer) or _public(again) != _public(layer):
        raise _not_again(layer, where)
    state = {name: writer.add_tensor(tensor, f"{where}.{name}") for name, tensor in state_of(layer, where).items()}
    frozen = [name for name, parameter in layer.named_parameters() if not parameter.requires_grad]
    arguments = _write_all(writer, arguments, where)
    return {**written, "arguments": arguments, "children": [], "state": state, "frozen": frozen}


def _read_layer(reader: ValueReader, value: dict[str, Any], where: str) -> nn.Module:
    check_keys(value, {"$", "class", "arguments", "children", "state", "training", "frozen"}, where)
    kind = reader.trust.find(value["class"], where)
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise DamagedFileError(f"{where}: expected a layer, got {value['class']}.")
    training = expect(value["training"], bool, where)
    if kind in _CONTAINERS:
        children: dict[str, nn.Module] = {}
        for pair in expect(value["children"], list, where):
            if len(expect(pair, list, where)) != 2 or expect(pair[0], str, where) in children:
                raise DamagedFileError(f"{where}: each layer needs a name, and no two the same.")
            child = pair[1] if isinstance(pair[1], dict) and pair[1].get("$") == "layer" else {}
            children[pair[0]] = _read_layer(reader, child, f"{where}.{pair[0]}")
        layer = kind()
        for name, child in children.items():
            layer.add_module(name, child)
    else:
        arguments = _read_all(reader, value["arguments"], where)
        names = expect(value["state"], dict, where)
        state = {name: reader.tensor(tensor, where) for name, tensor in names.items()}
        layer = build_like(lambda: kind(**arguments), state, where, own_code=reader.trust.is_own(kind))
        freeze(layer, value["frozen"], where)
    layer.training = training
    return layer


def _arguments(instance: Any, where: str) -> dict[str, Any]:
    """Return arguments of the constructor that differ from the defaults."""
    found: dict[str, Any] = {}
    parameters = _signature(type(instance))
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = {n: v for n, v in vars(instance).items() if not n.startswith("_") and not n.endswith("_")}
            found |= {n: v for n, v in extra.items() if n not in parameters and not isinstance(instance, nn.Module)}
            continue
        if name.startswith("_") or name in _WITHOUT_EFFECT:
            continue
        # Without such an attribute it is unknown whether the default was used.
        value = getattr(instance, name, parameter.empty)
        if isinstance(value, nn.Parameter) or (value is None and name in getattr(instance, "_parameters", ())):
            value = value is not None  # bias=True creates a parameter called bias
        if value is parameter.empty or parameter.kind is parameter.VAR_POSITIONAL:
            raise _not_again(instance, where)
        if not _equal(value, parameter.default):
            found[name] = value
    return found


def _signature(kind: type) -> dict[str, inspect.Parameter]:
    """Return parameters of a constructor; recurrent layers inherit theirs from a base class."""
    parameters = dict(inspect.signature(kind).parameters) if kind.__init__ is not nn.Module.__init__ else {}
    if issubclass(kind, nn.RNNBase):
        parameters = {n: p for n, p in inspect.signature(nn.RNNBase).parameters.items() if n != "mode"}
    return parameters


def _made_again(kind: type, arguments: dict[str, Any], where: str) -> Any:
    try:
        return kind(**arguments)
    except Exception as error:
        raise TypeError(f"{where}: {kind.__qualname__} cannot be created again from its attributes: {error}") from error


def _not_again(instance: Any, where: str) -> TypeError:
    name = type(instance).__qualname__
    return TypeError(
        f"{where} is an instance of {name}, whose constructor arguments cannot be read from its attributes. Pass the "
        f"class instead ({name}, and its arguments as module_params or criterion_params), or keep each argument in an "
        "attribute of the same name."
    )


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        same = isinstance(a, Tensor) and isinstance(b, Tensor) and a.shape == b.shape and a.dtype == b.dtype
        return same and (a.is_meta or b.is_meta or torch.equal(a, b))
    return a is b or (type(a) is type(b) and repr(a) == repr(b))


def _public(instance: Any) -> dict[str, str]:
    """Return plain public attributes, except those that training sets."""
    return {
        name: repr(value)
        for name, value in vars(instance).items()
        if not name.startswith("_") and not name.endswith("_") and name != "training"
        if isinstance(value, bool | int | float | str | tuple | list | dict | type | types.NoneType)
    }


def _shapes(layer: nn.Module) -> list[tuple[str, Any, Any]]:
    """Return name, shape and dtype of parameters and buffers."""
    tensors = [named for named in (*layer.named_parameters(), *layer.named_buffers()) if not is_lazy(named[1])]
    return [(name, tuple(tensor.shape), tensor.dtype) for name, tensor in tensors]


def _write_all(writer: ValueWriter, arguments: dict[str, Any], where: str) -> dict[str, Any]:
    return {name: writer.write(value, f"{where}.{name}") for name, value in sorted(arguments.items())}


def _read_all(reader: ValueReader, arguments: Any, where: str) -> dict[str, Any]:
    return {name: reader.read(value, f"{where}.{name}") for name, value in expect(arguments, dict, where).items()}
