"""Every kind of data has intervals and sets, in files and in copies, too."""

from __future__ import annotations

import numpy as np
import pytest

import sknn
from sknn import NeuralClassifier, NeuralRegressor

from ..contract.kinds import KINDS, N_ROWS, NAMES, Y

SETTINGS = {"early_stopping": True, "n_networks": 3, "validation_fraction": 0.3, "random_state": 0}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_has_intervals_and_sets(kind, tmp_path):
    y = 3.0 * Y + np.random.default_rng(0).normal(size=N_ROWS)
    reg = NeuralRegressor(**{**kind.params, **SETTINGS}).fit(kind.X, y)
    clf = NeuralClassifier(**{**kind.params, **SETTINGS}).fit(kind.X, NAMES)
    interval, sets = reg.predict_interval(kind.X, 0.7), clf.predict_set(kind.X, 0.7)
    assert (interval.shape, sets.shape) == ((N_ROWS, 2), (N_ROWS, 2))
    assert np.isfinite(interval).all()
    assert (interval[:, 0] < interval[:, 1]).all()
    assert np.isfinite(reg.predict(kind.X, return_std=True)[1]).all()
    sknn.save(reg, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn", trusted=kind.classes, max_memory=None, max_seconds=None)
    np.testing.assert_array_equal(loaded.predict_interval(kind.X, 0.7), interval)
