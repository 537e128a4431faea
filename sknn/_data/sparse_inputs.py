"""Sparse matrices: they stay sparse, and only a batch of rows is made dense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from ..modules import TabM
from .categories import named_positions
from .containers import as_table
from .csr import SMALLEST, float32_csr, is_below_float32, real_csr, refuse_nan, with_columns
from .drift import sparse_scale_changes
from .encoder import Encoder
from .inputs import Inputs, RawRows, rows_for_statistics
from .stores import Sparse

__all__ = ["SparseInputs"]

# Rows of a matrix with more cells than this are not compared with each other, since that makes them dense.
_MAX_DENSE_CELLS = 2**20
# Of more columns, those with a single value other than zero are left out.
_MANY_COLUMNS = 1000


class SparseRows(RawRows):
    """Rows of a sparse matrix: float32, or float64 if a column is too small for it; scaled with `preprocessing`."""

    def __init__(self, matrix: scipy.sparse.csr_array, preprocessing: bool) -> None:
        self.matrix = matrix
        self.preprocessing = preprocessing

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def take(self, rows: np.ndarray) -> SparseRows:
        return SparseRows(self.matrix[rows], self.preprocessing)

    def keys(self) -> list[np.ndarray] | None:
        n_rows, n_columns = self.matrix.shape
        return [self.matrix.toarray()] if n_rows * n_columns <= _MAX_DENSE_CELLS else None

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> SparseInputs:
        n_columns = self.matrix.shape[1]
        if not self.preprocessing:
            return SparseInputs(n_columns, None)
        some = rows_for_statistics(len(self), rows)
        encoder, varies = self._statistics(some, weight, None)
        if some is not rows and not varies.all():  # a column may vary between these rows only
            rare = np.flatnonzero(~varies)
            learned, varies[rare] = self._statistics(rows, weight, rare)
            encoder = encoder.learned_again(rare, learned)
        if not leaves_out_idle:
            return SparseInputs(n_columns, encoder)
        used = _used(self.matrix if rows is None else self.matrix[rows], varies)
        if len(used) == n_columns:
            return SparseInputs(n_columns, encoder)
        used = used if len(used) else np.zeros(1, dtype=np.int64)  # a network needs an input
        return SparseInputs(n_columns, encoder.of_columns(used), used)

    def _statistics(
        self, rows: np.ndarray | None, weight: np.ndarray | None, columns: np.ndarray | None
    ) -> tuple[Encoder, np.ndarray]:
        """Scales of these rows and columns, and which of the columns vary, bool (n_columns,)."""
        matrix = self.matrix if rows is None else self.matrix[rows]
        matrix = matrix if columns is None else matrix[:, columns]
        return Encoder.from_sparse(matrix, weight if weight is None or rows is None else weight[rows]), _varies(matrix)


def _varies(matrix: scipy.sparse.csr_array) -> np.ndarray:
    """Which columns hold more than one value, bool (n_columns,); NaN counts as zero, as it is encoded."""
    n, d = matrix.shape
    has_zero = np.bincount(matrix.indices, minlength=d) < n
    smallest, largest = np.where(has_zero, 0.0, np.inf), np.where(has_zero, 0.0, -np.inf)
    values = np.nan_to_num(matrix.data)
    np.minimum.at(smallest, matrix.indices, values)
    np.maximum.at(largest, matrix.indices, values)
    return smallest < largest


def _used(matrix: scipy.sparse.csr_array, varies: np.ndarray) -> np.ndarray:
    """Positions of the columns that a network learns from, int64: those that vary, bool (n_columns,).

    Of many columns only those that are not zero in two rows or more, if there are any: the others tell a row apart that
    no other row has anything to do with. They are most of the words of texts.
    """
    used = np.flatnonzero(varies)
    if len(used) <= _MANY_COLUMNS:
        return used
    n_rows = np.bincount(matrix.indices, matrix.data != 0, minlength=matrix.shape[1])
    frequent = used[n_rows[used] > 1]
    return frequent if len(frequent) else used


class SparseInputs(Inputs):
    """Sparse matrices, scaled as by `Encoder.from_sparse`, or with encoder None untouched.

    `used` int64 (n_used,) are the positions of the columns that the network gets, increasing; None for all of them.
    """

    kind = content = "sparse"
    what = "rows of a sparse matrix"
    default_module = TabM
    options = ("preprocessing", "categorical_features", "text_features")
    has_columns = True

    def __init__(self, n_columns: int, encoder: Encoder | None, used: np.ndarray | None = None) -> None:
        self.given_shape = (n_columns,)
        self.used = used
        self.row_shape = (n_columns if used is None else len(used),)
        self.encoder = encoder

    @classmethod
    def prepare(cls, X: Any) -> Any:
        return as_table(X)

    @classmethod
    def read_first(
        cls, X: Any, preprocessing: bool = True, categorical_features: Any = None, text_features: Any = None
    ) -> SparseRows:
        positions = range(X.shape[1])
        if preprocessing and named_positions("text_features", text_features, positions, "auto"):
            raise ValueError(
                f"text_features={text_features!r} names columns of a sparse matrix, whose columns are all numeric. "
                "Pass a data frame if there are columns of text."
            )
        if preprocessing and named_positions("categorical_features", categorical_features, positions, "from_dtype"):
            raise ValueError(
                f"categorical_features={categorical_features!r} names columns of a sparse matrix, whose columns are "
                "all numeric. Set it to None, or encode these columns with OneHotEncoder."
            )
        matrix = real_csr(X)
        if not preprocessing:
            refuse_nan(matrix)
        matrix = float32_csr(matrix, keeps_float64=preprocessing and is_below_float32(matrix))
        return SparseRows(matrix, preprocessing)

    def read(self, X: Any) -> SparseRows:
        if len(X.shape) != 2:  # polars frames have no ndim
            raise ValueError(f"Found array with dim {len(X.shape)}, expected 2 as in fit.")
        matrix = real_csr(X)
        if self.encoder is None:
            refuse_nan(matrix)
        is_small = self.encoder is not None and bool((self.encoder.scale > 1 / SMALLEST).any())
        return SparseRows(float32_csr(matrix, keeps_float64=is_small), self.encoder is not None)

    def encode_rows(self, raw: SparseRows, rows: np.ndarray | None = None) -> Sparse:
        matrix = raw.matrix if rows is None else raw.matrix[rows]
        matrix = matrix if self.used is None else with_columns(matrix, self.used)
        return Sparse(matrix if self.encoder is None else self.encoder.encode_sparse(matrix))

    def columns_of_inputs(self) -> dict[str, np.ndarray]:
        return {"x": np.arange(self.row_shape[0], dtype=np.int64) if self.used is None else self.used}

    def scale_changes(self, raw: SparseRows) -> dict[str, str]:
        if self.encoder is None:
            return {}
        if self.used is None:
            return sparse_scale_changes(raw.matrix, self.encoder.scale.numpy())
        scale = np.zeros(raw.matrix.shape[1])
        scale[self.used] = self.encoder.scale.numpy()
        judged = np.flatnonzero((scale > 0) | _varies(raw.matrix))
        return sparse_scale_changes(raw.matrix[:, judged], scale[judged])

    @property
    def can_be_scaled(self) -> bool:
        return self.encoder is None

    def _learn_scaling(self, store: Sparse) -> Callable[[Sparse], Sparse]:
        self.encoder = encoder = Encoder.from_sparse(store.x, None)
        return lambda other: Sparse(encoder.encode_sparse(other.x), other.device)
