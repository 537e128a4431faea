"""Parameter groups, flat parameter buffers, learning-rate schedules."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["FlatParameters", "LRSchedule", "build_optimizer", "parameter_groups"]

NORM_LAYERS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    *((nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()),
)

# Optimizers that treat every number alike, so that one long vector serves as well as many small tensors.
ELEMENTWISE = (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.Adamax,
    torch.optim.Adadelta,
    torch.optim.Adagrad,
    torch.optim.RMSprop,
)
FUSED = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad)


def parameter_groups(modules: Iterable[nn.Module]) -> list[list[nn.Parameter]]:
    """Trainable parameters in two groups: those that decay, and biases and norms, which do not.

    Shared parameters appear once, where they are met first.
    """
    decayed: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    seen: set[int] = set()
    for module in modules:
        for part in module.modules():
            for name, parameter in part.named_parameters(recurse=False):
                if not parameter.requires_grad or id(parameter) in seen:
                    continue
                seen.add(id(parameter))
                exempt = isinstance(part, NORM_LAYERS) or "bias" in name or parameter.ndim == 0
                (undecayed if exempt else decayed).append(parameter)
    return [decayed, undecayed]


class FlatParameters:
    """The parameters of one group as views of one contiguous buffer, and their gradients likewise.

    An element-wise optimizer then updates one tensor instead of many, the gradient norm is one reduction, and zeroing
    is one fill: on small networks these calls are most of a training step.

    Parameters
    ----------
    parameters : list of nn.Parameter
        Of one dtype and device. They are changed in place to views, until `release`.
    """

    def __init__(self, parameters: list[nn.Parameter]) -> None:
        self.parameters = parameters
        self.flat = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
        self.flat.grad = torch.zeros_like(self.flat)
        start = 0
        for parameter in parameters:
            stop = start + parameter.numel()
            parameter.data = self.flat.data[start:stop].view(parameter.shape)
            parameter.grad = self.flat.grad[start:stop].view(parameter.shape)
            start = stop

    def release(self) -> None:
        """Give each parameter memory of its own again: a pickled view would carry the whole buffer."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None

    def attach(self) -> None:
        """Undo `release`: take the parameters' present values into the buffer, and make them views again."""
        start = 0
        with torch.no_grad():
            for parameter in self.parameters:
                stop = start + parameter.numel()
                view = self.flat.data[start:stop].view(parameter.shape)
                view.copy_(parameter.data)
                parameter.data = view
                parameter.grad = self.flat.grad[start:stop].view(parameter.shape)  # type: ignore[index]
                start = stop


def _can_be_flat(optimizer: type, modules: list[nn.Module], groups: list[list[nn.Parameter]]) -> bool:
    if optimizer not in ELEMENTWISE:
        return False
    parameters = [p for group in groups for p in group]
    if len({(p.dtype, p.device) for p in parameters}) != 1:
        return False
    for module in modules:
        for part in module.modules():
            if getattr(part, "sparse", False):  # sparse gradients of an embedding
                return False
            if isinstance(part, nn.RNNBase) and parameters[0].is_cuda:  # cuDNN keeps a buffer of its own
                return False
    return True


def build_optimizer(
    optimizer: type[torch.optim.Optimizer], params: dict[str, Any], lr: float, modules: list[nn.Module]
) -> tuple[torch.optim.Optimizer, list[FlatParameters]]:
    """The optimizer over parameter groups, flat where it can be.

    Parameters
    ----------
    optimizer : type
        A ``torch.optim.Optimizer`` class.
    params : dict
        Its keyword arguments. A ``weight_decay`` applies to weights, not to biases and norms.
    lr : float
        Learning rate.
    modules : list of nn.Module
        The network, and the criterion where that has parameters.

    Returns
    -------
    optimizer : torch.optim.Optimizer
    flat : list of FlatParameters
        Empty where the optimizer needs the parameters' shapes.

    Raises
    ------
    ValueError
        The network has nothing to train, or the optimizer refuses its arguments.
    """
    groups = [group for group in parameter_groups(modules) if group]
    if not groups:
        raise ValueError(
            f"module: {type(modules[0]).__name__} has no parameters that require gradients, so there is nothing to "
            "train. Set requires_grad=True on some of them."
        )
    accepted = inspect.signature(optimizer).parameters
    flat: list[FlatParameters] = []
    if _can_be_flat(optimizer, modules, groups):
        flat = [FlatParameters(group) for group in groups]
        groups = [[group.flat] for group in flat]
        on_known_device = groups[0][0].device.type in ("cpu", "cuda")
        if optimizer in FUSED and on_known_device and "foreach" not in params and not params.get("differentiable"):
            params = {"fused": True, **params}
    # The decayed group comes first; where all parameters are exempt, the one group is exempt.
    exempt = [(len(groups) == 2 and i == 1) or not parameter_groups(modules)[0] for i in range(len(groups))]
    if "weight_decay" in accepted:
        specs: Any = [
            {"params": g, **({"weight_decay": 0.0} if e else {})} for g, e in zip(groups, exempt, strict=True)
        ]
    else:
        specs = [{"params": [p for g in groups for p in g]}]
    if optimizer is torch.optim.LBFGS:  # it allows one group only
        specs = [p for g in groups for p in g]
    try:
        return optimizer(specs, lr=lr, **params), flat  # type: ignore[call-arg]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer: {optimizer.__name__} refuses lr={lr!r}, optimizer_params={params!r}: {error}"
        ) from error


def _cosine(progress: float, *, warmup: float, final: float) -> float:
    if progress < warmup:
        return max(progress / warmup, 1e-3)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / max(1 - warmup, 1e-12)))


def _one_cycle(progress: float, *, warmup: float, initial: float, final: float) -> float:
    def between(start: float, end: float, share: float) -> float:
        return end + (start - end) * 0.5 * (1 + math.cos(math.pi * share))

    if progress < warmup:
        return between(initial, 1.0, progress / warmup)
    return between(1.0, final, (progress - warmup) / max(1 - warmup, 1e-12))


# Name -> (factor as a function of progress in [0, 1], its parameters)
CURVES: dict[str, tuple[Callable[..., float], dict[str, float]]] = {
    "cosine": (_cosine, {"warmup": 0.05, "final": 0.0}),
    "one_cycle": (_one_cycle, {"warmup": 0.3, "initial": 0.04, "final": 1e-4}),
}
# What schedules write into an optimizer's parameter groups, beside "lr".
SCHEDULED = ("lr", "momentum", "betas", "initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")
STEPPED_PER_BATCH = (torch.optim.lr_scheduler.OneCycleLR, torch.optim.lr_scheduler.CyclicLR)


class LRSchedule:
    """The learning rate of every step.

    Parameters
    ----------
    schedule : {"constant", "cosine", "one_cycle", "plateau"} or a torch.optim.lr_scheduler class
        ``"cosine"``: linear warm-up, then half a cosine (Loshchilov & Hutter, SGDR, ICLR 2017, arXiv:1608.03983).
        ``"one_cycle"``: Smith & Topin, Super-convergence, 2018, arXiv:1708.07120. ``"plateau"``: the rate is halved
        when the validation loss (else the training loss) stops falling. A class is stepped once an epoch, OneCycleLR
        and CyclicLR once a batch.
    params : dict
        ``"cosine"``: warmup=0.05, final=0.0. ``"one_cycle"``: warmup=0.3, initial=0.04, final=0.0001 (shares of the
        planned training, factors of lr). ``"plateau"`` and classes: their constructor's arguments.
    optimizer : torch.optim.Optimizer
    total_steps : int
        Steps of the whole training, for OneCycleLR.

    Raises
    ------
    ValueError
        An unknown name or parameter.
    """

    def __init__(
        self,
        schedule: str | type,
        params: dict[str, Any],
        optimizer: torch.optim.Optimizer,
        total_steps: int,
    ) -> None:
        self.optimizer = optimizer
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self._before = [{name: group[name] for name in SCHEDULED if name in group} for group in optimizer.param_groups]
        self.curve: Callable[[float], float] | None = None
        self.scheduler: Any = None
        self.per_batch = False
        if isinstance(schedule, str) and schedule in CURVES:
            function, defaults = CURVES[schedule]
            _check_curve_params(schedule, params, defaults)
            values = {**defaults, **params}
            self.curve = lambda progress: function(progress, **values)
        elif schedule == "constant":
            _check_curve_params("constant", params, {})
        else:
            self._build_scheduler(schedule, params, total_steps)

    def _build_scheduler(self, schedule: str | type, params: dict[str, Any], total_steps: int) -> None:
        cls: Any = schedule
        if schedule == "plateau":
            cls = torch.optim.lr_scheduler.ReduceLROnPlateau
            params = {"factor": 0.5, "patience": 5, **params}
        accepted = inspect.signature(cls).parameters
        unknown = [name for name in params if name not in accepted]
        if unknown:
            names = sorted(set(accepted) - {"optimizer"})
            raise ValueError(f"lr_schedule_params: {unknown[0]!r} is unknown to {cls.__name__}. Valid names: {names}.")
        if cls is torch.optim.lr_scheduler.OneCycleLR:
            params = {"max_lr": self.base_lrs, "total_steps": total_steps, **params}
            if "epochs" in params:
                params.pop("total_steps")
        try:
            self.scheduler = cls(self.optimizer, **params)
        except (TypeError, ValueError) as error:
            raise ValueError(f"lr_schedule: {cls.__name__} refuses lr_schedule_params={params!r}: {error}") from error
        self.per_batch = cls in STEPPED_PER_BATCH
        self.needs_metric = isinstance(self.scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)

    def before_step(self, progress: float) -> None:
        """Set the rate for the step that starts at `progress`, the share of the planned training that is over."""
        if self.curve is not None:
            factor = self.curve(min(progress, 1.0))
            for group, lr in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
                group["lr"] = lr * factor

    def after_step(self) -> None:
        """Advance a scheduler that counts batches."""
        if self.per_batch and self.scheduler.last_epoch < getattr(self.scheduler, "total_steps", math.inf) - 1:
            self.scheduler.step()

    def after_epoch(self, loss: float) -> None:
        """Advance a scheduler that counts epochs, or watches `loss`."""
        if self.scheduler is not None and not self.per_batch:
            self.scheduler.step(loss) if self.needs_metric else self.scheduler.step()

    def undo(self) -> None:
        """Put back the rates that the schedule started from, for a training that goes on from this one."""
        if self.curve is None and self.scheduler is None:  # "constant": rates are the user's callbacks' affair
            return
        for group, before in zip(self.optimizer.param_groups, self._before, strict=True):
            for name in SCHEDULED:
                group.pop(name, None)
            group.update(before)


def _check_curve_params(schedule: str, params: dict[str, Any], defaults: dict[str, float]) -> None:
    for name, value in params.items():
        if name not in defaults:
            raise ValueError(
                f"lr_schedule_params: {name!r} is unknown to {schedule!r}. Valid names: {sorted(defaults)}."
            )
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"lr_schedule_params: {name}={value!r}, expected a number in [0, 1].")


def gradient_tensors(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """The gradients that the optimizer is about to use: one for each flat buffer, or one a parameter."""
    return [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
