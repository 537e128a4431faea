"""The training run of one fit, whether it begins anew, continues from a checkpoint, or is interrupted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .._checkpoint import Checkpoint, has_a_name
from .._data.rows import Rows
from .._digest import UndigestibleError, digest
from .._errors import refused_as, shown
from .._versions import versions
from ..exceptions import CheckpointError
from .epochs import Epochs
from .net import _Net

__all__ = ["find_checkpoint", "train"]

# Parameters that change no bit of what is learned.
_WITHOUT_EFFECT = ("verbose", "on_interrupt", "checkpoint", "checkpoint_every_s", "checkpoint_every_epochs", "max_time")
_LONGEST_SHOWN = 60


def find_checkpoint(
    params: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    device: torch.device,
    before: Any = None,
) -> Checkpoint | None:
    """The checkpoint that a fit asks for, which may have `found` what a fit before it left; None if it asks for none.

    Parameters
    ----------
    params : mapping
        Of the estimator.
    data : mapping
        Arguments of fit by name.
    device : torch.device
    before : object
        What training goes on from, where it does not begin with new weights.

    Raises
    ------
    CheckpointError
        The folder cannot be used, or the file is another fit's, or damaged.
    """
    if params["checkpoint"] is None:
        return None
    decisive = {name: value for name, value in params.items() if name not in _WITHOUT_EFFECT}
    identity = {name: _known_by(name, value) for name, value in {**decisive, **data, "weights before": before}.items()}
    settings = {f"version of {name}": version for name, version in versions(with_build=True).items()}
    settings["device"] = str(device)
    identity |= settings
    shown_values = settings | {name: _abridged(value) for name, value in decisive.items()}
    every = params["checkpoint_every_s"], params["checkpoint_every_epochs"]
    with refused_as("checkpoint", "the path of a file, or of a folder that exists"):
        # Once: the fit may change the folder, or the file be a link.
        checkpoint = Checkpoint(Path(params["checkpoint"]).resolve(), *every, identity, shown_values)
        checkpoint.look_for()
    return checkpoint


def _known_by(name: str, value: Any) -> str:
    try:
        return digest(value, name)
    except (UndigestibleError, RecursionError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f"checkpoint: {error}, by which a later fit could not be told to be the same ({name}). Pass what can be "
            "pickled, or leave checkpoint=None."
        ) from error


def _abridged(value: Any) -> str:
    text = " ".join(shown(value).split())
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def train(net: _Net, rows: Rows, valid: Rows | None, *, learned: tuple[Any, Any]) -> int | None:
    """Train to the end, from where the plan's checkpoint has found an earlier fit if there is one.

    Parameters
    ----------
    net : _Net
        Prepared, or attached. Its plan says where to write checkpoints, and whether Ctrl-C ends training with the
        weights of its best epoch.
    rows, valid : Rows
    learned : (Inputs, Targets)
        What was learned from the data before training.

    Returns
    -------
    best_epoch : int or None
        The epoch whose weights are kept if Ctrl-C ended training, else None.

    Raises
    ------
    KeyboardInterrupt
        Ctrl-C, where the plan keeps no epoch for it, or none has ended yet.
    """
    run = net.run
    assert run is not None
    epochs, checkpoint = Epochs(net, run, rows, valid), run.plan.checkpoint
    try:
        is_over = False
        if checkpoint is not None:
            surroundings = _surroundings(net, rows, valid, learned)
            checkpoint.surroundings = lambda: surroundings
            if checkpoint.found is not None:
                is_over = checkpoint.restore(net)
        if not is_over:
            epochs.train()
            if checkpoint is not None and not run.ended_by_clock:  # with more time, training would continue
                checkpoint.write(net, net.training_state(), finished=True)
    except KeyboardInterrupt:
        is_kept = run.plan.keeps_interrupted and not _is_one_of_many()
        best_epoch = epochs.end_interrupted() if is_kept else None
        if best_epoch is None:
            raise
        return best_epoch
    return None


def _surroundings(net: _Net, rows: Rows, valid: Rows | None, learned: tuple[Any, Any]) -> dict[str, Any]:
    """What a checkpoint names and does not hold: data, and classes that only the script knows."""
    found: dict[str, Any] = {"net": net, "run": net.run, "inputs": learned[0], "targets": learned[1]}
    for name, part in (("rows", rows), ("valid", valid)):
        if part is None:
            continue
        found[name] = part
        values = {key: getattr(part, key) for key in ("x_num", "x_cat", "targets", "weight", "shares")}
        found |= {f"{name}.{key}": value for key, value in values.items() if value is not None}
    parts = [*net.module_.modules(), *net.criterion_.modules(), *(callback for _, callback in net.callbacks_)]
    kinds = dict.fromkeys([*(type(part) for part in parts), type(net.optimizer_)])
    # A worker process has another __main__ than the script.
    foreign = [kind.__module__ == "__main__" or not has_a_name(kind) for kind in kinds]
    found |= {f"class {i}": kind for i, (kind, named) in enumerate(zip(kinds, foreign, strict=True)) if named}
    return found


def _is_one_of_many() -> bool:
    """Whether joblib runs this fit, as in searches, cross-validation and ensembles: these are to end, too."""
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("joblib."):
            return True
        frame = frame.f_back
    return False
