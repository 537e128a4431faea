"""A network on features of random convolutions."""

from __future__ import annotations

from typing import ClassVar

from ._checks import check_size
from ._recipe import Recipe
from .tabm import TabM


class SequenceNet(TabM):
    """An ensemble inside one network, on features of sequences that are computed once.

    ``fit`` learns the features from the training rows, fixed random convolutions and statistics, and reduces them to
    principal components. This class is :class:`TabM` on these, without curves.

    Parameters
    ----------
    in_features : int
        Number of principal components, >= 1.
    out_features : int
        Number of raw scores for each row, >= 1.
    n_members : int, default=4
        Number of members, >= 1.
    n_blocks : int, default=1
        Number of hidden layers behind the first one, each with a residual connection, >= 0.
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
        check_size("n_kernels", n_kernels)
        check_size("n_components", n_components)
        super().__init__(in_features, out_features, n_members, n_blocks, width, dropout=dropout, n_bins=0)


__all__ = ["SequenceNet"]
