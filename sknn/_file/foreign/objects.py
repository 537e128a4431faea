"""Objects of scikit-learn that a file may create without trust.

Compiled code uses numbers of a fitted estimator as memory offsets, often unchecked: a damaged file could crash the
process, or make it read the memory of other objects. Which estimators are affected cannot be read from their names, so
only those are created that were tried with damaged files, see `tried`.
"""

from __future__ import annotations

import functools
import importlib

from sklearn.base import BaseEstimator

from ..._embedding.neural_embedding import NeuralEmbedding
from ..names import full_name
from .tried import TRIED

__all__ = ["data_classes", "needs_no_trust"]

# Their classes that are no estimators only keep data: kernels, splitters, scorers, requests for metadata.
_MODULES = (
    "sklearn.calibration", "sklearn.compose._column_transformer", "sklearn.compose._target",
    "sklearn.ensemble._base", "sklearn.ensemble._stacking", "sklearn.ensemble._voting",
    "sklearn.gaussian_process.kernels", "sklearn.metrics._scorer", "sklearn.model_selection._search",
    "sklearn.model_selection._split", "sklearn.neural_network._stochastic_optimizers",
    "sklearn.preprocessing._function_transformer", "sklearn.utils._bunch", "sklearn.utils._metadata_requests",
)  # fmt: skip


def needs_no_trust(path: str) -> bool:
    """Return whether a file may create an object of this class of scikit-learn."""
    return path in TRIED or path in data_classes()


@functools.lru_cache(maxsize=1)
def data_classes() -> frozenset[str]:
    """Return classes that only keep data."""
    names = {full_name(NeuralEmbedding)}  # the fitted estimator inside is read as every other
    for path in _MODULES:
        try:
            module = importlib.import_module(path)
        except ImportError:  # another version of scikit-learn
            continue
        classes = [thing for thing in vars(module).values() if isinstance(thing, type)]
        names |= {
            full_name(kind) for kind in classes if kind.__module__ == path and not issubclass(kind, BaseEstimator)
        }
    return frozenset(names)
