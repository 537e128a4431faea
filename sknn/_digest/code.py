"""What functions, classes and modules are known by: a name and a version, or what they do.

Of installed packages the version says all. Code of the user's own changes without one, so it is known by its
bytecode, which comments and line numbers leave alone, and by what it refers to, near and far: helper functions,
constants, base classes.
"""

from __future__ import annotations

import dis
import functools
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .stream import Stream, UndigestibleError
from .writes import is_state, names_written

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


def is_installed(module: str) -> bool:
    """Whether a module belongs to Python or to a package that pip installed, so that a version tells it."""
    top = module.partition(".")[0]
    if top == "sknn" or (top in sys.stdlib_module_names and top != "__main__"):
        return True
    if top == "__main__":
        return False
    return _is_packaged(getattr(sys.modules.get(module) or sys.modules.get(top), "__file__", None))


@functools.cache
def _is_packaged(file: str | None) -> bool:
    return file is not None and not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


@functools.cache
def version_of(module: str) -> str:
    """Version of the package that an installed module belongs to; "" where none is told."""
    top = module.partition(".")[0]
    found = getattr(sys.modules.get(top), "__version__", None)
    if isinstance(found, str):
        return found
    try:
        return importlib.metadata.version(top)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""


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


def code_facts(code: CodeType, doc: str | None = None) -> list[Any]:
    """All of a code object that makes it do what it does; constants that are code are left as they are."""
    constants = list(code.co_consts)
    if doc is not None and constants and constants[0] == doc:
        constants[0] = None  # words for readers
    return [
        code.co_code,
        code.co_flags,
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


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def names_used(code: CodeType) -> list[str]:
    """Names of globals and attributes that a function and those inside it mention."""
    return sorted({name for part in _codes(code) for name in part.co_names})


def _meant(function: FunctionType) -> dict[str, Any]:
    """What names in a function stand for: globals, and variables of the functions around it."""
    meant = {name: function.__globals__[name] for name in names_used(function.__code__) if name in function.__globals__}
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


def imported_inside(function: FunctionType) -> Iterator[tuple[str, bytes]]:
    """Modules of the user's own that a function imports when it runs: name, and the text of the file.

    The text rather than the module: whether it is loaded yet must make no difference.
    """
    package = function.__globals__.get("__package__") or ""
    for code in _codes(function.__code__):
        steps = list(dis.get_instructions(code))
        for place, step in enumerate(steps):
            if step.opname == "IMPORT_NAME":
                level = steps[place - 2].argval  # pushed first, before the names to import
                name = "." * (level if isinstance(level, int) else 0) + step.argval
                file = _file_of(name, package)
                if file is not None and not _is_packaged(str(file)):
                    yield name, file.read_bytes()


def _file_of(name: str, package: str) -> Path | None:
    """Source file of a module, or None where there is none of the user's own."""
    try:
        absolute = importlib.util.resolve_name(name, package)
        top = absolute.partition(".")[0]
        if top == "sknn" or top in sys.stdlib_module_names:
            return None
        # The package first: looking for a module in it imports it, which must not befall what is only mentioned.
        spec = importlib.util.find_spec(top)
        if spec is not None and top != absolute and not _is_packaged(spec.origin):
            spec = importlib.util.find_spec(absolute)
    except (ImportError, ValueError, AttributeError):
        return None
    origin = None if spec is None else spec.origin
    return Path(origin) if origin is not None and origin.endswith(".py") and Path(origin).is_file() else None


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
        with self._learned():
            for base in cls.__bases__:
                self.add(base)
            if type(cls) is not type:
                self.add(type(cls))
            written = names_written(_codes_of_class(cls), _meant_in_class(cls), vars(cls))
            for name, value in class_items(cls):
                self._tag("item", name)
                if name not in written or callable(value):
                    self._of_code(value)

    def _function(self, function: FunctionType) -> None:
        self._name(function)
        installed = is_installed(function.__module__ or "")
        if (installed and is_importable(function)) or self._is_known(function):
            return
        with self._learned():
            written = names_written(_codes(function.__code__), _meant(function))
            if not installed:
                self._parts("code", code_facts(function.__code__, function.__doc__))
                self._of_code(function.__defaults__)
                self._of_code(function.__kwdefaults__)
                self._globals(function, written)
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
                self._tag("cell")
                with suppress(ValueError):  # a cell that is empty yet
                    if name not in written or callable(cell.cell_contents):
                        self._of_code(cell.cell_contents)

    def _globals(self, function: FunctionType, written: set[str]) -> None:
        names = names_used(function.__code__)
        for name in names:
            if name in function.__globals__:
                self._tag("global", name)
                value = function.__globals__[name]
                if isinstance(value, ModuleType):
                    self._module(value, names)
                elif name not in written or callable(value):
                    self._of_code(value)
        for name, text in imported_inside(function):
            self._tag("import", name, text)

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

    def _of_code(self, value: Any) -> None:
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
            self.add(value)
        except UndigestibleError:
            self._tag("unknown", type(value).__qualname__)
