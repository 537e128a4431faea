"""Predictions of a network that was exported by sknn. Needs Python 3.10 and numpy 1.23, nothing else.

    from model import load              # this file, beside model.npz
    model = load("model.npz")
    model.predict_proba(table)          # of a classifier
    model.predict(table)

A table is a list of rows, a list of dicts, a dict of columns, a 2-D array, or a dataframe with the columns of the
training table: numbers, categories, dates and gaps as they are. Loading a file executes nothing of it.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import math
import numbers
import zipfile
from typing import Any

import numpy as np

from .operations import OPERATIONS

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false
# Tables of any kind come in, told apart by what they can do: the packages that make them may be absent.

FORMAT = 1
_CHUNK_FLOATS = 2**22  # numbers of the widest layer that are held at a time, about
_MOST_NUMBERS = 2**28  # of any value: a file that asks for more is no network of an export


# ---------------------------------------------------------------------------------------- the model


def load(path: Any) -> Any:
    """Return the model in a file of ``sknn.export_numpy``: a `Classifier` or a `Regressor`.

    Nothing in the file is executed, and reading takes no more memory than the file is long; a damaged one is a
    ValueError. What predict takes, time above all, is up to the network: values of absurd size are refused, but limit
    the process where files come from strangers.
    """
    arrays = {name.removeprefix("value_"): array for name, array in _arrays(path).items()}
    if "model" not in arrays:
        raise ValueError(f"{path} holds no model of sknn.export_numpy: it has no entry 'model'.")
    try:
        description = json.loads(arrays.pop("model").tobytes().decode("ascii"))
        found = description["format"]
        if found == FORMAT:
            _check_description(description, arrays)
            kind = Regressor if description["target"]["kind"] == "real" else Classifier
            return kind(description, arrays)
    except UnknownOperationError:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    raise ValueError(
        f"{path} has format {found}, this predictor reads {FORMAT}. Use the .py file that was written together with it."
    )


class UnknownOperationError(ValueError):
    """The file asks for what this predictor cannot compute."""


def _damaged(path, what):
    return ValueError(f"{path} is damaged, or was not written by sknn.export_numpy: {what}. Export the model again.")


def _arrays(path):
    """Read the arrays of a file, none of which can be larger than the file."""
    with contextlib.ExitStack() as stack:
        file = path if hasattr(path, "read") else stack.enter_context(open(path, "rb"))
        length = file.seek(0, 2)
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError("an entry is compressed, which none of an export is")
            if sum(max(entry.file_size, entry.compress_size) for entry in entries) > length:
                raise ValueError("its entries are longer than the file")
            return {entry.filename.removesuffix(".npy"): _array(archive.read(entry)) for entry in entries}
        except Exception as error:  # damage comes as any error of zipfile, struct, tokenize or numpy
            raise _damaged(path, str(error)) from error


def _array(data):
    """Return an array of numbers from the bytes of a .npy file, without a copy."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array has version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(file)
    if dtype.kind not in "biuf" or min(shape, default=0) < 0:
        raise ValueError(f"an array has shape {shape} and dtype {dtype}; expected numbers")
    offset = file.tell()
    if math.prod(shape) * dtype.itemsize != len(data) - offset:
        raise ValueError(f"an array has shape {shape} and dtype {dtype}, but {len(data) - offset} bytes")
    return np.ndarray(shape, dtype, data, offset, order="F" if fortran_order else "C")


_FIELDS = {
    "columns": list, "feature_names": (list, type(None)), "row_shape": list, "allow_nan": bool, "target": dict,
    "widest": int, "nodes": list, "output": str,
}  # fmt: skip


def _check_description(description, arrays):
    """Raise unless everything is there that predictions read."""
    for name, kind in _FIELDS.items():
        if not isinstance(description[name], kind):
            raise TypeError(f"{name!r} is {str(description[name])[:50]}")
    wanted = {
        "categorical": {"name", "kind", "categories", "never_missing"},
        "numeric": {"name", "kind", "all_missing"},
    }
    missing = [wanted[column["kind"]] - set(column) for column in description["columns"]]
    target = description["target"]
    missing.append(({"mean", "scale", "dtype", "ndim"} if target["kind"] == "real" else {"classes"}) - set(target))
    missing += [{"op", "dtype", "args", "out"} - set(node) for node in description["nodes"]]
    if any(missing):
        raise KeyError(*sorted(set().union(*missing)))
    names = description["feature_names"]
    if names is not None and description["columns"] and len(names) != len(description["columns"]):
        raise ValueError(f"{len(names)} names for {len(description['columns'])} columns")
    known = {"numeric", "codes", *arrays}
    for node in description["nodes"]:
        unknown = set(_names(list(node["args"].values()))) - known
        if unknown:
            raise ValueError(f"nothing computes {sorted(unknown)}")
        known.add(node["out"])
    if description["output"] not in known:
        raise ValueError("nothing computes its output")


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
            raise UnknownOperationError(f"the model uses operations that this predictor lacks: {unknown}.")
        self._forget = _last_uses(self._nodes, description["output"])
        self._codes = [_codes_of(column) for column in self.columns]

    def values(self, X: Any) -> np.ndarray:
        """Output of the loss's inverse link, float32 (n_rows, n_values)."""
        numeric, codes = self.read(X)
        widest = self.description["widest"]
        chunk = max(1, _CHUNK_FLOATS // max(1, widest))
        parts = []
        for start in range(0, len(numeric), chunk):
            rows = slice(start, start + chunk)
            inputs = {"numeric": numeric[rows], "codes": codes[rows]}
            parts.append(compute(self._nodes, {**self._arrays, **inputs}, self.description["output"], self._forget))
        return np.concatenate(parts)

    def read(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Numbers, float64 (n_rows, ...), NaN = missing, and category codes, int64 (n_rows, n_categorical)."""
        if not self.columns:
            given = self.description
            array = open_array(X, self.feature_names, given["row_shape"], given["allow_nan"])
            return array, np.empty((len(array), 0), dtype=np.int64)
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
    if _holds_records(X):
        X = _columns_of_records(X)
    if isinstance(X, dict):
        _check_columns(X)
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


def open_array(X: Any, names: list | None, row_shape: list, allow_nan: bool) -> np.ndarray:
    """Return rows of numbers that nothing is done to, float64 (n_rows, ...), rounded to float32 as in training."""
    if hasattr(X, "toarray"):
        X = X.toarray()
    if hasattr(X, "columns") or isinstance(X, dict) or _holds_records(X):
        columns, _ = open_table(X, names, row_shape[0])
        X = np.column_stack([np.asarray(column, dtype=np.float32) for column in columns])
    array = np.asarray(X, dtype=np.float32)
    if array.shape[1:] != tuple(row_shape) or len(array) == 0:
        raise ValueError(f"X has shape {array.shape}; expected (n_rows, {', '.join(map(str, row_shape))}).")
    if not allow_nan and not np.isfinite(array).all():
        raise ValueError("X contains NaN or infinity; the network was trained on finite numbers.")
    return array.astype(np.float64)


def _holds_records(X: Any) -> bool:
    return isinstance(X, (list, tuple)) and len(X) > 0 and isinstance(X[0], dict)


def _columns_of_records(records):
    """Return the columns of a list of dicts, of which each has a value, or None, for every column."""
    names = list(dict.fromkeys(name for row in records if isinstance(row, dict) for name in row))
    for i, row in enumerate(records):
        if not isinstance(row, dict):
            raise TypeError(f"X: row {i} is {row!r}, and row 0 is a dict; expected dicts throughout.")
        if len(row) < len(names):
            missing = [name for name in names if name not in row]
            raise ValueError(f"X: row {i} lacks the columns {missing}. Give None for a value that is missing.")
    return {name: [row[name] for row in records] for name in names}


def _check_columns(columns):
    for name, column in columns.items():
        if isinstance(column, (str, bytes, dict)) or not hasattr(column, "__len__") or getattr(column, "ndim", 1) == 0:
            raise TypeError(
                f"X: {name!r} is {column!r}; expected a list of rows, or a dict of columns, each a list of one value a "
                "row. A single record goes in a list: [record]."
            )


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
    _check_size(node["op"], _numbers_asked_for(arguments))
    with np.errstate(all="ignore"):
        result = operation(node["op"])(**arguments)
    if isinstance(result, (tuple, list)):
        return tuple(result)
    _check_size(node["op"], np.size(result))
    return np.asarray(result) if node["dtype"] is None else np.asarray(result, dtype=node["dtype"])


def _check_size(op, size):
    if size > _MOST_NUMBERS:
        raise ValueError(f"the model asks for a value of {size:.0f} numbers by {op!r}; the file may be damaged.")


def _numbers_asked_for(arguments):
    """Return the size of the result, as far as the arguments other than arrays say it."""
    shape = getattr(arguments.get("x", arguments.get("input")), "shape", ())
    if isinstance(arguments.get("size"), list):
        return math.prod(max(1, n) for n in arguments["size"])
    if "repeats" in arguments:
        return math.prod(shape) * math.prod(arguments["repeats"])
    if arguments.get("scale_factors"):
        return math.prod(shape) * math.prod(max(1, factor) for factor in arguments["scale_factors"])
    if arguments.get("output_size"):
        return math.prod(shape[: len(shape) - len(arguments["output_size"])]) * math.prod(arguments["output_size"])
    if isinstance(arguments.get("pad"), list):
        pads = [*arguments["pad"], *[0] * (2 * len(shape))]
        return math.prod(n + pads[2 * i] + pads[2 * i + 1] for i, n in enumerate(reversed(shape)))
    if "end" in arguments and "x" not in arguments:  # of arange
        return (arguments["end"] - arguments.get("start", 0)) / arguments.get("step", 1)
    return 0


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
