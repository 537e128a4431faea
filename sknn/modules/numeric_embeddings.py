"""Embeddings of numbers: a layer behind them can approximate any function of a single column."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ._checks import check_columns, check_positive, check_size

# The inverse of a width below it would overflow.
_SMALLEST_WIDTH = 1e-30
# Bits of the position on the grid; a curve of 48 pieces gains nothing from a finer one.
_GRID_BITS = 12


class _NumericEmbeddings(nn.Module):
    """Functions of each number, projected, beside the number itself; a subclass defines the functions."""

    def __init__(self, n_features: int, embedding_size: int, n_functions: int) -> None:
        super().__init__()
        self.n_features = check_size("n_features", n_features)
        embedding_size = check_size("embedding_size", embedding_size, minimum=2)
        self.out_features = self.n_features * embedding_size
        self.weight = nn.Parameter(torch.empty(self.n_features, n_functions, embedding_size - 1))
        self.bias = nn.Parameter(torch.empty(self.n_features, 1, embedding_size - 1))

    def encode(self, x_num: Tensor) -> Tensor:
        """The functions of the numbers, ``(n_features, batch, n_functions)``."""
        raise NotImplementedError

    def forward(self, x_num: Tensor) -> Tensor:
        """Embedded numbers of a batch of rows."""
        projected = torch.baddbmm(self.bias, self.encode(x_num), self.weight)
        return torch.cat([self._columns(x_num), projected], dim=2).transpose(0, 1).flatten(1)

    def _columns(self, x_num: Tensor) -> Tensor:
        """The numbers, a feature at a time: ``(n_features, batch, 1)``."""
        check_columns("values of x_num", x_num, self.n_features)
        return x_num.t().unsqueeze(2)


class PeriodicEmbeddings(_NumericEmbeddings):
    r"""Cosines of learned frequencies of each number, projected, beside the number itself.

    For feature :math:`j` with frequencies :math:`w_j` and phases :math:`b_j`,

    .. math:: \left(x_j, \; A_j \cos(2 \pi (w_j x_j + b_j)) + c_j\right).

    Parameters
    ----------
    n_features : int
        Number of numeric columns, >= 1.
    embedding_size : int, default=4
        Width of the output for each feature, the feature itself included, >= 2.
    n_frequencies : int, default=16
        Cosines of each feature, >= 1.
    frequency_scale : float, default=0.1
        Standard deviation of the initial frequencies, > 0; 1 / frequency_scale is about the wave length, in units of
        the input. A large value resolves fine structure and overfits more.

    Attributes
    ----------
    out_features : int
        ``n_features * embedding_size``.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range; in ``forward`` for other columns.

    Shape
    -----
    - Input: ``(batch, n_features)``, float32, of standard scale.
    - Output: ``(batch, n_features * embedding_size)``; the numbers of a feature lie together, itself first.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko. On Embeddings for Numerical Features in Tabular Deep Learning.
       NeurIPS 2022. arXiv:2203.05556.
    .. [2] D. Holzmüller, L. Grinsztajn, I. Steinwart. Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on
       Tabular Data. NeurIPS 2024. arXiv:2407.04491.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import PeriodicEmbeddings
    >>> PeriodicEmbeddings(3, embedding_size=5)(torch.randn(2, 3)).shape
    torch.Size([2, 15])
    """

    def __init__(
        self, n_features: int, embedding_size: int = 4, n_frequencies: int = 16, frequency_scale: float = 0.1
    ) -> None:
        super().__init__(n_features, embedding_size, check_size("n_frequencies", n_frequencies))
        self.frequency_scale = check_positive("frequency_scale", frequency_scale)
        self.frequency = nn.Parameter(torch.empty(self.n_features, n_frequencies))
        self.phase = nn.Parameter(torch.empty(self.n_features, n_frequencies))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Frequencies N(0, frequency_scale^2), phases uniform over a period, projections that keep the scale."""
        nn.init.normal_(self.frequency, std=self.frequency_scale)
        nn.init.uniform_(self.phase, -0.5, 0.5)
        # A cosine has a mean square of 1/2.
        nn.init.normal_(self.weight, std=math.sqrt(2 / self.frequency.shape[1]))
        nn.init.zeros_(self.bias)

    def encode(self, x_num: Tensor) -> Tensor:
        """The cosines before the projection, ``(n_features, batch, n_frequencies)``."""
        cycles = self._columns(x_num) * self.frequency.unsqueeze(1) + self.phase.unsqueeze(1)
        return torch.cos(2 * math.pi * cycles)


class PiecewiseLinearEmbeddings(_NumericEmbeddings):
    r"""A learned piecewise linear curve for each number, with knots at its quantiles, beside the number itself.

    With knots :math:`t_0 < \dots < t_n` of a feature, its value is encoded as

    .. math:: e_i = \min\left(1, \max\left(0, \frac{x - t_{i-1}}{t_i - t_{i-1}}\right)\right), \quad i = 1 \dots n,

    and projected to ``embedding_size - 1`` numbers. The network can distinguish close values of spiky columns, counts
    and coordinates, for which plain numbers would need large weights.

    Parameters
    ----------
    n_features : int
        Number of numeric columns, >= 1.
    embedding_size : int, default=4
        Width of the output for each feature, the feature itself included, >= 2.
    n_bins : int, default=32
        Pieces of each curve, >= 1.

    Attributes
    ----------
    knots : buffer of shape (n_features, n_bins + 1)
        Ascending. From -3 to 3 in equal steps until `fit_knots` is called; where a feature has fewer distinct
        values, the last one is repeated, and the pieces without width are encoded as 0.
    out_features : int
        ``n_features * embedding_size``.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range; in ``forward`` and ``fit_knots`` for other
        columns; in ``fit_knots`` if there are no rows, or if they contain NaN or infinity.

    Shape
    -----
    - Input: ``(batch, n_features)``, float32, of standard scale.
    - Output: ``(batch, n_features * embedding_size)``; the numbers of a feature lie together, itself first.

    Notes
    -----
    The projection starts with random slopes that make a curve rise or fall by about one in total, whatever the number
    of pieces.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko. On Embeddings for Numerical Features in Tabular Deep Learning.
       NeurIPS 2022. arXiv:2203.05556.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import PiecewiseLinearEmbeddings
    >>> embeddings = PiecewiseLinearEmbeddings(1, n_bins=2)
    >>> embeddings.fit_knots(torch.tensor([[0.0], [1.0], [2.0], [3.0], [8.0]])).knots
    tensor([[0., 2., 8.]])
    >>> embeddings.encode(torch.tensor([[1.0], [5.0]]))
    tensor([[[0.5000, 0.0000],
             [1.0000, 0.5000]]])
    """

    knots: Tensor

    def __init__(self, n_features: int, embedding_size: int = 4, n_bins: int = 32) -> None:
        n_bins = check_size("n_bins", n_bins)
        super().__init__(n_features, embedding_size, n_bins)
        self.register_buffer("knots", torch.linspace(-3, 3, n_bins + 1).repeat(self.n_features, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Small random slopes; see Notes of the class."""
        nn.init.normal_(self.weight, std=self.weight.shape[1] ** -0.5)
        nn.init.zeros_(self.bias)

    def fit_knots(self, x_num: Tensor, sample_weight: Tensor | None = None) -> PiecewiseLinearEmbeddings:
        """Place the knots at weighted quantiles of rows ``(n_rows, n_features)``; returns the module."""
        check_columns("values of x_num", x_num, self.n_features)
        self.knots.copy_(quantile_knots(x_num, self.weight.shape[1], sample_weight))
        return self

    def encode(self, x_num: Tensor) -> Tensor:
        """The encoding :math:`e` before the projection, ``(n_features, batch, n_bins)``."""
        check_columns("values of x_num", x_num, self.n_features)
        return piecewise_linear_encoding(x_num, *pieces(self.knots))


@torch.no_grad()
def quantile_knots(x_num: Tensor, n_bins: int, sample_weight: Tensor | None = None) -> Tensor:
    """Knots (n_features, n_bins + 1) at quantiles of the columns of x_num (n_rows, n_features), ascending.

    Rows are weighted by `sample_weight` (n_rows,); None stands for ones.

    The knots lie on a grid of 4,096 to 8,192 steps over the range of the column, so that a fitted network does not
    contain a cell of the table to the last digit; extreme values could identify a person.

    No value counts more than the share of one piece: if nine rows in ten have the same value, as is common in counts
    and amounts, that value gets one knot and the others share the rest. If there are too few distinct values, each gets
    a knot, and the last one is repeated.
    """
    if len(x_num) == 0 or not bool(torch.isfinite(x_num).all()):
        problem = "has no row" if len(x_num) == 0 else "contains NaN or infinity"
        raise ValueError(f"x_num {problem}; expected encoded training rows (n_rows, {x_num.shape[1]}).")
    knots = x_num.new_empty(x_num.shape[1], n_bins + 1)
    for row, column in zip(knots, x_num.t(), strict=True):
        distinct, inverse = torch.unique(column, return_inverse=True)
        if len(distinct) > n_bins + 1:
            # float64: float32 cannot count beyond 16 million rows
            counts = torch.bincount(inverse, None if sample_weight is None else sample_weight.double())
            distinct = _spread(distinct, counts.double(), n_bins + 1)
        distinct = _on_a_grid(distinct)
        row.fill_(distinct[-1])
        row[: len(distinct)] = distinct
    return knots


def _on_a_grid(values: Tensor) -> Tensor:
    """Ascending values, each moved to the next multiple of a power of two, about the range / 4,096; each once."""
    wide = values.double()
    width = float(wide[-1] - wide[0]) or abs(float(wide[0]))
    if not width:
        return values
    step = 2.0 ** (math.floor(math.log2(width)) - _GRID_BITS)
    largest = torch.finfo(values.dtype).max
    return torch.unique(((wide / step).round() * step).clamp(-largest, largest)).to(values.dtype)


def _spread(distinct: Tensor, counts: Tensor, n_knots: int) -> Tensor:
    """At most `n_knots` of the distinct values, both ends included, with about equally many rows between them."""
    capped = counts
    for _ in range(4):  # a lower cap makes the share of one knot smaller
        capped = torch.minimum(counts, capped.sum() / n_knots)
    position = (capped.cumsum(0) - capped / 2) / capped.sum()
    wanted = position[0] + (position[-1] - position[0]) * torch.linspace(0, 1, n_knots, dtype=torch.float64)
    # The tolerance chooses the same value whatever the rounding of the shares and of float32 weights.
    chosen = torch.searchsorted(position, wanted.to(position.device) - 1e-7).clamp_(max=len(distinct) - 1)
    return torch.unique(distinct[chosen])


def piecewise_linear_encoding(x_num: Tensor, start: Tensor, inverse_width: Tensor, out: Tensor | None = None) -> Tensor:
    """Share of each of the `pieces` that lies below a number: (..., n_features, batch, n_bins), in [0, 1]."""
    # The difference first: of x / width - knot / width, a narrow piece far from 0 would lose its digits.
    return torch.sub(x_num.transpose(-2, -1).unsqueeze(-1), start, out=out).mul_(inverse_width).clamp_(0, 1)


def pieces(knots: Tensor) -> tuple[Tensor, Tensor]:
    """Start and inverse width of the pieces between the knots, (n_features, 1, n_bins); 0 for a piece of no width."""
    start = knots[:, None, :-1]
    width = knots[:, None, 1:] - start
    return start, torch.where(width > _SMALLEST_WIDTH, width.reciprocal(), 0.0)


__all__ = ["PeriodicEmbeddings", "PiecewiseLinearEmbeddings", "pieces", "piecewise_linear_encoding", "quantile_knots"]
