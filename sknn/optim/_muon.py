"""AdamW, with orthogonal steps of the matrices between hidden layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Muon"]

_torch: Any = torch  # the kernels are not part of the documented API

# Coefficients of an odd polynomial for each iteration (Amsel et al., 2025). Five of them bring singular values from
# 0.001 to 1 near 1. These are the first two, which bring those from 0.005 on between 0.17 and 1.97: networks trained
# with two were as good, in less time.
_POLYNOMIALS = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
]
# A product with an orthogonal matrix changes each number of a step less than AdamW's, whose root mean square is about
# 0.2 to 0.4; with this factor both take steps of about one size at one learning rate (Liu et al., 2025).
_ROOT_MEAN_SQUARE = 0.4
_MOMENTUM = 0.95


class Muon(torch.optim.Optimizer):
    r"""AdamW, but for matrices between hidden layers, whose steps are orthogonal.

    Parameters
    ----------
    params : iterable of dict
        Parameter groups. In a group with an entry ``matrices=(rows, columns)``, each parameter holds one or several
        matrices of this shape, one after another. The parameters of all other groups are updated as by
        ``torch.optim.AdamW``.
    lr : float, default=0.001
    betas : tuple of (float, float), default=(0.9, 0.999)
        Of AdamW.
    eps : float, default=1e-8
        Of AdamW.
    weight_decay : float, default=0.01
        A step shrinks each weight by the factor ``1 - lr * weight_decay``, as with AdamW.

    Notes
    -----
    For the gradient :math:`G` of a matrix, with Nesterov momentum :math:`M \leftarrow \mu M + (1 - \mu) G` and
    :math:`\mu = 0.95`,

    .. math:: W \leftarrow (1 - \eta \lambda) W - 0.4 \, \eta \sqrt{\max(\mathrm{rows}, \mathrm{columns})} \;
              \mathrm{orthogonal}(\mu M + (1 - \mu) G),

    where :math:`\mathrm{orthogonal}(U S V^\top)` is :math:`U V^\top` with singular
    values between 0.17 and 1.97 in place of 1, those near 0 excepted, computed by matrix products alone.

    References
    ----------
    .. [1] K. Jordan et al. Muon: An optimizer for hidden layers in neural networks. 2024.
    .. [2] J. Liu et al. Muon is Scalable for LLM Training. 2025. arXiv:2502.16982 (sizes of the steps).
    .. [3] N. Amsel, D. Persson, C. Musco, R. M. Gower. The Polar Express: Optimal Matrix Sign Methods and Their
       Application to the Muon Algorithm. 2025. arXiv:2505.16932.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        # The checks of these arguments, and their messages, are those of AdamW.
        torch.optim.AdamW([torch.zeros(1, dtype=torch.float32)], lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, matrices=None))
        self._memory: dict[tuple[Any, ...], _Memory] = {}

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One step; see the class."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                update = self._adamw if group["matrices"] is None else self._orthogonal
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        update(parameter, group)
        return loss

    def _adamw(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"].add_(1)
        _torch._fused_adamw_(
            [parameter], [parameter.grad], [state["exp_avg"]], [state["exp_avg_sq"]], [], [state["step"]],
            lr=group["lr"], beta1=group["betas"][0], beta2=group["betas"][1], eps=group["eps"],
            weight_decay=group["weight_decay"], amsgrad=False, maximize=False,
        )  # fmt: skip

    def _orthogonal(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state, shape = self.state[parameter], group["matrices"]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        gradient, average = parameter.grad, state["momentum_buffer"]
        assert gradient is not None
        average.lerp_(gradient, 1 - _MOMENTUM)
        key = (parameter.numel(), *shape, parameter.dtype, parameter.device)
        if key not in self._memory:
            self._memory[key] = _Memory(parameter.detach().view(-1, *shape))
        memory = self._memory[key]
        torch.lerp(gradient, average, _MOMENTUM, out=memory.gradient.view(parameter.shape))
        steps = orthogonal(memory.gradient, memory)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        scale = group["lr"] * _ROOT_MEAN_SQUARE * max(shape) ** 0.5
        parameter.view(-1, *shape).sub_(steps, alpha=scale)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._memory = {}


class _Memory:
    """Memory for results, kept from step to step: to ask the system for it takes as long as a product."""

    def __init__(self, like: Tensor) -> None:
        n, rows, columns = like.shape
        small, large = sorted((rows, columns))
        self.gradient = torch.empty_like(like)
        self.x, self.y = like.new_empty(n, small, large), like.new_empty(n, small, large)
        self.square, self.polynomial = like.new_empty(n, small, small), like.new_empty(n, small, small)


def orthogonal(matrices: Tensor, memory: _Memory | None = None) -> Tensor:
    """About U V^T for each matrix U S V^T, (n, rows, columns); 0 for a matrix of zeros."""
    memory = _Memory(matrices) if memory is None else memory
    x, y = memory.x, memory.y
    is_tall = matrices.shape[1] > matrices.shape[2]
    norms = matrices.norm(dim=(1, 2), keepdim=True) * 1.02 + 1e-7
    torch.div(matrices.transpose(1, 2) if is_tall else matrices, norms, out=x)  # the smaller square
    for a, b, c in _POLYNOMIALS:
        torch.bmm(x, x.transpose(1, 2), out=memory.square)
        torch.bmm(memory.square, memory.square, out=memory.polynomial)
        memory.polynomial.mul_(c).add_(memory.square, alpha=b)
        memory.polynomial.diagonal(dim1=1, dim2=2).add_(a)
        torch.bmm(memory.polynomial, x, out=y)
        x, y = y, x
    return x.transpose(1, 2) if is_tall else x
