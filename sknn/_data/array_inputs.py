"""Numbers that reach the network untouched: arrays of more than two dimensions, and tables without preprocessing.

Integers for a module that begins with an embedding reach it as integers, others as float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import torch
from sklearn.utils import check_array
from torch import Tensor

from .._errors import refused_as
from ..modules import TabM
from .containers import as_table
from .inputs import Inputs, RawRows
from .stores import Dense

__all__ = ["ArrayInputs"]

# Channels differ in scale if their spreads differ this many times more than those of the features.
_DIFFERENT = 2.0


class ArrayRows(RawRows):
    """Rows of numbers (n_samples, ...), `preprocessing` for messages; `codes` says that they are for an embedding.

    An array of numbers is kept as it is, and cast part by part; anything else is cast to float32 at once.
    """

    def __init__(self, X: Any, preprocessing: bool, codes: bool = False) -> None:
        self.preprocessing = preprocessing
        self.codes = codes
        self.is_cast = not (type(X) is np.ndarray and X.dtype.kind in "biuf")
        self.values: np.ndarray = _untouched(X, preprocessing) if self.is_cast else X

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> ArrayRows:
        return ArrayRows(self.values[rows], self.preprocessing, self.codes)

    def keys(self) -> list[np.ndarray]:
        return [self.values if self.codes else self.numbers(None)]

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> ArrayInputs:
        return ArrayInputs(self.values.shape[1:], self.preprocessing, self.codes)

    def numbers(self, rows: np.ndarray | None) -> np.ndarray:
        """The numbers of some rows or of all, finite float32 or codes int64, never the caller's own memory."""
        values = self.values if rows is None else self.values[rows]
        if self.codes:
            return np.array(values, dtype=np.int64, order="C", copy=True)
        return values if self.is_cast else _untouched(values, self.preprocessing)


class ArrayInputs(Inputs):
    """Numbers that reach the network untouched; `preprocessing` is for messages. `codes` int64 are for an embedding."""

    kind = content = "array"
    what = "numbers that the module is given untouched"
    default_module = TabM
    options = ("preprocessing", "codes")
    has_columns = True

    def __init__(self, row_shape: tuple[int, ...], preprocessing: bool, codes: bool = False) -> None:
        self.row_shape = self.given_shape = tuple(row_shape)
        self.preprocessing = preprocessing
        self.codes = codes

    @classmethod
    def prepare(cls, X: Any) -> Any:
        return as_table(X)

    @classmethod
    def read_first(cls, X: Any, preprocessing: bool = True, codes: bool = False) -> ArrayRows:
        return ArrayRows(X, preprocessing, codes)

    @property
    def in_features(self) -> int:
        return self.row_shape[0] if len(self.row_shape) == 3 else super().in_features  # channels of an image

    def read(self, X: Any) -> ArrayRows:
        if tuple(X.shape[1:]) != self.row_shape:
            raise ValueError(f"X: expected rows of shape {self.row_shape} as in fit, got {tuple(X.shape[1:])}.")
        if self.codes and not (isinstance(X, np.ndarray) and X.dtype.kind in "biu"):
            raise ValueError(
                "X: expected an array of integers as in fit, for the module's embedding, got "
                f"{X.dtype if isinstance(X, np.ndarray) else type(X).__name__}."
            )
        return ArrayRows(X, self.preprocessing, self.codes)

    def encode_rows(self, raw: ArrayRows, rows: np.ndarray | None = None) -> Dense:
        """Numbers float32, or codes int64, (n_rows, *row_shape)."""
        x = torch.from_numpy(raw.numbers(rows))
        return Dense(x if self.rescaling is None else _standardised(x, *self.rescaling))

    def columns_of_inputs(self) -> dict[str, np.ndarray] | None:
        return {"x": np.arange(self.row_shape[0], dtype=np.int64)} if len(self.row_shape) == 1 else None

    @property
    def can_be_scaled(self) -> bool:
        return not self.codes

    def _learn_scaling(self, store: Dense) -> Callable[[Dense], Dense]:
        """Standardise columns of a table and features or channels of a sequence one by one, images as a whole.

        Channels of an image, too, if their spreads differ. Columns that are mostly zeros are divided, not shifted.
        """
        x_num = store.x
        numbers = x_num.double()
        dims = _pooled_axes(numbers)
        spread, center = torch.std_mean(numbers, dims, keepdim=True)
        if x_num.ndim == 2:  # as in a sparse table, one value among a thousand zeros shall not become 30
            is_sparse = (numbers == 0).double().mean(0, keepdim=True) > 0.5
            power = (numbers.square().sum(0) / (numbers != 0).sum(0).clamp(min=1)).sqrt()
            spread, center = torch.where(is_sparse, power, spread), torch.where(is_sparse, 0.0, center)
        spread[spread == 0] = torch.inf  # what was constant in training is 0 afterwards
        center, spread = center[0].float(), spread[0].float()
        if self.rescaling is None:
            self.rescaling = (center.cpu(), spread.cpu())
        else:  # numbers that have been scaled before are scaled once more
            first_center, first_spread = self.rescaling
            shift = torch.where(torch.isinf(first_spread), 0.0, first_spread * center.cpu())
            self.rescaling = (first_center + shift, first_spread * spread.cpu())
        return lambda other: Dense(_standardised(other.x, center, spread))


def _pooled_axes(numbers: Tensor) -> tuple[int, ...]:
    """The axes whose numbers share a centre and a spread: all but the last, or but the second if that differs more.

    Nothing says whether a sequence is (n_rows, n_steps, n_features) or (n_rows, n_channels, n_steps).
    """
    axes = tuple(range(numbers.ndim))
    by_feature = axes[:-1] if numbers.ndim in (2, 3) else axes
    if numbers.ndim < 3:
        return by_feature
    by_channel = (0, *axes[2:])
    differs = [_range(numbers.std(dims, correction=0)) for dims in (by_channel, by_feature)]
    return by_channel if differs[0] > _DIFFERENT * differs[1] else by_feature


def _range(spreads: Tensor) -> float:
    """Of spreads, the largest divided by the smallest that is not zero."""
    spreads = spreads[spreads > 0]
    return float(spreads.max() / spreads.min()) if spreads.numel() else 1.0


def _standardised(x_num: Tensor, center: Tensor, spread: Tensor) -> Tensor:
    return (x_num - center.to(x_num.device)) / spread.to(x_num.device)


def _untouched(X: Any, preprocessing: bool) -> np.ndarray:
    """X as finite float32 in new memory, since a module may change its input in place."""
    what = "Arrays of more than two dimensions go" if preprocessing else "preprocessing=False hands X"
    expected = f"finite numbers, since {what[0].lower()}{what[1:]} to the network untouched"
    # What float32 cannot hold becomes infinity, and is reported.
    with refused_as("X", expected), np.errstate(over="ignore", invalid="ignore"):
        try:
            if nw.dependencies.is_pandas_dataframe(X) and any(
                type(dtype).__name__ == "SparseDtype" for dtype in X.dtypes
            ):
                # Column by column: together, pandas would give them the fill value of the first one, and warn.
                X = np.column_stack([np.asarray(X.iloc[:, i]) for i in range(X.shape[1])])
            array = check_array(X, dtype=np.float32, allow_nd=True, input_name="X", ensure_min_features=0, order="C")
        except (ValueError, TypeError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            # The lines that follow quote X, or advise other estimators.
            reason = str(error).split("\n")[0].rstrip(". :")
            raise kind(f"X: {reason}. {what} to the network untouched, so X must be finite numbers.") from error
    return np.array(array, dtype=np.float32, order="C", copy=True)
