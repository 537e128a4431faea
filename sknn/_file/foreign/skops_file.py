"""An object of scikit-learn <-> the archive of skops, with placeholders for the estimators of sknn."""

from __future__ import annotations

import functools
import importlib
import inspect
from typing import Any

import numpy as np

from ..._estimator.base import BaseNeuralEstimator
from ..._optional import optional_import
from ...exceptions import DamagedFileError, UntrustedFileError
from ..archive import unpack
from ..checks import damaged_if_it_fails
from ..names import Trust, full_name, known_names
from .consistency import check_estimators
from .objects import data_classes
from .placeholders import Distribution, Placeholder, filled_with
from .skops_parts import canonical, checked, needed_names
from .tried import TRIED

__all__ = ["names_to_trust", "read_foreign", "write_foreign"]

_FUNCTION_MODULES = ("sklearn.metrics", "sklearn.feature_selection")
# Types that have no objects of their own, and select columns.
_ABSTRACT = (
    object, np.character, np.complexfloating, np.flexible, np.floating, np.generic, np.inexact, np.integer, np.number,
    np.signedinteger, np.unsignedinteger,
)  # fmt: skip
_NUMPY_FUNCTIONS = ("numpy.nan_to_num", "numpy.clip", "numpy.round")
_PLAIN_TYPES = (
    "collections.OrderedDict", "datetime.date", "datetime.datetime", "datetime.timedelta", "numpy.dtype",
    "numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray", "scipy.sparse._csr.csr_array", "scipy.sparse._csr.csr_matrix",
    "scipy.sparse._csc.csc_array", "scipy.sparse._csc.csc_matrix", full_name(Placeholder), full_name(Distribution),
)  # fmt: skip


def _skops(asked_by: str) -> Any:
    return optional_import("skops.io", asked_by=f"{asked_by} of a scikit-learn object", extra="files")


def write_foreign(thing: Any) -> bytes:
    """Return the archive that skops writes of an object with placeholders; the same object gives the same bytes."""
    skops = _skops("sknn.save")
    try:
        return canonical(skops.dumps(thing))
    except Exception as error:
        raise TypeError(f"{type(thing).__name__} contains something that skops cannot store: {error}") from error


def names_to_trust(data: bytes) -> list[str]:
    """Return names that `load` will need in `trusted` to read this archive of `write_foreign`."""
    untrusted = _skops("sknn.save").get_untrusted_types(data=data)
    return sorted({*untrusted} - _trusted_types() | {*needed_names(data, _only_named())})


def read_foreign(data: bytes, estimators: list[BaseNeuralEstimator], trust: Trust, what: str) -> Any:
    """Return the object, with the estimators instead of placeholders."""
    skops = _skops("sknn.load")
    exceptions = importlib.import_module("skops.io.exceptions")
    archive = checked(unpack(data, what), what, _only_named(), trust)
    with filled_with(estimators) as used, damaged_if_it_fails(f"{what} is damaged"):
        try:
            thing = skops.loads(archive, trusted=[*sorted(_trusted_types()), *trust.paths, *trust.things])
        except exceptions.UntrustedTypesFoundException as error:
            raise UntrustedFileError(
                f"{what}: {error} If you know them and trust the file's author, list them in load(path, trusted=[...])."
            ) from error
        check_estimators(thing, what)
    if len(used) != len(estimators):
        raise DamagedFileError(f"{what} uses {len(used)} of the {len(estimators)} estimators in the file.")
    return thing


@functools.lru_cache(maxsize=1)
def _trusted_types() -> frozenset[str]:
    """Return everything that skops may create or name."""
    names = {name for name in _only_named() if not name.startswith(("builtins.", "None."))}
    return frozenset(names | _functions() | data_classes() | TRIED).union(_PLAIN_TYPES, ["builtins.object"])


@functools.lru_cache(maxsize=1)
def _functions() -> frozenset[str]:
    """Return functions of scikit-learn and numpy that only compute, passed to steps and scorers."""
    modules = [importlib.import_module(path) for path in _FUNCTION_MODULES]
    members = [getattr(module, name) for module in modules for name in module.__all__]
    return frozenset(full_name(thing) for thing in members if inspect.isfunction(thing)).union(_NUMPY_FUNCTIONS)


@functools.lru_cache(maxsize=1)
def _only_named() -> frozenset[str]:
    """Return classes and functions that a file may name, but not create objects of, or call."""
    abstract = {full_name(kind) for kind in _ABSTRACT}
    return _functions() | abstract | {full_name(thing) for thing in known_names().values()}
