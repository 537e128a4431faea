"""Tables of every kind, most of them odd: columns, and what they are put into."""

from __future__ import annotations

import datetime
import decimal
import fractions
import os
import tempfile
from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
import torch

__all__ = ["COLUMNS", "TABLES", "Hostile", "changed", "draw_table", "n_rows_of"]

Rng = np.random.Generator


class Hostile:
    """An object of which one method fails, or is of no use."""

    def __init__(self, what: str) -> None:
        self.what = what

    def _fail(self, what: str, otherwise: Any) -> Any:
        if self.what == what:
            raise RuntimeError(f"hostile {what}")
        return otherwise

    def __eq__(self, other: object) -> bool:
        return self._fail("__eq__", self is other)

    def __hash__(self) -> int:
        return self._fail("__hash__", id(self))

    def __repr__(self) -> str:
        return self._fail("__repr__", "x" * 10**6 if self.what == "long" else "<Hostile>")

    def __str__(self) -> str:
        return self._fail("__str__", "<Hostile>")

    def __float__(self) -> float:
        return self._fail("__float__", 1.0)

    def __bool__(self) -> bool:
        return self._fail("__bool__", True)

    def __lt__(self, other: object) -> bool:
        return self._fail("__lt__", False)


HOSTILE_METHODS = ("__eq__", "__hash__", "__repr__", "__str__", "__float__", "__bool__", "__lt__", "long")


class NeverEqual:
    """A value that no comparison knows: arrays come back from it."""

    def __eq__(self, other: object) -> Any:
        return np.array([True, False])

    def __hash__(self) -> int:
        return 1


class Subclass(np.ndarray):
    """An array that a library derived."""


class Shy:
    """Says that it is a table, and fails when asked."""

    shape = (10, 2)
    dtype = np.dtype(float)

    def __len__(self) -> int:
        return 10

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise RuntimeError("hostile __array__")


# --- columns, each a list or array of n values -------------------------------------------------------


def _some(rng: Rng, n: int, *values: Any) -> list[Any]:
    return [values[i] for i in rng.integers(len(values), size=n)]


def _with(values: Any, rng: Rng, *others: Any, share: float = 0.3) -> list[Any]:
    values = list(values)
    for i in np.flatnonzero(rng.random(len(values)) < share):
        values[i] = others[rng.integers(len(others))]
    return values


_DAY = datetime.datetime(2024, 2, 29, 13, 37)
_ZONE = datetime.timezone(datetime.timedelta(hours=5, minutes=45))

COLUMNS: dict[str, Callable[[Rng, int], Any]] = {
    # numbers
    "normal": lambda rng, n: rng.normal(size=n),
    "float32": lambda rng, n: rng.normal(size=n).astype(np.float32),
    "float16": lambda rng, n: rng.normal(size=n).astype(np.float16),
    "longdouble": lambda rng, n: rng.normal(size=n).astype(np.longdouble),
    "too long": lambda rng, n: rng.normal(size=n).astype(np.longdouble) * np.longdouble(10) ** 400,
    "huge": lambda rng, n: rng.normal(size=n) * 1e300,
    "largest": lambda rng, n: np.array(_some(rng, n, np.finfo(float).max, -np.finfo(float).max, 0.0)),
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-300,
    "subnormal": lambda rng, n: np.array(_some(rng, n, 5e-324, -5e-324, 0.0, -0.0)),
    "all scales": lambda rng, n: rng.choice([-1, 1], n) * 10.0 ** rng.integers(-300, 300, n),
    "far away": lambda rng, n: 1e15 + rng.normal(size=n),
    "spike": lambda rng, n: np.where(rng.random(n) < 0.9, 7.0, rng.normal(size=n)),
    "constant": lambda rng, n: np.full(n, 3.25),
    "gaps": lambda rng, n: np.where(rng.random(n) < 0.4, np.nan, rng.normal(size=n)),
    "one value": lambda rng, n: np.where(np.arange(n) == n // 2, 1.5, np.nan),
    "all missing": lambda rng, n: np.full(n, np.nan),
    "infinity": lambda rng, n: np.where(rng.random(n) < 0.2, np.inf, rng.normal(size=n)),
    "all infinite": lambda rng, n: np.full(n, -np.inf),
    "int8": lambda rng, n: rng.integers(-128, 128, n).astype(np.int8),
    "int64": lambda rng, n: rng.integers(-(2**63), 2**63 - 1, n),
    "uint64": lambda rng, n: rng.integers(2**63, 2**64 - 1, n, dtype=np.uint64),
    "bool": lambda rng, n: rng.random(n) < 0.5,
    "complex": lambda rng, n: rng.normal(size=n) * (1 + 1j),
    # objects that are numbers
    "integers": lambda rng, n: _some(rng, n, 1, 2, 3),
    "beyond float": lambda rng, n: _some(rng, n, 10**400, 1, 2),
    "beyond int64": lambda rng, n: _some(rng, n, 2**70, -(2**70), 5),
    "decimals": lambda rng, n: _some(rng, n, decimal.Decimal("1.1"), decimal.Decimal("2"), None),
    "decimal specials": lambda rng, n: _some(
        rng, n, decimal.Decimal("sNaN"), decimal.Decimal("NaN"), decimal.Decimal("Infinity"), decimal.Decimal(1)
    ),
    "fractions": lambda rng, n: _some(rng, n, fractions.Fraction(1, 3), fractions.Fraction(10**400, 3), 2),
    "numpy scalars": lambda rng, n: _some(rng, n, np.float32(1.5), np.int8(3), np.bool_(True), np.float64("nan")),
    "booleans with gaps": lambda rng, n: _some(rng, n, True, False, None, np.nan, pd.NA),
    # labels
    "strings": lambda rng, n: _some(rng, n, "red", "green", "blue"),
    "unicode": lambda rng, n: _some(rng, n, "é", "e\u0301", "日本", "🜁" * 50, "\u202e", "ß", "ẞ", ""),
    "odd strings": lambda rng, n: _some(rng, n, "a\0b", "a\0", "\ud800", "\n", " ", "{}", "%s", "a" * 10_000),
    "numbers as strings": lambda rng, n: _some(rng, n, "1", "2.5", "1e400", "nan", "inf", "-0", "1_000", " 7 "),
    "strings with gaps": lambda rng, n: _some(rng, n, "a", "b", None, np.nan, pd.NaT, pd.NA),
    "identifiers": lambda rng, n: [f"id {i}" for i in range(n)],
    "bytes": lambda rng, n: _some(rng, n, b"a", b"\xff", b""),
    "mixed": lambda rng, n: _some(rng, n, "a", 1, 2.5, True, None, b"x"),
    "mixed with dates": lambda rng, n: _some(rng, n, "a", _DAY, _DAY.date(), 3),
    "types": lambda rng, n: _some(rng, n, int, str, len),
    # times
    "datetimes": lambda rng, n: [_DAY + datetime.timedelta(days=int(d)) for d in rng.integers(9999, size=n)],
    "dates": lambda rng, n: _some(rng, n, datetime.date.min, datetime.date.max, _DAY.date(), None),
    "extreme datetimes": lambda rng, n: _some(rng, n, datetime.datetime.min, datetime.datetime.max, None),
    "extreme with zone": lambda rng, n: _some(
        rng, n, datetime.datetime.min.replace(tzinfo=_ZONE), datetime.datetime.max.replace(tzinfo=datetime.UTC)
    ),
    "zones": lambda rng, n: _some(rng, n, _DAY.replace(tzinfo=datetime.UTC), _DAY.replace(tzinfo=_ZONE), _DAY, pd.NaT),
    "durations": lambda rng, n: _some(rng, n, datetime.timedelta.max, datetime.timedelta(1), None),
    "times": lambda rng, n: _some(rng, n, datetime.time(1, 2, 3), datetime.time(23, 59), None),
    "numpy times": lambda rng, n: _with(
        np.array(rng.integers(-(2**40), 2**40, n), "datetime64[s]"), rng, np.datetime64("NaT"), np.datetime64(1, "D")
    ),
    "datetime64": lambda rng, n: rng.integers(-(2**40), 2**40, n).astype(_some(rng, 1, "M8[s]", "M8[D]", "M8[ns]")[0]),
    "far datetime64": lambda rng, n: np.full(n, 2**62).astype(_some(rng, 1, "M8[s]", "M8[Y]", "M8[D]", "M8")[0]),
    "timedelta64": lambda rng, n: rng.integers(-99, 99, n).astype(_some(rng, 1, "m8[s]", "m8[D]", "m8[Y]", "m8")[0]),
    "int and NaT": lambda rng, n: _some(rng, n, 1, pd.NaT, 2.5),
    # what is no value
    "lists": lambda rng, n: _some(rng, n, [1], [1, 2], []),
    "tuples": lambda rng, n: _some(rng, n, (1, 2), ("a",)),
    "dicts": lambda rng, n: _some(rng, n, {"a": 1}, {}),
    "sets": lambda rng, n: _some(rng, n, {1}, frozenset({2})),
    "arrays": lambda rng, n: _some(rng, n, np.zeros(2), np.zeros((2, 2)), np.array(1.0)),
    "tensors": lambda rng, n: _some(rng, n, torch.tensor(1.0), torch.zeros(2)),
    "never equal": lambda rng, n: _some(rng, n, NeverEqual(), 1.0),
    "complex objects": lambda rng, n: _some(rng, n, 1j, 2, np.complex64(1)),
    "all None": lambda rng, n: [None] * n,
    "frames": lambda rng, n: _some(rng, n, pd.DataFrame({"a": [1]}), pd.Series([1, 2]), pl.Series([1])),
    **{f"hostile {what}": lambda rng, n, what=what: _some(rng, n, Hostile(what), 1.0, "a") for what in HOSTILE_METHODS},
}  # fmt: skip

# Columns that are served, so that of a wide table not every one is refused.
_SOUND = (
    *("normal", "float32", "gaps", "int8", "bool", "integers", "strings", "unicode", "strings with gaps", "decimals"),
    *("constant", "spike", "huge", "tiny", "all missing", "datetimes", "datetime64", "booleans with gaps", "far away"),
    *("odd strings", "one value", "all None", "subnormal", "mixed", "largest", "all scales", "int64", "uint64"),
)
_PLAIN = ("normal", "normal", "float32", "gaps", "int8", "constant", "huge", "tiny", "bool", "spike", "one value")


def _draw_column(rng: Rng, n: int, oddness: float) -> Any:
    names = tuple(COLUMNS) if rng.random() < oddness else _SOUND
    return COLUMNS[names[rng.integers(len(names))]](rng, n)


def _object_column(values: Any) -> np.ndarray:
    """Values as they are, whatever numpy would make of them."""
    column = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        column[i] = value
    return column


def _plain_array(rng: Rng, n: int, d: int) -> np.ndarray:
    """(n, d) float64."""
    columns = [COLUMNS[_PLAIN[rng.integers(len(_PLAIN))]](rng, n) for _ in range(d)]
    return np.column_stack(columns).astype(np.float64) if d else np.empty((n, 0))


# --- tables ---------------------------------------------------------------------------------------


def _typed_array(rng: Rng, n: int, d: int) -> np.ndarray:
    dtypes = (
        "f2",
        "f4",
        "f8",
        "g",
        ">f4",
        ">f8",
        "<i2",
        ">i8",
        "u1",
        "u8",
        "?",
        "c8",
        "c16",
        "S3",
        "U3",
        "M8[s]",
        "m8[D]",
        "O",
    )
    dtype = dtypes[rng.integers(len(dtypes))]
    return rng.integers(0, 5, (n, d)).astype(dtype)


def _laid_out(rng: Rng, n: int, d: int) -> np.ndarray:
    """Arrays that are no plain block of memory of their own."""
    X = _plain_array(rng, n, d)
    layout = rng.integers(7)
    if layout == 0:
        return np.asfortranarray(X)
    if layout == 1:
        return np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    if layout == 2:
        return X[::-1, ::-1]
    if layout == 3:
        X.flags.writeable = False
        return X
    if layout == 4:
        return np.broadcast_to(X[:1], X.shape)
    if layout == 5:
        unaligned = np.frombuffer(b"\0" + X.tobytes(), dtype=np.uint8)[1:].view(np.float64)
        return unaligned.reshape(X.shape)
    if not X.size:
        return X
    handle, path = tempfile.mkstemp(suffix=".npy")
    os.close(handle)
    np.save(path, X)
    mapped = np.load(path, mmap_mode="r")
    os.unlink(path)
    return mapped


def _derived(rng: Rng, n: int, d: int) -> Any:
    X = _plain_array(rng, n, d)
    kind = rng.integers(6)
    if kind == 0:
        return X.view(Subclass)
    if kind == 1:
        return np.ma.masked_array(X, rng.random(X.shape) < 0.2)
    if kind == 2:
        return np.asmatrix(X)
    if kind == 3:
        return np.ma.masked_array(rng.integers(0, 9, X.shape), True)
    if kind == 4:
        return np.array([tuple(row) for row in X], dtype=[(f"f{i}", "f8") for i in range(max(d, 1))][:d] or "f8")
    with np.errstate(over="ignore"):
        return X.astype(np.float32).view(np.recarray)


def _names(rng: Rng, d: int) -> Any:
    kind = rng.integers(9)
    if kind == 0:
        return ["same"] * d
    if kind == 1:
        return list(range(d))
    if kind == 2:
        return [i if i % 2 else f"c{i}" for i in range(d)]
    if kind == 3:
        return pd.MultiIndex.from_tuples([("a", i) for i in range(d)]) if d else []
    if kind == 4:
        return [None, "", "é", "\0", 1.5, (1, 2), np.nan, True, b"b", _DAY][:d] + [f"c{i}" for i in range(d - 10)]
    if kind == 5:
        return [f"{'long ' * 100}{i}" for i in range(d)]
    if kind == 6:
        return pd.date_range("2024", periods=d)
    return [f"c{i}" for i in range(d)]


def _frame(rng: Rng, n: int, d: int, oddness: float = 0.15) -> pd.DataFrame:
    """A pandas table with columns of any dtype, any names and any index."""
    series = []
    for _ in range(d):
        values = _draw_column(rng, n, oddness)
        plain = isinstance(values, np.ndarray) and values.dtype.kind in "biuf" and values.dtype.itemsize <= 8
        try:
            series.append(pd.Series(values if plain or rng.random() < 0.5 else _object_column(values)))
        except Exception:  # what pandas cannot hold otherwise
            series.append(pd.Series(_object_column(values), dtype=object))
    X = pd.concat(series, axis=1) if d else pd.DataFrame(index=range(n))
    X.columns = _names(rng, d)
    kind = rng.integers(4)
    if kind == 0:
        X.index = [0] * n
    elif kind == 1:
        X.index = pd.MultiIndex.from_tuples([(i, "a") for i in range(n)])
    elif kind == 2:
        X.index = pd.Index(["a", None, 1.5, "b"] * n)[:n]
    return X


def _extension_frame(rng: Rng, n: int, d: int) -> pd.DataFrame:
    """A pandas table of extension dtypes."""
    start = pd.Timestamp("2024-01-31")
    makers: list[Callable[[], Any]] = [
        lambda: pd.array(_some(rng, n, 1, None, 3), dtype="Int64"),
        lambda: pd.array(_some(rng, n, 1.5, None, 3), dtype="Float32"),
        lambda: pd.array(_some(rng, n, True, None, False), dtype="boolean"),
        lambda: pd.array(_some(rng, n, "a", None, "b"), dtype="string"),
        lambda: pd.array(_some(rng, n, "a", None, "b"), dtype="string[pyarrow]"),
        lambda: pd.Categorical(_some(rng, n, "a", None, "b"), ordered=True),
        lambda: pd.Categorical(_some(rng, n, 1, "b", 2.5, None)),
        lambda: pd.Categorical(_some(rng, n, start, None)),
        lambda: pd.Categorical(_some(rng, n, (1, 2), None)),
        lambda: pd.Categorical(_some(rng, n, np.inf, 1.0)),
        lambda: pd.Categorical([None] * n),
        lambda: pd.Categorical(["a"] * n, categories=[f"c{i}" for i in range(999)] + ["a"]),
        lambda: pd.PeriodIndex(_some(rng, n, "2024-01", "2025-07", None), freq="M"),
        lambda: pd.arrays.IntervalArray.from_tuples(_some(rng, n, (0, 1), (1, 2), None)),
        lambda: pd.arrays.SparseArray(_some(rng, n, 0, 0, 1)),
        lambda: pd.arrays.SparseArray(_some(rng, n, np.nan, 1.5)),
        lambda: pd.DatetimeIndex(_some(rng, n, start, None)).tz_localize("Europe/Berlin"),
        lambda: pd.array(_some(rng, n, start, None), dtype="datetime64[s]"),
        lambda: pd.array(_some(rng, n, pd.Timedelta(1), None), dtype="timedelta64[ns]"),
        lambda: pd.array(_some(rng, n, decimal.Decimal("1.5"), None), dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
        lambda: pd.array(_some(rng, n, 1, None), dtype=pd.ArrowDtype(pa.uint8())),
        lambda: pd.array(_some(rng, n, True, None), dtype=pd.ArrowDtype(pa.bool_())),
        lambda: pd.array(_some(rng, n, _DAY, None), dtype=pd.ArrowDtype(pa.timestamp("us", "UTC"))),
        lambda: pd.array(_some(rng, n, _DAY.date(), None), dtype=pd.ArrowDtype(pa.date32())),
        lambda: pd.array(_some(rng, n, datetime.time(1), None), dtype=pd.ArrowDtype(pa.time64("us"))),
        lambda: pd.array(_some(rng, n, datetime.timedelta(1), None), dtype=pd.ArrowDtype(pa.duration("ms"))),
        lambda: pd.array(_some(rng, n, [1], None), dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
        lambda: pd.array(_some(rng, n, {"a": 1}, None), dtype=pd.ArrowDtype(pa.struct([("a", pa.int64())]))),
        lambda: pd.array(_some(rng, n, b"a", None), dtype=pd.ArrowDtype(pa.binary())),
        lambda: pd.array(_some(rng, n, "a", "b"), dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
        lambda: pd.array([None] * n, dtype=pd.ArrowDtype(pa.null())),
    ]  # fmt: skip
    return pd.DataFrame({f"c{i}": pd.Series(makers[rng.integers(len(makers))]()) for i in range(d)})


def _polars(rng: Rng, n: int, d: int, nul: bool = True) -> pl.DataFrame:
    columns = []
    makers: list[Callable[[], pl.Series]] = [
        lambda: pl.Series(_some(rng, n, "a", "b", None), dtype=pl.Categorical),
        lambda: pl.Series(_some(rng, n, "a", "b", None), dtype=pl.Enum(["a", "b", "c"])),
        lambda: pl.Series(_some(rng, n, decimal.Decimal("1.5"), None)),
        lambda: pl.Series(_some(rng, n, [1], [2, 3])),
        lambda: pl.Series(_some(rng, n, {"a": 1}, {"a": 2})),
        lambda: pl.Series(_some(rng, n, datetime.time(3), None)),
        lambda: pl.Series(_some(rng, n, datetime.timedelta(3), None)),
        lambda: pl.Series(_some(rng, n, b"a", None)),
        lambda: pl.Series([None] * n, dtype=pl.Null),
        lambda: pl.Series(_some(rng, n, 2**100, 1), dtype=pl.Int128),
        lambda: pl.Series(_some(rng, n, Hostile("__hash__"), 1), dtype=pl.Object),
        lambda: pl.Series(_some(rng, n, _DAY, None), dtype=pl.Datetime("ns", "Asia/Kathmandu")),
        lambda: pl.Series(_some(rng, n, _DAY.date(), None)),
        lambda: pl.Series(_some(rng, n, [1.0, 2.0]), dtype=pl.Array(pl.Float64, 2)),
        lambda: pl.Series(_some(rng, n, True, False, None)),
        lambda: pl.Series(_some(rng, n, "a", "🜁", None)),
        lambda: pl.Series(rng.normal(size=n)),
        lambda: pl.Series(_some(rng, n, 1.0, float("nan"), None)),
        lambda: pl.Series(_some(rng, n, 1.0, float("inf"))),
        lambda: pl.Series(_some(rng, n, 1, 2, None), dtype=pl.UInt64),
    ]  # fmt: skip
    for i in range(d):
        name = f"c{i}" if rng.random() < 0.95 else "é" * i + ("\0" if nul else "")
        columns.append(makers[rng.integers(len(makers))]().alias(name))
    return pl.DataFrame(columns)


def _arrow(rng: Rng, n: int, d: int) -> Any:
    frame = _polars(rng, n, d, nul=False)
    table = frame.select(pl.exclude(pl.Object, pl.Int128)).to_arrow()
    kind = rng.integers(3)
    if kind == 0:
        return table.rename_columns(["same"] * table.num_columns)
    return table if kind == 1 else pa.table({f"c{i}": pa.array(rng.normal(size=n)) for i in range(d)})


def _sparse(rng: Rng, n: int, d: int) -> Any:
    dtypes: tuple[Any, ...] = (np.float64, np.float32, np.int8, np.int64, bool, np.complex64, np.float64, np.float64)
    X = rng.integers(-2, 3, (n, d)) * (rng.random((n, d)) < 0.4)
    formats = ("csr", "csc", "coo", "lil", "dok", "dia", "bsr")
    form = formats[rng.integers(len(formats))]
    make = getattr(scipy.sparse, f"{form}_{'array' if rng.random() < 0.5 else 'matrix'}")
    sparse = make(X.astype(dtypes[rng.integers(len(dtypes))]))
    kind = rng.integers(5)
    if kind == 0 and sparse.nnz and form in ("csr", "csc", "coo") and sparse.dtype.kind == "f":
        sparse.data[0] = (np.nan, np.inf, 1e300, -1e-300)[rng.integers(4)]
    if kind == 1 and form == "csr":
        sparse.data.flags.writeable = False
    if kind == 2 and form == "coo" and n and d:  # a value that is stored in two parts
        sparse = scipy.sparse.coo_array((np.ones(4), (np.zeros(4, int), np.zeros(4, int))), shape=(n, d))
    return sparse


def _nested(rng: Rng, n: int, d: int) -> Any:
    rows = [list(row) for row in zip(*(list(_draw_column(rng, n, 0.1)) for _ in range(d)), strict=True)]
    kind = rng.integers(9)
    if kind == 0:
        return [tuple(row) for row in rows]
    if kind == 1:
        return tuple(rows)
    if kind == 2 and rows:
        return [*rows[:-1], rows[-1][:-1]]  # ragged
    if kind == 3:
        return [{f"c{j}": value for j, value in enumerate(row)} for row in rows]
    if kind == 4:
        return _plain_array(rng, n, d).tolist()
    if kind == 5:
        return [np.asarray(row) for row in _plain_array(rng, n, d)]
    if kind == 6:
        return [pd.Series(row) for row in _plain_array(rng, n, d)]
    if kind == 7:
        return [torch.tensor(row) for row in _plain_array(rng, n, d).tolist()]
    return rows


def _junk(rng: Rng, n: int, d: int) -> Any:
    X = _plain_array(rng, n, d)
    items: list[Callable[[], Any]] = [
        lambda: None, lambda: "X", lambda: b"X", lambda: 3, lambda: 1.5, lambda: {}, lambda: {"a": [1] * n},
        lambda: set(range(n)), lambda: (row for row in X), lambda: iter([]), lambda: [], lambda: [[]], lambda: [[]] * n,
        lambda: range(n), lambda: np.float64(3), lambda: np.array(3.0), lambda: X[:, 0] if d else X,
        lambda: np.zeros((n, 3, 4)), lambda: np.zeros((n, 3, 4, 4), np.float32), lambda: np.zeros((n, 0)),
        lambda: np.zeros((0, d)), lambda: np.full((n, 3, 4), np.nan), lambda: np.full((n, 2, 2), "a"),
        lambda: object(), lambda: Shy(), lambda: np.ndarray, lambda: pd.DataFrame, lambda: pd.Series([1.0] * n),
        lambda: pl.Series([1.0] * n), lambda: pl.DataFrame({"a": [1.0] * n}).lazy(), lambda: torch.tensor(X),
        lambda: torch.zeros(n, 2, requires_grad=True), lambda: torch.zeros(n, 2, dtype=torch.bfloat16),
        lambda: pd.DataFrame(), lambda: pl.DataFrame(), lambda: pd.DataFrame({"a": []}), lambda: pa.table({"a": []}),
        lambda: scipy.sparse.csr_array((n, 0)), lambda: scipy.sparse.csr_array((0, d)), lambda: [None] * n,
        lambda: np.array([None] * n), lambda: np.array([[None] * 2] * n), lambda: [[Hostile("__eq__")]] * n,
        lambda: np.array(["a"] * n), lambda: [["a", "b"]] * n, lambda: memoryview(np.ascontiguousarray(X)),
        lambda: pd.Index(range(n)), lambda: np.zeros((n, 2), "V8"), lambda: [1, [2], "c"], lambda: NotImplemented,
        lambda: pa.array([1.0] * n), lambda: pd.DataFrame({"a": [1.0] * n}).groupby("a"), lambda: Ellipsis,
        lambda: nw.from_native(pl.DataFrame({"a": [1.0] * n})), lambda: scipy.sparse.coo_array(np.ones(max(n, 1))),
    ]  # fmt: skip
    return items[rng.integers(len(items))]()


def _objects(rng: Rng, n: int, d: int) -> np.ndarray:
    X = np.empty((n, d), dtype=object)
    for j in range(d):
        X[:, j] = _object_column(_draw_column(rng, n, 0.15))
    return X


# Kind of table -> how it is made, and how often.
TABLES: dict[str, tuple[Callable[[Rng, int, int], Any], int]] = {
    "array": (_plain_array, 5),
    "typed array": (_typed_array, 2),
    "laid out": (_laid_out, 2),
    "derived array": (_derived, 1),
    "object array": (_objects, 2),
    "pandas": (_frame, 5),
    "pandas extension": (_extension_frame, 3),
    "polars": (_polars, 2),
    "arrow": (_arrow, 1),
    "sparse": (_sparse, 2),
    "nested": (_nested, 2),
    "junk": (_junk, 2),
}

_KINDS = tuple(TABLES)
_SHARES = np.array([share for _, share in TABLES.values()], dtype=float)


def draw_table(rng: Rng, n: int, d: int, *, plain: float = 0.0) -> tuple[str, Any]:
    """What it is, and a table of about (n, d); a plain array with probability `plain`."""
    kind = "array" if rng.random() < plain else _KINDS[rng.choice(len(_KINDS), p=_SHARES / _SHARES.sum())]
    return kind, TABLES[kind][0](rng, n, d)


def n_rows_of(X: Any, otherwise: int) -> int:
    """Number of rows of what may be a table."""
    try:
        return int(X.shape[0]) if hasattr(X, "shape") else len(X)
    except Exception:
        return otherwise


# --- what a table may be at predict ------------------------------------------------------------------


def changed(rng: Rng, X: Any) -> tuple[str, Any]:
    """What was done to the table of fit, and the result."""
    frame = isinstance(X, pd.DataFrame)
    array = isinstance(X, np.ndarray) and X.ndim == 2
    d = X.shape[1] if frame or array else 0
    order = rng.permutation(d)
    ways: dict[str, Callable[[], Any]] = {}
    if frame:
        ways = {
            "to_numpy": lambda: X.to_numpy(),
            "columns in another order": lambda: X.iloc[:, order],
            "a column less": lambda: X.iloc[:, 1:],
            "a column more": lambda: pd.concat([X, X.iloc[:, :1]], axis=1),
            "all missing": lambda: pd.DataFrame(np.nan, index=X.index, columns=X.columns),
            "objects": lambda: X.astype(object),
            "strings": lambda: X.astype(str),
            "other values": lambda: pd.DataFrame([["new"] * d] * 3, columns=X.columns),
            "numbers": lambda: pd.DataFrame(np.ones((3, d)), columns=X.columns),
            "renamed": lambda: X.set_axis([f"new {i}" for i in range(d)], axis=1),
            "one row": lambda: X.iloc[:1],
            "no rows": lambda: X.iloc[:0],
            "polars": lambda: pl.from_pandas(X),
            "dates": lambda: pd.DataFrame([[pd.Timestamp("2024")] * d] * 2, columns=X.columns),
            "lists": lambda: pd.DataFrame([[[1]] * d] * 2, columns=X.columns),
            "hostile": lambda: pd.DataFrame([[Hostile("__hash__")] * d] * 2, columns=X.columns),
            "repeated": lambda: X.iloc[np.zeros(7, dtype=int)],
        }
    elif array:
        ways = {
            "frame": lambda: pd.DataFrame(np.asarray(X)),
            "a column less": lambda: X[:, 1:],
            "a column more": lambda: np.c_[X, X[:, :1]],
            "objects": lambda: X.astype(object),
            "strings": lambda: X.astype(str),
            "float16": lambda: X.astype(np.float16),
            "integers": lambda: np.ones(X.shape, dtype=int),
            "infinity": lambda: np.full(X.shape, np.inf),
            "missing": lambda: np.full(X.shape, np.nan),
            "far": lambda: np.full(X.shape, 1e308),
            "one row": lambda: X[:1],
            "one row alone": lambda: X[0],
            "no rows": lambda: X[:0],
            "sparse": lambda: scipy.sparse.csr_array(np.nan_to_num(X.astype(float))),
            "list": lambda: X.tolist(),
            "backwards": lambda: X[::-1],
            "three dimensions": lambda: X[:, :, None],
        }
    elif scipy.sparse.issparse(X):
        ways = {
            "dense": lambda: X.toarray(),
            "another format": lambda: X.tocsc(),
            "a column less": lambda: X.tocsr()[:, 1:],
            "no rows": lambda: X.tocsr()[:0],
        }
    ways["another table"] = lambda: draw_table(rng, 5, max(d, 2))[1]
    ways["junk"] = lambda: _junk(rng, 4, 2)
    name = tuple(ways)[rng.integers(len(ways))]
    try:
        with np.errstate(over="ignore"):
            return name, ways[name]()
    except Exception:  # what pandas or numpy cannot do with this table
        return "as in fit", X
