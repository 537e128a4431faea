"""Tables of every kind, and what a reader makes of them."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from sknn._data.containers import as_table
from sknn._data.table import TableReader
from sknn._data.table_inputs import TableRows

NAN = np.nan


def learn(X, categorical_features="from_dtype", text_features="auto"):
    """A reader that was fitted on X."""
    return TableReader.learn(as_table(X), categorical_features, text_features)[0]


def parsed(reader, X):
    """X as rows of a reader."""
    return TableRows(reader, reader.parse(as_table(X)))


def read(X, X_fit=None, categorical_features="from_dtype"):
    """Numbers and codes of X, by a reader fitted on X_fit, else on X; these must be what fit itself has parsed."""
    reader, contents = TableReader.learn(as_table(X if X_fit is None else X_fit), categorical_features)
    numeric, codes = parsed(reader, X).read()
    if X_fit is None:
        for in_fit, again in zip(TableRows(reader, contents).read(), (numeric, codes), strict=True):
            np.testing.assert_array_equal(in_fit, again)
    assert numeric.dtype == np.float64
    assert codes.dtype == np.int64
    assert numeric.shape[0] == codes.shape[0]
    return numeric, codes


def kinds(X, **params):
    return [column.kind for column in learn(X, **params).columns]


def mixed(kind):
    """The same table, in several libraries and dtypes: two numbers, a string, a boolean."""
    size, count, city, member = [1.5, None, 3.0], [7, 8, None], ["Rome", None, "Bonn"], [True, False, None]
    columns = {"size": size, "count": count, "city": city, "member": member}
    if kind == "polars":
        return pl.DataFrame(columns)
    if kind == "polars categorical":
        return pl.DataFrame(columns).with_columns(pl.col("city").cast(pl.Categorical))
    if kind == "polars enum":
        return pl.DataFrame(columns).with_columns(pl.col("city").cast(pl.Enum(["Rome", "Oslo", "Bonn"])))
    if kind == "pyarrow":
        return pa.table(columns)
    if kind == "pyarrow dictionary":
        table = pa.table(columns)
        return table.set_column(2, "city", table["city"].dictionary_encode())
    if kind == "pandas default":
        return pd.DataFrame(columns)
    if kind == "numpy object":
        return pd.DataFrame(columns, dtype=object).to_numpy()
    dtypes = {
        "pandas object": {"size": object, "count": object, "city": object, "member": object},
        "pandas nullable": {"size": "Float64", "count": "Int64", "city": "string", "member": "boolean"},
        "pandas category": {"size": float, "count": float, "city": "category", "member": "boolean"},
        "pandas arrow": {
            "size": "double[pyarrow]",
            "count": "int64[pyarrow]",
            "city": "string[pyarrow]",
            "member": "bool[pyarrow]",
        },
    }[kind]
    return pd.DataFrame(columns).astype(dtypes)


FRAMES = [
    "pandas default",
    "pandas object",
    "pandas nullable",
    "pandas category",
    "pandas arrow",
    "polars",
    "polars categorical",
    "polars enum",
    "pyarrow",
    "pyarrow dictionary",
]
MIXED_NUMERIC = [[1.5, 7], [NAN, 8], [3, NAN]]
MIXED_CODES = [[2, 2], [3, 1], [1, 3]]
