"""Which checkpoint a fit asks for, and what it stores of a net."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .._checkpoint import WITHOUT_PICKLE, Checkpoint
from .._data.inputs import Inputs
from .._data.rows import Rows
from .._digest import UndigestibleError, digest, is_importable, source_of_sknn
from .._errors import refused_as, shown
from .._versions import versions
from ..callbacks import GradientHealth
from ..callbacks._protocol import class_of
from ..exceptions import CheckpointError
from ..optim._schedule import is_planned
from .net import _Net

__all__ = ["find_checkpoint", "resume", "store_finished", "surroundings"]

# Parameters that do not change the result.
_WITHOUT_EFFECT = ("verbose", "on_interrupt", "checkpoint", "checkpoint_every_s", "checkpoint_every_epochs", "max_time")
_LONGEST_SHOWN = 60


def find_checkpoint(
    params: Mapping[str, Any], data: Mapping[str, Any], *, device: torch.device, before: Any = None
) -> Checkpoint | None:
    """The checkpoint that a fit asks for, with what an earlier fit has stored as `found`; None if it asks for none.

    `before` holds weights and optimizer that training starts from, where these are not new.
    """
    if params["checkpoint"] is None:
        return None
    decisive = {name: value for name, value in params.items() if name not in _WITHOUT_EFFECT}
    callbacks = [
        callback if isinstance(callback, tuple) else ("", callback) for callback in decisive["callbacks"] or ()
    ]
    kinds = [(name, class_of(callback)) for name, callback in callbacks]
    digested = {**decisive, "callbacks": kinds, **data, "weights before": before}
    identity = {name: _digest_of(name, value) for name, value in digested.items()}
    for i, (_, callback) in enumerate(callbacks):
        identity |= {f"callbacks[{i}].{name}": value for name, value in _digests_of_callback(callback).items()}
    decisive["callbacks"] = [f"{name}: {kind.__name__}" if name else kind.__name__ for name, kind in kinds]
    settings = {f"version of {name}": version for name, version in versions(with_build=True).items()}
    settings["device"] = str(device)
    identity |= settings | {"source code of sknn": source_of_sknn()}
    shown_values = settings | {name: _abridged(value) for name, value in decisive.items()}
    every = params["checkpoint_every_s"], params["checkpoint_every_epochs"]
    with refused_as("checkpoint", "the path of a file, or of a folder that exists"):
        # Resolved once: the fit may change the working directory, and the file may be a link.
        path = Path(params["checkpoint"]).resolve()
        takes_more_epochs = before is None and path.is_dir() and _length_decides_nothing_else(params)
        length = int(params["max_epochs"]) if takes_more_epochs else None
        if takes_more_epochs:
            del identity["max_epochs"]
        checkpoint = Checkpoint(path, *every, identity, shown_values, length)
        checkpoint.look_for()
    return checkpoint


def _length_decides_nothing_else(params: Mapping[str, Any]) -> bool:
    """Whether the number of epochs decides only when the training ends, and more of them are wanted.

    A repair asks which share of the epochs is over; callbacks of the user are trusted not to.
    """
    callbacks = [callback[-1] if isinstance(callback, tuple) else callback for callback in params["callbacks"] or ()]
    watchers = [callback for callback in callbacks if isinstance(callback, GradientHealth)]
    repairs = "repair" in [params["gradient_health"], *(watcher.action for watcher in watchers)]
    is_number = params["warm_start"] and params["max_epochs"] != "auto"
    return is_number and not repairs and not is_planned(params["lr_schedule"])


def _digests_of_callback(callback: Any) -> dict[str, str]:
    """Of what it was made with: not what it has learned in an earlier fit, nor what its pickle leaves out."""
    if isinstance(callback, type):
        return {}
    try:
        stored, settings = callback.__getstate__(), callback.get_params(deep=False)
    except Exception as error:
        raise CheckpointError(
            f"checkpoint: the callback {type(callback).__name__} cannot be stored: {type(error).__name__}: {error}. "
            f"{WITHOUT_PICKLE}"
        ) from error
    if isinstance(stored, dict):
        settings = {name: value for name, value in settings.items() if name in stored}
    return {name: _digest_of(f"callback {type(callback).__name__}.{name}", value) for name, value in settings.items()}


def _digest_of(name: str, value: Any) -> str:
    try:
        return digest(value, name)
    except (UndigestibleError, RecursionError, RuntimeError, AttributeError) as error:
        raise CheckpointError(
            f"checkpoint: {error}, so a later fit could not be recognised as the same ({name}). {WITHOUT_PICKLE}"
        ) from error


def _abridged(value: Any) -> str:
    text = " ".join(shown(value).split())
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def surroundings(net: _Net, rows: Rows, valid: Rows | None, learned: tuple[Any, Any]) -> dict[str, Any]:
    """Objects that a checkpoint refers to by name: data, and classes that only the script defines."""
    found: dict[str, Any] = {"net": net, "run": net.run, "inputs": learned[0], "targets": learned[1]}
    found |= {f"callback {name}": callback for name, callback in net.callbacks_}
    for name, part in (("rows", rows), ("valid", valid)):
        if part is None:
            continue
        found[name] = part
        values = {"targets": part.targets, "weight": part.weight, "shares": part.shares, "store": part.store}
        values |= vars(part.store)
        found |= {f"{name}.{key}": value for key, value in values.items() if value is not None}
    parts = [*net.module_.modules(), *net.criterion_.modules(), *(callback for _, callback in net.callbacks_)]
    kinds = dict.fromkeys([*(type(part) for part in parts), type(net.optimizer_)])
    # The __main__ of a worker process is not the script.
    foreign = [kind.__module__ == "__main__" or not is_importable(kind) for kind in kinds]
    found |= {f"class {i}": kind for i, (kind, named) in enumerate(zip(kinds, foreign, strict=True)) if named}
    return found


def store_finished(net: _Net, checkpoint: Checkpoint, inputs: Inputs) -> None:
    """Store of a trained net what prediction needs, as a pickle of the estimator would."""
    assert net.run is not None
    ending = net.run.stopped_by
    net.release()
    state = {"net": net.__getstate__(), "scaling": inputs.scaling, "stopped by": ending}
    checkpoint.write(net, state, finished=True)


def resume(net: _Net, checkpoint: Checkpoint, inputs: Inputs) -> bool:
    """Give the net the state that the checkpoint has found; returns whether that fit was finished."""
    state, run, max_epochs = checkpoint.load(), net.run, net.max_epochs
    if not checkpoint.is_finished:
        net.continue_from(state)
        if run is not None and checkpoint.length is not None:
            run.plan_epochs(max_epochs)
            net.max_epochs = max_epochs
        checkpoint.resumed(net)
        return False
    device = torch.device(net.device)
    net.__setstate__(state["net"])
    net.max_epochs = max_epochs  # it stopped earlier in a fit of fewer
    net.run = run
    if run is not None:
        run.stopped_by = state["stopped by"]
    net._move_to(device)
    inputs.scaling = state["scaling"]
    return True
