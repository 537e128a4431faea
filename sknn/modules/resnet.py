"""Residual network for tables."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ._checks import check_fraction, check_module_class, check_size, check_widths
from .activations import initialize_linear_, make_dropout
from .embeddings import CategoricalEmbeddings, join_columns


class ResNet(nn.Module):
    r"""Residual network: a projection, residual blocks, and a normalised linear head.

    Parameters
    ----------
    in_features : int
        Number of numeric columns, >= 0; 0 only if there are categorical columns.
    out_features : int
        Number of raw scores for each row, >= 1.
    n_blocks : int, default=2
        Number of residual blocks, >= 0.
    width : int, default=192
        Width of the stream that the blocks read and add to, >= 1.
    hidden_size : int or None, default=None
        Width inside a block, >= 1. None: ``2 * width``.
    activation : type[nn.Module], default=nn.ReLU
        Class of the activation, constructed without arguments.
    dropout : float, default=0.0
        Fraction of the hidden units of a block dropped during training, in [0, 1); the paper's hidden
        dropout. With ``nn.SELU`` it is AlphaDropout.
    norm : type[nn.Module] or None, default=nn.LayerNorm
        Class of a normalisation, constructed with the width.
    cat_cardinalities : sequence of int, default=()
        Number of codes of each categorical column, "unknown" and "missing" included.
    embedding_size : int, default=8
        Width of the embedding of a categorical column with more than 10 codes, >= 1.

    Attributes
    ----------
    embeddings : CategoricalEmbeddings or None
        None without categorical columns.
    projection : nn.Linear
        To the width of the stream.
    blocks : nn.Sequential
        The residual blocks.
    head : nn.Sequential
        Norm, activation, linear.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x_num``: ``(batch, in_features)``, float32.
    - ``x_cat``: ``(batch, len(cat_cardinalities))``, int64; to be left out without categorical columns.
    - Output: ``(batch, out_features)``, raw scores before any softmax or other link.

    Notes
    -----
    With :math:`x_0 = W x`, a block computes

    .. math:: x_{l+1} = x_l + W_2 \, \mathrm{dropout}(f(W_1 \, \mathrm{norm}(x_l)))

    and the output is :math:`W_3 f(\mathrm{norm}(x_L))`. Departures from the paper are tagged DEPARTURE in the
    source: LayerNorm for BatchNorm, branches that start small, no second dropout.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko. Revisiting Deep Learning Models for Tabular
       Data. NeurIPS 2021. arXiv:2106.11959, section 3.2.
    .. [2] K. He, X. Zhang, S. Ren, J. Sun. Identity Mappings in Deep Residual Networks. ECCV 2016.
       arXiv:1603.05027.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import ResNet
    >>> resnet = ResNet(4, 3, n_blocks=3, width=32, dropout=0.1)
    >>> resnet(torch.randn(5, 4)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        n_blocks: int = 2,
        width: int = 192,
        hidden_size: int | None = None,
        activation: type[nn.Module] = nn.ReLU,
        dropout: float = 0.0,
        # DEPARTURE: BatchNorm in the paper. It fails on a batch of one row, such as the last of an epoch,
        # and makes the prediction for a row depend on the rest of the batch during training.
        norm: type[nn.Module] | None = nn.LayerNorm,
        cat_cardinalities: Sequence[int] = (),
        embedding_size: int = 8,
    ) -> None:
        super().__init__()
        in_features, out_features, cardinalities = check_widths(in_features, out_features, cat_cardinalities)
        n_blocks = check_size("n_blocks", n_blocks, minimum=0)
        width = check_size("width", width)
        hidden_size = 2 * width if hidden_size is None else check_size("hidden_size", hidden_size)
        check_module_class("activation", activation, "nn.ReLU")
        dropout = check_fraction("dropout", dropout)
        if norm is not None:
            check_module_class("norm", norm, "nn.LayerNorm")
        check_size("embedding_size", embedding_size)

        self.embeddings = CategoricalEmbeddings(cardinalities, embedding_size) if cardinalities else None
        n_inputs = in_features + (self.embeddings.out_features if self.embeddings is not None else 0)
        self.projection = initialize_linear_(nn.Linear(n_inputs, width), nn.Identity)
        self.blocks = nn.Sequential(
            *(_ResidualBlock(width, hidden_size, activation, dropout, norm) for _ in range(n_blocks))
        )
        head: list[nn.Module] = [] if norm is None else [norm(width)]
        output = initialize_linear_(nn.Linear(width, out_features), None)
        self.head = nn.Sequential(*head, activation(), output)

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Raw scores of a batch of rows."""
        x = self.projection(join_columns(self.embeddings, x_num, x_cat))  # (batch, width)
        return self.head(self.blocks(x))


class _ResidualBlock(nn.Module):
    """x + branch(x), (batch, width) to (batch, width); the norm is the first layer of the branch."""

    def __init__(
        self,
        width: int,
        hidden_size: int,
        activation: type[nn.Module],
        dropout: float,
        norm: type[nn.Module] | None,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [] if norm is None else [norm(width)]
        layers += [initialize_linear_(nn.Linear(width, hidden_size), activation), activation()]
        # DEPARTURE: the paper also has a dropout on the branch's output; the authors' default for it is 0.
        if dropout > 0:
            layers.append(make_dropout(activation, dropout))
        # DEPARTURE: the branch starts small, as an output layer does, so that the variance of the stream
        # does not grow with the number of blocks.
        layers.append(initialize_linear_(nn.Linear(hidden_size, width), None))
        self.branch = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


__all__ = ["ResNet"]
