"""Raw numbers in, scaled float32 without gaps out."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from .quantiles import quartiles, spread_rows

CLIP_LIMIT = 3.0  # largest |z| that comes out
# Beyond this |z| the clip is 3 to the last bit of a float32, and its square cannot overflow.
MAX_Z = 1e6


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
    from the paper, which takes half the range. In constant and in all-missing columns :math:`s` is 0.
    A missing value gives 0, and 1 in an indicator column, which is appended for each column that had gaps
    in ``fit``.

    Attributes
    ----------
    center, scale : buffer of shape (d,), float64
        In float32, 1.7e9 and 1.7e9 + 60 are the same number, so ``float()``, ``half()`` and other casts do not change
        these buffers.
    gap_columns : buffer of shape (n_gap_columns,), int64
        Positions of the columns with an indicator.

    Notes
    -----
    Quantiles invert the weighted step function of the cumulative distribution and take the mean of both
    neighbours where it is level, so that a weight of k counts exactly as k copies. NaN is ignored. Of more
    than 100,000 rows, quantiles use 100,000 evenly spaced ones; without random numbers, so that they depend
    on the data alone. Cost of ``fit``: selection in O(n d), with weights a sort in O(n log(n) d).

    ``encode`` works on float64 numpy arrays, which for few rows is several times faster than torch;
    ``forward`` is the same formula in torch, for export. ``encode`` notices when buffers
    are replaced (``to``, assignment) or loaded, but not when they are changed in place.

    References
    ----------
    David Holzmüller, Léo Grinsztajn, Ingo Steinwart, "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data", NeurIPS 2024, arXiv:2407.04491.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn._data.encoder import Encoder
    >>> numeric = np.array([[1.0], [2.0], [3.0], [np.nan], [100.0]])
    >>> print(Encoder().fit(numeric).encode(numeric).round(2))
    [[-0.03  0.  ]
     [-0.01  0.  ]
     [ 0.01  0.  ]
     [ 0.    1.  ]
     [ 1.63  0.  ]]
    """

    center: Tensor
    scale: Tensor
    gap_columns: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("scale", torch.zeros(0, dtype=torch.float64))
        self.register_buffer("gap_columns", torch.zeros(0, dtype=torch.int64))
        self._cache: tuple[Any, ...] | None = None

    @property
    def out_features(self) -> int:
        """Number of encoded columns, indicators included."""
        return self.center.shape[0] + self.gap_columns.shape[0]

    def fit(self, numeric: np.ndarray, weight: np.ndarray | None = None) -> "Encoder":
        """Learn center, scale and which columns have gaps.

        Parameters
        ----------
        numeric : ndarray of shape (n, d), float64
            Finite, or NaN for missing.
        weight : ndarray of shape (n,), optional
            Not negative. Rows of weight 0 count as absent.

        Returns
        -------
        Encoder
            Itself.
        """
        if weight is not None and not (np.asarray(weight) > 0).all():
            weight = np.asarray(weight)
            numeric, weight = numeric[weight > 0], weight[weight > 0]
        with np.errstate(over="ignore", invalid="ignore"):
            gap_columns = np.flatnonzero(np.isnan(numeric.sum(axis=0)))  # a superset: inf - inf is NaN, too
        gap_columns = gap_columns[np.isnan(numeric[:, gap_columns]).any(axis=0)]
        sample, sample_weight = spread_rows(numeric, weight)
        low, center, high = quartiles(sample, sample_weight)
        # Halves, since the difference of two finite numbers may be infinite. NaN: no value at all.
        half_spread = np.nan_to_num(high / 2 - low / 2)
        flat = np.flatnonzero(half_spread == 0)
        if flat.size:
            distance = np.abs(sample[:, flat] / 2 - center[flat] / 2)
            distance[distance == 0] = np.nan
            half_spread[flat] = np.nan_to_num(quartiles(distance, sample_weight)[1])
            rare = flat[half_spread[flat] == 0]  # constant, or other values are so rare that the sample has none
            largest, smallest = (f.reduce(numeric[:, rare], axis=0) for f in (np.fmax, np.fmin))
            half_spread[rare] = np.nan_to_num(largest / 2 - smallest / 2)
        # A spread below 1e-300 is rounding noise, and its inverse would overflow.
        scale = np.divide(0.5, half_spread, out=np.zeros_like(half_spread), where=half_spread > 1e-300)
        self._set(np.nan_to_num(center), scale, gap_columns)
        return self

    @classmethod
    def from_sparse(cls, X: scipy.sparse.csr_array, weight: np.ndarray | None = None) -> "Encoder":
        """Make an encoder for sparse rows: no shift and no indicators, so that zeros stay zeros.

        Parameters
        ----------
        X : csr_array of shape (n, d), float32
            Explicit NaN is ignored.
        weight : ndarray of shape (n,), optional
            Not negative.

        Returns
        -------
        Encoder
            Its scale is one over the weighted root mean square of the values other than zero of each column; 0 for
            columns without any. If zeros counted, one value among a thousand zeros would become 30, and a
            network would memorise rows by such columns.
        """
        n, d = X.shape
        weight = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
        stored_weight = np.repeat(weight, np.diff(X.indptr))
        values = np.nan_to_num(X.data.astype(np.float64))  # float32 squares fit float64
        total = np.bincount(X.indices, stored_weight * (values != 0), minlength=d)
        power = np.bincount(X.indices, stored_weight * values**2, minlength=d)
        scale = np.sqrt(np.divide(total, power, out=np.zeros(d), where=power > 0))
        encoder = cls()
        encoder._set(np.zeros(d), scale, np.empty(0, dtype=np.int64))
        return encoder

    def encode(self, numeric: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Encode numbers, numpy in and out.

        Parameters
        ----------
        numeric : ndarray of shape (n, d)
            Best float64; it is not changed.
        out : ndarray of shape (n, out_features), float32, optional
            Where to write the result.

        Returns
        -------
        ndarray of shape (n, out_features), float32
        """
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
        """Encode sparse rows, for an encoder made by ``from_sparse``.

        Parameters
        ----------
        X : csr_array of shape (n, d), float32

        Returns
        -------
        csr_array of shape (n, d), float32
            Scaled and squeezed, NaN as 0. Its values are new; its index arrays are those of X.
        """
        _, scale, _ = self._statistics()
        values = X.data * scale[X.indices]
        _squeeze(values)
        values[np.isnan(values)] = 0.0
        return scipy.sparse.csr_array((values.astype(np.float32), X.indices, X.indptr), shape=X.shape)

    def forward(self, numeric: Tensor) -> Tensor:
        """Encode numbers, torch in and out.

        Parameters
        ----------
        numeric : Tensor of shape (..., d), float64 or float32

        Returns
        -------
        Tensor of shape (..., out_features), float32
        """
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

    def _statistics(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return center, scale and gap_columns as numpy; copied from the device once."""
        buffers, cache = self._buffers, self._cache
        if (
            cache is None
            or cache[0] is not buffers["center"]
            or cache[1] is not buffers["scale"]
            or cache[2] is not buffers["gap_columns"]
        ):
            held = (self.center, self.scale, self.gap_columns)
            # Copies, not views: share_memory() moves a buffer's storage away from under a view.
            center, scale, gap_columns = (np.array(b.detach().cpu().numpy(), copy=True) for b in held)
            cache = self._cache = (*held, (center, scale, gap_columns))
        return cache[3]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Encoder":
        # .float() or .half() on a network that contains an encoder must not round its statistics.
        before = dict(self._buffers)
        super()._apply(fn, recurse)
        for name, old in before.items():
            new = self._buffers[name]
            if old is not None and new is not None and new.dtype != old.dtype:
                self._buffers[name] = old.to(new.device)
        return self

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # Loading into an encoder that was never fitted: its widths come from the file.
        for name, buffer in self._buffers.items():
            loaded = state_dict.get(prefix + name)
            if buffer is not None and loaded is not None and loaded.shape != buffer.shape:
                self._buffers[name] = buffer.new_empty(loaded.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._cache = None  # the buffers are the same objects with new content

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": None}
