"""Inputs of a graph that sknn.export_onnx has written. Needs Python 3.10 and numpy 1.23, nothing else.

    from feeds import feeds
    session.run(None, feeds(table, session.get_modelmeta().custom_metadata_map))

A table is a list of rows, a list of dicts, a dict of columns, a 2-D array, or a dataframe with the columns of the
training table: numbers, categories, dates of any unit and missing values as they are.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..._data.cells import is_missing
from ..numpy.columns import category_code, codes_by_category, number_of, numbers_of, python_values, scalar
from ..numpy.tables import open_array, open_table

_UNKNOWN = "<unknown>"


def feeds(X: Any, metadata: dict) -> dict:
    """Return the arrays to run a graph with by the names of its inputs; `metadata` is that of the file."""
    return feeds_of(X, json.loads(metadata["sknn.inputs"]), json.loads(metadata["sknn.table"]))


def feeds_of(X: Any, inputs: list, table: dict) -> dict:
    """Return the arrays by the names of the inputs, double or string (n_rows, ...)."""
    described = table["columns"]
    if not described:
        return {inputs[0]["name"]: open_array(X, table["feature_names"], table["row_shape"], table["allow_nan"])}
    columns, n_rows = open_table(X, table["feature_names"], len(described))
    arrays, numeric = {}, []
    positions = {spec["position"]: spec for spec in inputs if spec["position"] is not None}
    for position, (values, column) in enumerate(zip(columns, described, strict=True)):
        label = f"column {position}" if column["name"] is None else f"column {column['name']!r}"
        if column["kind"] == "categorical":
            spec = positions[position]
            arrays[spec["name"]] = category_feed(values, column, spec, label)
        elif column["kind"] == "numeric":
            numeric.append(numbers_of(values, label, column))
    names = [spec["name"] for spec in inputs if spec["position"] is None]
    return {**arrays, **{name: np.column_stack(numeric).reshape(n_rows, len(numeric)) for name in names}}


def category_feed(values: Any, column: dict, spec: dict, label: str) -> np.ndarray:
    """Return a categorical column as the graph compares it, (n_rows, 1)."""
    is_text, known = spec["type"] == "string", codes_by_category(column)
    compared = compared_categories(column, is_text)
    taken = {*compared, spec["missing"]}
    seen: dict = {}

    def fed(value: Any) -> Any:
        if is_missing(value):
            return spec["missing"] if is_text else np.nan
        code = category_code(value, known, label)
        if code:
            return compared[code - 1]
        if not is_text:
            return np.inf  # equal to no category
        return str(value) if str(value) not in taken else free_name(_UNKNOWN, taken)

    cells = [seen[value] if value in seen else seen.setdefault(value, fed(value)) for value in python_values(values)]
    return np.array(cells, dtype=object if is_text else np.float64).reshape(-1, 1)


def compared_categories(column: dict, is_text: bool) -> list:
    """Return the categories in the type in which the graph compares them: strings, or numbers and dates as doubles."""
    categories = [scalar(category) for category in column["categories"]]
    return [str(category) if is_text else number_of(category, "", "number") for category in categories]


def free_name(text: str, taken: Any) -> str:
    while text in taken:
        text += "_"
    return text
