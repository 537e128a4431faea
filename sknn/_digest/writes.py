"""What code keeps for itself: counters, notes, caches. They change with every fit, and are no part of what it is.

A value that decides on a result and is left out here serves a result that is not true any more; one that counts
needlessly costs a fit. So a value is left out only if the code that writes to it never reads it: the container that an
item goes into, found on the stack, and not what else is loaded on the way. The one exception is a dict that is filled
under keys that are computed, as caches are.
"""

from __future__ import annotations

import dis
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from .steps import ATTRIBUTE_LOADS, LOADS, N_OPERANDS, Steps

__all__ = ["Writes", "is_state", "writes_of"]

_CHANGERS = {"add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "put", "update"}
_CONTAINERS = (list, dict, set, deque, np.ndarray)
_STORES = {"STORE_GLOBAL", "STORE_DEREF", "STORE_NAME"}


def is_state(value: Any) -> bool:
    """Whether a value that code refers to is used up or changed by using it, whatever the code says."""
    return hasattr(type(value), "__next__")


class _Place(NamedTuple):
    """Where a value lives: a variable, or an attribute or item of one; of the class itself where `owner` is None."""

    owner: str | None
    part: Any = None


@dataclass
class Writes:
    """What code writes to and does not read.

    Attributes
    ----------
    names : set of str
        Globals and variables of closures.
    attributes : set of str
        Of the class that the code is of.
    parts : dict of str to set
        Attributes of instances and keys of dicts, by the variable that holds these.
    attributes_read : set of str
        Names of attributes that the code reads, of whatever.
    """

    names: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    parts: dict[str, set[Any]] = field(default_factory=dict)
    attributes_read: set[str] = field(default_factory=set)


def writes_of(codes: Iterable[CodeType], known: Mapping[str, Any], cls: type | None = None) -> Writes:
    """What code writes to and does not read.

    Parameters
    ----------
    codes : code objects
    known : dict
        What globals and variables of closures stand for.
    cls : type or None
        The class that the code is of.
    """
    found = _Found(known, cls)
    for code in codes:
        _Code(code, found).note()
    writes = Writes(attributes_read=found.attributes_read)
    for place in found.written:
        if place.owner is None:
            if place.part not in found.attributes_read and place.part not in found.on_instances:
                writes.attributes.add(place.part)
        elif place.part is None:
            if place.owner not in found.names_read:
                writes.names.add(place.owner)
        elif place.part not in found.attributes_read | _names_in_class(type(known[place.owner])):
            writes.parts.setdefault(place.owner, set()).add(place.part)
    for place in found.caches - found.taken_whole:
        if place.owner is None:
            writes.attributes |= {place.part} - found.on_instances
        elif place.part is None:
            writes.names.add(place.owner)
    for place in found.counters:
        writes.parts.setdefault(str(place.owner), set()).add(place.part)
    return writes


def _names_in_class(cls: type) -> set[str]:
    """All that methods of a class mention."""
    functions = (getattr(value, "__func__", value) for base in cls.__mro__ for value in vars(base).values())
    return {name for function in functions if isinstance(function, FunctionType) for name in function.__code__.co_names}


@dataclass
class _Found:
    """What all codes together do to places."""

    known: Mapping[str, Any]
    cls: type | None
    written: set[_Place] = field(default_factory=set)
    caches: set[_Place] = field(default_factory=set)
    taken_whole: set[_Place] = field(default_factory=set)  # read in another way than a cache is
    counters: set[_Place] = field(default_factory=set)  # numbers in dicts, under keys that are constant
    names_read: set[str] = field(default_factory=set)
    attributes_read: set[str] = field(default_factory=set)
    on_instances: set[str] = field(default_factory=set)

    def value_at(self, place: _Place) -> Any:
        if place.owner is None:
            return getattr(self.cls, place.part, None)
        value = self.known.get(place.owner)
        return value if place.part is None else getattr(value, "__dict__", {}).get(place.part)


class _Code:
    """What one code object does to places."""

    def __init__(self, code: CodeType, found: _Found) -> None:
        self.steps = Steps(code)
        self.found = found
        self.writing: set[int] = set()  # loads that only serve a write

    def note(self) -> None:
        for at, step in enumerate(self.steps):
            if step.opname in _STORES:
                self._rebound(_Place(step.argval), at - 1)
            elif step.opname == "STORE_ATTR":
                self._attribute(at)
            elif step.opname in N_OPERANDS:
                self._item(at)
            elif step.opname in ("LOAD_METHOD", "LOAD_ATTR") and step.argval in _CHANGERS:
                self._changed(self.steps.producer(at, 0))
        subscripts = (at for at, step in enumerate(self.steps) if _is_subscript(step))
        subscripted = {self.steps.producer(at, 1) for at in subscripts}
        for at, step in enumerate(self.steps):
            if at in self.writing:
                continue
            if step.opname in LOADS:
                self.found.names_read.add(step.argval)
            elif step.opname in ATTRIBUTE_LOADS:
                self.found.attributes_read.add(step.argval)
            place = self._place(at)
            if place is not None and at not in subscripted and not self._is_asked(at):
                self.found.taken_whole.add(place)

    def _is_asked(self, at: int) -> bool:
        """Whether what is loaded is asked for one key, or for its length."""
        after = [step for step in self.steps[at + 1 : at + 3] if step.opname != "PRECALL"]
        if after[0].opname == "CONTAINS_OP" or after[0].argval == "get":
            return True
        begin = self.steps.beginning(at) or 0
        is_of_len = any(step.argval == "len" for step in self.steps[max(0, begin - 2) : begin])
        return is_of_len and after[0].opname == "CALL" and after[0].arg == 1

    def _place(self, at: int | None) -> _Place | None:
        """What a step has loaded."""
        if at is None:
            return None
        step = self.steps[at]
        if step.opname in LOADS:
            return _Place(step.argval) if step.argval in self.found.known else None
        if step.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            return None
        base = self.steps.producer(at, 0)
        return None if base is None else self._attribute_of(base, step.argval, or_instance=True)

    def _attribute_of(self, base: int, name: str, *, or_instance: bool) -> _Place | None:
        if self._is_own_class(base) or (or_instance and self.steps.local(base) == "self"):
            return None if self.found.cls is None else _Place(None, name)
        owner = self._place(base)
        if owner is None or owner.owner is None or owner.part is not None:
            return None
        return _Place(owner.owner, name) if _has_attributes(self.found.known[owner.owner]) else None

    def _is_own_class(self, at: int) -> bool:
        step = self.steps[at]
        if step.opname in LOADS:
            return step.argval == "__class__" or self.found.known.get(step.argval) is (self.found.cls or self)
        if step.opname == "LOAD_ATTR":
            return step.argval == "__class__" and self.steps.local(at - 1) == "self"
        if step.opname == "CALL":
            called = [step for step in self.steps[max(0, at - 4) : at] if step.opname not in ("PRECALL", "PUSH_NULL")]
            return [step.argval for step in called[-2:]] == ["type", "self"]
        return self.steps.local(at) == "cls"

    def _rebound(self, place: _Place, end: int | None) -> None:
        """A variable or attribute stands for the value that ends there; x += 1 reads it for nothing but this."""
        self.found.written.add(place)
        step = None if end is None or end < 0 else self.steps[end]
        if end is not None and step is not None and step.opname == "BINARY_OP" and step.argrepr.endswith("="):
            old = self.steps.producer(end, 1)
            if old is not None and self.steps[old].argval == (place.owner if place.part is None else place.part):
                self.writing.add(old)

    def _attribute(self, at: int) -> None:
        base = self.steps.container(at)
        if base is None:
            return
        name = self.steps[at].argval
        if self.steps.local(base) == "self":
            self.found.on_instances.add(name)
        place = self._attribute_of(base, name, or_instance=False)
        if place is not None:
            self._rebound(place, self.steps.stored(at))

    def _item(self, at: int) -> None:
        place = self._changed(self.steps.container(at))
        end = None if place is None or self.steps[at].opname != "STORE_SUBSCR" else self.steps.stored(at)
        if place is None or end is None:
            return
        value, key = self.found.value_at(place), self.steps.key(at)
        is_sum = self.steps[end].opname == "BINARY_OP" and self.steps[end].argrepr in ("+", "+=")
        if not isinstance(value, dict):
            return
        if key is ...:
            if is_sum or not (self.steps.is_augmented(at) or self._is_made_of(place, end)):
                self.found.caches.add(place)
        elif is_sum and place.owner is not None and place.part is None and isinstance(value.get(key, 0), int | float):
            self.found.counters.add(_Place(place.owner, key))

    def _is_made_of(self, place: _Place, end: int) -> bool:
        """Whether the value that ends there comes of a container itself."""
        begin = self.steps.beginning(end)
        return begin is None or any(self._place(at) == place for at in range(begin, end + 1))

    def _changed(self, container: int | None) -> _Place | None:
        """The place of a container that changes; the load of it is no reading."""
        place = self._place(container)
        if place is None or container is None or not isinstance(self.found.value_at(place), _CONTAINERS):
            return None
        self.found.written.add(place)
        self.writing.add(container)
        return place


def _is_subscript(step: dis.Instruction) -> bool:
    return step.opname == "BINARY_SUBSCR" or (step.opname == "BINARY_OP" and step.argrepr == "[]")


def _has_attributes(value: Any) -> bool:
    """Of a class written in Python, which keeps its attributes in a dict and is known by them."""
    if isinstance(value, ModuleType) or not hasattr(value, "__dict__"):
        return False
    kind = type(value)
    if isinstance(value, FunctionType | type):
        return True
    own_way = ("__reduce__", "__reduce_ex__", "__getstate__")  # of being pickled
    return all(getattr(kind, name, None) is getattr(object, name, None) for name in own_way)
