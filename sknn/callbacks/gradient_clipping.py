"""Bound the gradient, and skip the steps in which it is NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real
from statistics import median
from typing import Any

import torch
from torch import Tensor

from ._gradients import (
    LARGEST_UNBOUNDED,
    SpikeBound,
    TensorSpikeBound,
    UnreadStep,
    clip_units_,
    named_gradients,
    norm_of_step,
    parameter_norms,
    trained_gradients,
    wide_dtype,
)
from ._protocol import SknnCallback

__all__ = ["GradientClipping"]

# As in torch.nn.utils.clip_grad_norm_, so that a fixed bound gives the same bits. "auto" may follow tinier norms.
_EPSILON = 1e-6

# Steps on a device after which their norms are read at the latest: they take memory.
_MOST_UNREAD = 4096


class GradientClipping(SknnCallback):
    r"""Bound the gradient, and skip the steps in which it is NaN or infinite.

    Works in sknn's estimators and in any ``skorch.NeuralNet``. It has to be the last callback that changes gradients;
    the estimators place it there.

    Parameters
    ----------
    max_norm : float or "auto", default="auto"
        The bound, above 0. "auto", for ``by="norm"``: follows the norms of the last 100 steps, so that only spikes
        are clipped.
    by : {"norm", "value", "parameter"}, default="norm"
        What is bounded. "norm": the Euclidean norm over all gradients; larger ones are scaled down. "value": the
        absolute value of each number, which changes the direction. "parameter": for each unit of each parameter, the
        norm of its gradient relative to that of its weights; 0.01 suits batches of thousands of rows, 0.1 those of
        hundreds.
    multiple : float, default=5.0
        "auto" clips norms above this multiple of the median of recent norms; above 1.

    Attributes
    ----------
    max_norm_ : float or "auto"
        The bound in force: `max_norm`, unless ``gradient_health="repair"`` has changed it in this training run.
    skipped_ : int
        Number of steps of this training run whose gradient was NaN or infinite.
    first_skipped_ : tuple of (int, list of str) or None
        Number of the first of them, from 1, and the names of the parameters with such gradients.
    norms_ : list of float
        Norm over all gradients in each step of the present epoch, before clipping; NaN if one is not finite.

    Notes
    -----
    With "auto", a step's bound is

    .. math:: \max(k \cdot \mathrm{median}, 2 \cdot q_{0.95}),

    with ``multiple`` :math:`k`, over the finite, non-zero norms of the last 100 steps after clipping. With fewer than 5
    such norms the factor is :math:`10 k`; the very first step has no bound. The quantile is needed since the median
    alone would remove a quarter of the gradient if one batch in eight has a row of a rare class. So large norms that
    recur in more than 5 % of the steps pass after a while, and "auto" does not help against a learning rate at which
    training diverges steadily; a fixed bound can.

    In a skipped step all gradients are set to zero, but momentum and weight decay still move the weights. Norms beyond
    the range of float32 are computed without overflow. In the first step of "auto", a gradient of a norm above 1e19 is
    skipped, too, since optimizers square it.

    At the end of each epoch the history gets ``gradient_norm`` (median of the finite norms), ``clipped_share`` (share
    of the steps) and ``skipped_steps``.

    Cost: a reduction over the gradients, which is read on the CPU. On a GPU there is one synchronisation per epoch.
    After the first 20 steps the bound of "auto" is computed in every sixteenth.

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    arXiv:1211.5063.
    P. Seetharaman et al., "AutoClip: adaptive gradient clipping for source separation networks", MLSP 2020,
    arXiv:2007.14469.
    A. Brock, S. De, S. L. Smith, K. Simonyan, "High-performance large-scale image recognition without normalization",
    ICML 2021, arXiv:2102.06171. Departure from the paper: the last layer is clipped like all others.

    Examples
    --------
    >>> from sknn.callbacks import GradientClipping
    >>> GradientClipping(max_norm=0.5).max_norm
    0.5
    """

    def __init__(self, max_norm: float | str = "auto", by: str = "norm", multiple: float = 5.0) -> None:
        self.max_norm = max_norm
        self.by = by
        self.multiple = multiple

    # ------------------------------------------------------------------ results

    @property
    def skipped_(self) -> int:
        """Number of skipped steps."""
        self._read_device()
        return self._n_skipped_before + self._n_skipped

    @property
    def first_skipped_(self) -> tuple[int, list[str]] | None:
        """Number and parameters of the first skipped step."""
        self._read_device()
        return self._first_skipped

    @property
    def norms_(self) -> list[float]:
        """Norms of the present epoch, before clipping."""
        self._read_device()
        return self._norms

    # ------------------------------------------------------------------ events

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Forget an earlier training run."""
        self._check_parameters()
        self.max_norm_ = self.max_norm
        # Steps and skipped steps of earlier epochs.
        self._n_steps_before = self._n_skipped_before = 0
        self._first_skipped: tuple[int, list[str]] | None = None
        self._fixed: Tensor | None = None
        self._unread: list[UnreadStep] = []
        self._start_epoch()
        self.start_again()

    def start_again(self) -> None:
        """Forget the recent norms, since the weights have changed; counts and norms stay."""
        self._spikes = SpikeBound(self.multiple) if self.max_norm_ == "auto" else None
        self._tensor_spikes: TensorSpikeBound | None = None

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Release the norms of the last epoch."""
        self._read_device()
        self._n_steps_before += len(self._norms)
        self._n_skipped_before += self._n_skipped
        self._start_epoch()

    def _start_epoch(self) -> None:
        self._norms: list[float] = []
        self._n_clipped = self._n_skipped = 0

    def on_grad_computed(
        self, net: Any, named_parameters: Iterable[tuple[str, Tensor]], X: Any = None, y: Any = None, **kwargs: Any
    ) -> None:
        """Clip, after the backward pass and before the step."""
        gradients = trained_gradients(net, named_parameters)
        if not gradients:
            return
        if all(gradient.is_cpu for gradient in gradients):
            self._clip_on_cpu(net, named_parameters, gradients)
        else:
            self._clip_on_device(net, named_parameters, gradients)

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Write the statistics of the epoch to the history."""
        self._read_device()
        finite = [norm for norm in self._norms if math.isfinite(norm)]
        net.history.record("gradient_norm", median(finite) if finite else math.nan)
        net.history.record("clipped_share", self._n_clipped / max(1, len(self._norms)))
        net.history.record("skipped_steps", self._n_skipped)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Read the device, and release the bounds."""
        self._read_device()
        self.release()

    def release(self) -> None:
        """Let go of the bounds, and of what is on the device."""
        self._unread = []
        self._spikes = self._tensor_spikes = self._fixed = None

    # ------------------------------------------------------------------ a step on the CPU

    def _clip_on_cpu(self, net: Any, named_parameters: Any, gradients: list[Tensor]) -> None:
        """Read the norm, and change gradients only if needed."""
        norm, spikes = norm_of_step(net, gradients), self._spikes
        self._norms.append(norm)
        bound: Any = self.max_norm_ if spikes is None else spikes.bound
        if not norm < (LARGEST_UNBOUNDED if bound == math.inf else math.inf):
            self._skip(net, named_parameters, gradients)
            norm = 0.0
        elif self.by != "norm":
            self._n_clipped += bool(self._excess(net, named_parameters, gradients, norm) > bound)
        elif norm > bound:
            factor = bound / (norm if spikes is not None else norm + _EPSILON)
            for gradient in gradients:
                gradient.mul_(factor)
            self._n_clipped += 1
        if spikes is not None:
            spikes.take(norm)

    def _skip(self, net: Any, named_parameters: Any, gradients: list[Tensor]) -> None:
        self._n_skipped += 1
        if self._first_skipped is None:
            named = named_gradients(net, named_parameters)
            norms = parameter_norms([gradient.values for gradient in named]).tolist()
            self._note_first(len(self._norms), norms, [gradient.name for gradient in named])
        for gradient in gradients:
            gradient.zero_()

    def _note_first(self, step: int, norms: list[float], names: list[str]) -> None:
        """Remember the parameters of the first skipped step, by their norms."""
        finite = [norm for norm in norms if math.isfinite(norm)]
        limit = math.inf if len(finite) < len(norms) else max(finite)
        bad = [name for name, norm in zip(names, norms, strict=True) if not norm < limit]
        self._first_skipped = (self._n_steps_before + step, bad)

    # ------------------------------------------------------------------ a step on any device

    @torch.no_grad()
    def _clip_on_device(self, net: Any, named_parameters: Any, gradients: list[Tensor]) -> None:
        """No branch on a value: nothing is read from the device."""
        named = named_gradients(net, named_parameters)
        norms = parameter_norms([gradient.values for gradient in named])
        norm = torch.linalg.vector_norm(norms)
        bound, limit = self._tensor_bound(norm)
        if self.by == "norm":
            excess = norm
            factor = (bound / (norm if self.max_norm_ == "auto" else norm + _EPSILON)).clamp_(max=1.0)
            for gradient in gradients:
                gradient.mul_(factor.to(gradient.device))
        else:
            excess = self._excess(net, named_parameters, gradients, math.inf)
        bad = (norm < limit).logical_not_()
        for gradient in gradients:  # zero times NaN is NaN
            gradient.masked_fill_(bad.to(gradient.device), 0.0)
        if self._tensor_spikes is not None:
            self._tensor_spikes.take(norm)
        self._unread.append(UnreadStep(norm, excess, bound, bad, norms, [n for n, *_ in named]))
        if len(self._unread) == _MOST_UNREAD:
            self._read_device()

    def _tensor_bound(self, norm: Tensor) -> tuple[Tensor, Any]:
        """The bound, and the limit above which a step is skipped."""
        if self.max_norm_ == "auto":
            if self._tensor_spikes is None:
                self._tensor_spikes = TensorSpikeBound(self.multiple, norm)
            return self._tensor_spikes.bound, self._tensor_spikes.limit
        if self._fixed is None:
            self._fixed = torch.full_like(norm, self.max_norm_)  # type: ignore[arg-type]
        return self._fixed, math.inf

    def _read_device(self) -> None:
        """Read the norms that are still on the device: one synchronisation, none on the CPU."""
        if not self._unread:
            return
        unread, self._unread = self._unread, []
        columns = [torch.stack(column) for column in zip(*(step[:4] for step in unread), strict=True)]
        values = torch.stack([column.to(columns[0].dtype) for column in columns], dim=1).tolist()
        for (norm, excess, bound, bad), step in zip(values, unread, strict=True):
            self._norms.append(norm if math.isfinite(norm) else math.nan)
            self._n_skipped += bool(bad)
            self._n_clipped += not bad and excess > bound
            if bad and self._first_skipped is None:
                self._note_first(len(self._norms), step.norms.tolist(), step.names)

    # ------------------------------------------------------------------ on both

    def _excess(self, net: Any, named_parameters: Any, gradients: list[Tensor], norm: float) -> Any:
        """Clip by value or by unit; return a number that exceeds the bound if anything was clipped."""
        bound: Any = self.max_norm_
        if self.by == "value":
            if norm <= bound:  # no number is larger than the norm of all
                return norm
            largest = [torch.linalg.vector_norm(g, math.inf).to(wide_dtype(g)) for g in gradients if g.numel()]
            for gradient in gradients:
                gradient.clamp_(-bound, bound)
            return torch.stack(largest).max()
        named = [gradient for gradient in named_gradients(net, named_parameters) if gradient.values.numel()]
        return bound * torch.stack([clip_units_(gradient, bound) for gradient in named]).max()

    def _check_parameters(self) -> None:
        if self.by not in ("norm", "value", "parameter"):
            raise ValueError(f"GradientClipping: by={self.by!r}; expected 'norm', 'value' or 'parameter'.")
        if isinstance(self.max_norm, str):
            if self.max_norm != "auto" or self.by != "norm":
                raise ValueError(
                    f"GradientClipping: max_norm={self.max_norm!r} with by={self.by!r}; expected a number above 0"
                    + (", or 'auto'." if self.by == "norm" else ": 'auto' is for by='norm' only.")
                )
        elif isinstance(self.max_norm, bool) or not isinstance(self.max_norm, Real) or not self.max_norm > 0:
            raise ValueError(f"GradientClipping: max_norm={self.max_norm!r}; expected a number above 0, or 'auto'.")
        if not self.multiple > 1:
            raise ValueError(f"GradientClipping: multiple={self.multiple!r}; expected a number above 1.")
