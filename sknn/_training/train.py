"""The training of one fit, whether it begins anew, goes on from a checkpoint, or is broken off."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .._data.rows import Rows
from .checkpointing import resume, store_finished, surroundings
from .net import _Net
from .plan import TrainingPlan

__all__ = ["scaling_of", "train"]


def scaling_of(plan: TrainingPlan, inputs: Any, resident: list[Rows]) -> Callable[[], Callable[[], None]]:
    """What scales untouched inputs from now on, and returns what undoes it; the plan counts how often."""

    def scale() -> Callable[[], None]:
        undo_scaling = inputs.scale_from_now_on(resident)
        plan.n_scalings += 1

        def undo() -> None:
            undo_scaling()
            plan.n_scalings -= 1

        return undo

    return scale


def train(
    net: _Net,
    rows: Rows,
    valid: Rows | None,
    epochs: int,
    *,
    learned: tuple[Any, Any],
) -> int | None:
    """Train to the end, from where the plan's checkpoint has found an earlier fit if there is one.

    Parameters
    ----------
    net : _Net
        Initialised. Its plan says where to write checkpoints, and whether Ctrl-C ends the training with the weights of
        its best epoch.
    rows, valid : Rows
    epochs : int
    learned : (Inputs, Targets)
        What was learned from the data before training.

    Returns
    -------
    best_epoch : int or None
        The epoch whose weights are kept if Ctrl-C ended the training, else None.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C, where that is not to be kept, or there is nothing to keep.
    """
    checkpoint = net.plan.checkpoint
    try:
        is_finished = False
        if checkpoint is not None:
            found = surroundings(net, rows, valid, learned)
            checkpoint.surroundings = lambda: found
            if checkpoint.found is not None:
                is_finished = resume(net, checkpoint, learned[0])
        if not is_finished:
            net.train(rows, valid, epochs)
            if checkpoint is not None and not net.ended_by_clock:  # with more time, training would continue
                store_finished(net, checkpoint, learned[0])
    except KeyboardInterrupt:
        is_kept = net.plan.keeps_interrupted and not _is_one_of_many()
        best_epoch = net.end_interrupted(valid) if is_kept else None
        if best_epoch is None:
            raise
        return best_epoch
    return None


def _is_one_of_many() -> bool:
    """Whether joblib runs this fit, as in searches, cross-validation and ensembles: these are to end, too."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("joblib."):
            return True
        frame = frame.f_back
    return False
