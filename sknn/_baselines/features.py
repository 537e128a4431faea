"""Any X that sknn reads -> numbers for models of scikit-learn. One transformer for each kind of data.

Tables are read cell by cell as the networks read them, so that a comparison is one of models and not of readings.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .._data.categories import Column
from .._data.columns import Texts, named_columns
from .._data.containers import as_table
from .._data.dates import DATE_FEATURES, date_features
from .._data.images import as_images, form_of, pixels_of
from .._data.sequence_inputs import SequenceInputs
from .._data.table import TableReader
from .._data.table_inputs import TableRows
from .._data.texts import as_texts, checked_texts
from .._errors import shown

__all__ = ["Cells", "Flat", "Pixels", "SequenceStatistics", "Strings", "WithoutEmptyColumns"]

_LARGEST_IMAGE = 16  # pixels of height and of width; a linear model gains nothing from more
_STATISTICS = ("mean", "std", "min", "max", "first", "last", "mean step")
_STEPS_AT_ONCE = 2**22


class _Stateless(TransformerMixin, BaseEstimator):
    """A transformer that learns nothing in fit."""

    def fit(self, X: Any, y: Any = None) -> Any:
        """Nothing to learn."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True


class Cells(_Stateless):
    """Some columns of a raw table.

    Parameters
    ----------
    columns : list of Column
        What each column of the table is.
    part : {"numbers", "calendar", "categories"} or int
        "numbers": float64 (n, n_numbers), NaN for missing; dates in seconds since 1970, durations in seconds.
        "calendar": the `DATE_FEATURES` of each column of dates, float64 (n, 9 * n_dates). "categories": codes int64
        (n, n_categorical). A position: the texts of this column, object (n,), "" for missing.
    """

    def __init__(self, columns: list[Column], part: Literal["numbers", "calendar", "categories"] | int) -> None:
        self.columns = columns
        self.part = part

    def transform(self, X: Any) -> np.ndarray:
        """The numbers, the codes or the texts."""
        X = as_table(X)
        self._check_columns(X)
        kept = self._positions()
        reader = TableReader(self.columns).without({*range(len(self.columns))} - {*kept})
        contents = reader.parse(X)
        if isinstance(self.part, int):
            return _strings(contents[self.part])
        numbers, codes = TableRows(reader, contents).read()
        if self.part == "categories":
            return codes
        return date_features(numbers, np).reshape(len(numbers), -1) if self.part == "calendar" else numbers

    def _positions(self) -> list[int]:
        if isinstance(self.part, int):
            return [self.part]
        reader = TableReader(self.columns)
        dates = [i for i in reader.numeric if self.columns[i].quantity == "date"]
        return {"numbers": reader.numeric, "calendar": dates, "categories": reader.categorical}[self.part]

    def _check_columns(self, X: Any) -> None:
        """Raise if the columns are not those of the table that the baselines were made for."""
        names = [column.name for column in self.columns]
        given = [name for name, _ in named_columns(X)]
        if len(given) != len(names):
            raise ValueError(f"X has {len(given)} columns, expected {len(names)} as in sknn.baselines(X, y).")
        if given != names and given != [*range(len(names))]:
            raise ValueError(f"X has the columns {shown(given)}, expected {shown(names)} as in sknn.baselines(X, y).")

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of the result; the texts keep theirs."""
        names = [str(self.columns[i].name) for i in self._positions()]
        if self.part == "calendar":
            names = [f"{name}: {feature}" for name in names for feature in DATE_FEATURES]
        return np.array(names, dtype=object)


def _strings(texts: Any) -> np.ndarray:
    """Texts of a column as object (n,)."""
    assert isinstance(texts, Texts)
    return np.array([*texts.values, ""], dtype=object)[texts.positions]


class WithoutEmptyColumns(TransformerMixin, BaseEstimator):
    """Zeros for the columns of an array that have no value in fit, on which gradient boosting of scikit-learn fails."""

    def fit(self, X: np.ndarray, y: Any = None) -> WithoutEmptyColumns:
        """Learn which columns these are."""
        self.is_empty_ = np.isnan(X).all(axis=0)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """The columns, as many as before."""
        return np.where(self.is_empty_, 0.0, X)


class Strings(_Stateless):
    """Texts as object (n,); "" for missing."""

    def transform(self, X: Any) -> np.ndarray:
        """The texts."""
        return checked_texts(as_texts(X))


class Pixels(TransformerMixin, BaseEstimator):
    """Pixels of images, float32 (n, height * width * channels), in one size of at most 16 x 16."""

    def fit(self, X: Any, y: Any = None) -> Pixels:
        """Learn the layout and the size."""
        self.form_ = form_of(as_images(X))
        height, width = self.form_.size or self.form_.median
        self.size_ = (min(height, _LARGEST_IMAGE), min(width, _LARGEST_IMAGE))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """The pixels, in the size that was learned."""
        images = as_images(X)
        form = form_of(images, self.form_)
        if form.channels != self.form_.channels:
            raise ValueError(f"X: expected images of {self.form_.channels} channels as in fit, got {form.channels}.")
        return pixels_of(images, form, self.size_).reshape(len(images), -1).astype(np.float32)


class SequenceStatistics(_Stateless):
    """Of each channel of a sequence its mean, spread, extremes, ends and mean absolute step: float64 (n, 7 * channels).

    Gaps are left out; what a channel without any value would have is NaN. Sounds are sequences of one channel.
    """

    def transform(self, X: Any) -> np.ndarray:
        """The statistics."""
        rows = SequenceInputs.read_first(SequenceInputs.prepare(X))
        statistics = np.empty((len(rows), len(_STATISTICS) * rows.n_channels))
        for positions, x in rows.by_length(len(rows), _STEPS_AT_ONCE):
            statistics[positions] = _statistics(x.astype(np.float64)).reshape(len(positions), -1)
        return statistics


def _statistics(x: np.ndarray) -> np.ndarray:
    """Of (n, channels, time) with NaN for gaps; (n, channels, n_statistics)."""
    mean = _mean(x)
    spread = np.sqrt(_mean(np.square(x - mean[..., None])))
    step = _mean(np.abs(np.diff(x)))
    low, high = np.fmin.reduce(x, axis=-1), np.fmax.reduce(x, axis=-1)
    return np.stack([mean, spread, low, high, x[..., 0], x[..., -1], step], axis=-1)


def _mean(x: np.ndarray) -> np.ndarray:
    """Means along the last axis of what is not NaN; NaN if there is nothing."""
    exists = ~np.isnan(x)
    n = exists.sum(axis=-1)
    return np.where(n, np.where(exists, x, 0).sum(axis=-1) / np.maximum(n, 1), np.nan)


class Flat(_Stateless):
    """Arrays of any shape, each as one row."""

    def transform(self, X: Any) -> np.ndarray:
        """(n, ...) -> (n, n_values)."""
        return np.asarray(X).reshape(len(X), -1)
