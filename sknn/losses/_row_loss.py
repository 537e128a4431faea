"""The loss of networks that compute it themselves."""

from __future__ import annotations

from torch import Tensor

from ._base import Loss

__all__ = ["RowLoss"]


class RowLoss(Loss):
    """The raw prediction itself, which is the loss of each row.

    Networks that learn the rows themselves, such as autoencoders and generators, draw masks or noise for each row, and
    what they have to predict depends on these. So they compute their loss, ``(batch, 1)``; `y` is not read. In
    evaluation mode their draws are the same in each call, so that the losses of held-out rows can be compared.

    Examples
    --------
    >>> import torch
    >>> from sknn.losses import RowLoss
    >>> RowLoss()(torch.tensor([[1.0], [3.0]]), torch.zeros(2, 1))
    tensor(2.)
    """

    name = "row_loss"
    targets = frozenset({"itself"})
    has_constant_guess = False
    target_scaling = None

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """The raw prediction, ``(batch,)``."""
        return raw_prediction[:, 0]
