"""The loss of networks that generate rows."""

from __future__ import annotations

from torch import Tensor

from ._base import Loss, check_same_shape

__all__ = ["FlowMatching"]


class FlowMatching(Loss):
    r"""Mean squared error of the velocity of a flow from noise to data.

    .. math:: \frac{1}{d} \lVert (v(x_t, t) + x_0) - x_1 \rVert^2

    for rows :math:`x_1` of :math:`d` numbers, noise :math:`x_0`, times :math:`t` and points :math:`x_t = (1 - t) x_0 +
    t x_1`, which the network draws, see :class:`sknn.modules.FlowNetwork`. It is never near zero: the ways to many rows
    cross.

    Parameters
    ----------

    References
    ----------
    .. [1] Y. Lipman, R. T. Q. Chen, H. Ben-Hamu, M. Nickel, M. Le. Flow Matching for Generative Modeling. ICLR 2023.
       arXiv:2210.02747.
    """

    name = "flow_matching"
    targets = frozenset({"itself"})
    target_scaling = None
    has_constant_guess = False

    def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        """(batch, n_numbers), (batch, n_numbers) -> (batch,)"""
        check_same_shape(raw_prediction, y)
        return (raw_prediction - y).square().mean(dim=1)
