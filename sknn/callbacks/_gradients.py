"""The gradients of a step, their norms, and the bound above which a norm counts as a spike."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..optim._norms import pieces, sum_of_squares
from ._protocol import flat_parameters_of, run_of

__all__ = [
    "LARGEST_UNBOUNDED",
    "NamedGradient",
    "SpikeBound",
    "TensorSpikeBound",
    "UnreadStep",
    "clip_units_",
    "named_gradients",
    "norm_of_step",
    "parameter_norms",
    "total_norm",
    "trained_gradients",
    "wide_dtype",
]

_torch: Any = torch  # norms of many tensors in one call are not part of its documented API

# Adam keeps squares of gradients: those of larger float32 numbers are infinite.
LARGEST_UNBOUNDED = 1e19

# Number of recent steps that a norm is compared with. With fewer than WARM_UP norms, the bound is LOOSE times larger.
WINDOW = 100
WARM_UP = 5
LOOSE = 10.0
# A norm that recurs in more than one step of twenty is no spike; for example, of batches with a rare class.
RARE = 20
ABOVE_RARE = 2.0
# After REFRESHED_ALWAYS steps, the bound is computed in every sixteenth only.
REFRESH, REFRESHED_ALWAYS = 16, 20

# Weights that start at zero must be able to change (eps in arXiv:2102.06171, section 4.1).
SMALLEST_UNIT_NORM = 1e-3


class NamedGradient(NamedTuple):
    """A parameter and its gradient; of a sparse gradient, the stored rows."""

    name: str
    parameter: Tensor
    values: Tensor


def trained_gradients(net: Any, named_parameters: Iterable[tuple[str, Tensor]]) -> list[Tensor]:
    """Tensors that hold all gradients, to be changed in place; a single one if there is a flat buffer."""
    flat, run = flat_parameters_of(net), run_of(net)
    if flat is None:
        values = [_values(parameter) for _, parameter in named_parameters]
        return [gradient for gradient in values if gradient is not None]
    if run is None or run.foreign_steps:  # a callback may have replaced a view by another tensor
        flat.attach()
    groups = net.optimizer_.param_groups
    if len(groups) == len(flat.groups):
        return [flat.gradient]
    values = [_values(parameter) for group in groups[len(flat.groups) :] for parameter in group["params"]]
    return [flat.gradient, *(gradient for gradient in values if gradient is not None)]


def named_gradients(net: Any, named_parameters: Iterable[tuple[str, Tensor]]) -> list[NamedGradient]:
    """As `trained_gradients`, for each parameter."""
    named = list(named_parameters)
    flat = flat_parameters_of(net)
    if flat is not None:
        known = {id(parameter) for _, parameter in named}
        added = [p for group in net.optimizer_.param_groups[len(flat.groups) :] for p in group["params"]]
        named += [("a parameter added to the optimizer", p) for p in added if id(p) not in known]
    found = [(name, parameter, _values(parameter)) for name, parameter in named]
    return [NamedGradient(name, parameter, values) for name, parameter, values in found if values is not None]


def _values(parameter: Tensor) -> Tensor | None:
    """The values of its gradient; repeated rows of a sparse one are summed first."""
    gradient = parameter.grad
    if gradient is None:
        return None
    if gradient.is_sparse:
        if not gradient.is_coalesced():
            gradient = parameter.grad = gradient.coalesce()
        gradient = gradient._values()
    return gradient.detach()


# ---------------------------------------------------------------------- norms


def norm_of_step(net: Any, gradients: list[Tensor]) -> float:
    """`total_norm`, which a training run of sknn keeps for later callbacks of the step."""
    run = run_of(net)
    return total_norm(gradients) if run is None or run.gradient_norm is None else run.gradient_norm


def total_norm(gradients: list[Tensor]) -> float:
    """Euclidean norm over all gradients; NaN if a value is NaN or infinite. Reads from the device."""
    if len(gradients) == 1 and gradients[0].is_cpu and gradients[0].dtype is torch.float32:
        norm = math.sqrt(sum_of_squares(pieces(gradients[0].numpy().reshape(-1))))
    elif len(gradients) == 1:
        norm = torch.linalg.vector_norm(gradients[0]).item()
    else:
        norm = torch.linalg.vector_norm(torch.stack(_torch._foreach_norm(gradients))).item()
    return norm if norm < math.inf else _norm_of_large(gradients)


def _norm_of_large(gradients: list[Tensor]) -> float:
    """The same if squares overflow."""
    largest = [torch.linalg.vector_norm(gradient, math.inf).item() for gradient in gradients if gradient.numel()]
    if not all(map(math.isfinite, largest)):
        return math.nan
    scale = max(largest)
    return scale * math.hypot(*(torch.linalg.vector_norm(gradient / scale).item() for gradient in gradients))


def parameter_norms(gradients: list[Tensor]) -> Tensor:
    """Norm of each, (len(gradients),), left on the device. If the device has float64, no square overflows."""
    norms = _torch._foreach_norm(gradients, 2, dtype=wide_dtype(gradients[0]))
    return torch.stack([norm.to(norms[0].device) for norm in norms])


def wide_dtype(tensor: Tensor) -> torch.dtype:
    """The widest floating dtype of its device."""
    return torch.float32 if tensor.device.type == "mps" else torch.float64


def clip_units_(gradient: NamedGradient, ratio: float) -> Tensor:
    """Bound the gradient of each unit by `ratio` times the norm of its weights; return the largest excess factor.

    A unit is one index of the first dimension, as in linear and convolutional layers and embeddings; a vector is one
    unit.
    """
    values, parameter = gradient.values, gradient.parameter
    weights = parameter.detach()
    if parameter.grad is not None and parameter.grad.is_sparse:
        weights = weights[parameter.grad._indices()[0]]
    dims = tuple(range(1, weights.ndim)) if sum(size > 1 for size in weights.shape) > 1 else None
    options: Any = {"dim": dims, "keepdim": True, "dtype": wide_dtype(values)}
    bound = ratio * torch.linalg.vector_norm(weights, **options).clamp_(min=SMALLEST_UNIT_NORM)
    norm = torch.linalg.vector_norm(values, **options)
    values.mul_((bound / norm).clamp_(max=1.0).to(values.dtype))  # not 0 / 0: the bound is positive
    return (norm / bound).max()


# ---------------------------------------------------------------------- spikes


class SpikeBound:
    r"""The largest norm that is no spike, from the norms of the last steps.

    .. math:: \max(k \cdot \mathrm{median}, 2 \cdot q_{0.95})

    over the finite, non-zero norms of the last 100 steps; with :math:`10 k` if these are fewer than 5, infinite if
    there is none. After 20 steps it is computed in every sixteenth. The quantile lets large norms pass that recur
    often. Norms are counted after clipping, so that consecutive spikes raise the bound by a factor of 2 at a time.
    """

    def __init__(self, multiple: float) -> None:
        self.multiple = multiple
        self.bound = math.inf
        self._recent: deque[float] = deque(maxlen=WINDOW)  # 0 for a step without a usable norm
        self._n_steps = 0

    def take(self, norm: float) -> None:
        """Add the norm of another step, before clipping; 0 for a skipped step."""
        self._recent.append(min(norm, self.bound))
        self._n_steps += 1
        if self._n_steps < REFRESHED_ALWAYS or (self._n_steps - REFRESHED_ALWAYS) % REFRESH == 0:
            self._compute()

    def _compute(self) -> None:
        ordered = sorted(self._recent)
        del ordered[: bisect_right(ordered, 0.0)]
        n = len(ordered)
        if not n:
            self.bound = math.inf
            return
        multiple = self.multiple if n >= WARM_UP else LOOSE * self.multiple
        self.bound = max(multiple * ordered[n // 2], ABOVE_RARE * ordered[-1 - n // RARE])


class TensorSpikeBound:
    """The same on a device, without reading from it."""

    def __init__(self, multiple: float, like: Tensor) -> None:
        self.multiple = multiple
        self.bound = torch.full_like(like, math.inf)
        self.limit = torch.full_like(like, LARGEST_UNBOUNDED)  # steps of larger norms are skipped
        self._ordinary = torch.full((WINDOW,), math.inf, dtype=like.dtype, device=like.device)
        self._new: list[Tensor] = []
        self._n_steps = 0

    def take(self, norm: Tensor) -> None:
        """Add the norm of another step, before clipping; it may be NaN."""
        self._new.append(norm)
        self._n_steps += 1
        if self._n_steps <= REFRESHED_ALWAYS or len(self._new) >= REFRESH:
            self._compute()

    def _compute(self) -> None:
        new = torch.stack(self._new)
        self._new = []
        usable = (new > 0) & (new < self.limit)
        new = torch.where(usable, torch.minimum(new, self.bound), math.inf)
        self._ordinary = torch.cat([self._ordinary[len(new) :], new])
        ordered = self._ordinary.sort().values
        n = (ordered < math.inf).sum().view(1)
        median = ordered.gather(0, (n // 2).clamp(max=WINDOW - 1))
        often = ordered.gather(0, (n - 1 - n // RARE).clamp(min=0))
        multiple = torch.where(n >= WARM_UP, self.multiple, LOOSE * self.multiple)
        # Without any usable norm, these are the infinities that stand for missing ones.
        self.bound = torch.maximum(multiple * median, ABOVE_RARE * often)[0]
        self.limit = torch.where(self.bound < math.inf, math.inf, LARGEST_UNBOUNDED).to(self.bound.dtype)


class UnreadStep(NamedTuple):
    """Results of a step on the device, to be read at the end of the epoch."""

    norm: Tensor
    excess: Tensor
    bound: Tensor
    bad: Tensor
    norms: Tensor  # of each parameter
    names: list[str]
