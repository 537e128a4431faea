"""X -> what a network receives, learned once and applied at fit, predict and score alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import torch
from scipy import sparse
from sklearn.utils import check_array
from torch import Tensor

from .._errors import refused_as
from .encoder import Encoder
from .table import TableReader

__all__ = ["Inputs", "as_table", "take_rows"]

# Rows are read and encoded in chunks of about this many float64 bytes, so that a fit holds the table once.
_CHUNK_BYTES = 4 * 2**20
# Quantiles of more rows are no different for our purpose, and a column with so few gaps that none is among
# these needs no indicator of them.
_MAX_ROWS_FOR_STATISTICS = 100_000
_TABLE = "a table in memory: an array, a data frame, a sparse matrix, or a list of rows of equal length"
_PLAIN_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


def is_frame(X: Any) -> bool:
    """Whether X is a dataframe of a kind that narwhals knows."""
    return not isinstance(X, np.ndarray) and nw.dependencies.is_into_dataframe(X) and hasattr(X, "columns")


def is_plain(X: Any) -> bool:
    """Whether X is a two-dimensional array of floats that needs no conversion: the common case, told quickly."""
    return type(X) is np.ndarray and X.ndim == 2 and X.dtype in _PLAIN_DTYPES and X.size > 0


def as_table(X: Any) -> Any:
    """X as an array, a sparse matrix or a dataframe with at least one row and column.

    Raises
    ------
    ValueError
        One dimension, no rows, no columns, complex numbers.
    """
    if is_plain(X):
        return X
    with refused_as("X", _TABLE):
        return _checked_table(X)


def _checked_table(X: Any) -> Any:
    if is_frame(X):
        n_rows, n_columns = X.shape
        if n_rows == 0:
            raise ValueError(f"Found array with 0 sample(s) (shape={X.shape}) while a minimum of 1 is required.")
        if n_columns == 0:
            raise ValueError(f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
        return X
    if nw.dependencies.is_polars_lazyframe(X):
        raise TypeError("X is a polars LazyFrame, but a table in memory was expected. Pass X.collect().")
    return check_array(
        X, accept_sparse=("csr", "csc", "coo"), accept_large_sparse=True, dtype=None, ensure_all_finite=False,
        allow_nd=True, input_name="X",
    )  # fmt: skip


def take_rows(X: Any, index: np.ndarray | slice) -> Any:
    """The rows of X at `index`, in X's own kind."""
    if is_frame(X):
        if nw.dependencies.is_pandas_dataframe(X):  # narwhals refuses duplicate names, which pandas allows
            return X.iloc[index]
        return nw.from_native(X, eager_only=True)[index].to_native()
    return (X.tocsr() if sparse.issparse(X) else X)[index]


class Inputs:
    """The learned way from X to tensors.

    Parameters
    ----------
    preprocessing : bool
        False hands numbers on untouched, cast to float32.
    categorical_features : as of the estimators

    Attributes
    ----------
    mode : {"table", "sparse", "array"}
        ``"array"``: images, sequences and untouched input.
    row_shape : tuple of int
        Shape of one row of encoded numbers.
    cardinalities : list of int
        Number of codes of each categorical column.
    """

    def __init__(self, preprocessing: bool, categorical_features: Any) -> None:
        self.preprocessing = preprocessing
        self.categorical_features = categorical_features
        # Mean and spread that a repair of the training takes from what otherwise goes to the network untouched.
        self.rescaling: tuple[Tensor, Tensor] | None = None

    def learn_columns(self, X: Any) -> Inputs:
        """Which columns there are, their kinds and categories. `X` as returned by `as_table`."""
        self.cardinalities: list[int] = []
        self.encoder: Encoder | None = None
        if sparse.issparse(X):
            self.mode = "sparse"
            if self.preprocessing:
                TableReader(self.categorical_features).fit(X)  # refuses what a sparse matrix cannot have
            self.row_shape: tuple[int, ...] = (X.shape[1],)
        elif not self.preprocessing or len(X.shape) != 2:
            self.mode = "array"
            self.row_shape = tuple(self._untouched(X).shape[1:])
        else:
            self.mode = "table"
            self.reader = TableReader(self.categorical_features).fit(X)
            self.cardinalities = list(self.reader.cardinalities_)
        return self

    def learn_scales(self, X: Any, rows: np.ndarray | None, weight: np.ndarray | None) -> Inputs:
        """Centre and spread of the numbers, from the training rows.

        Parameters
        ----------
        X : as returned by `as_table`
        rows : ndarray int64 or None
            Training rows; None for all.
        weight : ndarray (n_samples,) or None
        """
        n_samples = X.shape[0] if rows is None else len(rows)
        if self.mode == "array" or (self.mode == "sparse" and not self.preprocessing):
            return self
        if n_samples > _MAX_ROWS_FOR_STATISTICS:
            spaced = np.linspace(0, n_samples - 1, _MAX_ROWS_FOR_STATISTICS).astype(np.int64)
            rows = spaced if rows is None else rows[spaced]
        chosen = X if rows is None else take_rows(X, rows)
        weight = None if weight is None else weight if rows is None else weight[rows]
        if self.mode == "sparse":
            self.encoder = Encoder.from_sparse(TableReader(None).read_sparse(chosen), weight)
        else:
            numeric, codes = self.reader.read(chosen)
            self.encoder = Encoder().fit(numeric, weight)
            # A "missing" that training never saw would meet weights that never learned: it is read as unknown instead.
            self.missing_codes = np.array(self.cardinalities, dtype=np.int64) - 1
            self.never_missing = ~(codes == self.missing_codes).any(axis=0)
            self.row_shape = (self.encoder.out_features,)
        return self

    def raw_rows(self, X: Any) -> list[np.ndarray] | None:
        """What makes two rows equal, as arrays; for sparse matrices the dense rows of what is a small table."""
        if self.mode == "table":
            return [block for block in self.reader.read(X) if block.size]
        if self.mode == "sparse":
            small = X.shape[0] * X.shape[1] <= 2**20
            rows = X if sparse.issparse(X) or not small else TableReader(None).read_sparse(X)
            return [rows.toarray()] if small else None
        return [self._untouched(X)]

    def encode(self, X: Any, rows: np.ndarray | None = None) -> tuple[Tensor | Any, Tensor | None]:
        """Numbers float32 (n, ...) as a tensor, or a csr_array; codes int64 (n, n_categorical) or None.

        Raises
        ------
        ValueError
            NaN or infinity where the network would receive it, naming the column.
        """
        if self.mode == "sparse":
            matrix = TableReader(None).read_sparse(X if rows is None else take_rows(X, rows))
            return (matrix if self.encoder is None else self.encoder.encode_sparse(matrix)), None
        if self.mode == "array":
            x_num = torch.from_numpy(self._untouched(X if rows is None else take_rows(X, rows)))
            return (x_num if self.rescaling is None else _standardised(x_num, *self.rescaling)), None
        n_samples = X.shape[0] if rows is None else len(rows)
        chunk = max(256, _CHUNK_BYTES // (8 * X.shape[1]))
        if n_samples <= chunk:
            return self._encode_chunk(X if rows is None else take_rows(X, rows))
        assert self.encoder is not None
        x_num = np.empty((n_samples, self.encoder.out_features), dtype=np.float32)
        x_cat = np.empty((n_samples, len(self.cardinalities)), dtype=np.int64)
        for start in range(0, n_samples, chunk):
            part = slice(start, start + chunk)
            numeric, codes = self.reader.read(take_rows(X, part if rows is None else rows[part]))
            self.encoder.encode(numeric, out=x_num[part])
            x_cat[part] = self._trained_codes(codes)
        return torch.from_numpy(x_num), torch.from_numpy(x_cat) if self.cardinalities else None

    def _trained_codes(self, codes: np.ndarray) -> np.ndarray:
        """Codes without a "missing" that training never saw."""
        if codes.shape[1] and self.never_missing.any():
            codes[(codes == self.missing_codes) & self.never_missing] = 0
        return codes

    def _encode_chunk(self, X: Any) -> tuple[Tensor, Tensor | None]:
        assert self.encoder is not None
        numeric, codes = self.reader.read(X)
        x_num = torch.from_numpy(self.encoder.encode(numeric))
        return x_num, torch.from_numpy(self._trained_codes(codes)) if self.cardinalities else None

    def _untouched(self, X: Any) -> np.ndarray:
        """X as finite float32, nothing else done to it."""
        what = "preprocessing=False hands X" if not self.preprocessing else "Arrays of more than two dimensions go"
        expected = f"finite numbers, since {what[0].lower()}{what[1:]} to the network untouched"
        if nw.dependencies.is_pandas_dataframe(X) and any(type(dtype).__name__ == "SparseDtype" for dtype in X.dtypes):
            # Column by column: together, pandas would give them the fill value of the first one, and warn.
            X = np.column_stack([np.asarray(X.iloc[:, i]) for i in range(X.shape[1])])
        # What float32 cannot hold becomes infinity, and is reported.
        with refused_as("X", expected), np.errstate(over="ignore", invalid="ignore"):
            try:
                array = check_array(
                    X, dtype=np.float32, allow_nd=True, input_name="X", ensure_min_features=0, order="C"
                )  # fmt: skip
            except (ValueError, TypeError) as error:
                kind = TypeError if isinstance(error, TypeError) else ValueError
                raise kind(f"X: {error}\n{what} to the network untouched, so X must be finite numbers.") from error
        # A copy: a module may change its input in place, and that must not be the caller's memory.
        return np.array(array, dtype=np.float32, order="C", copy=True)

    @property
    def can_be_scaled(self) -> bool:
        """Whether numbers go to the network untouched."""
        return self.mode == "array" or (self.mode == "sparse" and self.encoder is None)

    @property
    def scaling(self) -> tuple[Any, Any]:
        """What `scale_from_now_on` changes."""
        return self.rescaling, self.encoder

    @scaling.setter
    def scaling(self, value: tuple[Any, Any]) -> None:
        self.rescaling, self.encoder = value

    def scale_from_now_on(self, resident: Sequence[Any]) -> Callable[[], None]:
        """Standardise numbers that were untouched so far, of resident `Rows` and at predict; return what undoes it.

        Columns of a table and features of a sequence each for itself, images as a whole; by the first of `resident`.
        A sparse table stays sparse, and so do columns that are mostly zeros: these are divided, not shifted.
        """
        before, previous = [(rows, rows.x_num) for rows in resident], self.rescaling
        scale = self._scaling_of_sparse(before[0][1]) if self.mode == "sparse" else self._scaling_of_dense(before[0][1])
        scaled: dict[int, Any] = {}  # rows that are shared out refer to the same numbers
        for rows, x in before:
            if id(x) not in scaled:
                scaled[id(x)] = scale(x)
            rows.x_num = scaled[id(x)]

        def undo() -> None:
            self.rescaling = previous
            if self.mode == "sparse":
                self.encoder = None
            for rows, x in before:
                rows.x_num = x

        return undo

    def _scaling_of_dense(self, x_num: Tensor) -> Callable[[Tensor], Tensor]:
        dims = tuple(range(x_num.ndim - 1)) if x_num.ndim in (2, 3) else tuple(range(x_num.ndim))
        numbers = x_num.double()
        spread, center = torch.std_mean(numbers, dims, keepdim=True)
        if x_num.ndim == 2:  # as in a sparse table, one value among a thousand zeros shall not become 30
            is_sparse = (numbers == 0).double().mean(0, keepdim=True) > 0.5
            power = (numbers.square().sum(0) / (numbers != 0).sum(0).clamp(min=1)).sqrt()
            spread, center = torch.where(is_sparse, power, spread), torch.where(is_sparse, 0.0, center)
        spread[spread == 0] = torch.inf  # what training never saw vary says nothing
        center, spread = center[0].float(), spread[0].float()
        if self.rescaling is None:
            self.rescaling = (center.cpu(), spread.cpu())
        else:  # numbers that have been scaled before are scaled once more
            first_center, first_spread = self.rescaling
            shift = torch.where(torch.isinf(first_spread), 0.0, first_spread * center.cpu())
            self.rescaling = (first_center + shift, first_spread * spread.cpu())
        return lambda x: _standardised(x, center, spread)

    def _scaling_of_sparse(self, x_num: Any) -> Callable[[Any], Any]:
        self.encoder = encoder = Encoder.from_sparse(x_num, None)
        return encoder.encode_sparse

    def check_shape(self, X: Any) -> None:
        """At predict: the same kind and shape of rows as at fit."""
        if self.mode == "array" and tuple(X.shape[1:]) != self.row_shape:
            raise ValueError(f"X: expected rows of shape {self.row_shape} as in fit, got {tuple(X.shape[1:])}.")
        if self.mode == "table" and sparse.issparse(X):
            if self.cardinalities:
                raise ValueError(
                    "X is sparse, but was a table with categories in fit. Pass a table of the same columns."
                )
        elif self.mode != "array" and len(X.shape) != 2:  # polars frames have no ndim
            raise ValueError(f"Found array with dim {len(X.shape)}, expected 2 as in fit.")


def _standardised(x_num: Tensor, center: Tensor, spread: Tensor) -> Tensor:
    return (x_num - center.to(x_num.device)) / spread.to(x_num.device)
