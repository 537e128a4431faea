"""The kinds of data that sknn reads."""

from __future__ import annotations

from typing import Any

from .array_inputs import ArrayInputs
from .inputs import Inputs, RawRows
from .sparse_inputs import SparseInputs
from .table_inputs import TableInputs

__all__ = ["KINDS", "read_first"]

# The first kind of the list that reads X is the kind of X.
KINDS: list[type[Inputs]] = [SparseInputs, ArrayInputs, TableInputs]


def read_first(X: Any, preprocessing: bool, categorical_features: Any) -> RawRows:
    """The rows of a new fit, read by the kind that X is of. `X` as returned by `as_table`."""
    kind = next(kind for kind in KINDS if kind.reads(X, preprocessing))
    return kind.read_first(X, preprocessing, categorical_features)
