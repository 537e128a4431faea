"""A network on features of random convolutions."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ._checks import check_columns, check_size
from ._recipe import Recipe
from .tabm import TabM, params_of_wide_tables


class SequenceNet(nn.Module):
    """Ensembles inside one network, on features of sequences that are computed once.

    ``fit`` learns features from the training rows, fixed random convolutions and statistics, and reduces them to
    principal components. A :class:`TabM` without curves reads these. If all sequences have one length of at most 25
    steps, as windows over sensors have, a second :class:`TabM` reads their values as columns of a table, and has twice
    as many members.

    Parameters
    ----------
    in_features : int
        Number of features, >= 1: the principal components; more than `n_components` are these and then the values.
    out_features : int
        Number of raw scores for each row, >= 1.
    n_members : int, default=4
        Number of members that read the principal components, or of those that read values beside half as many, >= 1.
    n_blocks : int, default=1
        Number of hidden layers behind the first one of members that read the principal components, >= 0.
    width : int, default=128
        Units of every hidden layer of a member, >= 1.
    dropout : float, default=0.0
        Fraction of the hidden units dropped during training, in [0, 1).
    n_kernels : int, default=10000
        Number of features of random convolutions, about; fewer if the sequences have very many steps together. It is an
        option of the reader: the network does not use it.
    n_components : int, default=256
        Largest number of principal components; an option of the reader.

    Attributes
    ----------
    of_components : TabM
        Members that read the principal components.
    of_values : TabM or None
        Members that read the values.
    n_members : int
        Number of members in the output, which the estimators read.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - Input: ``(batch, in_features)``, float32.
    - Output: ``(batch, n_members, out_features)``, raw scores of the members before any link.

    Notes
    -----
    The first component has a standard deviation of 2, the others less. Cost: that of a small network for tables,
    whatever the length of the sequences, plus the features once for each row.

    References
    ----------
    .. [1] A. Dempster, D. F. Schmidt, G. I. Webb. MiniRocket: A Very Fast (Almost) Deterministic Transform for Time
       Series Classification. KDD 2021. arXiv:2012.08791.
    .. [2] C. W. Tan, A. Dempster, C. Bergmeir, G. I. Webb. MultiRocket: Multiple Pooling Operators and Transformations
       for Fast and Effective Time Series Classification. 2022. arXiv:2102.00457.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import SequenceNet
    >>> SequenceNet(30, 3)(torch.randn(5, 30)).shape
    torch.Size([5, 4, 3])
    >>> SequenceNet(80, 3, n_components=64)(torch.randn(5, 80)).shape
    torch.Size([5, 6, 3])
    """

    reads: ClassVar[str] = "convolutions"
    # Of few rows none can be spared; more rows stop a training run whose networks hold out different ones.
    recipe = Recipe(
        n_networks=2,
        n_networks_up_to=((199, 2), (5000, 4)),
        lr=0.01,
        decay_epochs=12.0,
        patience=8,
        min_steps=1600,
        epochs=25,
        min_rows_to_split=200,
        steps_per_epoch=8,
        largest_batch=128,
        ema_decay=0.99,
    )

    def __init__(
        self,
        in_features: int,
        out_features: int,
        n_members: int = 4,
        n_blocks: int = 1,
        width: int = 128,
        dropout: float = 0.0,
        n_kernels: int = 10_000,
        n_components: int = 256,
    ) -> None:
        super().__init__()
        in_features, n_members = check_size("in_features", in_features), check_size("n_members", n_members)
        check_size("n_kernels", n_kernels)
        n_values = max(0, in_features - check_size("n_components", n_components))
        n_of_components = max(1, n_members // 2) if n_values else n_members
        self.in_features = in_features
        self.of_components = TabM(
            in_features - n_values, out_features, n_of_components, n_blocks, width, nn.ReLU, dropout, n_bins=0
        )
        self.of_values = None
        if n_values:
            self.of_values = TabM(
                n_values,
                out_features,
                n_members,
                activation=nn.ReLU,
                dropout=dropout,
                **_params_of_values(n_values, width),
            )
        self.n_members = n_of_components + (n_members if n_values else 0)

    def fit_knots(self, x: Tensor, sample_weight: Tensor | None = None) -> SequenceNet:
        """Place the knots of the curves of values at quantiles of training rows; returns the module."""
        if self.of_values is not None:
            self.of_values.fit_knots(x[:, self.of_components.in_features :], sample_weight)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Raw scores of the members for a batch of rows."""
        return torch.cat([part(columns) for part, columns in self._parts(x)], dim=1)

    def forward_hidden(self, x: Tensor) -> Tensor:
        """Units of the last hidden layer of all members, (batch, sum of their widths)."""
        return torch.cat([part.forward_hidden(columns).flatten(1) for part, columns in self._parts(x)], dim=1)

    def _parts(self, x: Tensor) -> list[tuple[TabM, Tensor]]:
        """The parts of the network, and the columns that each of them reads."""
        check_columns("values of x", x, self.in_features)
        if self.of_values is None:
            return [(self.of_components, x)]
        components, values = x.split([self.of_components.in_features, self.of_values.in_features], dim=1)
        return [(self.of_components, components), (self.of_values, values)]


def _params_of_values(n_values: int, width: int) -> dict[str, Any]:
    """Parameters of the `TabM` of the values: of many, whose neighbours are alike, coarse curves of all of them."""
    if n_values <= 64:
        return {"width": width, "n_blocks": 3, "n_bins": 48}
    params = params_of_wide_tables(n_values, is_sparse=False)
    return {
        "n_blocks": 3,
        "width": min(width, params["width"]),
        "n_bins": max(2, min(48, 4096 // n_values)),
        "numeric_embedding_size": max(1, 256 // n_values),
    }


__all__ = ["SequenceNet"]
