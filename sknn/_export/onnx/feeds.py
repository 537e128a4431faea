"""Inputs of a graph that sknn.export_onnx has written. Needs Python 3.10 and numpy 1.23, nothing else.

    from feeds import feeds
    session.run(None, feeds(table, session.get_modelmeta().custom_metadata_map))

A table is a list of rows, a list of dicts, a dict of columns, a 2-D array, or a dataframe with the columns of the
training table: numbers, categories, dates of any unit and missing values as they are.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np

from ..._data.cells import is_missing
from ..numpy.columns import category_code, codes_by_category, number_of, numbers_of, python_values, scalar
from ..numpy.tables import open_array, open_table

_UNKNOWN = "<unknown>"


def feeds(X: Any, metadata: dict) -> dict:
    """Return the arrays to run a graph with by the names of its inputs; `metadata` is that of the file."""
    return _prepared(metadata["sknn.inputs"], metadata["sknn.table"]).of(X)


@functools.lru_cache(maxsize=8)
def _prepared(inputs: str, table: str) -> Feeds:
    return Feeds(json.loads(inputs), json.loads(table))


class Feeds:
    """How tables become the inputs of a graph; what is the same for all tables is prepared once."""

    def __init__(self, inputs: list, table: dict) -> None:
        self.table = table
        self.names = [spec["name"] for spec in inputs if spec["position"] is None]  # of the numeric input, if any
        specs = [spec for spec in inputs if spec["position"] is not None]
        self.categorical = {
            spec["position"]: CategoricalFeed(table["columns"][spec["position"]], spec) for spec in specs
        }

    def of(self, X: Any) -> dict:
        """Return the arrays by the names of the inputs, double or string (n_rows, ...)."""
        table, described = self.table, self.table["columns"]
        if not described:
            array = open_array(X, table["feature_names"], table["row_shape"], table["allow_nan"])
            return {name: array for name in self.names}
        columns, n_rows = open_table(X, table["feature_names"], len(described))
        arrays, numeric = {}, []
        for position, (values, column) in enumerate(zip(columns, described, strict=True)):
            label = f"column {position}" if column["name"] is None else f"column {column['name']!r}"
            if column["kind"] == "categorical":
                feed = self.categorical[position]
                arrays[feed.name] = feed.of(values, label)
            elif column["kind"] == "numeric":
                numeric.append(numbers_of(values, label, column))
        return {**arrays, **{name: np.column_stack(numeric).reshape(n_rows, len(numeric)) for name in self.names}}


class CategoricalFeed:
    """How a categorical column becomes an input: the column as the graph compares it."""

    def __init__(self, column: dict, spec: dict) -> None:
        self.name, self.missing, self.is_text = spec["name"], spec["missing"], spec["type"] == "string"
        self.known = codes_by_category(column)
        self.compared = compared_categories(column, self.is_text)
        self.taken = {*self.compared, self.missing}

    def of(self, values: Any, label: str) -> np.ndarray:
        """Return the array of the input, (n_rows, 1)."""
        seen: dict = {}
        cells = [
            seen[value] if value in seen else seen.setdefault(value, self._cell(value, label))
            for value in python_values(values)
        ]
        return np.array(cells, dtype=object if self.is_text else np.float64).reshape(-1, 1)

    def _cell(self, value: Any, label: str) -> Any:
        if is_missing(value):
            return self.missing if self.is_text else np.nan
        code = category_code(value, self.known, label)
        if code:
            return self.compared[code - 1]
        if not self.is_text:
            return np.inf  # equal to no category
        return str(value) if str(value) not in self.taken else free_name(_UNKNOWN, self.taken)


def compared_categories(column: dict, is_text: bool) -> list:
    """Return the categories in the type in which the graph compares them: strings, or numbers and dates as doubles."""
    categories = [scalar(category) for category in column["categories"]]
    return [str(category) if is_text else number_of(category, "", "number") for category in categories]


def free_name(text: str, taken: Any) -> str:
    while text in taken:
        text += "_"
    return text
