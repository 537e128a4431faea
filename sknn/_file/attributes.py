"""Check the fitted attributes of a file: their types, and that they match columns, classes and history."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._conformal.scores import ConformalScores
from .._data.ranking_inputs import RankingInputs
from .._network.table_network import committee_of
from ..callbacks import TrainingHealth
from ..exceptions import DamagedFileError
from .checks import expect

__all__ = ["check_attributes"]

_NUMBERS = (float, int)
_TYPES: dict[str, tuple[type, ...]] = {
    "n_features_in_": (int,), "n_iter_": (int,), "best_epoch_": (int,), "n_repairs_": (int,), "n_outputs_": (int,),
    "n_networks_": (int,),
    "loss_curve_": (list,), "validation_scores_": (list, type(None)), "health_": (TrainingHealth, type(None)),
    "feature_names_in_": (np.ndarray,), "classes_": (np.ndarray,), "stopped_by_": (str,),
    "_conformal": (ConformalScores, type(None)),
}  # fmt: skip
_NEEDED = {"n_iter_", "best_epoch_", "loss_curve_", "validation_scores_"}


def check_attributes(
    estimator: Any, found: dict[str, Any], stored_otherwise: tuple[str, ...], inputs: Any, targets: Any, net: Any
) -> None:
    """Refuse attributes that `fit` would not set for these columns, targets and this history."""
    taken = {*dir(estimator), *stored_otherwise}  # such an attribute would hide a method or a parameter
    for name, value in found.items():
        if not name.isidentifier() or name.startswith("__") or name in taken:
            raise DamagedFileError(f"fit sets no attribute {name[:80]!r}.")
        if name in _TYPES:
            expect(value, _TYPES[name], f"the attribute {name}")
    own = {*estimator._public_targets(targets)}
    own |= {"n_features_in_"} if inputs.has_columns else set()
    missing = sorted((_NEEDED | own) - set(found))
    if missing:
        raise DamagedFileError(f"the attributes {missing} are missing.")
    _check_columns(found, inputs)
    _check_targets(found, targets)
    _check_epochs(found, net.history)
    _check_networks(found, net.module_)
    if found.get("_conformal") is not None:
        _check_scores(found["_conformal"], inputs, targets, net.criterion_)


def _check_columns(found: dict[str, Any], inputs: Any) -> None:
    if not inputs.has_columns:
        unexpected = sorted({"n_features_in_", "feature_names_in_"} & found.keys())
        if unexpected:
            raise DamagedFileError(f"the attributes {unexpected} do not belong to {inputs.what}.")
        return
    table = inputs.table if isinstance(inputs, RankingInputs) else inputs
    columns = [column.name for column in table.reader.columns] if table.kind == "table" else None
    n_columns = len(columns) if columns is not None else (*inputs.given_shape, -1)[0]
    n_features = found["n_features_in_"]
    if n_features != n_columns and n_columns != -1:
        raise DamagedFileError(f"n_features_in_ is {n_features}, but the inputs have {n_columns} columns.")
    if "feature_names_in_" not in found:
        return
    names = found["feature_names_in_"]
    listed = names.tolist() if names.ndim == 1 else []
    if len(listed) != n_features or not all(type(name) is str for name in listed) or len(set(listed)) != len(listed):
        raise DamagedFileError(f"feature_names_in_: expected {n_features} different texts.")
    if columns is not None and listed != columns:
        different = next(i for i, pair in enumerate(zip(listed, columns, strict=True)) if pair[0] != pair[1])
        raise DamagedFileError(
            f"feature_names_in_ names column {different} {listed[different][:80]!r}, but the inputs call it "
            f"{str(columns[different])[:80]!r}."
        )


def _check_targets(found: dict[str, Any], targets: Any) -> None:
    if targets.kind not in ("classes", "multilabel", "real"):
        return
    if targets.kind == "real":
        if found["n_outputs_"] != targets.n_targets:
            raise DamagedFileError(f"n_outputs_ is {found['n_outputs_']}, but the targets have {targets.n_targets}.")
    elif found["classes_"].dtype != targets.classes_.dtype or not np.array_equal(found["classes_"], targets.classes_):
        raise DamagedFileError("classes_ and the classes of the targets differ.")


def _check_epochs(found: dict[str, Any], history: Any) -> None:
    n_epochs, curve, scores = len(history), found["loss_curve_"], found["validation_scores_"]
    if found["n_iter_"] != n_epochs:
        raise DamagedFileError(f"n_iter_ is {found['n_iter_']}, but the history has {n_epochs} epochs.")
    if repr(curve) != repr([record["train_loss"] for record in history]):  # NaN equals NaN
        raise DamagedFileError("loss_curve_ and the training losses of the history differ.")
    if scores is not None and (len(scores) != n_epochs or not all(type(score) in _NUMBERS for score in scores)):
        raise DamagedFileError(f"validation_scores_: expected a number for each of the {n_epochs} epochs.")
    if not 0 <= found["best_epoch_"] <= n_epochs:
        raise DamagedFileError(f"best_epoch_ is {found['best_epoch_']}; expected an epoch of {n_epochs}.")
    if found.get("n_repairs_", 0) < 0:
        raise DamagedFileError(f"n_repairs_ is {found['n_repairs_']}; expected a number >= 0.")


def _check_networks(found: dict[str, Any], network: Any) -> None:
    committee = committee_of(network)
    n_networks = 1 if committee is None else len(committee.networks)
    if found.get("n_networks_", n_networks) != n_networks:  # files of older versions have none
        raise DamagedFileError(f"n_networks_ is {found['n_networks_']}, but the file holds {n_networks} networks.")


def _check_scores(kept: ConformalScores, inputs: Any, targets: Any, loss: Any) -> None:
    """Refuse scores of held-out rows that no fit on these columns and targets keeps."""
    is_real, cardinalities = targets.kind == "real", list(inputs.cardinalities)
    fits = kept.scores.shape[1] == (targets.n_targets if is_real else 1) and len(kept.scores) > 0
    fits = fits and (kept.labels is not None) == (targets.kind == "classes")
    fits = fits and (kept.spread is not None) == (is_real and loss.bound_columns is None)
    fits = fits and kept.codes.shape[1] == len(cardinalities)
    fits = fits and bool((kept.codes < np.array(cardinalities, dtype=np.int64)).all())
    if kept.labels is not None:
        fits = fits and 0 <= kept.labels.min(initial=0) <= kept.labels.max(initial=0) < targets.n_targets
    if kept.spread is not None:
        n_numbers = inputs.in_features if inputs.kind == "table" else 0
        fits = fits and len(kept.spread.linear) in (0, n_numbers) and kept.spread.constant.shape[1] == targets.n_targets
        fits = fits and len(kept.spread.categories) in (0, sum(cardinalities))
    if not fits:
        raise DamagedFileError("the scores of held-out rows do not belong to these columns and targets.")
