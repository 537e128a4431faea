"""Weights of a module that are neither parameters nor buffers, so that no optimizer is given them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

__all__ = ["unregistered_weights"]


def unregistered_weights(module: nn.Module) -> list[str]:
    """Attributes, named as in `named_modules`, that are tensors, or lists, tuples or dicts of layers or tensors."""
    known = {id(part) for part in (*module.modules(), *module.parameters(), *module.buffers())}
    found = []
    for prefix, part in module.named_modules():
        for name, value in vars(part).items():
            if any(_has_weights(item, known) for item in _items(value)):
                found.append(f"{prefix}.{name}" if prefix else name)
    return found


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _items(item)
    else:
        yield value


def _has_weights(item: Any, known: set[int]) -> bool:
    if isinstance(item, nn.Module):
        return id(item) not in known and next(item.parameters(), None) is not None
    return isinstance(item, Tensor) and id(item) not in known and item.is_floating_point() and item.ndim > 1
