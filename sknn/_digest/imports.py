"""Modules of the user's own that code imports when it runs, and those that these import.

By the text of their files rather than by the modules: whether they are loaded yet must make no difference.
"""

from __future__ import annotations

import ast
import dis
import functools
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType

from .packages import is_packaged

__all__ = ["imported_by"]


def imported_by(codes: Iterable[CodeType], package: str) -> Iterator[tuple[str, bytes]]:
    """Absolute name and text of each module, once.

    Parameters
    ----------
    codes : code objects
    package : str
        The one that the code is in, for imports with dots.
    """
    waiting = [_absolute(name, package) for code in codes for name in _mentioned(code)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        file = _file_of(name)
        if file is not None:
            text = file.read_bytes()
            yield name, text
            is_package = file.name == "__init__.py"
            waiting += _imports_of(text, name if is_package else name.rpartition(".")[0])


def _mentioned(code: CodeType) -> Iterator[str]:
    """Names of modules in import statements, with dots in front where they are relative."""
    steps = [step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "EXTENDED_ARG")]
    for place, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            level, parts = steps[place - 2].argval, steps[place - 1].argval  # pushed first
            yield from _with_parts("." * (level if isinstance(level, int) else 0) + step.argval, parts or ())


def _with_parts(name: str, parts: Iterable[str]) -> Iterator[str]:
    """A module, the packages that it is in, and what is imported from it, which may be modules as well."""
    dots = name[: len(name) - len(name.lstrip("."))]
    pieces = name.lstrip(".").split(".")
    for end in range(1, len(pieces) + 1):
        yield dots + ".".join(pieces[:end])
    for part in parts:
        yield f"{name}{'' if name.endswith('.') else '.'}{part}"


def _absolute(name: str, package: str) -> str:
    try:
        return importlib.util.resolve_name(name, package)
    except (ImportError, ValueError):
        return ""


@functools.lru_cache(maxsize=1000)
def _imports_of(text: bytes, package: str) -> list[str]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [name for alias in node.names for name in _with_parts(alias.name, ())]
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            found += _with_parts(name, [alias.name for alias in node.names])
    return [_absolute(name, package) for name in found]


def _file_of(name: str) -> Path | None:
    """Source file of a module, or None where there is none of the user's own; nothing is imported to find it."""
    top, *inner = name.split(".")
    if not top or top == "sknn" or top in sys.stdlib_module_names:
        return None
    try:
        spec = importlib.util.find_spec(top)
        path = top
        for part in inner:
            if spec is None or spec.submodule_search_locations is None or is_packaged(spec.origin):
                return None
            path += f".{part}"
            spec = importlib.machinery.PathFinder.find_spec(path, [*spec.submodule_search_locations])
    except (ImportError, ValueError, AttributeError):
        return None
    origin = None if spec is None else spec.origin
    is_own = origin is not None and origin.endswith(".py") and not is_packaged(origin)
    return Path(origin) if origin is not None and is_own and Path(origin).is_file() else None
