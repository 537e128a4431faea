"""Digests of functions, classes and modules.

The version of an installed package identifies its code. Functions and classes of the user's own count by bytecode,
constants, defaults, closures, and the values of the globals that they name, recursively. What code reaches by computed
names is not seen here; `sources` counts the text of whole files for that reason.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .packages import is_importable, is_installed, version_of
from .stream import Stream, UndigestibleError

__all__ = ["CodeStream"]

# Entries of a class that Python or pickling makes.
_BOOKKEEPING = {
    "__abstractmethods__", "__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__",
    "__dataclass_fields__", "__dataclass_params__", "__dict__", "__doc__", "__firstlineno__", "__module__",
    "__qualname__", "__slotnames__", "__static_attributes__", "__weakref__", "_abc_impl",
}  # fmt: skip
_GLOBAL_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A code object and those of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


@functools.lru_cache(maxsize=1000)
def _names(code: CodeType) -> tuple[list[str], list[str]]:
    """Names of the globals that a function reads, and of all globals and attributes that it mentions."""
    steps = (step for part in _codes(code) for step in dis.get_instructions(part))
    mentioned = {name for part in _codes(code) for name in part.co_names}
    return sorted({step.argval for step in steps if step.opname in _GLOBAL_LOADS}), sorted(mentioned)


class CodeStream(Stream):
    """The part of a digest that reads functions, classes and modules."""

    reads_globals = True  # whether the values of globals that functions name count

    def __init__(self) -> None:
        super().__init__()
        # Functions and classes fed before -> number, and the object, so that its id is not used again.
        self._fed: dict[int, tuple[int, Any]] = {}
        self._used: set[tuple[str, str]] = set()  # module and name in it, fed before

    def _is_known(self, code: Any) -> bool:
        if id(code) in self._fed:
            self._tag("known", self._fed[id(code)][0])
            return True
        self._fed[id(code)] = (len(self._fed), code)
        return False

    def _name(self, value: Any) -> None:
        module = getattr(value, "__module__", None) or ""
        self._tag("name", module, getattr(value, "__qualname__", type(value).__qualname__))
        if is_installed(module):
            self._tag("version", version_of(module))

    def _code(self, code: CodeType) -> None:
        """What a code object does; line numbers and comments do not count."""
        facts = (code.co_flags, code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
        names = [[*names] for names in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)]
        self._parts("code", [code.co_code, *facts, *names, code.co_exceptiontable, [*code.co_consts]])

    def _class(self, cls: type) -> None:
        self._name(cls)
        if is_installed(cls.__module__) or self._is_known(cls):
            return
        with self._in_order():
            self._parts("bases", [*cls.__bases__, type(cls)])
            for name in sorted(set(vars(cls)) - _BOOKKEEPING):
                self._tag("item", name)
                self._held(vars(cls)[name])

    def _function(self, function: FunctionType) -> None:
        self._name(function)
        installed = is_installed(function.__module__ or "")
        if (installed and is_importable(function)) or self._is_known(function):
            return
        with self._in_order():
            if not installed:
                self._code(function.__code__)
                self._held(function.__defaults__)
                self._held(function.__kwdefaults__)
                if self.reads_globals:
                    self._globals(function)
            for cell in function.__closure__ or ():
                self._tag("cell")
                with suppress(ValueError):  # a cell that is still empty
                    self._held(cell.cell_contents)
            for name in sorted(vars(function)):
                self._tag("attribute", name)
                self._held(vars(function)[name])

    def _globals(self, function: FunctionType) -> None:
        names, mentioned = _names(function.__code__)
        for name in names:
            if name in function.__globals__:
                self._tag("global", name)
                value = function.__globals__[name]
                self._module(value, mentioned) if isinstance(value, ModuleType) else self._held(value)

    def _module(self, module: ModuleType, names: Iterable[str]) -> None:
        """A module by those of its values that code mentions."""
        self._tag("module", module.__name__)
        if is_installed(module.__name__):
            self._tag("version", version_of(module.__name__))
            return
        for name in names:
            if name in vars(module) and (module.__name__, name) not in self._used:
                self._used.add((module.__name__, name))
                self._tag("global", name)
                value = vars(module)[name]
                self._module(value, names) if isinstance(value, ModuleType) else self._held(value)

    def _held(self, value: Any) -> None:
        """A value that code refers to; where it cannot be hashed, its type counts."""
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            self._parts("property", [value.fget, value.fset, value.fdel])
            return
        if hasattr(type(value), "__next__"):  # an iterator is used up by being read
            self._tag("iterator", type(value).__qualname__)
            return
        try:
            self.add(value)
        except UndigestibleError:
            self._tag("unknown", type(value).__qualname__)
