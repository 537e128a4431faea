"""What must not be in a saved estimator: rows, targets, weights, groups."""

from __future__ import annotations

import datetime
import pickle
import signal
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EpochScoring

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

N = 400
# Inside the range of its column and away from its median: a column is centred by one of its numbers, and the smallest and
# the largest are knots of TabM, by design.
NUMBER, TARGET, WEIGHT = 0.9234567890123, 0.7654321098765, 1.0203040506070
DATE = datetime.datetime(2021, 3, 4, 5, 6, 7)
GROUP, TEXT = "group-canary-8731", "free-text-canary-5520"


def table() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(N, 3)), columns=["a", "b", "c"])
    frame["when"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 800 * 86400, N), unit="s")
    frame["kind"] = rng.choice(["x", "y"], N)
    frame.loc[7, "b"] = frame.loc[N - 3, "c"] = NUMBER
    frame.loc[11, "when"] = pd.Timestamp(DATE)
    y = frame["a"].to_numpy() + 0.1 * rng.normal(size=N)
    y[5] = y[N - 2] = TARGET
    return frame, y


def forms(value: float) -> list[bytes]:
    """The bytes of a number, however it may be written."""
    return [np.float64(value).tobytes(), np.float32(value).tobytes(), np.array(value, ">f8").tobytes(),
            repr(float(value)).encode()]  # fmt: skip


def canaries(model: Any, frame: pd.DataFrame, y: np.ndarray) -> list[bytes]:
    """Of the raw table, of the encoded one, of raw and standardised targets."""
    found = [
        form
        for value in (NUMBER, TARGET, WEIGHT, DATE.replace(tzinfo=datetime.UTC).timestamp())
        for form in forms(value)
    ]
    found += [
        GROUP.encode(),
        TEXT.encode(),
        int(DATE.replace(tzinfo=datetime.UTC).timestamp() * 1e9).to_bytes(8, "little"),
    ]
    if "net_" in vars(model):
        x_num = model._inputs.encode(frame).x
        found += [x_num[7, 1].numpy().tobytes(), x_num[N - 3, 2].numpy().tobytes(), x_num[11, 3].numpy().tobytes()]
        found += [x_num[3:5].numpy().tobytes(), x_num[:, 0].contiguous().numpy()[3:5].tobytes()]
        if isinstance(model, NeuralRegressor):
            found += [np.float32((TARGET - model._targets.mean[0]) / model._targets.scale[0]).tobytes()]
            found += [model._targets.encode(y)[3:5].tobytes()]
    return found


def leaked(saved: Any, model: Any, frame: pd.DataFrame, y: np.ndarray) -> list[bytes]:
    data = pickle.dumps(saved)
    return [canary for canary in canaries(model, frame, y) if canary in data]


class Stops(Callback):
    """Raises in the second epoch."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Raise."""
        if len(net.history) == 2:
            if self.error is KeyboardInterrupt:
                signal.raise_signal(signal.SIGINT)
            raise self.error("on purpose")


WAYS: dict[str, dict[str, Any]] = {
    "default": {},
    "committee": {"n_networks": 3, "early_stopping": True},
    "MLP": {"module": MLP},
    "repair": {"gradient_health": "repair", "lr": 1e4},
    "no health": {"gradient_health": None},
    "scoring": {"scoring": "r2", "early_stopping": True},
    "cached scores": {"callbacks": [EpochScoring("r2", use_caching=True)], "module": MLP},
    "scores of training": {"callbacks": [EpochScoring("r2", on_train=True, use_caching=False)], "module": MLP},
    "quantiles": {"criterion": "quantile", "module": MLP},
    "LBFGS": {"module": MLP, "optimizer": torch.optim.LBFGS, "lr": 0.1, "batch_size": N},
    "warm start": {"warm_start": True, "module": MLP},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")
def test_no_row_whatever_the_training(way):
    frame, y = table()
    weight = np.ones(N)
    weight[9] = WEIGHT
    groups = np.array([f"g{i % 40}" for i in range(N)], dtype=object)
    groups[13] = GROUP
    kind = NeuralRegressor
    model = kind(**{"max_epochs": 2, "random_state": 0, **WAYS[way]}).fit(frame, y, weight, groups=groups)
    assert leaked(model, model, frame, y) == []
    assert leaked(model.health_, model, frame, y) == []
    model.partial_fit(frame, y, weight)
    assert leaked(model, model, frame, y) == []


def test_no_row_of_the_validation_table():
    frame, y = table()
    plain = frame.copy()
    plain.loc[[7, N - 3, 11]] = plain.loc[[0, 1, 2]].to_numpy()
    other = y.copy()
    other[[5, N - 2]] = 0.0
    model = NeuralRegressor(max_epochs=2, random_state=0).fit(plain, other, X_val=frame, y_val=y)
    assert leaked(model, model, frame, y) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("fitted_before", [False, True])
def test_no_row_after_a_fit_that_failed(error, fitted_before):
    frame, y = table()
    model = NeuralRegressor(MLP, max_epochs=3, random_state=0, warm_start=True)
    if fitted_before:
        model.fit(frame, y)
    model.set_params(callbacks=[Stops(error)])
    model.max_epochs = 5
    with suppress(error):
        model.fit(frame, y)
    assert hasattr(model, "net_") == fitted_before
    assert leaked(model, model, frame, y) == []


def test_no_row_in_a_search():
    frame, y = table()
    search = GridSearchCV(NeuralRegressor(MLP, max_epochs=1, random_state=0), {"lr": [1e-3, 1e-2]}, cv=2).fit(frame, y)
    assert leaked(search, search.best_estimator_, frame, y) == []


def test_no_row_of_a_classifier():
    frame, y = table()
    model = NeuralClassifier(max_epochs=2, class_weight="balanced", random_state=0).fit(frame, y > 0)
    assert leaked(model, model, frame, y) == []


def test_the_canaries_would_be_found():
    frame, y = table()
    model = NeuralRegressor(MLP, max_epochs=1, random_state=0).fit(frame, y)
    for held in (
        frame,
        y,
        model._inputs.encode(frame).x,
        model._targets.encode(y),
        np.array([WEIGHT]),
        [GROUP],
        [TEXT],
    ):
        model.held_ = held
        assert leaked(model, model, frame, y) != []


def test_knots_are_no_cells_of_the_table():
    """The smallest and the largest cell tell most; encoded, and untouched."""
    frame, y = table()
    model = NeuralRegressor(max_epochs=1, random_state=0).fit(frame, y)
    data, x_num = pickle.dumps(model), model._inputs.encode(frame).x
    plain = x_num.numpy()
    untouched = pickle.dumps(NeuralRegressor(max_epochs=1, preprocessing=False, random_state=0).fit(plain, y))
    for cell in (x_num[:, 0].max(), x_num[:, 0].min()):
        assert cell.numpy().tobytes() not in data
        assert cell.numpy().tobytes() not in untouched
    assert model.module_.networks[0].knots[0, -1].numpy().tobytes() in data  # near it
