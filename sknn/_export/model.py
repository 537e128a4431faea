"""The parts of a fitted estimator that are exported: its graph, its columns and its target."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._data.table_inputs import TableInputs
from .._estimator.base import BaseNeuralEstimator
from .capture import capture
from .graph import Graph, fold_constants, node_as_json
from .numpy.network import compute_node, operation
from .verification import verify

__all__ = ["ExportedModel", "exported_model"]


@dataclass
class ExportedModel:
    """Everything that predictions are computed from, without any row of the training table.

    Attributes
    ----------
    graph : Graph
        From ``numeric`` and ``codes`` to the output of the link.
    columns : list of dict
        Columns of a table: ``name``, ``kind``; ``all_missing`` of a numeric column, ``categories`` and
        ``never_missing`` of a categorical one. Empty if the rows are arrays.
    feature_names : list of str or None
    row_shape : list of int
        Shape of the numbers of one row.
    allow_nan : bool
        Whether numbers may be missing.
    target : dict
        ``kind``, and ``classes``, or ``mean``, ``scale``, ``dtype`` and ``ndim``.
    estimator : str
    """

    graph: Graph
    columns: list[dict[str, Any]]
    feature_names: list[str] | None
    row_shape: list[int]
    allow_nan: bool
    target: dict[str, Any]
    estimator: str

    @property
    def n_categorical(self) -> int:
        """Number of categorical columns."""
        return sum(column["kind"] == "categorical" for column in self.columns)


def exported_model(estimator: Any, asked_by: str) -> ExportedModel:
    """Record a fitted estimator and compare the recording with it.

    Raises
    ------
    TypeError
        `estimator` is not an estimator of sknn.
    NotFittedError
        `estimator` is not fitted.
    ValueError
        Its module, loss, categories or labels cannot be exported.
    """
    _check_estimator(estimator, asked_by)
    inputs, targets = estimator._inputs, estimator._targets
    graph = capture(estimator.net_, inputs)
    _check_operations(graph, asked_by)
    graph = fold_constants(graph, lambda node, values: compute_node(node_as_json(node), values, 0))
    columns = _columns(inputs) if isinstance(inputs, TableInputs) else []
    names = [column["name"] for column in columns] or list(vars(estimator).get("feature_names_in_", ()))
    has_names = bool(names) and None not in names and len(set(names)) == len(names)
    model = ExportedModel(
        graph=graph,
        columns=columns,
        feature_names=names if has_names else None,
        row_shape=[len(inputs.reader.numeric)] if columns else list(inputs.row_shape),
        allow_nan=isinstance(inputs, TableInputs) or inputs.kind == "sparse",
        target=_target(targets),
        estimator=type(estimator).__name__,
    )
    verify(graph, estimator, model.row_shape)
    return model


def _check_estimator(estimator: Any, asked_by: str) -> None:
    if isinstance(estimator, BaseNeuralEstimator):
        check_is_fitted(estimator, "net_")
        return
    name = type(estimator).__name__
    steps = getattr(estimator, "steps", None)
    if steps and isinstance(steps[-1][1], BaseNeuralEstimator):
        raise TypeError(
            f"estimator is a {name}, and sknn can export only its last step: {asked_by}(pipeline[-1], path). Omit "
            "the other steps, because sknn accepts raw tables, or convert them with skl2onnx and apply them first."
        )
    if isinstance(getattr(estimator, "best_estimator_", None), BaseNeuralEstimator):
        raise TypeError(
            f"estimator is a {name}; export the estimator that it found: {asked_by}(search.best_estimator_, path)."
        )
    raise TypeError(f"estimator is a {name}; expected a fitted NeuralClassifier or NeuralRegressor.")


def _check_operations(graph: Graph, asked_by: str) -> None:
    for node in graph.nodes:
        if operation(node.op) is None:
            raise ValueError(
                f"module: {node.origin} uses the operation {node.op!r} of torch, which {asked_by} does not support. "
                "Replace it by other tensor operations in the module's forward."
            )


def _columns(inputs: TableInputs) -> list[dict[str, Any]]:
    """Descriptions of the columns of a table for JSON."""
    reader = inputs.reader
    never_missing = dict(zip(reader.categorical, inputs.never_missing.tolist(), strict=True))
    columns: list[dict[str, Any]] = []
    for position, column in enumerate(reader.columns):
        name = column.name if isinstance(column.name, str) else None
        described: dict[str, Any] = {"name": name, "kind": column.kind}
        if column.kind == "categorical":
            label = f"column {column.name!r}"
            described["categories"] = [scalar_as_json(value, label) for value in column.categories]
            described["never_missing"] = never_missing[position]
        else:
            described["all_missing"] = column.all_missing
        columns.append(described)
    return columns


def scalar_as_json(value: Any, what: str) -> Any:
    """A category or label for JSON: the value itself, or ``[type, text]``."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime.datetime):
        return ["datetime", value.isoformat()]
    if isinstance(value, datetime.date):
        return ["date", value.isoformat()]
    if isinstance(value, datetime.time):
        return ["time", value.isoformat()]
    if isinstance(value, datetime.timedelta):
        return ["timedelta", [value.days, value.seconds, value.microseconds]]
    raise ValueError(
        f"{what} contains {value!r} of type {type(value).__name__}, which cannot be exported; expected strings, "
        "numbers, booleans or dates. Convert it before fit, as by .astype(str)."
    )


def _target(targets: Any) -> dict[str, Any]:
    if targets.kind == "real":
        return {
            "kind": "real",
            "mean": targets.mean.tolist(),
            "scale": targets.scale.tolist(),
            "dtype": np.dtype(targets.dtype).name,
            "ndim": targets.ndim,
        }
    classes = [scalar_as_json(label, "classes_") for label in targets.classes_]
    return {"kind": targets.kind, "classes": classes}
