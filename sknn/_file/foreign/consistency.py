"""Fitted objects of scikit-learn must be what `fit` makes: their code uses numbers as memory offsets unchecked.

All estimators: the ranges of constructor parameters, which only `fit` checks. Encoders and vectorizers are too common
to ask trust for, so the positions that they have learned are checked as well.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from ..._estimator.base import BaseNeuralEstimator
from ...exceptions import DamagedFileError
from ..checks import damaged_if_it_fails

__all__ = ["check_estimators"]

_WITHOUT_PARTS = (BaseNeuralEstimator, type, str, bytes, int, float, type(None))


def check_estimators(thing: Any, what: str) -> None:
    """Refuse an object that contains an estimator of scikit-learn which `fit` would not have made."""
    # Imported here, since most programs load no objects of scikit-learn.
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.feature_extraction.text import CountVectorizer

    for estimator in _estimators_in(thing):
        where = f"{what}: {type(estimator).__name__}"
        if type(estimator).__module__.startswith("sklearn."):
            _check_parameters(estimator, where)
        learned = vars(estimator)
        if isinstance(estimator, CountVectorizer | DictVectorizer) and "vocabulary_" in learned:
            _check_vocabulary(learned["vocabulary_"], where)
        if isinstance(estimator, OneHotEncoder) and "categories_" in learned:
            with damaged_if_it_fails(f"{where} has inconsistent categories"):
                _check_one_hot(estimator, where)


def _estimators_in(thing: Any) -> Iterator[BaseEstimator]:
    """Return each estimator of scikit-learn inside an object, itself included, once."""
    stack, seen = [thing], set()
    while stack:
        value = stack.pop()
        if isinstance(value, _WITHOUT_PARTS) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, BaseEstimator):
            yield value
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list | tuple | set):
            stack += value
        elif isinstance(value, functools.partial):
            stack += [value.args, value.keywords]
        elif isinstance(value, np.ndarray):
            stack += value.ravel().tolist() if value.dtype.hasobject else []
        if hasattr(value, "__dict__"):
            stack += vars(value).values()


def _check_parameters(estimator: Any, where: str) -> None:
    # Another version of scikit-learn may have had fewer parameters.
    constraints = getattr(type(estimator), "_parameter_constraints", {})
    present = {name: item for name, item in vars(estimator).items() if name in constraints}
    try:
        validate_parameter_constraints(constraints, present, type(estimator).__name__)
    except InvalidParameterError as error:
        raise DamagedFileError(f"{where} has a parameter that fit refuses: {str(error)[:300]}") from error


def _check_vocabulary(vocabulary: Any, where: str) -> None:
    columns = list(vocabulary.values()) if type(vocabulary) is dict else [None]
    if not all(isinstance(column, int | np.integer) for column in columns) or set(columns) != set(range(len(columns))):
        raise DamagedFileError(
            f"{where}: the columns of vocabulary_ are not the integers from 0 to {len(columns) - 1}."
        )


def _check_one_hot(encoder: Any, where: str) -> None:
    """Compare what is derived from the categories: rare ones are joined, then one may be dropped."""
    categories, groups = encoder.categories_, encoder._infrequent_enabled
    dropped = encoder._drop_idx_after_grouping
    n_columns = []
    for i, known in enumerate(categories):
        # Numbers are looked up by bisection, texts in a dict.
        has_nan = known.dtype.kind == "f"
        is_sorted = known.dtype.kind in "OUS" or np.array_equal(np.sort(known), known, equal_nan=has_nan)
        mapping, n = _grouped(len(known), encoder._infrequent_indices[i]) if groups else (None, len(known))
        found = encoder._default_to_infrequent_mappings[i] if groups else None
        is_grouped = found is None if mapping is None else found is not None and np.array_equal(found, mapping)
        if known.ndim != 1 or not is_sorted or not is_grouped:
            raise DamagedFileError(f"{where}: column {i} has categories that are not sorted, or joined in another way.")
        drop = None if dropped is None else dropped[i]
        if drop is not None and not (isinstance(drop, int | np.integer) and 0 <= drop < n):
            raise DamagedFileError(f"{where}: column {i} drops category {str(drop)[:40]} of {n}.")
        n_columns.append(n - (drop is not None))
    right_types = type(categories) is list and (dropped is None or dropped.shape == (len(categories),))
    if not right_types or type(encoder._n_features_outs) is not list or encoder._n_features_outs != n_columns:
        raise DamagedFileError(f"{where}: the number of output columns does not match the categories.")


def _grouped(n: int, rare: np.ndarray | None) -> tuple[np.ndarray | None, int]:
    """Category -> category after joining rare ones to the last, int64 (n,), None for no change; and their number."""
    if rare is None:
        return None, n
    frequent = np.setdiff1d(np.arange(n), rare)
    mapping = np.full(n, len(frequent))
    mapping[frequent] = np.arange(len(frequent))
    return mapping, len(frequent) + 1
