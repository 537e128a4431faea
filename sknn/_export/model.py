"""The parts of a fitted estimator that are exported: its graph, its columns and its target."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._data.ranking_inputs import RankingInputs
from .._data.table_inputs import TableInputs
from .._data.text_features import TextFeatures
from .._estimator.answers import Answers
from .._settings import default_settings
from .capture import capture
from .computation import Computation, module_name
from .graph import Graph, fold_constants
from .intervals import exported_intervals
from .numpy.network import operation
from .verification import verify

__all__ = ["ExportedModel", "exported_model"]


@dataclass
class ExportedModel:
    """Everything that predictions are computed from, without any row of the training table."""

    graph: Graph  # from `numeric` and `codes` to the output of the link
    texts: dict[int, TextFeatures]  # of columns of texts, by position
    estimator: str
    # Of a table, else empty: "name", "kind"; "all_missing", "quantity", "format", "is_iso_text" of numbers;
    # "is_worded" of categories; "categories", "never_missing" of both, where numbers may have no categories.
    columns: list[dict[str, Any]]
    feature_names: list[str] | None
    row_shape: list[int]  # of the numbers of one row
    allow_nan: bool
    # "kind", "dtype", "confidence_level" (or None), and "classes", with a level also "thresholds"; or "mean", "scale",
    # "ndim" and, in the output of the graph, "n_values" of predictions, which bounds follow if there is a level; or
    # nothing else for scores of a ranking.
    target: dict[str, Any]


def exported_model(estimator: Any, asked_by: str, confidence_level: float | None = None) -> ExportedModel:
    """Record a fitted estimator and compare the recording with it; a TypeError or ValueError says what is wrong."""
    with default_settings():
        return _recorded_and_verified(estimator, asked_by, confidence_level)


def _recorded_and_verified(estimator: Any, asked_by: str, confidence_level: float | None) -> ExportedModel:
    _check_estimator(estimator, asked_by)
    inputs, targets = estimator._inputs, estimator._targets
    if not inputs.has_columns:
        raise ValueError(
            f"{asked_by} serves tables and arrays of numbers, and this estimator was fitted on {inputs.what}. Store it "
            "by sknn.save, and predict with sknn."
        )
    intervals = exported_intervals(estimator, confidence_level, asked_by)
    name = module_name(estimator.net_)
    computation = Computation(estimator.net_, inputs, intervals.bounds)
    inputs = inputs.table if isinstance(inputs, RankingInputs) else inputs
    graph = capture(computation, inputs, name)
    _check_operations(graph, asked_by)
    columns = _columns(inputs) if isinstance(inputs, TableInputs) else []
    names = [column["name"] for column in columns] or list(vars(estimator).get("feature_names_in_", ()))
    has_names = bool(names) and None not in names and len(set(names)) == len(names)
    model = ExportedModel(
        graph=fold_constants(graph),
        texts=_texts(inputs) if isinstance(inputs, TableInputs) else {},
        estimator=type(estimator).__name__,
        columns=columns,
        feature_names=names if has_names else None,
        row_shape=list(inputs.given_shape),
        allow_nan=isinstance(inputs, TableInputs) or inputs.kind == "sparse",
        target={**_target(targets), **intervals.target},
    )
    if targets.kind == "real":
        n_bounds = 0 if intervals.bounds is None else 2 * targets.n_targets
        model.target["n_values"] = model.graph.shapes[model.graph.output][1] - n_bounds
    computation = Computation(estimator.net_, estimator._inputs, intervals.bounds)
    verify(model.graph, computation, inputs, model.row_shape, name)
    return model


def _check_estimator(estimator: Any, asked_by: str) -> None:
    if isinstance(estimator, Answers):
        check_is_fitted(estimator, "net_")
        return
    name = type(estimator).__name__
    steps = getattr(estimator, "steps", None)
    if steps and isinstance(steps[-1][1], Answers):
        raise TypeError(
            f"estimator is a {name}, and sknn can export only its last step: {asked_by}(pipeline[-1], path). Omit "
            "the other steps, because sknn accepts raw tables, or convert them with skl2onnx and apply them first."
        )
    if isinstance(getattr(estimator, "best_estimator_", None), Answers):
        raise TypeError(
            f"estimator is a {name}; export the estimator that it found: {asked_by}(search.best_estimator_, path)."
        )
    raise TypeError(f"estimator is a {name}; expected a fitted NeuralClassifier, NeuralRegressor or NeuralRanker.")


def _check_operations(graph: Graph, asked_by: str) -> None:
    for node in graph.nodes:
        if operation(node.op) is None:
            raise ValueError(
                f"module: {node.origin} uses the operation {node.op!r} of torch, which {asked_by} does not support. "
                "Replace it by other tensor operations in the module's forward."
            )


def _columns(inputs: TableInputs) -> list[dict[str, Any]]:
    """Descriptions of the columns of a table for JSON."""
    never_missing = dict(zip(inputs.reader.categorical, inputs.never_missing.tolist(), strict=True))
    columns: list[dict[str, Any]] = []
    for position, column in enumerate(inputs.reader.columns):
        described = {"name": column.name if isinstance(column.name, str) else None, "kind": column.kind}
        if column.kind in ("categorical", "numeric"):
            described["categories"] = [_scalar_as_json(value, f"column {column.name!r}") for value in column.categories]
            described["never_missing"] = never_missing.get(position, False)
        if column.kind == "categorical":
            described["is_worded"] = column.is_worded
        elif column.kind == "numeric":
            described |= {
                "all_missing": column.all_missing,
                "quantity": column.quantity,
                "format": column.number_format,
                "is_iso_text": column.is_iso_text,
            }
        columns.append(described)
    return columns


def _texts(inputs: TableInputs) -> dict[int, TextFeatures]:
    columns = inputs.reader.columns
    return {i: features for i in inputs.reader.texts if (features := columns[i].features) is not None}


def _scalar_as_json(value: Any, what: str) -> Any:
    """A category for JSON: the value itself, or ``[type, text]``."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    for kind in (datetime.datetime, datetime.date, datetime.time):  # a datetime is a date, too
        if isinstance(value, kind):
            return [kind.__name__, value.isoformat()]
    if isinstance(value, datetime.timedelta):
        return ["timedelta", [value.days, value.seconds, value.microseconds]]
    raise ValueError(
        f"{what} contains {value!r} of type {type(value).__name__}, which cannot be exported; expected strings, "
        "numbers, booleans or dates. Convert it before fit, as by .astype(str)."
    )


def _labels_as_json(classes: np.ndarray) -> list[Any]:
    """Labels for JSON; dates and durations of numpy as counts of their unit."""
    kind = classes.dtype.kind
    if kind in "Mm":
        return classes.astype(np.int64).tolist()
    if kind in "biuU" or (kind == "f" and classes.dtype.itemsize <= 8):
        return classes.tolist()
    if kind == "O" and all(isinstance(label, str) for label in classes):
        return [str(label) for label in classes]  # without the subclass that an Enum of strings is
    raise ValueError(
        f"classes_ have the dtype {classes.dtype} and contain {classes[0]!r}, which cannot be exported; expected "
        "strings, integers, floats of up to 64 bits, booleans, or dates of numpy. Convert y before fit, as by "
        ".astype(str)."
    )


def _target(targets: Any) -> dict[str, Any]:
    if targets.kind == "ranking":
        return {"kind": targets.kind, "dtype": "float32"}
    if targets.kind != "real":
        return {"kind": targets.kind, "classes": _labels_as_json(targets.classes_), "dtype": targets.classes_.dtype.str}
    scale, mean = (values.tolist() for values in targets.affine)
    return {"kind": "real", "mean": mean, "scale": scale, "dtype": np.dtype(targets.dtype).name, "ndim": targets.ndim}
