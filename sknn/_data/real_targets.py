"""Numbers y -> tensor, and outputs of the link -> numbers in the unit of y."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.utils import check_array

from .._errors import refused_as
from .quantiles import center_and_half_spread

__all__ = ["RealTargets"]

# The squares of larger numbers are infinite in float32.
_MAX_ENCODED = 1e18


def _unit(columns: np.ndarray) -> np.ndarray:
    """A power of two for each of the columns (n, n_outputs), so that squares of its multiples fit float64."""
    largest = np.abs(columns).max(axis=0, initial=0.0)
    extreme = (largest > 1e100) | ((largest < 1e-100) & (largest > 0))
    return np.where(extreme, np.exp2(np.frexp(largest)[1].clip(-1021, 1023)), 1.0)


# Distance between the quantiles 1/8 and 7/8 of a normal distribution, in standard deviations.
_NORMAL_RANGE = 2.3007


def _mean_and_scale(columns: np.ndarray, weight: np.ndarray | None, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """Centre and spread of columns (n, n_outputs); for "scale" the mean, twice."""
    if scaling == "robust":
        center, half_spread = center_and_half_spread(columns, weight, tail=0.125)
        return center, 2 * half_spread / _NORMAL_RANGE
    mean = np.average(columns, axis=0, weights=weight)
    if scaling == "scale":
        return mean, mean
    return mean, np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weight))


class RealTargets:
    """Numbers (n_samples,) or (n_samples, n_outputs): scaled for the network, and converted back at predict.

    `scaling` is "standard": zero mean, unit variance; "robust": zero median, unit spread, which an eighth of the rows
    cannot move however far they are; "scale": divided by the mean, for a loss with a log link, whose target must stay
    positive; or None: unchanged. An output that never varies, unless it is left unchanged, is predicted exactly.
    """

    kind = "real"

    def __init__(self, y: np.ndarray, weight: np.ndarray | None, scaling: str | None) -> None:
        self.ndim = y.ndim
        columns = y.reshape(len(y), -1)
        self.n_targets = columns.shape[1]
        self.mean = np.zeros(self.n_targets)
        self.scale = np.ones(self.n_targets)
        self.constant = np.full(self.n_targets, np.nan)  # the value of an output that never varies, else NaN
        if scaling is not None:
            unit = _unit(columns)
            in_units = columns / unit
            mean, scale = _mean_and_scale(in_units, weight, scaling)
            # A constant target is not divided. The tolerance is relative, since the mean of many 0.1 is not 0.1.
            tolerance = 8 * np.finfo(np.float64).eps * np.abs(mean)
            varies = np.ptp(in_units, axis=0) > tolerance
            self.constant[~varies] = columns[0, ~varies]
            # The mean of many 0.1 is not 0.1, and a loss of 1e-30 instead of 0 would be far above that of a constant.
            self.mean = np.zeros_like(mean) if scaling == "scale" else np.where(varies, mean * unit, self.constant)
            self.scale = np.where(scale > tolerance, np.maximum(scale * unit, np.finfo(np.float64).tiny), 1.0)
        # float32 has 24 bits: if the mean is above about 1,000 spreads, rounding would change the values visibly.
        # scikit-learn expects float64 for several outputs.
        rounded_away = (np.abs(self.mean) / 1e3 > self.scale).any()
        out_of_range = ((self.scale > 1e30) | (self.scale < 1e-30)).any()
        self.dtype = np.float64 if rounded_away or out_of_range or self.ndim == 2 else np.float32

    @property
    def is_constant(self) -> bool:
        """Whether no output varies, so that there is nothing to learn."""
        return not np.isnan(self.constant).any()

    @property
    def affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Factor and offset of each output, float64 (n_outputs,), that turn the output of the link into y."""
        varies = np.isnan(self.constant)
        return np.where(varies, self.scale, 0.0), np.where(varies, self.mean, self.constant)

    def for_further(self, y: Any) -> RealTargets:
        """These targets for training that continues with `y`: an output that varies now is constant no longer."""
        targets = copy.copy(self)
        targets.constant = np.where((self._columns(y) == self.constant).all(axis=0), self.constant, np.nan)
        return targets

    def _columns(self, y: Any) -> np.ndarray:
        """y as float64 (n_samples, n_outputs) of as many outputs as the training target."""
        columns = self.check(y)
        columns = columns.reshape(len(columns), -1)
        if columns.shape[1] != self.n_targets:
            raise ValueError(f"y: expected {self.n_targets} outputs as in the training target, got {columns.shape[1]}.")
        return columns

    @staticmethod
    def check(y: Any) -> np.ndarray:
        """y as finite float64 of one or two dimensions."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None.")
        with refused_as("y", "finite numbers, one or several for each row"), np.errstate(all="ignore"):
            return RealTargets._checked(y)

    @staticmethod
    def _checked(y: Any) -> np.ndarray:
        try:
            if getattr(getattr(y, "dtype", None), "kind", "f") in "mM":  # polars' dtypes have no kind
                raise ValueError("dates and durations could not be converted")  # not silently to nanoseconds
            y = check_array(y, ensure_2d=False, dtype="numeric", input_name="y", ensure_min_samples=0)
        except ValueError as error:
            if "NaN" in str(error) or "infinity" in str(error):
                raise ValueError(f"{error}\nEvery row needs a finite number as its y: drop the others.") from error
            if "convert" not in str(error).lower():
                raise
            raise ValueError(
                f"y: numbers were expected ({error}). Use NeuralClassifier for labels, or make numbers of them, as by "
                "y.astype(float)."
            ) from error
        # In rows: means of columns in another order in memory differ in the last bit.
        y = np.ascontiguousarray(y, dtype=np.float64)
        if not np.isfinite(y).all():  # None, which scikit-learn converts after its check
            raise ValueError("Input y contains NaN or None. Every row needs a finite number as its y: drop the others.")
        if y.ndim not in (1, 2):
            raise ValueError(f"y: expected shape (n_samples,) or (n_samples, n_outputs), got {y.shape}.")
        return y

    def encode(self, y: Any) -> np.ndarray:
        """(n_samples,) or (n_samples, n_outputs) -> float32 (n_samples, n_outputs)."""
        columns = self._columns(y)
        with np.errstate(over="ignore"):
            encoded = columns - self.mean
            encoded /= self.scale
            far = np.isinf(encoded)  # the difference of two finite numbers may be infinite
            if far.any():
                encoded[far] = ((columns / 2 - self.mean / 2) / self.scale * 2)[far]
        if encoded.size and max(encoded.max(), -encoded.min()) > _MAX_ENCODED:
            too_large = np.abs(encoded) > _MAX_ENCODED
            raise ValueError(
                f"y holds {columns[too_large][0]:g}, too large beside the other values of the training target for "
                "float32, in which networks compute. Drop such rows, or fit to np.arcsinh(y), say; with "
                "preprocessing=False, scale y."
            )
        return encoded.astype(np.float32)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Link output float32 (n_samples, n_values) -> the shape and unit of y.

        Several quantile levels of one output give (n_samples, n_levels).
        """
        # In float64: of values near zero, a sum in float32 would keep little but rounding errors.
        largest = np.finfo(self.dtype).max
        with np.errstate(over="ignore"):
            factor, offset = self.affine
            values = values.astype(np.float64) * factor + offset
        values = np.clip(values, -largest, largest).astype(self.dtype, copy=False)
        return values[:, 0] if self.ndim == 1 and values.shape[1] == 1 else values
