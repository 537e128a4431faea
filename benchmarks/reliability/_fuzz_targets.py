"""Targets, weights, groups and classes of every kind, most of them odd."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse
import torch

from ._fuzz_tables import HOSTILE_METHODS, Hostile, NeverEqual, _object_column, _some

__all__ = ["draw_classes", "draw_groups", "draw_target", "draw_weight"]

Rng = np.random.Generator
_DAY = datetime.datetime(2024, 2, 28)

# What labels are served, as a function of (rng, n).
_LABELS: dict[str, Callable[[Rng, int], Any]] = {
    "two": lambda rng, n: np.arange(n) % 2,
    "three": lambda rng, n: np.arange(n) % 3,
    "strings": lambda rng, n: np.array(["no", "yes"])[np.arange(n) % 2],
    "objects": lambda rng, n: np.array(["no", "yes"], dtype=object)[np.arange(n) % 2],
    "booleans": lambda rng, n: np.arange(n) % 2 == 1,
    "floats": lambda rng, n: (np.arange(n) % 2).astype(float),
    "signs": lambda rng, n: np.where(np.arange(n) % 2, 1, -1).astype(np.int8),
    "list": lambda rng, n: (np.arange(n) % 2).tolist(),
    "list of strings": lambda rng, n: ["ab"[i % 2] for i in range(n)],
    "series": lambda rng, n: pd.Series(np.arange(n) % 2, index=rng.permutation(n)),
    "categories": lambda rng, n: pd.Series(np.arange(n) % 2).astype("category"),
    "unused categories": lambda rng, n: pd.Series(pd.Categorical(["ab"[i % 2] for i in range(n)], ["c", "b", "a"])),
    "nullable": lambda rng, n: pd.Series(np.arange(n) % 2, dtype="Int64"),
    "nullable booleans": lambda rng, n: pd.Series(np.arange(n) % 2 == 1, dtype="boolean"),
    "string dtype": lambda rng, n: pd.Series(["ab"[i % 2] for i in range(n)], dtype="string"),
    "arrow": lambda rng, n: pd.Series(np.arange(n) % 2, dtype=pd.ArrowDtype(pa.int8())),
    "arrow strings": lambda rng, n: pd.Series(["ab"[i % 2] for i in range(n)], dtype=pd.ArrowDtype(pa.string())),
    "polars": lambda rng, n: pl.Series([i % 2 for i in range(n)]),
    "polars strings": lambda rng, n: pl.Series(["ab"[i % 2] for i in range(n)], dtype=pl.Categorical),
    "pyarrow": lambda rng, n: pa.array([i % 2 for i in range(n)]),
    "chunks": lambda rng, n: pa.chunked_array([[i % 2 for i in range(n)]]),
    "frame": lambda rng, n: pd.DataFrame({"y": np.arange(n) % 2}),
    "polars frame": lambda rng, n: pl.DataFrame({"y": [i % 2 for i in range(n)]}),
    "column": lambda rng, n: (np.arange(n) % 2)[:, None],
    "tensor": lambda rng, n: torch.arange(n) % 2,
    "unicode": lambda rng, n: ["🜁", "é", "e\u0301"] * (n // 3) + ["é"] * (n % 3),
    "large": lambda rng, n: np.where(np.arange(n) % 2, 2**63 - 1, -(2**63)),
    "largest": lambda rng, n: np.where(np.arange(n) % 2, np.uint64(2**64 - 1), np.uint64(0)),
    "large floats": lambda rng, n: np.where(np.arange(n) % 2, 1e300, -1e300),
    "zeros": lambda rng, n: np.where(np.arange(n) % 3, 0.0, -0.0) + (np.arange(n) % 3 == 1),
    "indicators": lambda rng, n: (rng.random((n, 3)) < 0.5).astype(int),
    "sparse indicators": lambda rng, n: scipy.sparse.csr_matrix((rng.random((n, 3)) < 0.5).astype(int)),
    "read-only": lambda rng, n: np.broadcast_to((np.arange(n) % 2)[:, None], (n, 2))[:, 0],
    "all different": lambda rng, n: np.arange(n),
}

_VALUES: dict[str, Callable[[Rng, int], Any]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "float16": lambda rng, n: rng.normal(size=n).astype(np.float16),
    "longdouble": lambda rng, n: rng.normal(size=n).astype(np.longdouble),
    "huge": lambda rng, n: rng.normal(size=n) * 1e300,
    "large": lambda rng, n: rng.normal(size=n) * 1e38,
    "largest": lambda rng, n: np.where(np.arange(n) % 2, 1.7e308, -1.7e308),
    "tiny": lambda rng, n: rng.normal(size=n) * 1e-300,
    "subnormal": lambda rng, n: np.arange(n) * 5e-324,
    "small": lambda rng, n: rng.normal(size=n) * 1e-40,
    "all scales": lambda rng, n: 10.0 ** rng.integers(-300, 300, n),
    "far away": lambda rng, n: 1e15 + rng.normal(size=n),
    "constant": lambda rng, n: np.full(n, 0.1),
    "zero": lambda rng, n: np.zeros(n),
    "integers": lambda rng, n: rng.integers(-(2**63), 2**63 - 1, n),
    "uint64": lambda rng, n: rng.integers(2**63, 2**64 - 1, n, dtype=np.uint64),
    "booleans": lambda rng, n: rng.random(n) < 0.5,
    "counts": lambda rng, n: rng.poisson(2, n),
    "list": lambda rng, n: rng.normal(size=n).tolist(),
    "column": lambda rng, n: rng.normal(size=(n, 1)),
    "two outputs": lambda rng, n: rng.normal(size=(n, 2)) * [1e-5, 1e10],
    "frame": lambda rng, n: pd.DataFrame(rng.normal(size=(n, 2))),
    "series": lambda rng, n: pd.Series(rng.normal(size=n), index=[0] * n),
    "nullable": lambda rng, n: pd.Series(rng.normal(size=n), dtype="Float64"),
    "arrow": lambda rng, n: pd.Series(rng.normal(size=n), dtype=pd.ArrowDtype(pa.float64())),
    "polars": lambda rng, n: pl.Series(rng.normal(size=n)),
    "polars frame": lambda rng, n: pl.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)}),
    "pyarrow": lambda rng, n: pa.array(rng.normal(size=n)),
    "objects": lambda rng, n: rng.normal(size=n).astype(object),
    "decimals": lambda rng, n: [decimal.Decimal(i) for i in range(n)],
    "strings": lambda rng, n: np.array([str(i) for i in range(n)]),
    "tensor": lambda rng, n: torch.randn(n, generator=torch.Generator().manual_seed(0)),
    "masked": lambda rng, n: np.ma.masked_array(rng.normal(size=n), np.arange(n) % 3 == 0),
    "big endian": lambda rng, n: rng.normal(size=n).astype(">f8"),
}

_ODD: dict[str, Callable[[Rng, int], Any]] = {
    "None": lambda rng, n: None,
    "one class": lambda rng, n: np.zeros(n, dtype=int),
    "missing": lambda rng, n: np.where(np.arange(n) == 0, np.nan, np.arange(n) % 2),
    "infinite": lambda rng, n: np.where(np.arange(n) == 0, np.inf, np.arange(n) % 2),
    "None inside": lambda rng, n: [None if i == 0 else "ab"[i % 2] for i in range(n)],
    "NA inside": lambda rng, n: pd.Series([None if i == 0 else i % 2 for i in range(n)], dtype="Int64"),
    "NA strings": lambda rng, n: pd.Series([None if i == 0 else "ab"[i % 2] for i in range(n)], dtype="string"),
    "null": lambda rng, n: pl.Series([None if i == 0 else i % 2 for i in range(n)]),
    "NaT": lambda rng, n: pd.Series([pd.NaT] * n),
    "all None": lambda rng, n: [None] * n,
    "mixed": lambda rng, n: np.array([1 if i % 2 else "a" for i in range(n)], dtype=object),
    "mixed numbers": lambda rng, n: np.array([1 if i % 2 else 2.5 for i in range(n)], dtype=object),
    "mixed list": lambda rng, n: [1 if i % 2 else "a" for i in range(n)],
    "mixed categories": lambda rng, n: pd.Series([1 if i % 2 else "a" for i in range(n)]).astype("category"),
    "bytes": lambda rng, n: np.array([b"a", b"b"])[np.arange(n) % 2],
    "bytes objects": lambda rng, n: np.array([b"a", b"b"], dtype=object)[np.arange(n) % 2],
    "complex": lambda rng, n: rng.normal(size=n) * 1j,
    "dates": lambda rng, n: np.array([_DAY, _DAY.replace(year=2025)], dtype="M8[s]")[np.arange(n) % 2],
    "date objects": lambda rng, n: [_DAY.date() if i % 2 else datetime.date.max for i in range(n)],
    "timestamps": lambda rng, n: pd.Series([_DAY] * n),
    "durations": lambda rng, n: np.arange(n).astype("m8[s]"),
    "periods": lambda rng, n: pd.Series(pd.period_range("2024", periods=n, freq="D")),
    "intervals": lambda rng, n: pd.Series(pd.interval_range(0, n)),
    "cut": lambda rng, n: pd.cut(np.arange(max(n, 1)), 2),
    "too long": lambda rng, n: np.zeros(n + 1),
    "too short": lambda rng, n: np.arange(max(n - 1, 0)) % 2,
    "empty": lambda rng, n: [],
    "number": lambda rng, n: 1.0,
    "string": lambda rng, n: "a" * n,
    "bytes string": lambda rng, n: b"a" * n,
    "0-d": lambda rng, n: np.array(1),
    "row": lambda rng, n: (np.arange(n) % 2)[None],
    "3-d": lambda rng, n: np.zeros((n, 2, 2)),
    "no columns": lambda rng, n: np.zeros((n, 0)),
    "several columns": lambda rng, n: rng.integers(0, 5, (n, 3)),
    "string columns": lambda rng, n: np.array([["a", "b"]] * n),
    "sets of labels": lambda rng, n: [["a"], ["a", "b"]] * (n // 2) + [["b"]] * (n % 2),
    "tuples": lambda rng, n: [(i % 2, 1) for i in range(n)],
    "tuple objects": lambda rng, n: _object_column([(i % 2,) for i in range(n)]),
    "dict": lambda rng, n: {i: i for i in range(n)},
    "set": lambda rng, n: set(range(n)),
    "dicts": lambda rng, n: [{"a": i % 2} for i in range(n)],
    "generator": lambda rng, n: (i % 2 for i in range(n)),
    "range": lambda rng, n: range(n),
    "beyond int64": lambda rng, n: [10**30 if i % 2 else 1 for i in range(n)],
    "beyond float": lambda rng, n: [10**400 if i % 2 else 1 for i in range(n)],
    "sparse": lambda rng, n: scipy.sparse.coo_array(np.arange(n)[:, None] % 2),
    "sparse row": lambda rng, n: scipy.sparse.csr_matrix(np.arange(n) % 2),
    "sparse values": lambda rng, n: scipy.sparse.csr_matrix(rng.normal(size=(n, 2))),
    "structured": lambda rng, n: np.zeros(n, dtype=[("a", "f8"), ("b", "i4")]),
    "void": lambda rng, n: np.zeros(n, dtype="V4"),
    "tensor with gradient": lambda rng, n: torch.zeros(n, requires_grad=True),
    "object": lambda rng, n: object(),
    "class": lambda rng, n: int,
    "types": lambda rng, n: [int if i % 2 else str for i in range(n)],
    "lazy": lambda rng, n: pl.DataFrame({"y": [1.0] * n}).lazy(),
    "odd strings": lambda rng, n: _some(rng, n, "", "a\0", "a", "\ud800"),
    "never equal": lambda rng, n: _object_column([NeverEqual() for _ in range(n)]),
    "lists in objects": lambda rng, n: _object_column([[i % 2] for i in range(n)]),
    "arrays": lambda rng, n: [np.zeros(2) for _ in range(n)],
    "frame of strings": lambda rng, n: pd.DataFrame({"a": ["x"] * n, "b": ["y"] * n}),
    "sparse series": lambda rng, n: pd.Series(pd.arrays.SparseArray(np.arange(n) % 2)),
    **{
        f"hostile {what}": lambda rng, n, what=what: _object_column([Hostile(what) for _ in range(n)])
        for what in HOSTILE_METHODS
    },
}  # fmt: skip


def draw_target(rng: Rng, n: int, classifier: bool, oddness: float) -> tuple[str, Any]:
    """What it is, and a target for n rows; of another kind of problem, or no target at all, with prob. `oddness`."""
    usual = _LABELS if classifier else _VALUES
    pool = usual
    if rng.random() < oddness:
        pool = _ODD if rng.random() < 0.7 else _VALUES if classifier else _LABELS
    name = tuple(pool)[rng.integers(len(pool))]
    return name, pool[name](rng, n)


_WEIGHTS: dict[str, Callable[[Rng, int], Any]] = {
    "ones": lambda rng, n: np.ones(n),
    "random": lambda rng, n: rng.random(n),
    "some zero": lambda rng, n: (np.arange(n) % 3).astype(float),
    "one positive": lambda rng, n: (np.arange(n) == 0).astype(float),
    "integers": lambda rng, n: rng.integers(0, 4, n),
    "booleans": lambda rng, n: np.arange(n) % 2 == 0,
    "list": lambda rng, n: [1.0] * n,
    "series": lambda rng, n: pd.Series(rng.random(n), index=range(5, n + 5)),
    "nullable": lambda rng, n: pd.Series([1] * n, dtype="Int64"),
    "polars": lambda rng, n: pl.Series(rng.random(n)),
    "huge": lambda rng, n: rng.random(n) * 1e300,
    "largest": lambda rng, n: np.where(np.arange(n) % 2, 1.7e308, 1e308),
    "tiny": lambda rng, n: rng.random(n) * 1e-300,
    "subnormal": lambda rng, n: np.arange(n) * 5e-324,
    "all scales": lambda rng, n: 10.0 ** rng.integers(-300, 300, n),
    "zero": lambda rng, n: np.zeros(n),
    "negative": lambda rng, n: -rng.random(n),
    "one negative": lambda rng, n: np.where(np.arange(n) == 0, -1.0, 1.0),
    "missing": lambda rng, n: np.where(np.arange(n) == 0, np.nan, 1.0),
    "infinite": lambda rng, n: np.where(np.arange(n) == 0, np.inf, 1.0),
    "too long": lambda rng, n: np.ones(n + 1),
    "empty": lambda rng, n: [],
    "number": lambda rng, n: 2.5,
    "column": lambda rng, n: np.ones((n, 1)),
    "two columns": lambda rng, n: np.ones((n, 2)),
    "strings": lambda rng, n: ["a"] * n,
    "numbers as strings": lambda rng, n: ["1.5"] * n,
    "string": lambda rng, n: "balanced",
    "None inside": lambda rng, n: [None] * n,
    "complex": lambda rng, n: np.ones(n) * 1j,
    "dates": lambda rng, n: np.arange(n).astype("M8[s]"),
    "generator": lambda rng, n: (1.0 for _ in range(n)),
    "dict": lambda rng, n: {0: 1.0},
    "lists": lambda rng, n: [[1], [1, 2]] * n,
    "hostile": lambda rng, n: _object_column([Hostile("__float__")] * n),
    "beyond float": lambda rng, n: [10**400] * n,
    "sparse": lambda rng, n: scipy.sparse.csr_matrix(np.ones((n, 1))),
    "masked": lambda rng, n: np.ma.masked_array(np.ones(n), np.arange(n) % 2 == 0),
}


def draw_weight(rng: Rng, n: int) -> tuple[str, Any]:
    """What they are, and weights of n rows."""
    name = tuple(_WEIGHTS)[rng.integers(len(_WEIGHTS))]
    return name, _WEIGHTS[name](rng, n)


_GROUPS: dict[str, Callable[[Rng, int], Any]] = {
    "two": lambda rng, n: np.arange(n) % 2,
    "many": lambda rng, n: rng.integers(0, n, n),
    "one": lambda rng, n: np.zeros(n),
    "strings": lambda rng, n: ["ab"[i % 2] for i in range(n)],
    "objects": lambda rng, n: np.array(["ab"[i % 2] for i in range(n)], dtype=object),
    "series": lambda rng, n: pd.Series(np.arange(n) % 2, index=[0] * n),
    "categories": lambda rng, n: pd.Series(["ab"[i % 2] for i in range(n)]).astype("category"),
    "dates": lambda rng, n: pd.Series([_DAY if i % 2 else _DAY.replace(year=2025) for i in range(n)]),
    "date objects": lambda rng, n: [_DAY if i % 2 else _DAY.replace(year=2025) for i in range(n)],
    "polars": lambda rng, n: pl.Series(["ab"[i % 2] for i in range(n)]),
    "missing": lambda rng, n: np.where(np.arange(n) % 2, np.nan, 1.0),
    "None inside": lambda rng, n: [None if i % 2 else "a" for i in range(n)],
    "NA inside": lambda rng, n: pd.Series([None if i % 2 else 1 for i in range(n)], dtype="Int64"),
    "mixed": lambda rng, n: [1 if i % 2 else "a" for i in range(n)],
    "too long": lambda rng, n: np.arange(n + 1),
    "empty": lambda rng, n: [],
    "number": lambda rng, n: 3,
    "string": lambda rng, n: "a" * n,
    "column": lambda rng, n: (np.arange(n) % 2)[:, None],
    "two columns": lambda rng, n: np.zeros((n, 2)),
    "tuples": lambda rng, n: [(i % 2, 1) for i in range(n)],
    "tuple objects": lambda rng, n: _object_column([(i % 2, 1) for i in range(n)]),
    "lists": lambda rng, n: [[1], [1, 2]] * n,
    "dict": lambda rng, n: {i: 1 for i in range(n)},
    "generator": lambda rng, n: (i for i in range(n)),
    "hostile": lambda rng, n: _object_column([Hostile("__eq__") for _ in range(n)]),
    "hostile hash": lambda rng, n: _object_column([Hostile("__hash__") for _ in range(n)]),
    "complex": lambda rng, n: np.arange(n) * 1j,
    "sparse": lambda rng, n: scipy.sparse.csr_matrix(np.ones((n, 1))),
}


def draw_groups(rng: Rng, n: int) -> tuple[str, Any]:
    """What they are, and groups of n rows."""
    name = tuple(_GROUPS)[rng.integers(len(_GROUPS))]
    return name, _GROUPS[name](rng, n)


def draw_classes(rng: Rng, y: Any) -> tuple[str, Any]:
    """What they are, and the classes for a first partial_fit."""
    ways: dict[str, Callable[[], Any]] = {
        "right": lambda: np.unique(np.asarray(y)),
        "list": lambda: np.unique(np.asarray(y)).tolist(),
        "one more": lambda: [*np.unique(np.asarray(y)).tolist(), *np.unique(np.asarray(y)).tolist()[-1:]],
        "one less": lambda: np.unique(np.asarray(y))[1:],
        "other": lambda: ["x", "y", "z"],
        "None": lambda: None,
        "empty": lambda: [],
        "number": lambda: 3,
        "string": lambda: "ab",
        "missing": lambda: [0, 1, np.nan],
        "None inside": lambda: [0, 1, None],
        "mixed": lambda: [0, "a"],
        "2-d": lambda: [[0, 1], [2, 3]],
        "ragged": lambda: [[0], [1, 2]],
        "dict": lambda: {0: 1},
        "set": lambda: {0, 1},
        "hostile": lambda: [Hostile("__eq__"), Hostile("__lt__")],
        "generator": lambda: (i for i in range(3)),
        "floats": lambda: [0.0, 1.0, 2.0],
        "complex": lambda: [1j, 2j],
    }
    name = tuple(ways)[0 if rng.random() < 0.5 else rng.integers(len(ways))]
    try:
        return name, ways[name]()
    except Exception:  # of some targets numpy knows no distinct values
        return "two", [0, 1]
