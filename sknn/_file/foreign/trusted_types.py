"""Names of classes and functions that skops may use without mention in `trusted`, beside those that it knows itself."""

from __future__ import annotations

import functools
import importlib
import inspect

from ..names import full_name, known_names
from .placeholders import Distribution, Placeholder

__all__ = ["only_named", "trusted_types"]

# Modules of scikit-learn whose classes only keep data when they are created; skops itself knows the estimators.
_SKLEARN_MODULES = (
    "sklearn.calibration", "sklearn.compose._column_transformer", "sklearn.compose._target",
    "sklearn.ensemble._base", "sklearn.ensemble._stacking", "sklearn.ensemble._voting",
    "sklearn.gaussian_process.kernels", "sklearn.metrics._scorer", "sklearn.model_selection._search",
    "sklearn.model_selection._split", "sklearn.neural_network._stochastic_optimizers",
    "sklearn.preprocessing._function_transformer", "sklearn.utils._bunch", "sklearn.utils._metadata_requests",
)  # fmt: skip
_FUNCTION_MODULES = ("sklearn.metrics", "sklearn.feature_selection")
_NUMPY_FUNCTIONS = ("numpy.nan_to_num", "numpy.clip", "numpy.round")
_PLAIN_TYPES = (
    "collections.OrderedDict", "datetime.date", "datetime.datetime", "datetime.timedelta", "numpy.dtype",
    "numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray", "scipy.sparse._csr.csr_array", "scipy.sparse._csr.csr_matrix",
    "scipy.sparse._csc.csc_array", "scipy.sparse._csc.csc_matrix", full_name(Placeholder), full_name(Distribution),
)  # fmt: skip


@functools.lru_cache(maxsize=1)
def trusted_types() -> frozenset[str]:
    """Return everything that skops may create or name."""
    names = {name for name in only_named() if not name.startswith(("builtins.", "None."))}
    for path in _SKLEARN_MODULES:
        try:
            module = importlib.import_module(path)
        except ImportError:  # another version of scikit-learn
            continue
        classes = [thing for thing in vars(module).values() if isinstance(thing, type)]
        names |= {full_name(thing) for thing in classes if thing.__module__ == path}
    return frozenset(names | _functions()).union(_PLAIN_TYPES)


@functools.lru_cache(maxsize=1)
def _functions() -> frozenset[str]:
    """Return functions of scikit-learn and numpy that only compute, passed to steps and scorers."""
    found = set(_NUMPY_FUNCTIONS)
    for path in _FUNCTION_MODULES:
        module = importlib.import_module(path)
        members = [getattr(module, name) for name in module.__all__]
        found |= {full_name(thing) for thing in members if inspect.isfunction(thing)}
    return frozenset(found)


@functools.lru_cache(maxsize=1)
def only_named() -> frozenset[str]:
    """Return classes and functions that a file may name, but not create objects of, or call."""
    return _functions() | {full_name(thing) for thing in known_names().values()}
