"""A loaded estimator is the one that was saved: bits, parameters, history, and what it can still do."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone

import sknn
from benchmarks.reliability._file_parts import Parts
from sknn import NeuralClassifier
from sknn.exceptions import DamagedFileError, UntrustedFileError
from sknn.modules import MLP, TabM

from .subjects import CASES, FEW, X, Y, classifier, fitted, saved


@pytest.mark.parametrize("name", CASES)
def test_a_loaded_model_is_the_model(name, tmp_path):
    model, table, y = fitted(name)
    (tmp_path / "m").write_bytes(saved(name))
    again = sknn.load(tmp_path / "m", max_memory=None, max_seconds=None)
    assert type(again) is type(model)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(again, method)(table), getattr(model, method)(table))
    prediction, expected = again.predict(table), model.predict(table)
    np.testing.assert_array_equal(prediction, expected)
    assert prediction.dtype == expected.dtype
    assert again.score(table, y) == model.score(table, y)
    assert set(vars(again)) == set(vars(model))
    for attribute in ("loss_curve_", "validation_scores_", "n_iter_", "best_epoch_", "n_features_in_", "n_repairs_"):
        assert getattr(again, attribute) == getattr(model, attribute), attribute
    # The repr of some instances contains their address.
    parameters = [re.sub("0x[0-9A-Fa-f]+", "", repr(estimator.get_params())) for estimator in (again, model)]
    assert parameters[0] == parameters[1]
    assert again.net_.history == model.net_.history
    assert str(again.health_) == str(model.health_)
    sknn.save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


@pytest.mark.parametrize(
    "name", ["mixed table", "sparse", "two outputs", "quantiles", "images", "lazy layers", "callbacks", "generator"]
)
def test_a_loaded_model_can_be_trained_further(name, tmp_path):
    """Like an unpickled one; it is cloned, pickled, and fitted again to the same bits."""
    model, table, y = fitted(name)
    (tmp_path / "m").write_bytes(saved(name))
    again = sknn.load(tmp_path / "m", max_memory=None, max_seconds=None)
    unpickled = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        again.partial_fit(table, y).predict(table), unpickled.partial_fit(table, y).predict(table)
    )
    assert again.n_iter_ == 3
    pickled = pickle.loads(pickle.dumps(again))
    np.testing.assert_array_equal(pickled.predict(table), again.predict(table))
    anew, before = clone(again).fit(table, y), clone(model).fit(table, y)
    np.testing.assert_array_equal(anew.predict(table), before.predict(table))
    again.set_params(warm_start=True).fit(table, y)
    assert again.n_iter_ == 5


def test_parameters_set_after_fit_do_not_change_the_network(tmp_path):
    model = NeuralClassifier(MLP, module_params={"hidden_sizes": (7,)}, **FEW).fit(X, Y)
    model.set_params(module=TabM, module_params=None, max_epochs=9)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert (again.module, again.max_epochs, type(again.module_)) == (TabM, 9, MLP)
    with pytest.raises(ValueError, match="was built with"):
        again.partial_fit(X, Y)


def test_the_path_of_a_checkpoint_is_not_stored(tmp_path):
    """Further training must not write where a file says."""
    model = copy.copy(fitted("boolean classes")[0]).set_params(checkpoint=tmp_path / "checkpoint")
    sknn.save(model, tmp_path / "m")
    assert sknn.load(tmp_path / "m").checkpoint is None


def test_parameters_may_be_numbers_of_numpy(tmp_path):
    params = {"lr": np.float64(0.01), "max_epochs": np.int64(1), "batch_size": np.int32(16), "tol": np.float32(0.01)}
    model = classifier(**params).fit(X, Y)
    sknn.save(model, tmp_path / "m")
    np.testing.assert_array_equal(sknn.load(tmp_path / "m").predict_proba(X), model.predict_proba(X))


def _edited(path, edit):
    path.write_bytes(Parts(saved("mixed table")).changed("estimators/0.json", edit))
    return path


@pytest.mark.parametrize("value", ["/tmp/x", "", {"$": "path", "parts": ["/tmp/x"]}])
def test_a_file_cannot_say_where_further_training_writes(value, tmp_path):
    path = _edited(tmp_path / "m", lambda v: v["parameters"].update(checkpoint=value))
    with pytest.raises(UntrustedFileError, match="further training would write there.*set it after loading"):
        sknn.load(path)


@pytest.mark.parametrize("value", ["x", "meta", "cuda:x", "", "http://host", "vulkan"])
def test_a_device_that_no_model_computes_on(value, tmp_path):
    path = _edited(tmp_path / "m", lambda v: v["parameters"].update(device=value))
    with pytest.raises(DamagedFileError, match="device"):
        sknn.load(path)


@pytest.mark.parametrize(
    "name", ["skorch.callbacks.Checkpoint", "skorch.callbacks.TrainEndCheckpoint", "skorch.callbacks.TensorBoard"]
)
def test_callbacks_that_write_files(name, tmp_path):
    callback = {"$": "object", "class": name, "arguments": {"dirname": "/tmp/x"}}
    path = _edited(tmp_path / "m", lambda v: v["parameters"].update(callbacks=[callback]))
    with pytest.raises(UntrustedFileError, match=name):
        sknn.load(path)
