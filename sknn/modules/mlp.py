"""Multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from ._checks import check_fraction, check_module_class, check_size, check_sizes, check_widths
from .activations import initialize_linear_, make_dropout
from .embeddings import CategoricalEmbeddings, join_columns


class MLP(nn.Module):
    """Multilayer perceptron: for each hidden layer linear, norm, activation, dropout; then one linear layer.

    Parameters
    ----------
    in_features : int
        Number of numeric columns, >= 0; 0 only if there are categorical columns.
    out_features : int
        Number of raw scores for each row, >= 1.
    hidden_sizes : sequence of int, default=(256, 256)
        Width of each hidden layer, >= 1. Empty: a linear model.
    activation : type[nn.Module], default=nn.ReLU
        Class of the activation, constructed without arguments; the weights are initialised for it
        (``sknn.modules.activations.initialize_linear_``).
    dropout : float, default=0.0
        Fraction of the hidden units dropped during training, in [0, 1). With ``nn.SELU`` it is AlphaDropout.
    norm : type[nn.Module] or None, default=None
        Class of a normalisation, constructed with the width: ``nn.BatchNorm1d`` or ``nn.LayerNorm``.
    cat_cardinalities : sequence of int, default=()
        Number of codes of each categorical column, "unknown" and "missing" included.
    embedding_size : int, default=8
        Width of the embedding of a categorical column with more than 10 codes, >= 1.

    Attributes
    ----------
    embeddings : CategoricalEmbeddings or None
        None without categorical columns.
    layers : nn.Sequential
        All layers behind the embeddings.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x_num``: ``(batch, in_features)``, float32.
    - ``x_cat``: ``(batch, len(cat_cardinalities))``, int64; to be left out without categorical columns.
    - Output: ``(batch, out_features)``, raw scores before any softmax or other link.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, V. Khrulkov, A. Babenko. Revisiting Deep Learning Models for Tabular
       Data. NeurIPS 2021. arXiv:2106.11959.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from sknn.modules import MLP
    >>> MLP(4, 3, hidden_sizes=(16,), activation=nn.SiLU)(torch.randn(5, 4)).shape
    torch.Size([5, 3])
    >>> mlp = MLP(4, 1, cat_cardinalities=[3, 200])
    >>> mlp(torch.randn(2, 4), torch.tensor([[0, 17], [2, 199]])).shape
    torch.Size([2, 1])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden_sizes: Sequence[int] = (256, 256),
        activation: type[nn.Module] = nn.ReLU,
        dropout: float = 0.0,
        norm: type[nn.Module] | None = None,
        cat_cardinalities: Sequence[int] = (),
        embedding_size: int = 8,
    ) -> None:
        super().__init__()
        in_features, out_features, cardinalities = check_widths(in_features, out_features, cat_cardinalities)
        hidden_sizes = check_sizes("hidden_sizes", hidden_sizes)
        check_module_class("activation", activation, "nn.ReLU")
        dropout = check_fraction("dropout", dropout)
        if norm is not None:
            check_module_class("norm", norm, "nn.LayerNorm")
        check_size("embedding_size", embedding_size)

        self.embeddings = CategoricalEmbeddings(cardinalities, embedding_size) if cardinalities else None
        size = in_features + (self.embeddings.out_features if self.embeddings is not None else 0)
        layers: list[nn.Module] = []
        for hidden_size in hidden_sizes:
            # BatchNorm1d subtracts the mean of every unit, and with it any bias.
            linear = nn.Linear(size, hidden_size, bias=norm is not nn.BatchNorm1d)
            layers.append(initialize_linear_(linear, activation))
            if norm is not None:
                layers.append(norm(hidden_size))
            layers.append(activation())
            if dropout > 0:
                layers.append(make_dropout(activation, dropout))
            size = hidden_size
        layers.append(initialize_linear_(nn.Linear(size, out_features), None))
        self.layers = nn.Sequential(*layers)

    def forward(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Raw scores of a batch of rows."""
        return self.layers(self.columns(x_num, x_cat))

    def columns(self, x_num: Tensor, x_cat: Tensor | None = None) -> Tensor:
        """Input of the first layer: the numbers and the embeddings of the categories."""
        return join_columns(self.embeddings, x_num, x_cat)


__all__ = ["MLP"]
