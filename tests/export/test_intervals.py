"""Exports give the intervals and sets of the estimator, as further outputs."""

from __future__ import annotations

import numpy as np
import pytest

from sknn import NeuralClassifier, NeuralRegressor, export_numpy, export_onnx
from sknn.modules import MLP

from .exported import N_ROWS, SMALL, TOLERANCE, Exported, numbers, raw_table

SETTINGS = {
    "early_stopping": True,
    "validation_fraction": 0.3,
    "max_epochs": 2,
    "n_networks": 3,
    "random_state": 0,
    "gradient_health": None,
}


def regressor(X, y, **settings):
    return NeuralRegressor(MLP, module_params=SMALL[MLP], **SETTINGS, **settings).fit(X, y)


def spread_of(table):
    return np.random.default_rng(3).normal(size=len(table)) * np.where(table["flag"], 100.0, 900.0) + 5000


def bounds_in_both(estimator, X, folder, level=0.8):
    exported = Exported(estimator, folder, level)
    found = exported.onnx(X)
    from_onnx = np.stack([found["lower"], found["upper"]], axis=1)
    return exported, exported.numpy.predict_interval(X), from_onnx


def same(found, expected):
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=TOLERANCE * np.ptp(expected))


def test_bounds_of_a_table_with_categories(tmp_path):
    table = raw_table()
    y = spread_of(table)
    reg = regressor(table, y)
    exported, in_numpy, in_onnx = bounds_in_both(reg, table, tmp_path)
    expected = reg.predict_interval(table, 0.8)
    assert np.ptp(expected[:, 1] - expected[:, 0]) > 0  # the spread is not constant
    same(in_numpy, expected)
    same(in_onnx, expected)
    same(exported.numpy.predict(table), reg.predict(table))
    same(exported.onnx(table)["prediction"], reg.predict(table))


@pytest.mark.parametrize(
    ("y", "settings"),
    [
        (np.stack([numbers()[:, 0], np.arange(N_ROWS) ** 2], axis=1), {}),
        (np.arange(N_ROWS) % 7, {"criterion": "poisson"}),
        (numbers()[:, 1], {"criterion": "quantile", "criterion_params": {"quantile": [0.9, 0.5, 0.1]}}),
        (np.full(N_ROWS, 0.1), {}),
    ],
    ids=["two outputs", "log link", "quantiles", "constant"],
)
def test_bounds_of_other_targets(tmp_path, y, settings):
    X = numbers()
    reg = regressor(X, y, **settings)
    _, in_numpy, in_onnx = bounds_in_both(reg, X, tmp_path)
    same(in_numpy, reg.predict_interval(X, 0.8))
    same(in_onnx, reg.predict_interval(X, 0.8))


def test_sets(tmp_path):
    X = numbers()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **SETTINGS).fit(X, np.digitize(X[:, 0], [-0.5, 0.5]))
    exported = Exported(clf, tmp_path, 0.8)
    expected = clf.predict_set(X, 0.8)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(exported.numpy.predict_set(X), expected)
    np.testing.assert_array_equal(exported.onnx(X)["set"], expected)


def test_a_level_is_needed_for_intervals(tmp_path):
    X = numbers()
    exported = Exported(regressor(X, X[:, 0]), tmp_path)
    assert [output.name for output in exported.session.get_outputs()] == ["prediction"]
    with pytest.raises(ValueError, match="exported without intervals; pass confidence_level"):
        exported.numpy.predict_interval(X)


@pytest.mark.parametrize("export", [export_numpy, export_onnx])
def test_infinite_bounds_are_not_exported(tmp_path, export):
    X = numbers()
    reg = regressor(X, X[:, 0])
    with pytest.raises(ValueError, match=r"confidence_level=0.99 needs 99 held-out rows"):
        export(reg, tmp_path / "model.npz", confidence_level=0.99)
    with pytest.raises(ValueError, match=r"confidence_level=1.5 is invalid; expected a number in \(0, 1\)"):
        export(reg, tmp_path / "model.npz", confidence_level=1.5)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("export", [export_numpy, export_onnx])
def test_a_condition_cannot_be_exported(export, tmp_path):
    with pytest.raises(
        ValueError, match=r"condition='flag': sknn.export_.* one level for all rows. Leave condition out"
    ):
        export(NeuralRegressor(), tmp_path / "model", confidence_level=0.9, condition="flag")
    assert list(tmp_path.iterdir()) == []
