"""What functions, classes and modules are known by: a name and a version, or what they do.

Of installed packages the version says all. Code of the user's own changes without one, so it is known by its
bytecode, which comments and line numbers leave alone, and by what it refers to, near and far: helper functions,
constants, base classes.
"""

from __future__ import annotations

import dis
import inspect
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .imports import imported_by
from .packages import is_installed, version_of
from .stream import Stream, UndigestibleError
from .writes import Writes, is_state, writes_of

__all__ = ["CodeStream", "code_facts"]

# Entries of a class that Python makes, fills in later, or that say nothing of what the class does.
_BOOKKEEPING = {
    "__abstractmethods__",
    "__annotate__",
    "__annotate_func__",
    "__annotations__",
    "__annotations_cache__",
    "__dataclass_fields__",
    "__dataclass_params__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__qualname__",
    "__slotnames__",
    "__static_attributes__",
    "__weakref__",
    "_abc_impl",
}
_GLOBAL_LOADS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_HAS_DOCSTRING = 0x4000000  # a flag of Python 3.13
_DICTS = {dict, Counter, OrderedDict, defaultdict}


def is_importable(value: Any) -> bool:
    """Whether module and qualified name lead to this very object."""
    found: Any = sys.modules.get(getattr(value, "__module__", None) or "")
    for name in getattr(value, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is value


def class_items(cls: type) -> Iterator[tuple[str, Any]]:
    """What the body of a class defines, sorted by name."""
    for name in sorted(set(vars(cls)) - _BOOKKEEPING):
        yield name, vars(cls)[name]


def code_facts(code: CodeType) -> list[Any]:
    """All of a code object that makes it do what it does; constants that are code are left as they are."""
    constants = list(code.co_consts)
    if _has_docstring(code):
        constants[0] = None  # words for readers
    return [
        code.co_code,
        code.co_flags & ~_HAS_DOCSTRING,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        [*code.co_names],
        [*code.co_varnames],
        [*code.co_freevars],
        [*code.co_cellvars],
        code.co_exceptiontable,
        constants,
    ]


def _has_docstring(code: CodeType) -> bool:
    """Whether the first constant is a docstring, and serves for nothing else."""
    if not code.co_consts or not isinstance(code.co_consts[0], str):
        return False
    if any(step.opcode in dis.hasconst and step.arg == 0 for step in dis.get_instructions(code)):
        return False
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & _HAS_DOCSTRING)
    # That of a function without one is None. Comprehensions and bodies of classes begin with others.
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and not code.co_name.startswith("<")


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def globals_read(code: CodeType) -> list[str]:
    """Names of globals that a function and those inside it read; attributes may be called the same."""
    steps = (step for part in _codes(code) for step in dis.get_instructions(part))
    return sorted({step.argval for step in steps if step.opname in _GLOBAL_LOADS})


def names_used(code: CodeType) -> list[str]:
    """Names of globals and attributes that a function and those inside it mention."""
    return sorted({name for part in _codes(code) for name in part.co_names})


def _meant(function: FunctionType) -> dict[str, Any]:
    """What names in a function stand for: globals, and variables of the functions around it."""
    names = globals_read(function.__code__)
    meant = {name: function.__globals__[name] for name in names if name in function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):
            meant[name] = cell.cell_contents
    return meant


def _functions_of_class(cls: type) -> Iterator[FunctionType]:
    for _, value in class_items(cls):
        for part in (
            value,
            getattr(value, "__func__", None),
            getattr(value, "fget", None),
            getattr(value, "fset", None),
        ):
            if isinstance(part, FunctionType):
                yield part


def _codes_of_class(cls: type) -> Iterator[CodeType]:
    for function in _functions_of_class(cls):
        yield from _codes(function.__code__)


def _meant_in_class(cls: type) -> dict[str, Any]:
    return {name: value for function in _functions_of_class(cls) for name, value in _meant(function).items()}


def _written_in_class(cls: type) -> Writes:
    """By its own methods and those that it has of the user's own base classes."""
    own = [base for base in cls.__mro__ if not is_installed(base.__module__)]
    meant = {name: value for base in reversed(own) for name, value in _meant_in_class(base).items()}
    return writes_of((code for base in own for code in _codes_of_class(base)), meant, cls)


class CodeStream(Stream):
    """The part of a digest that knows functions, classes and modules."""

    def __init__(self, as_cloned: bool) -> None:
        super().__init__(as_cloned)
        # Functions and classes fed before -> number, and the object, so that its id stays its own.
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

    def _class(self, cls: type) -> None:
        self._name(cls)
        if is_installed(cls.__module__) or self._is_known(cls):
            return
        with self._learned(in_code=True):
            for base in cls.__bases__:
                self.add(base)
            if type(cls) is not type:
                self.add(type(cls))
            writes = _written_in_class(cls)
            for name, value in class_items(cls):
                if name not in writes.attributes or callable(value):
                    self._tag("item", name)
                    self._of_code(value)
            for base in cls.__mro__[1:]:
                self._left_out(base, writes)

    def _left_out(self, value: Any, reader: Writes) -> None:
        """Attributes that a class leaves out, being written to by its own code alone, but that other code reads."""
        cls = value if isinstance(value, type) else type(value)
        if is_installed(cls.__module__):
            return
        for name in sorted(_written_in_class(cls).attributes & reader.attributes_read & set(vars(cls))):
            self._tag("item", name)
            self._of_code(vars(cls)[name])

    def _function(self, function: FunctionType) -> None:
        self._name(function)
        installed = is_installed(function.__module__ or "")
        if (installed and is_importable(function)) or self._is_known(function):
            return
        with self._learned(in_code=True):
            meant = _meant(function)
            writes = writes_of(_codes(function.__code__), meant)
            if not installed:
                self._parts("code", code_facts(function.__code__))
                self._of_code(function.__defaults__)
                self._of_code(function.__kwdefaults__)
                self._globals(function, writes)
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
                self._tag("cell")
                with suppress(ValueError):  # a cell that is empty yet
                    self._variable(name, cell.cell_contents, writes)
            own = {part for name, value in meant.items() if value is function for part in writes.parts.get(name, ())}
            for name in sorted(set(vars(function)) - own):
                self._tag("attribute", name)
                self._of_code(vars(function)[name])

    def _globals(self, function: FunctionType, writes: Writes) -> None:
        names = names_used(function.__code__)
        for name in globals_read(function.__code__):
            if name in function.__globals__:
                value = function.__globals__[name]
                if isinstance(value, ModuleType):
                    self._tag("global", name)
                    self._module(value, names)
                elif name not in writes.names or callable(value):
                    self._tag("global", name)
                    self._variable(name, value, writes)
        package = function.__globals__.get("__package__") or ""
        for name, text in imported_by(_codes(function.__code__), package):
            self._tag("import", name, text)

    def _variable(self, name: str, value: Any, writes: Writes) -> None:
        if name in writes.names and not callable(value):
            return
        self._of_code(value, writes.parts.get(name, frozenset()))
        self._left_out(value, writes)

    def _rest(self, value: Any, without: Set[Any]) -> None:
        """An instance or dict, without the parts that code keeps for itself."""
        is_known_dict = type(value) in _DICTS
        if (
            isinstance(value, FunctionType | type)
            or id(value) in self._open
            or (isinstance(value, dict) and not is_known_dict)
        ):
            self.add(value)
            return
        self._open[id(value)] = len(self._open)
        try:
            self._tag("rest")
            self.add(type(value))
            self._of_code(getattr(value, "default_factory", None))
            held = value if isinstance(value, dict) else vars(value)
            self.add({key: part for key, part in held.items() if key not in without})
        finally:
            del self._open[id(value)]

    def _module(self, module: ModuleType, names: Iterable[str]) -> None:
        """A module by what is used of it."""
        self._tag("module", module.__name__)
        if is_installed(module.__name__):
            self._tag("version", version_of(module.__name__))
        else:
            for name in names:
                if name in vars(module) and (module.__name__, name) not in self._used:
                    self._used.add((module.__name__, name))
                    self._tag("global", name)
                    value = vars(module)[name]
                    if isinstance(value, ModuleType):
                        self._module(value, names)
                    else:
                        self._of_code(value)

    def _of_code(self, value: Any, without: Set[Any] = frozenset()) -> None:
        """A constant, helper or attribute that code refers to; of one that cannot be known, the type has to do."""
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        elif isinstance(value, property):
            self._tag("property")
            for part in (value.fget, value.fset, value.fdel):
                self._of_code(part)
            return
        if is_state(value):
            self._tag("state", type(value).__qualname__)
            return
        try:
            self._rest(value, without) if without else self.add(value)
        except UndigestibleError:
            self._tag("unknown", type(value).__qualname__)
