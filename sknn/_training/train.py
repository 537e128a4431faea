"""The training run of one fit, whether it begins anew, continues from a checkpoint, or is interrupted."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from .._data.rows import Rows
from .._network.checks import checked_batch_norm
from .checkpointing import resume, store_finished, surroundings
from .epochs import Epochs
from .net import _Net
from .state import TrainingState

__all__ = ["Ending", "train"]


class Ending(NamedTuple):
    """How a training run ended."""

    stopped_by: str  # see the attribute `stopped_by_` of the estimators
    kept_epoch: int | None  # after Ctrl-C, the number of the epoch whose weights are kept


def train(net: _Net, rows: Rows, valid: Rows | None, *, learned: tuple[Any, Any]) -> Ending:
    """Train to the end, from where the plan's checkpoint has found an earlier fit if there is one.

    Ctrl-C is raised, unless the plan keeps an epoch for it.
    """
    run = net.run
    assert run is not None
    epochs, checkpoint = Epochs(net, run, rows, valid), run.plan.checkpoint
    is_finished = False
    try:
        if checkpoint is not None:
            found = surroundings(net, rows, valid, learned)
            checkpoint.surroundings = lambda: found
            if checkpoint.found is not None:
                is_finished = resume(net, checkpoint, learned[0])
                if run.plan.after_resume is not None:
                    run.plan.after_resume(str(checkpoint.found_at), is_finished)
        if not is_finished:
            with checked_batch_norm(len(rows), net.batch_size):
                epochs.train()
    except KeyboardInterrupt:
        is_kept = run.plan.keeps_interrupted and not _is_one_of_many()
        best_epoch = epochs.end_interrupted() if is_kept else None
        if best_epoch is None:
            raise
        return Ending("interrupt", best_epoch)
    if checkpoint is not None and not is_finished and not _would_continue(run):
        store_finished(net, checkpoint, learned[0])
    return Ending(run.stopped_by, None)


def _would_continue(run: TrainingState) -> bool:
    """Whether this run would train further with more time or epochs: the state of its last epoch stays stored."""
    takes_more_epochs = run.plan.checkpoint is not None and run.plan.checkpoint.length is not None
    return run.ended_by_clock or (takes_more_epochs and run.stopped_by == "max_epochs")


def _is_one_of_many() -> bool:
    """Whether joblib runs this fit, as in searches, cross-validation and ensembles: these are to end, too."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("joblib."):
            return True
        frame = frame.f_back
    return False
