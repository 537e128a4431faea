"""Intervals and sets of a fitted estimator, from the scores of held-out rows that it keeps."""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .._conformal.intervals import bounds, root_mean_square, set_threshold
from .._conformal.quantiles import least_rows, quantile, quantiles_by_group
from .._conformal.scores import ConformalScores
from .._conformal.spread import Spread
from .._data.cells import PLURALS
from .._data.inputs import Inputs
from .._errors import level_of_caller, shown
from .._settings import default_settings
from ..losses import Loss
from .prediction import raw_prediction, raw_prediction_and

__all__ = [
    "class_thresholds",
    "interval",
    "interval_scores",
    "predicted_with_std",
    "prediction_set",
]

_LABELS = "y"  # as a condition: one quantile for each class


def interval(estimator: Any, X: Any, confidence_level: Any, condition: Any) -> np.ndarray:
    """Bounds of each row, (n, 2) or (n, 2, n_outputs)."""
    level, kept = _checked_level(confidence_level), _kept(estimator, "predict_interval")
    X, targets, loss = estimator._check_X(X), estimator._targets, estimator._loss
    scores = _quantiles_of_rows(estimator, kept, X, level, condition)
    values, spread = _values_and_spread(estimator, kept, X)
    q = torch.from_numpy(scores.astype(np.float32))
    lower, upper = bounds(values, spread, loss.bound_columns, q, floor_of(loss))
    return np.stack([_in_unit_of_y(bound.numpy(), targets) for bound in (lower, upper)], axis=1)


def predicted_with_std(estimator: Any, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """Predictions, and the standard deviation of the error of each, of the same shape and dtype."""
    kept = _kept(estimator, "predict(return_std=True)")
    if kept.spread is None:
        raise ValueError(
            "return_std=True: a loss of several quantile levels describes the spread by these. Use predict_interval, "
            "or another criterion."
        )
    targets = estimator._targets
    values, spread = _values_and_spread(estimator, kept, estimator._check_X(X))
    assert spread is not None
    std = spread.numpy().astype(np.float64) * root_mean_square(kept.scores, kept.weight) * np.abs(targets.affine[0])
    std = np.minimum(std, np.finfo(targets.dtype).max).astype(targets.dtype)
    predicted = targets.predict(values.numpy())
    return predicted, std[:, 0] if predicted.ndim == 1 else std


def prediction_set(estimator: Any, X: Any, confidence_level: Any, condition: Any) -> np.ndarray:
    """Which classes are in the set of each row, bool (n, n_classes)."""
    level = _checked_level(confidence_level)
    if estimator._targets.kind == "multilabel":
        raise ValueError(
            "predict_set: y is a label indicator matrix, and a set of classes is for rows of one class each. Fit one "
            "NeuralClassifier for each label, as by sklearn's MultiOutputClassifier, or use predict_proba."
        )
    kept = _kept(estimator, "predict_set")
    probabilities = estimator.predict_proba(X)
    if isinstance(condition, str) and condition == _LABELS:
        _refuse_ambiguous(estimator)
        return probabilities >= class_thresholds(kept, level, by_class=True, n_classes=probabilities.shape[1])
    return probabilities >= set_threshold(_quantiles_of_rows(estimator, kept, estimator._check_X(X), level, condition))


def class_thresholds(kept: ConformalScores, level: float, *, by_class: bool, n_classes: int) -> np.ndarray:
    """The least probability of each class with which it is in a set, float64 (n_classes,)."""
    scores = kept.scores[:, 0]
    if not by_class:
        return np.full(n_classes, set_threshold(_quantile_of_all(kept, level)[0]))
    assert kept.labels is not None
    found = quantiles_by_group(scores, kept.weight, kept.labels, n_classes, level)
    _warn_of_few(found, len(scores), level)
    return set_threshold(found)


def interval_scores(estimator: Any, confidence_level: Any, asked_by: str) -> tuple[ConformalScores, np.ndarray]:
    """What was kept, and the quantiles of the scores (n_outputs,), which are finite: for exports."""
    level, kept = _checked_level(confidence_level), _kept(estimator, asked_by)
    if math.isinf(max(found := _quantile_of_all(kept, level, warns=False))):
        raise ValueError(
            f"confidence_level={confidence_level} needs {least_rows(level)} held-out rows, and this fit kept "
            f"{len(kept.scores)}: the bounds would be infinite. Choose a lower level."
        )
    return kept, found


def floor_of(loss: Loss) -> float | None:
    """The least value of a target, where the loss demands one."""
    return 0.0 if loss.target_scaling == "scale" else None


def _checked_level(level: Any) -> float:
    if isinstance(level, (bool, np.bool_)) or not isinstance(level, Real) or not 0 < float(level) < 1:
        raise ValueError(f"confidence_level={shown(level)} is invalid; expected a number in (0, 1), such as 0.9.")
    return float(level)


def _kept(estimator: Any, asked_by: str) -> ConformalScores:
    check_is_fitted(estimator, "net_")
    kept = vars(estimator).get("_conformal")
    if kept is not None:
        return kept
    loss, n_targets = estimator._loss, estimator._targets.n_targets
    if estimator._targets.kind == "real" and loss.bound_columns is None and loss.out_features(n_targets) != n_targets:
        raise ValueError(
            f"{asked_by}: criterion={loss.name!r} predicts {loss.out_features(n_targets)} values for {n_targets} "
            "outputs of y, so that there are no errors to measure. Use another criterion."
        )
    raise ValueError(
        f"{asked_by} needs the errors of rows that were held out, and the last fit kept none. Call fit, not "
        "partial_fit, with early_stopping=True, or pass X_val and y_val. A model from a file of an older version must "
        "be fitted again."
    )


def _values_and_spread(estimator: Any, kept: ConformalScores, X: Any) -> tuple[Tensor, Tensor | None]:
    """Predictions in the unit of the encoded target, (n, n_values), and their spread, (n, n_outputs)."""
    net, inputs, loss = estimator.net_, estimator._inputs, estimator._loss
    with default_settings(foreign_code=net.has_foreign_code), torch.inference_mode():
        if kept.spread is None:
            return loss.inverse_link(raw_prediction(net, inputs, X)), None
        spread = Spread(kept.spread, inputs.cardinalities)
        raw = raw_prediction_and(net, inputs, X, spread)
        width = raw.shape[1] - kept.scores.shape[1]
        return loss.inverse_link(raw[:, :width]), raw[:, width:].exp()


def _in_unit_of_y(bound: np.ndarray, targets: Any) -> np.ndarray:
    """Bounds (n, n_outputs) in the unit and the shape of y; infinite ones stay infinite, but those of a constant."""
    is_infinite = np.isinf(bound) & np.isnan(targets.constant)
    values = targets.predict(np.where(np.isinf(bound), 0.0, bound))
    shape = values.shape
    values = np.where(is_infinite, bound, values.reshape(bound.shape)).astype(values.dtype)
    return values.reshape(shape)


# ------------------------------------------------------------------ quantiles for all rows, or by a column


def _quantile_of_all(kept: ConformalScores, level: float, *, warns: bool = True) -> np.ndarray:
    """Quantiles of the scores, float64 (n_outputs,)."""
    found = np.array([quantile(column, kept.weight, level) for column in kept.scores.T])
    if warns:
        _warn_of_few(found, len(kept.scores), level)
    return found


def _quantiles_of_rows(estimator: Any, kept: ConformalScores, X: Any, level: float, condition: Any) -> np.ndarray:
    """Quantiles of the scores for the rows of X, float64 (1 or n, n_outputs)."""
    if condition is None:
        return _quantile_of_all(kept, level)[None]
    column = _column_of(estimator._inputs, condition)
    n_codes = estimator._inputs.cardinalities[column]
    groups = kept.codes[:, column].astype(np.int64)
    found = [quantiles_by_group(scores, kept.weight, groups, n_codes, level) for scores in kept.scores.T]
    by_code = np.stack(found, axis=1)
    _warn_of_few(by_code, len(kept.scores), level)
    codes = estimator._inputs.encode(X).tensors()["x_cat"][:, column].numpy()
    return by_code[codes]


def _warn_of_few(found: np.ndarray, n_rows: int, level: float) -> None:
    if np.isinf(found).any():
        warnings.warn(
            f"confidence_level={level:g} needs {least_rows(level)} held-out rows, and the fit kept {n_rows}: bounds "
            "are infinite, sets hold every class. Choose a lower level, or fit more rows.",
            UserWarning,
            stacklevel=level_of_caller(),
        )


def _column_of(inputs: Inputs, condition: Any) -> int:
    """Place of the column among the categorical ones."""
    if inputs.kind != "table":
        raise ValueError(
            f"condition={shown(condition)} names a categorical column, and this estimator was fitted on {inputs.what} "
            "without such. Leave condition out."
        )
    reader: Any = inputs.reader  # pyright: ignore[reportAttributeAccessIssue]
    names = [column.name for column in reader.columns]
    known = [names[i] for i in reader.categorical]
    if not known:
        raise ValueError(
            f"condition={shown(condition)}: X has no categorical column whose values could split the rows. Add one, "
            "say by pandas.cut of numbers, or leave condition out."
        )
    if not isinstance(condition, Hashable):  # a Series, an array, a list
        raise TypeError(
            f"condition is a {type(condition).__name__}; expected the name or the position of one categorical column, "
            f"of {shown(known)}, or None. To split by two columns, join their texts in a further column before fit."
        )
    is_column = not isinstance(condition, (bool, np.bool_))
    if is_column and condition in names:
        position = names.index(condition)
    elif is_column and isinstance(condition, Integral) and 0 <= int(condition) < len(names):
        position = int(condition)
    else:
        raise ValueError(f"condition={shown(condition)} is no column of X; expected one of {shown(known)}, or None.")
    if position not in reader.categorical:
        column = reader.columns[position]
        advice = _ADVICE[column.quantity] if column.kind == "numeric" else ""
        raise ValueError(
            f"condition={shown(condition)} is a column of {_described(column)}; expected a categorical one, of "
            f"{shown(known)}, or one added to X before fit{advice}."
        )
    return reader.categorical.index(position)


# How categories are made of a column, by what it holds.
_ADVICE = {
    "number": ", such as pandas.cut of these numbers",
    "date": ", such as the year or the month as text",
    "duration": ", such as pandas.cut of its seconds",
    "time of day": ", such as the hour as text",
}


def _described(column: Any) -> str:
    """What a column that is not categorical holds, in the plural."""
    if column.kind == "idle":
        return "one value, which was left out in fit"
    return "free text" if column.kind == "text" else PLURALS[column.quantity]


def _refuse_ambiguous(estimator: Any) -> None:
    """Refuse "y" where a column has this name."""
    inputs = estimator._inputs
    columns = inputs.reader.columns if inputs.kind == "table" else []
    if any(column.name == _LABELS for column in columns):
        raise ValueError(
            f"condition={_LABELS!r} may mean the classes or the column of this name. Pass the position of the column, "
            "or rename it to split by class."
        )
