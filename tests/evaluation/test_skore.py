"""skore reports on the estimators as they are."""

from __future__ import annotations

import socket
import webbrowser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from sknn import NeuralClassifier, NeuralRegressor, baselines
from sknn.modules import MLP
from tests.contract.kinds import KINDS, N_ROWS, NAMES, Y, rows_of

skore = pytest.importorskip("skore")
plt.ioff()  # skore turns it on

# Warnings of what is reported: measures of a model that never predicts a class, and training of few rows.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Metric 'precision' has failed"),
    pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning"),
]

N, TRAIN, TEST = 200, slice(0, 150), slice(150, 200)
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame({
    "a": np.where(RANDOM.random(N) < 0.1, np.nan, RANDOM.normal(size=N)),
    "city": RANDOM.choice(["Rome", "Oslo", "Bern"], N),
    "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(RANDOM.integers(0, 700, N), unit="D"),
})  # fmt: skip
VALUE = (FRAME["a"].fillna(0) + 2 * (FRAME["city"] == "Rome") + 0.1 * RANDOM.normal(size=N)).to_numpy()
TARGETS = {
    "two classes": np.where(VALUE > 0.7, "high", "low"),
    "three classes": np.array(["low", "mid", "top"])[np.digitize(VALUE, [0, 1.5])],
    "numbers": VALUE,
}
PARAMS = {"module_params": {"hidden_sizes": (16,)}, "lr": 0.02, "max_epochs": 15, "random_state": 0}


@pytest.fixture(autouse=True)
def no_side_effects(monkeypatch, tmp_path):
    """Neither a connection, a browser, a window nor a file in the home folder."""

    def refuse(*args, **kwargs):
        raise AssertionError(f"skore reaches out: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(webbrowser, "open", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    plt.switch_backend("Agg")
    yield
    plt.close("all")
    assert list(tmp_path.iterdir()) == []


def model_for(y):
    return NeuralRegressor(MLP, **PARAMS) if y.dtype.kind == "f" else NeuralClassifier(MLP, **PARAMS)


def report_of(model, X, y, train=TRAIN, test=TEST, **kwargs):
    return skore.EstimatorReport(
        model, X_train=rows(X, train), y_train=y[train], X_test=rows(X, test), y_test=y[test], **kwargs
    )


def rows(X, part):
    return X.iloc[part] if isinstance(X, pd.DataFrame) else rows_of(X, part)


@pytest.mark.parametrize("target", TARGETS)
def test_the_report_of_one_model(target):
    y = TARGETS[target]
    report = report_of(model_for(y), FRAME, y)
    measures = report.metrics.summarize().frame()
    if target == "numbers":
        assert measures["r2"] == pytest.approx(report.estimator_.score(FRAME[TEST], y[TEST]))
        report.metrics.prediction_error().plot()
    else:
        assert measures["accuracy"] == pytest.approx(report.estimator_.score(FRAME[TEST], y[TEST]))
        for display in (report.metrics.roc(), report.metrics.precision_recall(), report.metrics.confusion_matrix()):
            display.plot()
        report.inspection.calibration_curve().plot()
    importance = report.inspection.permutation_importance(n_repeats=2, seed=0).frame()
    means = importance.filter(like="mean").iloc[:, 0]
    assert len(means) == 3
    assert importance.loc[means.idxmin(), "feature"] == "day"
    report.checks.summarize()
    assert type(report.estimator_).__name__ in report.to_markdown()


def test_the_report_of_a_fitted_model():
    y = TARGETS["numbers"]
    model = model_for(y).fit(FRAME[TRAIN], y[TRAIN])
    report = skore.EstimatorReport(model, X_test=FRAME[TEST], y_test=y[TEST])
    assert report.metrics.summarize().frame()["r2"] == pytest.approx(model.score(FRAME[TEST], y[TEST]))


@pytest.mark.parametrize("target", TARGETS)
def test_the_report_of_a_cross_validation_and_its_baselines(target):
    y = TARGETS[target]
    models = {"network": model_for(y), **baselines(FRAME, y, random_state=0)}
    reports = {name: skore.CrossValidationReport(model, FRAME, y, splitter=3) for name, model in models.items()}
    table = skore.ComparisonReport(reports).metrics.summarize().frame()
    measure = table.loc["r2" if target == "numbers" else "log_loss"]
    assert len(measure) == 2 * len(models)  # mean and standard deviation
    network, dummy = (measure.filter(like=f"mean_{name}").iloc[0] for name in ("network", "dummy"))
    assert network > dummy if target == "numbers" else network < dummy


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_of_data(kind):
    params = {**kind.params, "max_epochs": 1, "random_state": 0}
    first, last = slice(0, 24), slice(24, N_ROWS)
    for model, y in ((NeuralClassifier(**params), NAMES), (NeuralRegressor(**params), Y + 0.1 * np.arange(N_ROWS))):
        report = report_of(model, kind.X, y, first, last)
        assert report.metrics.summarize().frame().notna().any()
        dummy = report_of(baselines(kind.X, y)["dummy"], kind.X, y, first, last)
        assert skore.ComparisonReport({"network": report, "dummy": dummy}).metrics.summarize().frame().shape[1] == 2
    report = skore.CrossValidationReport(NeuralClassifier(**params), kind.X, NAMES, splitter=2)
    assert np.isfinite(report.metrics.log_loss()).to_numpy().all()
