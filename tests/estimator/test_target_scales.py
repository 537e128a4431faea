"""What wild values and constants in y do to a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sknn import NeuralRegressor, export_numpy, load, save
from sknn.modules import MLP
from tests.export.exported import predictor_module

SMALL: dict[str, Any] = {"module_params": {"width": 32, "n_bins": 8}, "max_epochs": 20, "random_state": 0}


def table(n_rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    X = random.normal(size=(n_rows, 3))
    return X, X[:, 0] - X[:, 1] + 0.1 * random.normal(size=n_rows)


@pytest.mark.parametrize(
    ("criterion", "params"), [("absolute_error", {}), ("huber", {}), ("quantile", {"quantile": 0.5})]
)
def test_wild_targets_do_not_spoil_a_robust_loss(criterion: str, params: dict[str, Any]) -> None:
    X, y = table()
    wild = y.copy()
    wild[[3, 50, 200]] = [1e3, -1e6, 1e12]
    reg = NeuralRegressor(criterion=criterion, criterion_params=params, gradient_health=None, **SMALL).fit(X, wild)
    assert np.median(np.abs(reg.predict(X) - y)) < 0.15


def test_wild_targets_of_one_output_leave_the_other_alone() -> None:
    X, y = table()
    both = np.c_[y, 1e3 * y]
    both[5] = [1e9, -1e9]
    reg = NeuralRegressor(criterion="absolute_error", gradient_health=None, **SMALL).fit(X, both)
    error = np.median(np.abs(reg.predict(X) - np.c_[y, 1e3 * y]), axis=0)
    assert error[0] < 0.15
    assert error[1] < 150


@pytest.mark.parametrize("criterion", ["squared_error", "absolute_error", "huber", "quantile", "poisson"])
def test_a_constant_target_stops_at_once(criterion: str) -> None:
    X, _ = table()
    reg = NeuralRegressor(criterion=criterion, random_state=0).fit(X, np.full(300, 7.25))
    assert reg.n_iter_ == 1
    assert (reg.predict(X) == 7.25).all()
    assert reg.health_.status != "unhealthy"


def test_a_constant_output_is_exact_and_the_others_are_learned() -> None:
    X, y = table()
    reg = NeuralRegressor(**SMALL).fit(X, np.c_[y, np.full(300, 1e6)])
    predicted = reg.predict(X)
    assert (predicted[:, 1] == 1e6).all()
    assert np.abs(predicted[:, 0] - y).mean() < 0.2
    assert reg.n_iter_ > 1


def test_a_constant_is_kept_in_files_and_exports(tmp_path: Any) -> None:
    X, y = table()
    reg = NeuralRegressor(MLP, max_epochs=2, random_state=0).fit(X, np.c_[y, np.full(300, 0.1)])
    save(reg, tmp_path / "model.sknn")
    loaded = load(tmp_path / "model.sknn")
    assert (loaded.predict(X)[:, 1] == 0.1).all()
    with pytest.warns(UserWarning, match=r"y\[:, 1\]: a median"):
        loaded.partial_fit(X, np.c_[y, y])
    assert loaded.predict(X)[:, 1].std() > 0
    predictor = predictor_module(export_numpy(reg, tmp_path / "model.npz")).load(tmp_path / "model.npz")
    assert (predictor.predict(X)[:, 1] == 0.1).all()


@pytest.mark.parametrize("criterion", ["squared_error", "poisson"])
def test_a_stream_that_begins_with_a_constant_learns_what_follows(criterion: str) -> None:
    X, y = table()
    y = 3 + np.exp(y / 2)
    reg = NeuralRegressor(criterion=criterion, lr=0.01, random_state=0).partial_fit(X, np.full(300, 3.0))
    assert (reg.predict(X) == 3).all()
    for _ in range(20):
        reg.partial_fit(X, y)
    assert reg.score(X, y) > 0.8
