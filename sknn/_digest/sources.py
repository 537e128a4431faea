"""The source files of the user's own modules: what code reaches by computed names is in one of them.

A stored fit lists the modules that were loaded when it ended, each with the digest of its text. It is recalled only if
all of them still have the same text. So any edit of the user's own code, related to the fit or not, leads to a new fit.
A worker process of joblib has fewer modules loaded than the script; it reads the others from their paths.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from .objects import digest
from .packages import is_packaged

__all__ = ["Sources", "source_of_sknn"]

# Module name -> (which load of it, path, digest of the text) as it was when the module was first seen: a file that is
# edited while the process runs does not change the code that is loaded. A reload makes a new spec.
_seen: dict[str, tuple[Any, str, str]] = {}
_not_own: set[str] = set()
_SKNN = Path(__file__).parents[1]
_started = time.time()


@dataclass(frozen=True)
class Sources:
    """Source texts of the user's own modules."""

    # Module name -> (path, digest). Of a `__main__` without a file, as in a notebook, the path is "", and the functions
    # and classes count instead.
    modules: Mapping[str, Sequence[str]]
    # Whether the process runs the script or notebook, so that all that has an effect is loaded; not in workers.
    is_complete: bool

    @classmethod
    def loaded(cls) -> Sources:
        """Those of this process."""
        found: dict[str, tuple[str, str]] = {}
        for name in list(sys.modules):
            if name not in _not_own and (source := _source_of(name)):
                found[name] = source
        main = _main()
        if main is not None and "__main__" not in found and not _has_file(main):
            found["__main__"] = "", _digest_of_namespace(main)
        return cls(found, is_complete="__main__" in found)

    def changed_since(self, earlier: Sources) -> list[str]:
        """Names of the modules whose code may differ from the `earlier` one."""
        changed = []
        for name, (path, text) in earlier.modules.items():
            mine = self.modules.get(name)
            if mine is None and not path:
                continue  # a notebook sends to a worker what it needs, and that is hashed with the parameters
            if (mine[1] if mine is not None else _digest_of_file(path)) != text:
                changed.append(name)
        if self.is_complete and earlier.is_complete:
            changed += self.modules.keys() - earlier.modules.keys()
        return sorted(changed)


def _main() -> ModuleType | None:
    main = sys.modules.get("__main__")
    return main if isinstance(main, ModuleType) else None


def _has_file(main: ModuleType) -> bool:
    """False of a notebook, of a console, and of a script read from stdin, whose path is "<stdin>"."""
    return os.path.isfile(vars(main).get("__file__") or "")


def _source_of(name: str) -> tuple[str, str] | None:
    """Path and digest of the text of a module of the user's own; None of others, and where there is no file."""
    module = sys.modules.get(name)
    # Not by getattr, which would import a module that is loaded lazily.
    attributes = object.__getattribute__(module, "__dict__") if isinstance(module, ModuleType) else {}
    spec, file = attributes.get("__spec__"), attributes.get("__file__")
    path = os.path.abspath(file) if isinstance(file, str) else ""
    load = spec
    if name == "__main__":  # one process may run several scripts, none of which has a spec, or one script again
        if not os.path.isfile(path):
            return None
        status = os.stat(path)
        load = path, status.st_mtime_ns, status.st_size
    known = _seen.get(name)
    if known is not None and (known[0] is load or (name == "__main__" and known[0] == load)):
        return known[1:]
    if not path or name == "__mp_main__" or is_packaged(path) or Path(path).is_relative_to(_SKNN):
        if name != "__main__" and (path or spec is not None):
            _not_own.add(name)
        return None
    # The text of a file that was edited after the process began may not be what is loaded: equal to no other text.
    text = os.urandom(16).hex() if _is_edited(Path(path)) else _digest_of_file(path)
    _seen[name] = load, path, text
    return path, text


def _is_edited(path: Path) -> bool:
    """Whether a file was changed after this process imported sknn, or is not there."""
    try:
        return path.stat().st_mtime > _started
    except OSError:
        return True


def _digest_of_file(path: str) -> str:
    """SHA-256 of a file; "" if it cannot be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:32]
    except OSError:
        return ""


def _digest_of_namespace(main: ModuleType) -> str:
    """Of the functions and classes that a notebook or a console has defined."""
    defined = {
        name: value
        for name, value in vars(main).items()
        if isinstance(value, FunctionType | type) and value.__module__ == "__main__"
    }
    return digest(defined, "__main__", reads_globals=False)[:32]


@functools.cache
def source_of_sknn() -> str:
    """Digest of the source text of sknn in a checkout; "" of an installed one, which its version identifies."""
    if is_packaged(__file__):
        return ""
    texts = hashlib.sha256()
    for path in sorted(_SKNN.rglob("*.py")):
        texts.update(f"{path.relative_to(_SKNN)}\0".encode() + path.read_bytes() + b"\0")
        if _is_edited(path):
            texts.update(os.urandom(16))
    return texts.hexdigest()
