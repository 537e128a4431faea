"""The inputs of a graph of ONNX, and how they are made from a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..._data.cells import is_missing
from ..model import ExportedModel
from ..numpy.columns import category_code, codes_by_category, number_of, numbers_of, python_values, scalar
from ..numpy.tables import open_array, open_table

__all__ = ["OnnxInput", "OnnxInputs", "encodable", "onnx_inputs"]

NUMERIC = "numeric"
OUTPUTS = ("probabilities", "label", "prediction")
_MISSING, _UNKNOWN = "<missing>", "<unknown>"


@dataclass
class OnnxInput:
    """One input of the graph.

    Attributes
    ----------
    name : str
        ``"numeric"``, or the name of a categorical column.
    type : {"double", "string"}
        Type of the tensor.
    columns : list of str or int
        Columns of the table, in order; their positions if the table has no names.
    shape : list of int
        Shape of one row.
    missing : str or None
        String that stands for a missing value; None: NaN does.
    categories : list
        Known categories as the graph compares them; empty for ``"numeric"``.
    """

    name: str
    type: str
    columns: list[str | int]
    shape: list[int]
    missing: str | None = None
    categories: list[Any] = field(default_factory=list, repr=False)
    position: int = field(default=0, repr=False)


@dataclass
class OnnxInputs:
    """What `export_onnx` returns: the inputs of the graph, and a method that makes them.

    Attributes
    ----------
    inputs : list of OnnxInput
    """

    inputs: list[OnnxInput]
    _model: ExportedModel = field(repr=False)

    def feeds(self, X: Any) -> dict[str, np.ndarray]:
        """The arrays to run the graph with, for any table that the estimator accepts.

        Parameters
        ----------
        X : list of rows, dict of columns, array or dataframe of shape (n_samples, n_features)

        Returns
        -------
        feeds : dict
            Name of input -> ndarray, as ``session.run(None, feeds)`` of onnxruntime expects it.
        """
        model = self._model
        if not model.columns:
            return {NUMERIC: open_array(X, model.feature_names, model.row_shape, model.allow_nan)}
        columns, n_rows = open_table(X, model.feature_names, len(model.columns))
        feeds: dict[str, np.ndarray] = {}
        for spec in self.inputs:
            if spec.name != NUMERIC:
                feeds[spec.name] = _category_feed(spec, model.columns[spec.position], columns[spec.position])
        numeric = [
            numbers_of(values, f"column {described['name']!r}", described)
            for values, described in zip(columns, model.columns, strict=True)
            if described["kind"] == "numeric"
        ]
        if numeric:
            feeds[NUMERIC] = np.column_stack(numeric).reshape(n_rows, len(numeric))
        return feeds


def _category_feed(spec: OnnxInput, described: dict[str, Any], column: Any) -> np.ndarray:
    """One categorical column as the graph compares it, (n_rows, 1)."""
    code_of, is_text = codes_by_category(described), spec.type == "string"
    taken = {*spec.categories, spec.missing}
    seen: dict[Any, Any] = {}

    def fed(value: Any) -> Any:
        if is_missing(value):
            return spec.missing if is_text else np.nan
        code = category_code(value, code_of, f"column {described['name']!r}")
        if code:
            return spec.categories[code - 1]
        if not is_text:
            return np.inf  # equal to no category
        return str(value) if str(value) not in taken else _free(_UNKNOWN, taken)

    values = [seen[value] if value in seen else seen.setdefault(value, fed(value)) for value in python_values(column)]
    return np.array(values, dtype=object if is_text else np.float64).reshape(-1, 1)


def onnx_inputs(model: ExportedModel) -> OnnxInputs:
    """The inputs of a model: one for all numeric columns, and one for each categorical column."""
    n_columns = len(model.columns) or (model.row_shape[0] if len(model.row_shape) == 1 else 0)
    labels: list[str | int] = list(model.feature_names or range(n_columns))
    if not model.columns:
        return OnnxInputs([OnnxInput(NUMERIC, "double", labels, model.row_shape)], model)
    numeric = [label for label, column in zip(labels, model.columns, strict=True) if column["kind"] == "numeric"]
    inputs = [OnnxInput(NUMERIC, "double", numeric, [len(numeric)])] if numeric else []
    taken = {NUMERIC, *OUTPUTS}
    for position, (label, column) in enumerate(zip(labels, model.columns, strict=True)):
        if column["kind"] != "categorical":
            continue
        name = _free(column["name"] or f"column_{position}", taken)
        taken.add(name)
        kind, categories = _compared(column, name)
        # The empty string stands for a missing value, unless it is a category.
        token = _free(_MISSING, set(categories)) if "" in categories else ""
        missing = token if kind == "string" else None
        inputs.append(OnnxInput(name, kind, [label], [1], missing, categories, position))
    return OnnxInputs(inputs, model)


def _compared(column: dict[str, Any], name: str) -> tuple[str, list[Any]]:
    """Type of an input, and the categories in that type: numbers, booleans and dates are doubles if exact."""
    categories = [scalar(category) for category in column["categories"]]
    if categories and not any(isinstance(category, str) for category in categories):
        values = [number_of(category, name) for category in categories]
        pairs = zip(values, categories, strict=True)
        exact = all(value == category or not isinstance(category, int) for value, category in pairs)
        if exact and len(set(values)) == len(values):
            return "double", values
    texts = [str(category) for category in categories]
    if len(set(texts)) < len(texts):
        double = sorted({text for text in texts if texts.count(text) > 1})
        raise ValueError(
            f"X: column {name!r} has the categories {double} both as strings and as numbers, which a graph of ONNX "
            "cannot distinguish. Convert them to one type before fit, as by .astype(str)."
        )
    return "string", encodable(texts, f"X: column {name!r} has the category")


def encodable(texts: list[str], what: str) -> list[str]:
    """The texts, if ONNX, whose strings are UTF-8 and end at a NUL for some runtimes, can tell them apart."""
    for text in texts:
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError(
                f"{what} {text!r}, which ONNX cannot represent: its strings are valid UTF-8 without NUL. Replace the "
                "character before fit, or use sknn.export_numpy."
            )
    return texts


def _free(text: str, taken: set[Any]) -> str:
    while text in taken:
        text += "_"
    return text
