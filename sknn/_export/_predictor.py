"""Predictions of a network that was exported by sknn. Needs Python 3.10 and numpy 1.23, nothing else.

    from model import load              # this file, beside model.npz
    model = load("model.npz")
    model.predict_proba(table)          # of a classifier
    model.predict(table)

A table is a list of rows, a list of dicts, a dict of columns, a 2-D array, or a dataframe with the columns of the
training table: numbers, categories, dates and gaps as they are. Loading a file executes nothing of it.
"""

from __future__ import annotations

import datetime
import json
import math
import numbers
from typing import Any

import numpy as np

from ._operations import OPERATIONS

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# Tables of any kind come in, told apart by what they can do: the packages that make them may be absent.

FORMAT = 1
_CHUNK_FLOATS = 2**22  # numbers of the widest layer that are held at a time, about


# ---------------------------------------------------------------------------------------- the model


def load(path: Any) -> Any:
    """Return the model in a file of ``sknn.export_numpy``: a `Classifier` or a `Regressor`."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name.removeprefix("value_"): file[name] for name in file.files}
    if "model" not in arrays:
        raise ValueError(f"{path} holds no model of sknn.export_numpy: it has no entry 'model'.")
    description = json.loads(arrays.pop("model").tobytes().decode("ascii"))
    if description["format"] != FORMAT:
        raise ValueError(
            f"{path} has format {description['format']}, this predictor reads {FORMAT}. Use the .py file that was "
            "written together with it."
        )
    kind = Regressor if description["target"]["kind"] == "real" else Classifier
    return kind(description, arrays)


class Model:
    """What classifier and regressor share."""

    def __init__(self, description, arrays):
        self.description = description
        self.columns = description["columns"]
        self.feature_names = description["feature_names"]
        self.target = description["target"]
        self._arrays = arrays
        self._nodes = description["nodes"]
        unknown = sorted({node["op"] for node in self._nodes if operation(node["op"]) is None})
        if unknown:
            raise ValueError(f"the model uses operations that this predictor lacks: {unknown}.")
        self._forget = _last_uses(self._nodes, description["output"])
        self._codes = [_codes_of(column) for column in self.columns]

    def values(self, X: Any) -> np.ndarray:
        """Output of the loss's inverse link, float32 (n_rows, n_values)."""
        numeric, codes = self.read(X)
        widest = self.description["widest"]
        chunk = max(16, _CHUNK_FLOATS // max(1, widest))
        parts = []
        for start in range(0, len(numeric), chunk):
            rows = slice(start, start + chunk)
            inputs = {"numeric": numeric[rows], "codes": codes[rows]}
            parts.append(compute(self._nodes, {**self._arrays, **inputs}, self.description["output"], self._forget))
        return np.concatenate(parts)

    def read(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Numbers, float64 (n_rows, ...), NaN = missing, and category codes, int64 (n_rows, n_categorical)."""
        if not self.columns:
            return self._untouched(X)
        columns, n_rows = open_table(X, self.feature_names, len(self.columns))
        numeric, codes = [np.empty((n_rows, 0))], [np.empty((n_rows, 0), dtype=np.int64)]
        for position, (column, values) in enumerate(zip(self.columns, columns, strict=True)):
            label = f"column {position}" if column["name"] is None else f"column {column['name']!r}"
            if column["kind"] == "categorical":
                codes.append(category_codes(values, self._codes[position], column, label)[:, None])
            else:
                numbers_ = numbers_of(values, label, column["all_missing"])
                infinite = np.isinf(numbers_)
                if infinite.any():
                    raise ValueError(f"X: {label} contains infinity; give finite numbers, or NaN for missing.")
                numeric.append(numbers_[:, None])
        return np.concatenate(numeric, axis=1), np.concatenate(codes, axis=1)

    def _untouched(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        if hasattr(X, "toarray"):
            X = X.toarray()
        if hasattr(X, "columns") or isinstance(X, dict):
            columns, _ = open_table(X, self.feature_names, self.description["row_shape"][0])
            X = np.column_stack([np.asarray(column, dtype=np.float32) for column in columns])
        array = np.asarray(X, dtype=np.float32)
        expected = tuple(self.description["row_shape"])
        if array.shape[1:] != expected or len(array) == 0:
            raise ValueError(f"X has shape {array.shape}; expected (n_rows, {', '.join(map(str, expected))}).")
        if not self.description["allow_nan"] and not np.isfinite(array).all():
            raise ValueError("X contains NaN or infinity; the network was trained on finite numbers.")
        return array.astype(np.float64), np.empty((len(array), 0), dtype=np.int64)


class Classifier(Model):
    """A classifier: `predict_proba` and `predict`.

    Attributes
    ----------
    classes_ : ndarray
        Labels, in the order of the probabilities.
    """

    def __init__(self, description, arrays):
        super().__init__(description, arrays)
        self.classes_ = np.array([scalar(item) for item in self.target["classes"]])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities, float32 (n_rows, n_classes)."""
        return self.values(X)

    def predict(self, X: Any) -> np.ndarray:
        """Most probable labels (n_rows,); of several labels a row, indicators int64 (n_rows, n_labels)."""
        probabilities = self.values(X)
        if self.target["kind"] == "multilabel":
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(axis=1)]


class Regressor(Model):
    """A regressor: `predict`."""

    def predict(self, X: Any) -> np.ndarray:
        """Values in the unit of y, (n_rows,), or (n_rows, n_values) of several outputs or quantiles."""
        target = self.target
        values = self.values(X).astype(np.float64) * np.array(target["scale"]) + np.array(target["mean"])
        values = values.astype(target["dtype"])
        return values[:, 0] if target["ndim"] == 1 and values.shape[1] == 1 else values


# ---------------------------------------------------------------------------------------- tables


def open_table(X: Any, names: list | None, n_columns: int) -> tuple[list, int]:
    """Return the columns in the order of training, and the number of rows."""
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], dict):
        X = {name: [row.get(name) for row in X] for name in dict.fromkeys(name for row in X for name in row)}
    if isinstance(X, dict):
        columns = _by_name(list(X), [X[name] for name in X], names, n_columns)
    elif hasattr(X, "columns") and hasattr(X, "iloc"):  # pandas, whose names may be doubled
        columns = _by_name(list(X.columns), [X.iloc[:, i] for i in range(X.shape[1])], names, n_columns)
    elif hasattr(X, "column_names"):  # pyarrow
        columns = _by_name(list(X.column_names), list(X.columns), names, n_columns)
    elif hasattr(X, "columns"):
        columns = _by_name(list(X.columns), [X[name] for name in X.columns], names, n_columns)
    else:
        columns = _columns_of_array(X, n_columns)
    lengths = {len(column) for column in columns}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"X: expected columns of one length with at least one row, got the lengths {sorted(lengths)}.")
    return columns, lengths.pop()


def _by_name(given, columns, names, n_columns):
    if names is None or len(set(given)) < len(given):
        if len(columns) != n_columns:
            raise ValueError(f"X has {len(columns)} columns; expected {n_columns}.")
        return columns
    missing = [name for name in names if name not in given]
    unexpected = [name for name in given if name not in names]
    if missing or unexpected:
        raise ValueError(f"X: the columns {missing} are missing, and {unexpected} are none of training.")
    position = {name: i for i, name in enumerate(given)}
    return [columns[position[name]] for name in names]


def _columns_of_array(X: Any, n_columns: int) -> list:
    if isinstance(X, np.ma.MaskedArray):
        kind, fill = (np.float64, np.nan) if X.dtype.kind in "biuf" else (object, None)
        X = np.ma.filled(X.astype(kind), fill)
    if hasattr(X, "toarray"):
        X = X.toarray()
    array = np.asarray(X)
    if array.dtype.kind in "US" and not isinstance(X, np.ndarray):
        array = np.asarray(X, dtype=object)  # the numbers among strings stay numbers
    if array.ndim != 2 or array.shape[1] != n_columns:
        raise ValueError(f"X has shape {array.shape}; expected (n_rows, {n_columns}).")
    return list(array.T)


def is_missing(value: Any) -> bool:
    """Tell whether a scalar is None, NaN, NaT or pandas.NA."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def scalar(item: Any) -> Any:
    """A category or label from its form in JSON: itself, or ``[type, text]``."""
    if not isinstance(item, list):
        return item
    kind, text = item
    if kind == "timedelta":
        return datetime.timedelta(*text)
    return {"datetime": datetime.datetime, "date": datetime.date, "time": datetime.time}[kind].fromisoformat(text)


def _codes_of(column):
    """Code of each known category."""
    return {scalar(category): code for code, category in enumerate(column.get("categories", ()), start=1)}


def _items(column: Any) -> list:
    """Values of a column as Python objects."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind in "Mm":
            column = column.astype(f"{column.dtype.str[:2]}8[us]")
        return column.tolist()
    for method in ("to_pylist", "to_list"):
        if hasattr(column, method):
            return getattr(column, method)()
    return list(column)


def category_codes(column: Any, code_of: dict, description: dict, label: str) -> np.ndarray:
    """Return int64 codes (n,): 0 unknown, 1 to K known, K + 1 missing, or 0 where training saw no gap."""
    missing = 0 if description["never_missing"] else len(code_of) + 1
    seen = {}
    codes = np.empty(len(column), dtype=np.int64)
    for row, value in enumerate(_items(column)):
        try:
            code = seen.get(value)
        except TypeError:
            raise TypeError(f"X: {label} holds {value!r}; each value must be a string, a number or a date.") from None
        if code is None:
            code = seen[value] = missing if is_missing(value) else _code(value, code_of, label)
        codes[row] = code
    return codes


def _code(value: Any, code_of: dict, label: str) -> int:
    if isinstance(value, (float, np.floating)) and math.isinf(value):
        raise ValueError(f"X: {label} contains infinity; give finite numbers, or NaN for missing.")
    if hasattr(value, "to_timestamp"):  # a period of pandas
        value = value.to_timestamp()
    code = code_of.get(value, 0)
    return code if code else code_of.get(_other_spelling(value), 0)


def _other_spelling(value: Any) -> Any:
    """Return a number for a string and a string for a number."""
    if isinstance(value, str):
        if value in ("True", "False"):
            return value == "True"
        try:
            return float(value)
        except ValueError:
            return None
    if not isinstance(value, (numbers.Real, np.bool_)):
        return None
    is_whole = not isinstance(value, (bool, np.bool_)) and float(value).is_integer()
    return str(int(float(value)) if isinstance(value, float) else int(value)) if is_whole else str(value)


def numbers_of(column: Any, label: str, all_missing: bool) -> np.ndarray:
    """Return a column as float64 (n,), NaN = missing; dates and durations as seconds."""
    array = None if isinstance(column, (list, tuple)) else np.asarray(column)
    if array is not None and array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array is not None and array.dtype.kind in "Mm":
        seconds = array.astype(f"{array.dtype.str[:2]}8[us]").view(np.int64) / 1e6
        seconds[np.isnat(array)] = np.nan
        return seconds
    items = _items(column)
    if all_missing and any(isinstance(value, (str, bytes)) for value in items):
        return np.full(len(items), np.nan)  # training saw no value, so not even the type
    return np.array([_number(value, label) for value in items], dtype=np.float64)


def _number(value: Any, label: str) -> float:
    """Return a scalar as a float; a date as seconds since 1970, UTC where it has no zone."""
    if is_missing(value):
        return math.nan
    if hasattr(value, "to_timestamp"):
        value = value.to_timestamp()
    if isinstance(value, np.datetime64):
        return float((value - np.datetime64(0, "s")) / np.timedelta64(1, "s"))
    if isinstance(value, np.timedelta64):
        return float(value / np.timedelta64(1, "s"))
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, datetime.time):
        return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
    if isinstance(value, datetime.date):
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime(value.year, value.month, value.day)
        zone = value.tzinfo
        return value.timestamp() if zone else (value - datetime.datetime(1970, 1, 1)).total_seconds()
    try:
        if isinstance(value, str) and "_" in value:  # a thousand in Python source, but not in data
            raise ValueError
        return float(value)
    except OverflowError:
        return math.inf
    except (TypeError, ValueError):
        raise ValueError(f"X: {label} holds {value!r}, but numbers were expected, as in training.") from None


# ---------------------------------------------------------------------------------------- the network


def compute(nodes: list, values: dict, output: str, forget: list | None = None) -> np.ndarray:
    """Carry out the nodes in their order and return the output.

    `values` holds constants and inputs, and is filled; `forget` lists what no later node reads, node by node.
    """
    n_rows = len(values["numeric"])
    for i, node in enumerate(nodes):
        values[node["out"]] = compute_node(node, values, n_rows)
        for name in forget[i] if forget else ():
            del values[name]
    return values[output]


def compute_node(node: dict, values: dict, n_rows: int) -> Any:
    """Carry out one node."""
    arguments = {name: _argument(value, values, n_rows) for name, value in node["args"].items()}
    with np.errstate(all="ignore"):
        result = operation(node["op"])(**arguments)
    if isinstance(result, (tuple, list)):
        return tuple(result)
    return np.asarray(result) if node["dtype"] is None else np.asarray(result, dtype=node["dtype"])


def _argument(argument, values, n_rows):
    if isinstance(argument, list):
        return [_argument(item, values, n_rows) for item in argument]
    if not isinstance(argument, dict):
        return argument
    ((kind, content),) = argument.items()
    if kind == "value":
        return values[content]
    return content[0] * n_rows + content[1] if kind == "rows" else content


def _last_uses(nodes, output):
    """Names that no node after this one reads, node by node; constants and inputs among them."""
    later, forget = {output}, []
    for node in reversed(nodes):
        names = set(_names(list(node["args"].values()))) | {node["out"]}
        forget.append(names - later)
        later |= names
    return forget[::-1]


def _names(argument):
    if isinstance(argument, dict):
        return [argument["value"]] if "value" in argument else []
    return [name for item in argument for name in _names(item)] if isinstance(argument, list) else []


def operation(name: str) -> Any:
    """The function of an operation of ATen, or None. Arguments have the names of ATen, ``self`` is ``x``."""
    return OPERATIONS.get(name) or OPERATIONS.get(name.partition(".")[0])
