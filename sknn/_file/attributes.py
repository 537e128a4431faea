"""Fitted attributes of an estimator beside its net: plain data."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..callbacks import TrainingHealth
from ..exceptions import DamagedFileError
from .checks import expect
from .values.reader_writer import ValueWriter

__all__ = ["OWN", "check_attributes", "write_attributes"]

OWN = ("net_", "_inputs", "_targets", "_random", "_built_with")  # stored in another form


def write_attributes(estimator: Any, writer: ValueWriter) -> dict[str, Any]:
    """Return the fitted attributes as JSON, without private ones that are not plain data."""
    parameters, written = estimator.get_params(deep=False), {}
    for name, value in sorted(vars(estimator).items()):
        if name in parameters or name in OWN:
            continue
        try:
            written[name] = writer.write(value, f"the attribute {name}")
        except TypeError:
            if not name.startswith("_"):
                raise
    return written


def check_attributes(estimator: Any, found: dict[str, Any], inputs: Any, targets: Any, net: Any) -> None:
    """Refuse attributes of wrong types, and those that would hide a method or a parameter."""
    n_columns = len(inputs.reader.columns) if inputs.kind == "table" else None
    expected: dict[str, tuple[type, ...]] = {
        "n_features_in_": (int,), "n_iter_": (int,), "best_epoch_": (int,), "n_repairs_": (int,),
        "loss_curve_": (list,), "validation_scores_": (list, type(None)), "health_": (TrainingHealth, type(None)),
        "feature_names_in_": (np.ndarray,), "classes_": (np.ndarray,), "n_outputs_": (int,), "interrupted_": (bool,),
    }  # fmt: skip
    taken = {*dir(estimator), *OWN}
    for name, value in found.items():
        if not name.isidentifier() or name.startswith("__") or name in taken:
            raise DamagedFileError(f"fit sets no attribute {name[:80]!r}.")
        if name in expected:
            expect(value, expected[name], f"the attribute {name}")
    classes, n_features = None if targets.kind == "real" else targets.classes_, found.get("n_features_in_")
    needed = {"n_features_in_", "n_iter_", "loss_curve_"} | ({"classes_"} if classes is not None else set())
    if needed - set(found):
        raise DamagedFileError(f"the attributes {sorted(needed - set(found))} are missing.")
    names = found.get("feature_names_in_")
    fits = (
        (n_columns is None or n_features == n_columns)
        and (inputs.kind != "sparse" or inputs.row_shape == (n_features,))
        and (names is None or (names.shape == (n_features,) and all(isinstance(name, str) for name in names.tolist())))
        and (classes is None or np.array_equal(found["classes_"], classes))
        and len(found["loss_curve_"]) == found["n_iter_"] == len(net.history)
        and all(type(item) in (float, int) for item in found["loss_curve_"])
    )
    if not fits:
        raise DamagedFileError("the fitted attributes do not match the columns, classes and epochs.")
