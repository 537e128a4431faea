"""The inputs of a graph of ONNX, and how they are made from a table."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..._atomic import check_destination, replace_file
from ..._data.cells import quantity_of
from ..model import ExportedModel
from ..numpy import columns as _columns
from ..numpy import standalone
from ..numpy import tables as _tables
from ..numpy.columns import scalar
from . import feeds as _feeds
from .feeds import Feeds, compared_categories, free_name

__all__ = ["OnnxInput", "OnnxInputs", "encodable", "onnx_inputs"]

NUMERIC = "numeric"
OUTPUTS = ("probabilities", "label", "set", "prediction", "lower", "upper")
_MISSING = "<missing>"
_MARK = '"""Inputs of a graph that sknn.export_onnx has written.'
_FILES = [*standalone.CELLS, *[Path(str(module.__file__)) for module in (_columns, _tables, _feeds)]]
_UNITS = {
    "date": "seconds since 1970-01-01 00:00 UTC",
    "duration": "seconds",
    "time of day": "seconds since midnight",
}


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
    units : dict
        Column -> unit in which the graph expects it, of those columns that are dates, durations or times of day.
    categories : list
        Known categories as the graph compares them; empty for ``"numeric"``.
    position : int or None
        Position of a categorical column in the table; None for ``"numeric"``.
    """

    name: str
    type: str
    columns: list[str | int]
    shape: list[int]
    missing: str | None = None
    units: dict[str | int, str] = field(default_factory=dict)
    categories: list[Any] = field(default_factory=list, repr=False)
    position: int | None = field(default=None, repr=False)

    @property
    def description(self) -> str:
        """What the graph expects in this input, for its doc string."""
        missing = "NaN" if self.missing is None else repr(self.missing)
        what = "Columns in the order of the metadata" if self.name == NUMERIC else f"Column {self.columns[0]!r}"
        units = "".join(f" {column!r} in {unit}." for column, unit in self.units.items())
        return f"{what}; {missing} = missing.{units}"


@dataclass
class OnnxInputs:
    """What `export_onnx` returns: the inputs of the graph, and how they are made from a table.

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
            Dates of any unit, with or without a time zone, as in `fit`.

        Returns
        -------
        feeds : dict
            Name of input -> ndarray, as ``session.run(None, feeds)`` of onnxruntime expects it.
        """
        return self._prepared.of(X)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a Python module whose function ``feeds(X, metadata)`` does the same and needs numpy only.

        Parameters
        ----------
        path : path-like
            The module, ``*.py``. It serves every file of `export_onnx`: `metadata` is that of the file, as
            ``session.get_modelmeta().custom_metadata_map`` of onnxruntime returns it.

        Returns
        -------
        path : Path

        Raises
        ------
        ValueError
            ``import`` does not accept the name, or it would hide a module of Python.
        FileExistsError
            A Python module of that name exists which sknn did not write.
        """
        path = Path(path)
        path = path if path.suffix == ".py" else path.with_name(f"{path.name}.py")
        check_destination(path)
        standalone.check_module(path, _MARK, ".py", "OnnxInputs.save")
        replace_file(path, standalone.source(_FILES).encode())
        return path

    @cached_property
    def _prepared(self) -> Feeds:
        return Feeds([vars(spec) for spec in self.inputs], self.table)

    @property
    def table(self) -> dict[str, Any]:
        """How a table is read, as the metadata of the file say it."""
        return {name: vars(self._model)[name] for name in ("columns", "feature_names", "row_shape", "allow_nan")}


def onnx_inputs(model: ExportedModel) -> OnnxInputs:
    """The inputs of a model: one for all numeric columns, and one for each categorical column."""
    n_columns = len(model.columns) or (model.row_shape[0] if len(model.row_shape) == 1 else 0)
    labels: list[str | int] = list(model.feature_names or range(n_columns))
    if not model.columns:
        return OnnxInputs([OnnxInput(NUMERIC, "double", labels, model.row_shape)], model)
    _refuse_texts(labels, model)
    numeric = [(label, c) for label, c in zip(labels, model.columns, strict=True) if c["kind"] == "numeric"]
    units = {label: _UNITS[column["quantity"]] for label, column in numeric if column["quantity"] in _UNITS}
    names = [label for label, _ in numeric]
    inputs = [OnnxInput(NUMERIC, "double", names, [len(numeric)], units=units)] if numeric else []
    taken = {NUMERIC, *OUTPUTS}
    for position, (label, column) in enumerate(zip(labels, model.columns, strict=True)):
        if column["kind"] != "categorical":
            continue
        name = free_name(column["name"] or f"column_{position}", taken)
        taken.add(name)
        kind, categories = _compared(column, name)
        # The empty string stands for a missing value, unless it is a category.
        token = free_name(_MISSING, set(categories)) if "" in categories else ""
        missing = token if kind == "string" else None
        quantities = {quantity_of(scalar(category)) for category in column["categories"]}
        unit = _UNITS.get(quantities.pop()) if kind == "double" and len(quantities) == 1 else None
        units = {} if unit is None else {label: unit}
        inputs.append(OnnxInput(name, kind, [label], [1], missing, units, categories, position))
    return OnnxInputs(inputs, model)


def _refuse_texts(labels: list[str | int], model: ExportedModel) -> None:
    texts = [labels[position] for position in model.texts]
    if texts:
        raise ValueError(
            f"X: the columns {texts} are read as text, which a graph of ONNX cannot compute. Use sknn.export_numpy, or "
            "fit without their texts: drop them, or name them in categorical_features."
        )


def _compared(column: dict[str, Any], name: str) -> tuple[str, list[Any]]:
    """Type of an input, and the categories in that type: numbers, booleans and dates are doubles if exact."""
    categories = [scalar(category) for category in column["categories"]]
    if categories and not any(isinstance(category, str) for category in categories):
        values = compared_categories(column, is_text=False)
        pairs = zip(values, categories, strict=True)
        exact = all(value == category or not isinstance(category, int) for value, category in pairs)
        one_unit = len({quantity_of(category) for category in categories}) == 1
        if exact and one_unit and len(set(values)) == len(values):
            return "double", values
    texts = compared_categories(column, is_text=True)
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
