"""TabM: an ensemble inside one network, whose members share hidden layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ._checks import check_columns, check_fraction, check_module_class, check_size, check_widths
from ._column_statistics import effects
from ._linear_path import LinearPath
from ._recipe import Recipe
from ._start import StartRows
from ._tabm_formula import CURVE_RATE, NEW_MEMORY, TabMWeights, hidden_units, raw_scores
from .activations import HalfSine, initialize_linear_
from .embeddings import CategoricalEmbeddings, join_columns
from .numeric_embeddings import pieces, quantile_knots

# Limits of what a row of a wide table costs: columns with curves, and weights of the first layer of a member.
# Measured in docs/quality.md.
_CURVED, _FIRST_WEIGHTS = 64, 2**15
# Up to so many rows one member a network is as good as two, and takes half the time.
_FEW_ROWS = 1500
# Of more rows, four networks with finer curves are better than eight. Weights decay less in a step, so that they grow
# larger, and sines of large sums make a high learning rate diverge.
_MANY_ROWS = 5000
# Of more rows, more passes over them are worth more than a second network, and rectified units learn steps better.
_ROWS_OF_ONE_NETWORK = 50_000


def params_of_tables(n_columns: int, is_sparse: bool, n_rows: float) -> dict[str, Any]:
    """Parameters of `TabM` for a table of so many columns and rows; see `params_of_wide_tables`."""
    params: dict[str, Any] = {"n_members": 1} if n_rows <= _FEW_ROWS else {}
    if n_rows > _MANY_ROWS:
        params = {"n_bins": 48} if n_rows <= _ROWS_OF_ONE_NETWORK else {"n_bins": 32, "activation": nn.ReLU}
    return {**params, **params_of_wide_tables(n_columns, is_sparse)}


def params_of_wide_tables(n_columns: int, is_sparse: bool) -> dict[str, Any]:
    """Parameters of `TabM` for many columns: curves of some of them, or none, and narrow layers."""
    params: dict[str, Any] = {"n_bins": 0} if is_sparse else {}
    if n_columns <= _CURVED:
        return params
    params |= {"n_curved": _CURVED, "width": max(16, min(64, _FIRST_WEIGHTS // n_columns // 8 * 8))}
    # Where nearly all cells are zero, as in counts of words, little is gained by layers behind the first one.
    return {**params, "n_blocks": 0} if is_sparse and n_columns > 1000 else params


class TabM(nn.Module):
    r"""An ensemble inside one network: each member has its own first layer and head, residual blocks are shared.

    Each member reads the numbers, piecewise linear embeddings of the numbers, and embeddings of the categories.

    Parameters
    ----------
    in_features : int
        Number of numeric columns, >= 0; 0 only if there are categorical columns.
    out_features : int
        Number of raw scores for each row, >= 1.
    n_members : int, default=2
        Number of members, >= 1. The estimators choose 1 up to 1,500 rows.
    n_blocks : int, default=2
        Number of hidden layers behind the first one, each with a residual connection, >= 0.
    width : int, default=64
        Units of every hidden layer of a member, >= 1.
    activation : type[nn.Module], default=HalfSine
        Class of the activation, constructed without arguments; see :class:`HalfSine`. The estimators choose ``nn.ReLU``
        beyond 50,000 rows.
    dropout : float, default=0.0
        Fraction of the hidden units dropped during training, in [0, 1).
    n_bins : int, default=16
        Pieces of the learned curves of each number, >= 0; 0 omits these embeddings. The estimators choose 48 beyond
        5,000 rows, and 32 beyond 50,000.
    numeric_embedding_size : int, default=4
        Curves of each number and member, >= 1.
    n_curved : int or None, default=None
        Numeric columns with curves, >= 1: those that tell most of the target by themselves, see :meth:`fit_start`, and
        before that the first ones. None stands for all.
    cat_cardinalities : sequence of int, default=()
        Number of codes of each categorical column, "unknown" and "missing" included.
    embedding_size : int, default=8
        Width of the embedding of a categorical column with more than 10 codes, >= 1.

    Attributes
    ----------
    knots : buffer of shape (in_features, n_bins + 1)
        Ends of the pieces, placed by :meth:`fit_knots`.
    scale : buffer of shape (n_columns,)
        Initial factors of the columns, numbers first; 1 until :meth:`fit_start` is called.
    curved : buffer of shape (n_curved,)
        Positions of the numeric columns with curves, ascending.
    n_members : int
        Number of members in the output, which the estimators read.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x_num``: ``(batch, in_features)``, float32, of standard scale.
    - ``x_cat``: ``(batch, len(cat_cardinalities))``, int64; to be left out without categorical columns.
    - Output: ``(batch, n_members, out_features)``, raw scores of the members before any link. The training loss is
      the mean of the members' losses; the prediction is the mean of the members' predictions after the link.

    Notes
    -----
    For member :math:`i`, with :math:`z` the columns that all members read (numbers, embedded categories),
    :math:`e_i` the member's own curves of the numbers, and learned gains :math:`g` of the columns,

    .. math:: h_{i,0} = \mathrm{drop}(f(W_i (g \odot z) + U_i (g' \odot e_i) + b_i)), \quad
              h_{i,l+1} = h_{i,l} + \mathrm{drop}(f(W_l h_{i,l} + b_{i,l})), \quad
              y_i = V_i h_{i,L} + c_i.

    Departures from the paper are tagged DEPARTURE in the source: members have their own first layers,
    curves and biases, not factors on the inputs of shared layers; there are residual connections; gains, which start
    at 1, or lower for columns that show no effect on the target, and are learned 12 times as fast as the weights,
    select columns as the scaling layer of RealMLP [3]_ does (with
    plain SGD 144 times as fast: it needs a smaller learning rate).

    A linear path, :math:`y_i` + linear(:math:`z`), is 0 during training. The estimators mix a trained network for few
    rows, rare labels or rare categories with a linear model: ``linear_model`` fits it, ``mix_with`` adds its share.

    Cost: that of ``n_members`` networks, in matrix products of ``n_members * batch`` rows.

    References
    ----------
    .. [1] Y. Gorishniy, A. Kotelnikov, A. Babenko. TabM: Advancing Tabular Deep Learning with Parameter-Efficient
       Ensembling. ICLR 2025. arXiv:2410.24210.
    .. [2] Y. Gorishniy, I. Rubachev, A. Babenko. On Embeddings for Numerical Features in Tabular Deep Learning.
       NeurIPS 2022. arXiv:2203.05556.
    .. [3] D. Holzmüller, L. Grinsztajn, I. Steinwart. Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on
       Tabular Data. NeurIPS 2024. arXiv:2407.04491.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import TabM
    >>> tabm = TabM(4, 3, n_members=8, width=32, cat_cardinalities=[5, 200])
    >>> tabm(torch.randn(2, 4), torch.tensor([[0, 17], [2, 199]])).shape
    torch.Size([2, 8, 3])
    """

    # Seven or eight networks that hold out 15 % each have all rows judged once, which steadies early stopping more than
    # members of one network do. Of many rows fewer networks are enough. Members take large steps and overfit early, so
    # rows are held out even of ten.
    recipe = Recipe(
        n_networks=1,
        n_networks_up_to=((100, 7), (_MANY_ROWS, 8), (_ROWS_OF_ONE_NETWORK, 4)),
        lr=0.01,
        lr_of_many_rows=(_MANY_ROWS, 0.005),
        decay_epochs=12.0,
        patience=5,
        min_steps=600,
        epochs=20,
        min_rows_to_split=10,
        steps_per_epoch=8,
        largest_batch=128,
        ema_decay=0.99,
        max_numbers=3e8,
        params_of_tables=params_of_tables,
    )
    knots: Tensor
    scale: Tensor
    curved: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        n_members: int = 2,
        n_blocks: int = 2,
        width: int = 64,
        activation: type[nn.Module] = HalfSine,
        dropout: float = 0.0,
        n_bins: int = 16,
        numeric_embedding_size: int = 4,
        n_curved: int | None = None,
        cat_cardinalities: Sequence[int] = (),
        embedding_size: int = 8,
    ) -> None:
        super().__init__()
        in_features, out_features, cardinalities = check_widths(in_features, out_features, cat_cardinalities)
        self.in_features = in_features
        self.n_members = check_size("n_members", n_members)
        self.width = check_size("width", width)
        n_blocks = check_size("n_blocks", n_blocks, minimum=0)
        check_module_class("activation", activation, "nn.ReLU")
        self.dropout = check_fraction("dropout", dropout)
        n_bins = check_size("n_bins", n_bins, minimum=0)
        curve_size = check_size("numeric_embedding_size", numeric_embedding_size)
        n_curved = in_features if n_curved is None else min(in_features, check_size("n_curved", n_curved))
        check_size("embedding_size", embedding_size)

        self.embeddings = CategoricalEmbeddings(cardinalities, embedding_size) if cardinalities else None
        n_shared = in_features + (self.embeddings.out_features if self.embeddings is not None else 0)
        n_curved = n_curved if n_bins else 0
        n_own = n_curved * curve_size
        self.activation = activation()
        self.register_buffer("knots", torch.linspace(-3, 3, n_bins + 1).repeat(in_features if n_own else 0, 1))
        self.gain = nn.Parameter(torch.empty(n_shared))
        self.register_buffer("scale", torch.ones(n_shared))
        self.register_buffer("curved", torch.arange(n_curved, dtype=torch.int64))
        # (column, bin, member * curve): one product for all members
        self.curves = nn.Parameter(torch.empty(n_curved, n_bins, n_members * curve_size)) if n_own else None
        self.curve_gain = nn.Parameter(torch.empty(n_curved, 1, 1)) if n_own else None
        # DEPARTURE: a first layer for each member. The paper's members share one, behind factors on its inputs; here
        # all members share the gains.
        self.first_weight = nn.Parameter(torch.empty(n_shared, n_members * width))
        self.curve_weight = nn.Parameter(torch.empty(n_members, n_own, width)) if n_own else None
        self.first_bias = nn.Parameter(torch.empty(n_members, 1, width))
        self.blocks = nn.ModuleList(SharedLayer(n_members, width) for _ in range(n_blocks))
        self.head_weight = nn.Parameter(torch.empty(n_members, width, out_features))
        self.head_bias = nn.Parameter(torch.empty(n_members, 1, out_features))
        self.linear = LinearPath(in_features, out_features, cardinalities)
        self.reset_parameters(type(self.activation))

    @torch.no_grad()
    def reset_parameters(self, activation: type[nn.Module]) -> None:
        """Draw all weights.

        ======================================== ==========================================================
        ``gain``, ``curve_gain``                 0
        ``curves``                               normal: a curve rises by about one in total
        ``first_weight``, ``curve_weight``       as a linear layer of both inputs together
        weights of the blocks                    as linear layers, see ``initialize_linear_``
        ``head_weight``                          as an output layer: raw predictions start near 0
        biases                                   0
        ======================================== ==========================================================
        """
        n_shared, n_own = self.first_weight.shape[0], 0 if self.curve_weight is None else self.curve_weight.shape[1]
        together = nn.Linear(n_shared + n_own, self.n_members * self.width)
        initialize_linear_(together, activation)
        shared, own = together.weight.t().split([n_shared, n_own])
        self.first_weight.copy_(shared)
        self.first_bias.copy_(together.bias.view_as(self.first_bias))
        nn.init.zeros_(self.gain)
        if self.curves is not None and self.curve_gain is not None and self.curve_weight is not None:
            nn.init.zeros_(self.curve_gain)
            nn.init.normal_(self.curves, std=self.curves.shape[1] ** -0.5 / CURVE_RATE)
            self.curve_weight.copy_(own.view(n_own, self.n_members, self.width).transpose(0, 1))
        for block in self.blocks:
            assert isinstance(block, SharedLayer)
            block.reset_parameters(activation)
        head = nn.Linear(self.width, self.n_members * self.head_weight.shape[2])
        initialize_linear_(head, None)
        self.head_weight.copy_(head.weight.view(self.n_members, -1, self.width).transpose(1, 2))
        nn.init.zeros_(self.head_bias)

    def fit_knots(self, x_num: Tensor, sample_weight: Tensor | None = None) -> TabM:
        """Place the knots at weighted quantiles of training rows ``(n_rows, in_features)``; returns the module.

        The estimators call it before training. Otherwise the knots are equidistant between -3 and 3.
        """
        if self.curves is not None:
            self.knots.copy_(quantile_knots(x_num, self.curves.shape[1], sample_weight))
        return self

    @torch.no_grad()
    def fit_start(self, rows: StartRows) -> TabM:
        """Choose the columns with curves, and small factors for columns without effect and rare categories.

        The estimators call it before training, with the training rows of this network. Returns the module.
        """
        found = effects(rows, must_rank=len(self.curved) < self.in_features) if self.in_features > 1 else None
        if found is not None:
            self.scale[: self.in_features] = found.scales
            self.curved.copy_(found.strongest[: len(self.curved)].sort().values)
        if self.embeddings is not None:
            self.embeddings.fit_start(rows)
        return self

    @property
    def curve_scale(self) -> Tensor:
        """Initial factors of the curves, (n_curved, 1, 1)."""
        return self.scale[self.curved].view(-1, 1, 1)

    def curved_numbers(self, x_num: Tensor) -> Tensor:
        """The numbers that have curves, (batch, n_curved)."""
        return x_num if len(self.curved) == self.in_features else x_num[:, self.curved]

    def pieces(self) -> tuple[Tensor, Tensor]:
        """Start and inverse width of the pieces of each of the curves, (n_curved, 1, n_bins)."""
        return pieces(self.knots if len(self.curved) == self.in_features else self.knots[self.curved])

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Raw scores of the members for a batch of rows."""
        weights, hidden = self._hidden(x_num, x_cat)
        with torch.autocast(hidden.device.type, enabled=False):  # raw predictions keep all their digits
            scores = raw_scores(weights, hidden.to(self.head_bias.dtype)).transpose(0, 1)
            return scores + self.linear(x_num, x_cat).unsqueeze(1)

    def forward_hidden(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Units of the last hidden layer of each member, (batch, n_members, width)."""
        return self._hidden(x_num, x_cat)[1].transpose(0, 1)

    def _hidden(self, x_num: Tensor, x_cat: Tensor | None) -> tuple[TabMWeights, Tensor]:
        """The weights, and the units of the last hidden layer, (n_members, batch, width)."""
        check_columns("values of x_num", x_num, self.in_features)
        columns = join_columns(self.embeddings, x_num, x_cat)
        weights = TabMWeights(*[getattr(self, name) for name in TabMWeights._fields])
        return weights, hidden_units(
            weights,
            self.curved_numbers(x_num) if self.curves is not None else x_num,
            columns,
            self.pieces() if self.curves is not None else None,
            self.blocks,
            lambda x: self._drop(self.activation(x)),
            NEW_MEMORY,
        )

    def linear_model(self, rows: StartRows, latest: float = math.inf) -> LinearPath | None:
        """A linear model of training rows, None where it would not help, or would not be done by `latest`."""
        return self.linear.fitted(rows, latest)

    @torch.no_grad()
    def mix_with(self, linear: LinearPath, share: float) -> None:
        """Replace the raw scores by ``(1 - share) * scores + share * linear(...)``."""
        for weight in (self.head_weight, self.head_bias):
            weight.mul_(1 - share)
        for name, values in self.linear.named_buffers():
            if values.is_floating_point():
                values.lerp_(linear.get_buffer(name), share)

    def _drop(self, x: Tensor) -> Tensor:
        """Dropout with one mask for all members, whose units do not correspond to each other.

        Random numbers for each member would take longer than the matrix products.
        """
        if not self.training or self.dropout == 0:
            return x
        keep = 1 - self.dropout
        mask = torch.rand(x.shape[1:], dtype=torch.float32, device=x.device) < keep
        return x * mask.to(x.dtype).div_(keep)


class SharedLayer(nn.Module):
    """Linear layer with shared weights and one bias per member: (n_members, batch, width) to the same shape.

    DEPARTURE: no factors on inputs and outputs; they took a third of the time of a step and improved no score.
    """

    def __init__(self, n_members: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, width))
        self.bias = nn.Parameter(torch.empty(n_members, 1, width))

    def reset_parameters(self, activation: type[nn.Module]) -> None:
        linear = initialize_linear_(nn.Linear(len(self.weight), len(self.weight)), activation)
        self.weight.copy_(linear.weight)
        self.bias.copy_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight).add_(self.bias)


__all__ = ["TabM"]
