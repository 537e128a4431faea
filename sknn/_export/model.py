"""What of a fitted estimator is exported: its graph, its columns and its target."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from .._data.inputs import Inputs
from .._data.table_inputs import TableInputs
from .._estimator.base import BaseNeuralEstimator
from .capture import Computation, capture, module_name
from .graph import Graph, Node, as_json, fold_constants
from .numpy.predictor import compute, compute_node, operation

__all__ = ["ExportedModel", "exported_model", "node_as_json"]

_ROWS_TO_VERIFY = 7  # other numbers of rows than those of the recordings
_TOLERANCE = 1e-4
_TOLERANCE_OF_NEIGHBOURS = 1e-5  # of as many rows, by the same operations of the same library


@dataclass
class ExportedModel:
    """All that predictions are made of, without any row of the training table.

    Attributes
    ----------
    graph : Graph
        From ``numeric`` and ``codes`` to the output of the link.
    columns : list of dict
        Of a table: ``name``, ``kind``; ``all_missing`` of numeric ones, ``categories`` and ``never_missing`` of
        categorical ones. Empty where rows are arrays.
    feature_names : list of str or None
    row_shape : list of int
        Of a row of numbers.
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
    """Record a fitted estimator.

    Raises
    ------
    TypeError
        It is no estimator of sknn.
    NotFittedError
        It is not fitted.
    ValueError
        Its module, loss, categories or labels cannot be exported.
    """
    _check_estimator(estimator, asked_by)
    inputs, targets = estimator._inputs, estimator._targets
    graph = capture(estimator.net_, inputs)
    _check_operations(graph, asked_by)
    graph = fold_constants(graph, lambda node, values: compute_node(node_as_json(node), values, 0))
    columns = _columns(inputs) if isinstance(inputs, TableInputs) else []
    names = [column["name"] for column in columns]
    if not columns and hasattr(estimator, "feature_names_in_"):
        names = estimator.feature_names_in_.tolist()
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
    _verify(model, estimator)
    return model


def _check_estimator(estimator: Any, asked_by: str) -> None:
    if isinstance(estimator, BaseNeuralEstimator):
        check_is_fitted(estimator, "net_")
        return
    name = type(estimator).__name__
    steps = getattr(estimator, "steps", None)
    if steps and isinstance(steps[-1][1], BaseNeuralEstimator):
        raise TypeError(
            f"estimator is a {name}, of which sknn can export the last step only: {asked_by}(pipeline[-1], path). "
            "Leave the other steps out, as sknn takes raw tables, or convert them with skl2onnx and apply them first."
        )
    if isinstance(getattr(estimator, "best_estimator_", None), BaseNeuralEstimator):
        raise TypeError(
            f"estimator is a {name}; export the one that it found: {asked_by}(search.best_estimator_, path)."
        )
    raise TypeError(f"estimator is a {name}; expected a fitted NeuralClassifier or NeuralRegressor.")


def _check_operations(graph: Graph, asked_by: str) -> None:
    for node in graph.nodes:
        if operation(node.op) is None:
            raise ValueError(
                f"module: {node.origin} uses the operation {node.op!r} of torch, which {asked_by} does not know. "
                "Replace it by other tensor operations in the module's forward."
            )


def _columns(inputs: TableInputs) -> list[dict[str, Any]]:
    """Columns of a table, ready for JSON."""
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
    """A category or label in JSON: itself, or ``[type, text]``."""
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
        f"{what} holds {value!r} of type {type(value).__name__}, which cannot be exported; expected strings, numbers, "
        "booleans or dates. Convert it before fit, as by .astype(str)."
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


def _verify(model: ExportedModel, estimator: Any) -> None:
    """Compare the graph with the estimator on rows of random numbers and codes.

    A recording takes the branches that its example takes; what depends on the values otherwise is found here.
    """
    random = np.random.default_rng(0)
    inputs: Inputs = estimator._inputs
    numeric = random.standard_normal((_ROWS_TO_VERIFY, *model.row_shape)).astype(np.float32).astype(np.float64)
    if isinstance(inputs, TableInputs):
        center, scale = (buffer.cpu().numpy() for buffer in (inputs.encoder.center, inputs.encoder.scale))
        numeric = center + numeric / np.where(scale > 0, scale, 1.0)
    codes = random.integers(0, np.array(inputs.cardinalities, dtype=np.int64), (_ROWS_TO_VERIFY, model.n_categorical))
    values = {**model.graph.constants, "numeric": numeric, "codes": codes}
    try:
        found = compute([node_as_json(node) for node in model.graph.nodes], values, model.graph.output)
    except (NotImplementedError, TypeError) as error:
        raise ValueError(
            f"module: {module_name(estimator.net_)} uses an operation in a form that cannot be exported: {error}."
        ) from error
    with torch.inference_mode():
        rows = [torch.from_numpy(numeric)] + ([torch.from_numpy(codes)] if codes.shape[1] else [])
        expected = Computation(estimator.net_, inputs)(*rows).numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    if found.shape != expected.shape or not np.allclose(found, expected, rtol=0, atol=_TOLERANCE * scale):
        raise ValueError(
            "module: what was recorded of it predicts something else than the module itself, so it was not exported. "
            "Its forward must not depend on other rows, on state that it changes, on random numbers or, by Python's "
            "if, on the values of its input."
        )
    _check_rows_are_apart(model, {"numeric": numeric, "codes": codes}, found, scale, module_name(estimator.net_))


def _check_rows_are_apart(
    model: ExportedModel, rows: dict[str, np.ndarray], found: np.ndarray, scale: float, name: str
) -> None:
    """Raise if the answer for a row depends on the rows beside it: larger ones, or fewer."""
    nodes = [node_as_json(node) for node in model.graph.nodes]

    def answers(batch: dict[str, np.ndarray]) -> np.ndarray:
        return compute(nodes, {**model.graph.constants, **batch}, model.graph.output)

    n = len(found) // 2
    first = {key: value[:n] for key, value in rows.items()}
    others = {
        "numeric": np.concatenate([rows["numeric"][:n], 5 * rows["numeric"][n:]]),
        "codes": np.concatenate([rows["codes"][:n], rows["codes"][: len(found) - n]]),
    }
    for batch, tolerance in ((others, _TOLERANCE_OF_NEIGHBOURS), (first, _TOLERANCE)):
        change = float(np.abs(answers(batch)[:n] - found[:n]).max())
        if change <= tolerance * scale:
            continue
        raise ValueError(
            f"module: {name} predicts a row by the rows beside it, which cannot be exported: an answer changed by "
            f"{change:.2g} when other rows were given with it. In evaluation mode it must treat rows one by one, as "
            "predict expects, too: no mean, norm, sort or attention along the batch. BatchNorm with running "
            "statistics does."
        )


def node_as_json(node: Node) -> dict[str, Any]:
    """A node as the predictor reads it."""
    args = {name: as_json(arg) for name, arg in node.args.items()}
    return {"op": node.op, "args": args, "out": node.out, "dtype": node.dtype}
