"""Pickling of parametrized layers, such as those of weight_norm, which torch does not support."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils import parametrize

__all__ = ["allow_pickling", "reduce_parametrized"]


def allow_pickling(network: nn.Module) -> None:
    """Let the parametrized layers of a network be pickled.

    torch makes a class for each of them that cannot be imported by name, and lets it raise. Its parts can be: the
    original class, the parametrizations, and the names of the weights.
    """
    for part in network.modules():
        if parametrize.is_parametrized(part):
            type(part).__reduce_ex__ = lambda self, protocol: reduce_parametrized(self)  # type: ignore[method-assign]


def reduce_parametrized(layer: nn.Module) -> tuple[Any, ...]:
    """What `pickle` rebuilds a parametrized layer from."""
    names = list(layer.parametrizations)  # pyright: ignore[reportArgumentType]
    # weight_norm registers a local function, which cannot be pickled, that reads old state dicts.
    hooks = layer._load_state_dict_pre_hooks
    kept = type(hooks)((key, hook) for key, hook in hooks.items() if not _is_of_torch(hook))
    state = {**vars(layer), "_load_state_dict_pre_hooks": kept}
    return _rebuilt, (parametrize.type_before_parametrizations(layer), names), state


def _is_of_torch(hook: Any) -> bool:
    hook = getattr(hook, "hook", hook)  # as it was registered
    return str(getattr(hook, "__module__", "")).startswith("torch.")


def _rebuilt(kind: type[nn.Module], names: list[str]) -> nn.Module:
    layer = kind.__new__(kind)
    nn.Module.__init__(layer)
    private: Any = parametrize
    private._inject_new_class(layer)
    for name in names:
        private._inject_property(layer, name)
    return layer
