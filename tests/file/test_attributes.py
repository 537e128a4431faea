"""Fitted attributes that do not match columns, targets and history."""

from __future__ import annotations

import base64

import numpy as np
import pytest

import sknn
from benchmarks.reliability._file_parts import Parts
from sknn.exceptions import DamagedFileError

from .subjects import saved


def _set(**attributes):
    return lambda value: value["fitted"]["attributes"].update(attributes)


def _history(edit):
    return lambda value: edit(value["fitted"]["net"]["history"])


def _texts(*texts):
    return {"$": "array", "form": "array", "dtype": "O", "shape": [len(texts)], "items": list(texts)}


def _drop(history):
    history[0]["items"] = [item for item in history[0]["items"] if item[0] != "train_loss"]


def _labels(*labels):
    data = np.array(labels, dtype="<U3")
    return {
        "$": "array",
        "form": "array",
        "dtype": "<U3",
        "shape": [len(labels)],
        "items": base64.b64encode(data.tobytes()).decode(),
    }


def _classes(*labels):
    def edit(value):
        value["fitted"]["targets"]["classes"] = value["fitted"]["attributes"]["classes_"] = _labels(*labels)

    return edit


CASES = {
    "no train_loss": (_history(_drop), "each epoch needs its number, epoch, and its train_loss"),
    "an epoch less": (_history(lambda history: history.pop()), "n_iter_ is 2, but the history has 1 epochs"),
    "a name of another column": (
        _set(feature_names_in_=_texts("number", "word", "flag", "when", "level", "other")), "names column 5 'other', .* 'gap'"),
    "a name twice": (_set(feature_names_in_=_texts("a", "a", "b", "c", "d", "e")), "6 different texts"),
    "a name less": (_set(feature_names_in_=_texts("number")), "6 different texts"),
    "columns": (_set(n_features_in_=7), "n_features_in_ is 7, but the inputs have 6"),
    "loss curve": (_set(loss_curve_=[0.1, 0.2]), "loss_curve_ and the training losses"),
    "scores": (_set(validation_scores_=[0.1]), "validation_scores_"),
    "a text as a score": (_set(validation_scores_=["a", "b"]), "validation_scores_"),
    "best epoch": (_set(best_epoch_=3), "best_epoch_ is 3"),
    "repairs": (_set(n_repairs_=-1), "n_repairs_ is -1"),
    "networks": (_set(n_networks_=2), "n_networks_ is 2, but the file holds 1 networks"),
    "classes": (_set(classes_=_labels("a", "b")), "classes_ and the classes of the targets differ"),
    "classes in another order": (_classes("yes", "no"), "increasing labels"),
    "equal classes": (_classes("no", "no"), "two or more different labels"),
    "a missing attribute": (lambda value: value["fitted"]["attributes"].pop("best_epoch_"), "'best_epoch_'.* missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_attributes_that_do_not_match(name, tmp_path):
    edit, message = CASES[name]

    def change(value):
        edit(value)

    (tmp_path / "m").write_bytes(Parts(saved("mixed table")).changed("estimators/0.json", change))
    with pytest.raises(DamagedFileError, match=message):
        sknn.load(tmp_path / "m")
