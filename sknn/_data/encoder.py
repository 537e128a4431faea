"""Raw numbers in, scaled float32 without gaps out."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from .dates import DATE_FEATURES, date_features
from .quantiles import center_and_half_spread

CLIP_LIMIT = 3.0  # largest |z| that comes out
# Beyond this |z| the clip is 3 to the last bit of a float32, and its square cannot overflow.
MAX_Z = 1e6
_BUFFERS = {
    "center": torch.float64, "scale": torch.float64, "gap_columns": torch.int64, "date_columns": torch.int64,
    "date_features": torch.int64,
}  # fmt: skip
_LEAST_SPREAD = 1e-300  # less is rounding noise, and its inverse would overflow


def _squeeze(z: np.ndarray) -> None:
    """Replace z by z / sqrt(1 + (z / 3)^2)."""
    np.minimum(z, MAX_Z, out=z)
    np.maximum(z, -MAX_Z, out=z)
    divisor = z * (1.0 / CLIP_LIMIT)
    divisor *= divisor
    divisor += 1.0
    np.sqrt(divisor, out=divisor)
    z /= divisor


class Encoder(nn.Module):
    r"""Scale numbers robustly, squeeze outliers, fill gaps.

    For a number :math:`x` of a column with weighted median :math:`c` and quartiles :math:`q_{25}, q_{75}`,

    .. math:: z = (x - c) \, s, \qquad s = \frac{1}{q_{75} - q_{25}}, \qquad
              \text{output} = \frac{z}{\sqrt{1 + (z / 3)^2}} \in (-3, 3).

    If the quartiles are equal (a spike at one value, as in counts), :math:`1 / s` is the median of
    :math:`|x - c|` over the rows off the spike, so that these rows stay distinct however long the tail is. This departs
    from the paper (Holzmüller, Grinsztajn and Steinwart, "Better by default", NeurIPS 2024, arXiv:2407.04491), which
    takes half the range. In constant and in all-missing columns :math:`s` is 0. A missing value gives 0, and 1 in an
    indicator column, which is appended for each of the `gap_columns`, those with gaps in `fit`.

    Columns of dates are followed by what they are in the calendar, which is scaled in the same way (`with_dates`).

    `encode` works on float64 numpy arrays, which for few rows is several times faster than torch; `forward` is the same
    formula in torch, for export. Statistics are float64: in float32, 1.7e9 and 1.7e9 + 60 are the same number.
    """

    center: Tensor  # float64 (d + n_date_features,)
    scale: Tensor  # float64 (d + n_date_features,)
    gap_columns: Tensor  # int64 (n_gap_columns,)
    date_columns: Tensor  # int64 (n_date_columns,)
    date_features: Tensor  # int64 (n_date_features,), positions in the features of all date columns

    def __init__(self) -> None:
        super().__init__()
        for name, dtype in _BUFFERS.items():
            self.register_buffer(name, torch.zeros(0, dtype=dtype))
        self._in_numpy: tuple[np.ndarray, ...] | None = None

    @property
    def in_features(self) -> int:
        """Number of columns d that are encoded."""
        return self.center.shape[0] - self.date_features.shape[0]

    @property
    def out_features(self) -> int:
        """Number of encoded columns, indicators included."""
        return self.center.shape[0] + self.gap_columns.shape[0]

    def fit(self, numeric: np.ndarray, weight: np.ndarray | None = None) -> Encoder:
        """Learn from float64 (n, d), NaN for missing, with weights >= 0 (n,): a weight of k counts as k copies."""
        if weight is not None and not (np.asarray(weight) > 0).all():
            weight = np.asarray(weight)
            numeric, weight = numeric[weight > 0], weight[weight > 0]
        with np.errstate(over="ignore", invalid="ignore"):
            gap_columns = np.flatnonzero(np.isnan(numeric.sum(axis=0)))  # a superset: inf - inf is NaN, too
        gap_columns = gap_columns[np.isnan(numeric[:, gap_columns]).any(axis=0)]
        center, half_spread = center_and_half_spread(numeric, weight, tail=0.25)
        scale = np.divide(0.5, half_spread, out=np.zeros_like(half_spread), where=half_spread > _LEAST_SPREAD)
        self._set(np.nan_to_num(center), scale, gap_columns)
        return self

    def of_columns(self, positions: np.ndarray) -> Encoder:
        """The encoder of these columns only, int64 (n_positions,), increasing."""
        center, scale, gap_columns, *_ = self._statistics()
        encoder = Encoder()
        encoder._set(center[positions], scale[positions], np.flatnonzero(np.isin(positions, gap_columns)))
        return encoder

    def learned_again(self, positions: np.ndarray, encoder: Encoder) -> Encoder:
        """This encoder, where the columns at `positions`, int64 (n_positions,), are those of another one."""
        center, scale, gap_columns, *_ = (statistic.copy() for statistic in self._statistics())
        center[positions], scale[positions], gaps, *_ = encoder._statistics()
        gap_columns = np.union1d(np.setdiff1d(gap_columns, positions), positions[gaps])
        learned = Encoder()
        learned._set(center, scale, gap_columns)
        return learned

    def with_columns(self, numeric: np.ndarray, weight: np.ndarray | None) -> Encoder:
        """This encoder and one for further columns without gaps, float64 (n, d'), with weights (n,)."""
        center, scale, gap_columns, *_ = self._statistics()
        other = Encoder().fit(numeric, weight)._statistics()
        encoder = Encoder()
        encoder._set(np.append(center, other[0]), np.append(scale, other[1]), gap_columns)
        return encoder

    def with_dates(self, numeric: np.ndarray, weight: np.ndarray | None, columns: np.ndarray) -> Encoder:
        """This encoder, where those calendar features of the date columns that vary in float64 (n, d) are appended.

        A gap needs no indicator of each feature: the column of the seconds has one.
        """
        features = _flat_date_features(numeric, columns)
        varies = np.array([len(np.unique(feature[~np.isnan(feature)])) > 1 for feature in features.T], dtype=bool)
        encoder = self.with_columns(features[:, varies], weight)
        center, scale, gap_columns, *_ = encoder._statistics()
        encoder._set(center, scale, gap_columns, columns, np.flatnonzero(varies))
        return encoder

    @classmethod
    def from_sparse(cls, X: scipy.sparse.csr_array, weight: np.ndarray | None = None) -> Encoder:
        """Make an encoder for float rows (n, d): no shift and no indicators, so that zeros stay zeros.

        Its scale is one over the weighted root mean square of the values other than zero of each column; 0 for columns
        without any. If zeros counted, one value among a thousand zeros would become 30, and a network would memorise
        rows by such columns. Explicit NaN is ignored.
        """
        n, d = X.shape
        weight = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
        stored_weight = np.repeat(weight, np.diff(X.indptr))
        values = np.nan_to_num(X.data.astype(np.float64))
        unit = np.zeros(d)  # of each column, so that squares neither overflow nor vanish
        np.maximum.at(unit, X.indices, np.abs(values))
        unit[((unit > 1e-100) & (unit < 1e100)) | (unit < _LEAST_SPREAD)] = 1.0
        values /= unit[X.indices]
        total = np.bincount(X.indices, stored_weight * (values != 0), minlength=d)
        power = np.bincount(X.indices, stored_weight * values**2, minlength=d)
        scale = np.sqrt(np.divide(total, power, out=np.zeros(d), where=power > 0)) / unit
        encoder = cls()
        encoder._set(np.zeros(d), scale, np.empty(0, dtype=np.int64))
        return encoder

    def date_positions(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions of the columns of dates among the numbers, and for each calendar feature which of them it is of."""
        *_, date_columns, kept = self._statistics()
        return date_columns, kept // len(DATE_FEATURES)

    def encode(self, numeric: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Encode numbers (n, d), best float64, as float32 (n, out_features), written to `out` if it is given."""
        center, scale, gap_columns, date_columns, kept = self._statistics()
        given = numeric
        if kept.size:
            numeric = np.concatenate([given, _flat_date_features(given, date_columns)[:, kept]], axis=1)
        n, d = numeric.shape
        if out is None:
            out = np.empty((n, d + gap_columns.size), dtype=np.float32)
        # Infinite differences are clipped below; infinity times a scale of 0 is NaN, which becomes 0.
        with np.errstate(over="ignore", invalid="ignore"):
            z = np.subtract(numeric, center)
            z *= scale
        _squeeze(z)
        missing = np.isnan(z)
        if missing.any():
            z[missing] = 0.0
        out[:, :d] = z
        if gap_columns.size:
            out[:, d:] = np.isnan(given[:, gap_columns])
        return out

    def encode_sparse(self, X: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
        """Scale and squeeze rows (n, d) for `from_sparse` to float32, NaN as 0. The index arrays are those of X."""
        scale = self._statistics()[1]
        values = X.data * scale[X.indices]
        _squeeze(values)
        values[np.isnan(values)] = 0.0
        return scipy.sparse.csr_array((values.astype(np.float32), X.indices, X.indptr), shape=X.shape)

    def forward(self, numeric: Tensor) -> Tensor:
        """Encode numbers (..., d), float64 or float32, as float32 (..., out_features)."""
        numeric = numeric.to(self.center.dtype)
        missing = torch.isnan(numeric.index_select(-1, self.gap_columns))
        if self.date_features.shape[0]:
            features = date_features(numeric.index_select(-1, self.date_columns), torch).flatten(-2)
            numeric = torch.cat([numeric, features.index_select(-1, self.date_features)], dim=-1)
        z = ((numeric - self.center) * self.scale).clamp(-MAX_Z, MAX_Z)
        z = torch.nan_to_num(z / torch.sqrt(1.0 + (z / CLIP_LIMIT) ** 2), nan=0.0)
        return torch.cat([z.float(), missing.float()], dim=-1)

    def _set(
        self,
        center: np.ndarray,
        scale: np.ndarray,
        gap_columns: np.ndarray,
        date_columns: np.ndarray | None = None,
        date_features: np.ndarray | None = None,
    ) -> None:
        none = np.empty(0, dtype=np.int64)
        dates = (none if date_columns is None else date_columns, none if date_features is None else date_features)
        for (name, dtype), values in zip(_BUFFERS.items(), (center, scale, gap_columns, *dates), strict=True):
            setattr(self, name, torch.tensor(values, dtype=dtype, device=self.center.device))
        self._in_numpy = None

    def _statistics(self) -> tuple[np.ndarray, ...]:
        """All buffers as numpy, copied once, since one row at predict would notice it."""
        if self._in_numpy is None:
            self._in_numpy = tuple(getattr(self, name).cpu().numpy() for name in _BUFFERS)
        return self._in_numpy

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_in_numpy": None}


def _flat_date_features(numeric: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """All calendar features of these columns of numbers (n, d), one column after the other, (n, 9 n_columns)."""
    with np.errstate(invalid="ignore"):
        return date_features(numeric[:, columns], np).reshape(len(numeric), -1)
