"""The callbacks of a fit: the user's, and the defaults that these do not replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from skorch.callbacks import Callback

from .._errors import shown
from ..callbacks import EarlyStopping, GradientClipping, GradientHealth
from ..callbacks._protocol import class_of

__all__ = ["training_callbacks"]

_LAST = (GradientHealth, GradientClipping, EarlyStopping)


def training_callbacks(params: Mapping[str, Any], *, patience: int, has_validation: bool, partial: bool) -> list[Any]:
    """The user's callbacks themselves, then the defaults; an instance of a default's class replaces it.

    The order of the list is that of the calls: first the user's callbacks, then GradientHealth, which reads gradients,
    GradientClipping, which is the last to change them, and EarlyStopping, which may end the training before later
    callbacks are called. It cannot end `partial_fit`, which is one epoch without validation rows.
    """
    given = params["callbacks"] or ()
    for callback in given:
        is_pair = not isinstance(callback, tuple) or (len(callback) == 2 and isinstance(callback[0], str))
        if not is_pair or not issubclass(class_of(callback), Callback):
            raise TypeError(
                f"callbacks contains {shown(callback)}; expected skorch callbacks, or (name, callback) pairs. "
                "scikit-learn's own callbacks are registered by set_callbacks."
            )
    callbacks = [cb for cb in given if not (partial and issubclass(class_of(cb), EarlyStopping))]

    def missing(kind: type) -> bool:
        return not any(issubclass(class_of(callback), kind) for callback in callbacks)

    # Differences of clipped gradients would show LBFGS a curvature that does not exist: it diverges.
    max_norm = None if params["optimizer"] is torch.optim.LBFGS else params["gradient_clipping"]
    if max_norm is not None and missing(GradientClipping):
        callbacks.append(GradientClipping(max_norm))
    if params["gradient_health"] is not None and missing(GradientHealth):
        callbacks.append(GradientHealth(params["gradient_health"]))
    if has_validation and params["early_stopping"] and missing(EarlyStopping):
        by_loss = params["scoring"] in (None, "loss")
        monitor = "valid_loss" if by_loss else "valid_score"
        callbacks.append(
            EarlyStopping(monitor=monitor, lower_is_better=by_loss, patience=patience, min_delta=params["tol"])
        )
    return sorted(callbacks, key=_place)


def _place(callback: Any) -> int:
    """0 for a callback of the user's own, then the order of `_LAST`."""
    return next((i for i, kind in enumerate(_LAST, start=1) if issubclass(class_of(callback), kind)), 0)
