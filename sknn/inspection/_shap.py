"""Explanations for the plots of shap."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from .._data.columns import named_columns
from .._data.containers import as_table
from .._estimator.answers import Answers
from .._explain.explain import Explained
from .._optional import optional_import

__all__ = ["to_shap"]


def to_shap(
    estimator: Answers,
    X: Any,
    *,
    method: str = "auto",
    background: Any = None,
    max_evals: int = 500,
) -> Any:
    """The attributions of ``estimator.explain`` as an object that the plots of shap take.

    Parameters
    ----------
    estimator : NeuralClassifier or NeuralRegressor
        Fitted on a table.
    X : table of n_samples rows, as in its `fit`
    method, background, max_evals
        As in ``estimator.explain``.

    Returns
    -------
    explanation : shap.Explanation
        ``values`` of shape (n_samples, n_features) or (n_samples, n_features, n_outputs); ``base_values``, the score
        of the baseline, of shape (n_samples,) or (n_samples, n_outputs); ``data``, the columns as numbers, where
        categories and texts are numbered in alphabetical order; ``display_data``, the columns as they are; names of
        columns, and of classes as outputs.

    Raises
    ------
    ImportError
        shap is missing: ``pip install "sknn[explain]"``.
    TypeError
        The estimator is none of sknn, such as a pipeline, or was not fitted on a table.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sknn import NeuralRegressor
    >>> from sknn.inspection import to_shap
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = NeuralRegressor(max_epochs=5, random_state=0).fit(X, y)
    >>> to_shap(model, X[:3]).shape  # doctest: +SKIP
    (3, 10)
    """
    if not isinstance(estimator, Answers):
        raise TypeError(
            f"estimator is a {type(estimator).__name__}; expected a NeuralClassifier or NeuralRegressor. Of a pipeline "
            "pass the last step, and X as the steps before it transform it."
        )
    if estimator.__sklearn_is_fitted__() and not estimator._inputs.has_columns:
        raise TypeError(
            "estimator was not fitted on a table. Use its method explain, and plot_image, plot_sequence, plot_text or "
            "plot_sound of sknn.inspection."
        )
    shap = optional_import("shap", asked_by="to_shap", extra="explain")
    found = estimator._explained(X, method=method, background=background, max_evals=max_evals)
    assert isinstance(found, Explained)
    columns = named_columns(as_table(X))
    names = [f"column {name}" if isinstance(name, int) else str(name) for name, _ in columns]
    cells = [np.asarray(column, dtype=object) for _, column in columns]
    n_rows = len(found.values)
    base_values = np.broadcast_to(found.base_values, (n_rows, len(found.base_values)))
    outputs = None if found.has_one_output else _names_of_outputs(estimator, len(found.base_values))
    return shap.Explanation(
        found.values[..., 0] if found.has_one_output else found.values,
        base_values=base_values[:, 0] if found.has_one_output else base_values,
        data=np.column_stack([_as_numbers(column) for column in cells]),
        display_data=np.column_stack(cells),
        feature_names=names,
        output_names=outputs,
    )


def _names_of_outputs(estimator: Answers, n_outputs: int) -> list[str]:
    classes: Any = vars(estimator).get("classes_", np.arange(n_outputs))
    return [str(name) for name in classes] if len(classes) == n_outputs else [str(i) for i in range(n_outputs)]


def _as_numbers(column: np.ndarray) -> np.ndarray:
    """Cells (n,) as float64, for colours and axes: numbers and dates as they are, others in alphabetical order."""
    try:
        return column.astype(np.float64)
    except (TypeError, ValueError):
        pass
    try:
        dates = column.astype("datetime64[s]")
        return np.where(np.isnat(dates), np.nan, dates.astype(np.int64))
    except (TypeError, ValueError):
        pass
    values: dict[Hashable, int] = {text: i for i, text in enumerate(sorted({str(cell) for cell in column}))}
    return np.array([values[str(cell)] for cell in column], dtype=np.float64)
