"""Raw numbers in, scaled float32 without gaps out."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from .quantiles import center_and_half_spread

CLIP_LIMIT = 3.0  # largest |z| that comes out
# Beyond this |z| the clip is 3 to the last bit of a float32, and its square cannot overflow.
MAX_Z = 1e6
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

    `encode` works on float64 numpy arrays, which for few rows is several times faster than torch; `forward` is the same
    formula in torch, for export. Statistics are float64: in float32, 1.7e9 and 1.7e9 + 60 are the same number.
    """

    center: Tensor  # float64 (d,)
    scale: Tensor  # float64 (d,)
    gap_columns: Tensor  # int64 (n_gap_columns,)

    def __init__(self) -> None:
        super().__init__()
        for name, dtype in (("center", torch.float64), ("scale", torch.float64), ("gap_columns", torch.int64)):
            self.register_buffer(name, torch.zeros(0, dtype=dtype))
        self._in_numpy: tuple[np.ndarray, ...] | None = None

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
        center, scale, gap_columns = self._statistics()
        encoder = Encoder()
        encoder._set(center[positions], scale[positions], np.flatnonzero(np.isin(positions, gap_columns)))
        return encoder

    def learned_again(self, positions: np.ndarray, encoder: Encoder) -> Encoder:
        """This encoder, where the columns at `positions`, int64 (n_positions,), are those of another one."""
        center, scale, gap_columns = (statistic.copy() for statistic in self._statistics())
        center[positions], scale[positions], gaps = encoder._statistics()
        gap_columns = np.union1d(np.setdiff1d(gap_columns, positions), positions[gaps])
        learned = Encoder()
        learned._set(center, scale, gap_columns)
        return learned

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

    def encode(self, numeric: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Encode numbers (n, d), best float64, as float32 (n, out_features), written to `out` if it is given."""
        center, scale, gap_columns = self._statistics()
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
            out[:, d:] = np.isnan(numeric[:, gap_columns])
        return out

    def encode_sparse(self, X: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
        """Scale and squeeze rows (n, d) for `from_sparse` to float32, NaN as 0. The index arrays are those of X."""
        _, scale, _ = self._statistics()
        values = X.data * scale[X.indices]
        _squeeze(values)
        values[np.isnan(values)] = 0.0
        return scipy.sparse.csr_array((values.astype(np.float32), X.indices, X.indptr), shape=X.shape)

    def forward(self, numeric: Tensor) -> Tensor:
        """Encode numbers (..., d), float64 or float32, as float32 (..., out_features)."""
        numeric = numeric.to(self.center.dtype)
        z = ((numeric - self.center) * self.scale).clamp(-MAX_Z, MAX_Z)
        z = torch.nan_to_num(z / torch.sqrt(1.0 + (z / CLIP_LIMIT) ** 2), nan=0.0)
        missing = torch.isnan(numeric.index_select(-1, self.gap_columns))
        return torch.cat([z.float(), missing.float()], dim=-1)

    def _set(self, center: np.ndarray, scale: np.ndarray, gap_columns: np.ndarray) -> None:
        device = self.center.device
        self.center = torch.tensor(center, dtype=torch.float64, device=device)
        self.scale = torch.tensor(scale, dtype=torch.float64, device=device)
        self.gap_columns = torch.tensor(gap_columns, dtype=torch.int64, device=device)
        self._in_numpy = None

    def _statistics(self) -> tuple[np.ndarray, ...]:
        """Center, scale and gap_columns as numpy, copied once, since one row at predict would notice it."""
        if self._in_numpy is None:
            self._in_numpy = tuple(b.cpu().numpy() for b in (self.center, self.scale, self.gap_columns))
        return self._in_numpy

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_in_numpy": None}
