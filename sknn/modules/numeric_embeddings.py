"""Embeddings of numbers: a network sees where a value lies, not only how large it is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ._checks import check_columns, check_positive, check_size

# The inverse of a width below it would overflow.
_SMALLEST_WIDTH = 1e-30


class _NumericEmbeddings(nn.Module):
    """Functions of each number, projected, beside the number itself; a subclass says which functions."""

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
        Numbers that come out for each feature, the feature itself included, >= 2.
    n_frequencies : int, default=16
        Cosines of each feature, >= 1.
    frequency_scale : float, default=0.1
        Standard deviation of the initial frequencies, > 0; 1 / frequency_scale is about the wave length, in units of
        the input. Large: fine structure, and more overfitting.

    Attributes
    ----------
    out_features : int
        ``n_features * embedding_size``.

    Raises
    ------
    TypeError
        If a parameter is no number.
    ValueError
        If a parameter is out of the range above; in ``forward`` if the number of columns is another one.

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

    and projected to ``embedding_size - 1`` numbers. Spikes, counts and coordinates are told apart, where a network of
    plain numbers would need steep weights.

    Parameters
    ----------
    n_features : int
        Number of numeric columns, >= 1.
    embedding_size : int, default=4
        Numbers that come out for each feature, the feature itself included, >= 2.
    n_bins : int, default=32
        Pieces of each curve, >= 1.

    Attributes
    ----------
    knots : buffer of shape (n_features, n_bins + 1)
        Ascending. From -3 to 3 in equal steps until `fit_knots` is called; where a feature has fewer distinct
        quantiles, the last one is repeated and its pieces stay silent.
    out_features : int
        ``n_features * embedding_size``.

    Raises
    ------
    TypeError
        If a parameter is no number.
    ValueError
        If a parameter is out of the range above; in ``forward`` and ``fit_knots`` if the number of columns is another
        one; in ``fit_knots`` if there is no row, NaN or infinity.

    Shape
    -----
    - Input: ``(batch, n_features)``, float32, of standard scale.
    - Output: ``(batch, n_features * embedding_size)``; the numbers of a feature lie together, itself first.

    Notes
    -----
    The projection starts at small random slopes whatever the number of pieces: a curve that rises by about one over
    all of its pieces.

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

    @torch.no_grad()
    def fit_knots(self, x_num: Tensor) -> PiecewiseLinearEmbeddings:
        """Put the knots at the distinct quantiles of some rows ``(n_rows, n_features)``; returns the module."""
        check_columns("values of x_num", x_num, self.n_features)
        if len(x_num) == 0 or not bool(torch.isfinite(x_num).all()):
            problem = "has no row" if len(x_num) == 0 else "holds NaN or infinity"
            raise ValueError(f"x_num {problem}; expected encoded training rows (n_rows, {self.n_features}).")
        n_bins = self.weight.shape[1]
        ordered = x_num.to(self.knots.dtype).sort(dim=0).values
        # Values that occur, not means of two: a spike then has a knot of its own.
        # In float64: a float32 rounds row numbers beyond 16 million, past the end.
        ranks = torch.linspace(0, len(x_num) - 1, n_bins + 1, dtype=torch.float64).round().long().to(x_num.device)
        for knots, quantiles in zip(self.knots, ordered[ranks].t(), strict=True):
            distinct = torch.unique_consecutive(quantiles)
            knots.fill_(distinct[-1])
            knots[: len(distinct)] = distinct
        return self

    def encode(self, x_num: Tensor) -> Tensor:
        """The encoding :math:`e` before the projection, ``(n_features, batch, n_bins)``."""
        width = self.knots.diff(dim=1)
        inverse = torch.where(width > _SMALLEST_WIDTH, 1 / width, 0.0)
        return ((self._columns(x_num) - self.knots[:, None, :-1]) * inverse.unsqueeze(1)).clamp(0, 1)


__all__ = ["PeriodicEmbeddings", "PiecewiseLinearEmbeddings"]
