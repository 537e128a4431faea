"""Classes and functions by name: those that every file may use, and those that the caller of `load` trusts.

A name from a file is looked up in a table or compared with what the caller listed. No module is imported, and no
attribute read, because a file says so.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import types
from collections.abc import Iterable
from typing import Any

import numpy as np
import skorch.callbacks
import torch
from torch import nn

from .. import callbacks, losses, modules
from .._classifier import NeuralClassifier
from .._generation.neural_generator import NeuralGenerator
from .._imputation.neural_imputer import NeuralImputer
from .._ranking.neural_ranker import NeuralRanker
from .._regressor import NeuralRegressor
from ..exceptions import DamagedFileError, UntrustedFileError

__all__ = ["Names", "Trust", "full_name", "known_names", "not_trusted"]

# Callbacks of skorch that write no files, send nothing and call nothing that a file could choose.
_SKORCH_CALLBACKS = (
    "BatchScoring", "EarlyStopping", "EpochScoring", "EpochTimer", "GradientNormClipping", "LRScheduler",
    "PassthroughScoring", "PrintLog", "ProgressBar", "WarmRestartLR",
)  # fmt: skip
_ACTIVATIONS = (
    "celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish", "relu", "relu6",
    "selu", "sigmoid", "silu", "softplus", "softsign", "tanh", "tanhshrink",
)  # fmt: skip
_BUILTINS = (bool, int, float, complex, str, bytes, list, tuple, dict, set)
_MAX_NAME = 500
_ESTIMATORS = (NeuralClassifier, NeuralGenerator, NeuralImputer, NeuralRanker, NeuralRegressor)


@functools.lru_cache(maxsize=1)
def known_names() -> dict[str, Any]:
    """Return public name -> class or function that any file may use."""
    known: dict[str, Any] = {f"sknn.{kind.__name__}": kind for kind in _ESTIMATORS}
    for package, label in ((modules, "sknn.modules"), (losses, "sknn.losses"), (callbacks, "sknn.callbacks")):
        found = {name: getattr(package, name) for name in package.__all__}
        known |= {f"{label}.{name}": thing for name, thing in found.items() if isinstance(thing, type)}
    known |= {f"skorch.callbacks.{name}": getattr(skorch.callbacks, name) for name in _SKORCH_CALLBACKS}
    layers = _subclasses(torch.nn, nn.Module, "torch.nn")
    # Transformers copy a layer as often as an argument says, which no limit on parameters detects.
    known |= {name: layer for name, layer in layers.items() if not name.startswith("torch.nn.Transformer")}
    known |= _subclasses(torch.optim, torch.optim.Optimizer, "torch.optim")
    schedules = torch.optim.lr_scheduler
    known |= _subclasses(schedules, schedules.LRScheduler, "torch.optim.lr_scheduler")
    known |= {f"torch.nn.functional.{name}": getattr(nn.functional, name) for name in _ACTIVATIONS}
    known |= {f"torch.{name}": getattr(torch, name) for name in ("relu", "sigmoid", "tanh")}
    known |= {f"builtins.{kind.__name__}": kind for kind in _BUILTINS}
    scalars = sorted(set(np.sctypeDict.values()) - {np.object_}, key=lambda kind: kind.__name__)
    return known | {f"numpy.{kind.__name__}": kind for kind in scalars}


def _subclasses(package: Any, base: type, label: str) -> dict[str, Any]:
    found = {f"{label}.{name}": thing for name, thing in sorted(vars(package).items()) if not name.startswith("_")}
    kinds = {name: thing for name, thing in found.items() if isinstance(thing, type)}
    return {name: kind for name, kind in kinds.items() if issubclass(kind, base) and kind is not base}


@functools.lru_cache(maxsize=1)
def _public_names() -> dict[int, str]:
    return {id(thing): name for name, thing in reversed(known_names().items())}


def full_name(thing: Any) -> str:
    """Return module and name of a class or function, as skops writes them."""
    return f"{thing.__module__}.{thing.__name__}"


def not_trusted(names: list[str], what: str, reason: str) -> UntrustedFileError:
    """Return the error that lists several names which the caller of `load` would have to trust."""
    some = [name[:_MAX_NAME] for name in names[:20]]
    return UntrustedFileError(
        f"{what}: the file uses {', '.join(some)}, {reason}. If you know them and trust the file's author, pass "
        f"load(path, trusted={some}), or the classes and functions themselves instead of their names."
    )


class Trust:
    """What the caller of `load` allows beside the known names; import paths are imported when a file names them."""

    def __init__(self, trusted: Iterable[Any] = ()) -> None:
        if isinstance(trusted, str | bytes | bool) or not isinstance(trusted, Iterable):
            raise TypeError(
                f"trusted={trusted!r}; expected a list of classes, functions and import paths, such as [MyModule] or "
                "['package.MyModule']. It is not possible to trust everything."
            )
        self.paths: set[str] = set()
        self.things: dict[str, Any] = {}
        for thing in trusted:
            if isinstance(thing, str):
                self.paths.add(thing)
            elif isinstance(thing, type) or inspect.isroutine(thing):
                self.things[f"{thing.__module__}.{thing.__qualname__}"] = thing
            else:
                raise TypeError(
                    f"trusted contains {thing!r}, a {type(thing).__name__}; expected classes, functions, import paths."
                )

    def is_own(self, thing: Any) -> bool:
        """Return whether `thing` is the user's own, not one that every file may use."""
        return id(thing) not in _public_names()

    def lists_type(self, name: str, where: str) -> bool:
        """Return whether the caller listed this name, and it is the name of a class."""
        thing = self.things.get(name)
        if thing is None and name in self.paths:
            thing = _imported(name, where)
        return isinstance(thing, type)

    def find(self, name: Any, where: str) -> Any:
        """Return the class or function with this name; raise an UntrustedFileError if it is not trusted."""
        if type(name) is not str or not name or len(name) > _MAX_NAME:
            raise DamagedFileError(f"{where}: expected the name of a class or function, got {str(name)[:80]!r}.")
        known = known_names().get(name)
        if known is not None:
            return known
        if name in self.things:
            return self.things[name]
        if name.startswith("__main__."):  # defined in the script that saved it; here its module has another name
            candidates = [thing for thing in self.things.values() if thing.__qualname__ == name[len("__main__.") :]]
            if len(candidates) == 1:
                return candidates[0]
        if name in self.paths:
            return _imported(name, where)
        raise UntrustedFileError(
            f"{where}: the file uses {name}, which is not trusted. If you know it and trust the file's author, pass "
            f"the class itself, load(path, trusted=[{name.rpartition('.')[2]}]), or trusted=[{name!r}]."
        )

    def check_all(self, names: Iterable[str]) -> None:
        """Raise an UntrustedFileError that lists all of these names that are not trusted."""
        missing = {}
        for name in dict.fromkeys(names):
            try:
                self.find(name, "estimator")
            except UntrustedFileError as error:
                missing[name] = error
        if len(missing) == 1:
            raise missing.popitem()[1]
        if missing:
            raise not_trusted(list(missing), "estimator", "which are not trusted")


class Names:
    """Names given to classes and functions while something is saved."""

    def __init__(self) -> None:
        self.things: dict[str, Any] = {}

    def add(self, thing: Any, where: str) -> str:
        """Return the name under which `load` will find it."""
        if "<lambda>" in getattr(thing, "__qualname__", "<lambda>") or getattr(thing, "__module__", None) is None:
            raise TypeError(
                f"{where} is {thing!r}, which a file cannot name. Define a function or class in a module, and pass it "
                "to load in trusted=[...]."
            )
        if id(thing) in _public_names():
            return _public_names()[id(thing)]
        name = f"{thing.__module__}.{thing.__qualname__}"
        if self.things.setdefault(name, thing) is not thing:
            raise TypeError(f"{where}: two different objects are called {name}, so a file cannot distinguish them.")
        return name


def _imported(path: str, where: str) -> Any:
    """Return the class or function at an import path that the user listed."""
    names = path.split(".")
    for n_modules in range(len(names) - 1, 0, -1):
        module_name = ".".join(names[:n_modules])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name == error.name or module_name.startswith(error.name + ".")):
                raise  # the user's own module cannot import something
            continue
        for name in names[n_modules:]:
            found = getattr(found, name, None)
        if isinstance(found, type) or (callable(found) and not isinstance(found, types.ModuleType)):
            return found
        break
    raise DamagedFileError(
        f"{where}: trusted={path!r} is not the path of a class or function. Correct the path, or pass the class."
    )
