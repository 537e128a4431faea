"""What ``criterion`` means."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from torch import nn

from .._errors import refused_as, shown
from ._base import Loss, Target
from ._module import LOSSES, ModuleLoss, unfit_error

__all__ = ["can_smooth_labels", "can_weigh_rows", "fitting_loss", "make_loss"]


def make_loss(criterion: Any, criterion_params: dict[str, Any], target: Target) -> Loss:
    """Return the loss that ``criterion`` means for a kind of target.

    Parameters
    ----------
    criterion : str, class or instance
        A name of :data:`LOSSES`; or a :class:`Loss` or another ``nn.Module``, a class or an instance, which
        is copied.
    criterion_params : dict
        Arguments of the constructor; empty for an instance.
    target : {"classes", "multilabel", "real"}
        Kind of target.

    Returns
    -------
    Loss

    Raises
    ------
    TypeError
        If ``criterion`` is neither a name, a class nor an instance.
    ValueError
        If the name is unknown, the loss does not fit the target, or its constructor refuses the parameters.

    Examples
    --------
    >>> from torch import nn
    >>> from sknn.losses import make_loss
    >>> make_loss("huber", {"delta": 2.0}, "real").delta
    2.0
    >>> make_loss(nn.CrossEntropyLoss, {"label_smoothing": 0.1}, "classes").name
    'CrossEntropyLoss'
    """
    if isinstance(criterion, str):
        if criterion not in LOSSES:
            raise ValueError(
                f"criterion={criterion!r} is unknown; expected one of {sorted(LOSSES)}, or an nn.Module class."
            )
        fitting = [kind for kind in LOSSES[criterion] if target in kind.targets]
        if not fitting:
            raise unfit_error(repr(criterion), target)
        return _constructed(fitting[0], criterion_params, repr(criterion))
    if isinstance(criterion, nn.Module):
        if criterion_params:
            raise ValueError(
                f"criterion_params={shown(criterion_params)} came with an instance, whose parameters are fixed; "
                f"pass the class, criterion={type(criterion).__name__}, or no criterion_params."
            )
        loss = copy.deepcopy(criterion)
    elif isinstance(criterion, type) and issubclass(criterion, nn.Module):
        loss = _constructed(criterion, criterion_params)
    else:
        raise TypeError(
            f"criterion={shown(criterion)} is a {type(criterion).__name__}; expected one of {sorted(LOSSES)}, a "
            "class or an instance of sknn.losses.Loss or torch.nn.Module."
        )
    if not isinstance(loss, Loss):
        return ModuleLoss(loss, target)
    if target not in loss.targets:
        raise unfit_error(type(loss).__name__, target)
    return loss


def fitting_loss(criterion: Any, criterion_params: dict[str, Any] | None, target: Target) -> Loss | None:
    """As `make_loss`, but None where that refuses."""
    try:
        return make_loss(criterion, dict(criterion_params or {}), target)
    except (ValueError, TypeError):
        return None


def can_smooth_labels(criterion: Any, target: Target) -> bool:
    """Whether the loss of this name for this kind of target has a parameter ``label_smoothing``."""
    if not isinstance(criterion, str):
        return False
    fitting = [kind for kind in LOSSES.get(criterion, ()) if target in kind.targets]
    return any("label_smoothing" in inspect.signature(kind).parameters for kind in fitting)


def can_weigh_rows(criterion: Any, criterion_params: dict[str, Any] | None) -> bool:
    """False for a loss of the user's that returns a scalar only."""
    if isinstance(criterion, str):
        return True
    loss = _constructed(criterion, criterion_params or {}) if isinstance(criterion, type) else criterion
    return loss.supports_sample_weight if isinstance(loss, Loss) else hasattr(loss, "reduction")


def _constructed(kind: type[Any], params: dict[str, Any], label: str = "") -> Any:
    """An instance of ``kind``; a ValueError or TypeError that names the parameters where it refuses them."""
    label = label or kind.__name__
    with refused_as(f"criterion={label}", f"a constructor that accepts criterion_params={shown(params)}"):
        return kind(**_bound(kind, params, label))


def _bound(kind: type[nn.Module], params: dict[str, Any], label: str) -> dict[str, Any]:
    """``params``, if the constructor of ``kind`` accepts them."""
    # A module without a constructor has nn.Module's, whose signature accepts what its body refuses.
    signature = inspect.Signature() if kind.__init__ is nn.Module.__init__ else inspect.signature(kind)
    try:
        signature.bind(**params)
    except TypeError as error:
        raise ValueError(
            f"criterion_params={shown(params)} does not fit criterion={label}: {error}; valid names are "
            f"{sorted(signature.parameters)}."
        ) from error
    return params
