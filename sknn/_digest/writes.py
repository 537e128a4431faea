"""What code writes to: counters, notes, caches. They change with every fit, and are no part of what the code is."""

from __future__ import annotations

import dis
import types
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

__all__ = ["is_state", "names_written"]

_CHANGERS = {
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "extendleft",
    "insert",
    "pop",
    "popitem",
    "put",
    "remove",
    "setdefault",
    "update",
}
_STORES = {"STORE_GLOBAL", "STORE_DEREF", "DELETE_GLOBAL", "DELETE_DEREF"}
_ITEM_STORES = {"STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE"}


def is_state(value: Any) -> bool:
    """Whether a value that code refers to is used up or changed by using it, whatever the code says."""
    return hasattr(type(value), "__next__")


def names_written(
    codes: Iterable[types.CodeType], known: Mapping[str, Any], attributes: Mapping[str, Any] | None = None
) -> set[str]:
    """Globals, variables of closures and attributes of classes that code binds anew or changes in place.

    Parameters
    ----------
    codes : code objects
    known : dict
        What globals and variables of closures stand for.
    attributes : dict or None
        Those of the class that the code is of.
    """
    found: set[str] = set()
    for code in codes:
        found |= _written_by(code, known, attributes or {})
    return found


def _written_by(code: types.CodeType, known: Mapping[str, Any], attributes: Mapping[str, Any]) -> set[str]:
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "EXTENDED_ARG", "PUSH_NULL")]
    found = set()
    loaded = {step.argval for step in steps if step.opname.startswith("LOAD_") and isinstance(step.argval, str)}
    # self.x = ... makes an attribute of the instance, and leaves that of the class as it is.
    names_a_class = bool(loaded & {"type", "__class__", "cls"}) or any(isinstance(known.get(n), type) for n in loaded)
    for before, step in zip([None, *steps], steps, strict=False):
        if step.opname in _STORES:
            found.add(step.argval)
        elif step.opname == "STORE_ATTR":
            on_self = before is not None and before.argval == "self"
            if names_a_class and not on_self:
                found.add(step.argval)
            found |= {name for name in loaded if _is_plain_instance(known.get(name))}
        elif step.opname in _ITEM_STORES:
            # Which of them the item is stored in, the instructions tell only by what they leave on the stack.
            found |= {name for name in loaded if _has_items(known.get(name)) or _has_items(attributes.get(name))}
        elif (
            step.opname in ("LOAD_METHOD", "LOAD_ATTR")
            and step.argval in _CHANGERS
            and before is not None
            and isinstance(before.argval, str)
        ):
            found.add(before.argval)
    return found


def _has_items(value: Any) -> bool:
    return isinstance(value, list | dict | np.ndarray)


def _is_plain_instance(value: Any) -> bool:
    """Of a class written in Python, which keeps its attributes in a dict."""
    return (
        value is not None
        and hasattr(value, "__dict__")
        and not isinstance(value, type | types.FunctionType | types.ModuleType)
    )
