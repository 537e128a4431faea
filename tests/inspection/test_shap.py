"""`to_shap` with the real package: its plots draw what `explain` returns."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier, NeuralRegressor
from sknn.inspection import to_shap

FAST = {"max_epochs": 3, "random_state": 0}
RANDOM = np.random.default_rng(0)
N = 120
TABLE = pd.DataFrame({
    "number": np.where(RANDOM.random(N) < 0.1, np.nan, RANDOM.normal(size=N)),
    "colour": RANDOM.choice(["red", "green", None], N),
    "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(RANDOM.integers(0, 900, N), "D"),
})  # fmt: skip
SIGNAL = RANDOM.normal(size=N) + (TABLE["colour"] == "red")


def test_an_error_names_the_extra_without_shap(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)
    model = NeuralRegressor(**FAST).fit(TABLE, SIGNAL)
    with pytest.raises(ImportError, match=r'to_shap needs shap: pip install "sknn\[explain\]"'):
        to_shap(model, TABLE)


def test_a_pipeline_is_refused():
    with pytest.raises(TypeError, match="estimator is a Pipeline; expected a NeuralClassifier or NeuralRegressor"):
        to_shap(make_pipeline(StandardScaler(), NeuralRegressor()), TABLE)


class TestWithShap:
    @pytest.fixture(autouse=True)
    def _shap(self):
        pytest.importorskip("shap", exc_type=ImportError)
        pytest.importorskip("matplotlib").use("Agg")

    @pytest.mark.parametrize("library", [pd, pl, np], ids=lambda library: library.__name__)
    def test_values_data_and_names(self, library):
        X = TABLE if library is pd else pl.from_pandas(TABLE) if library is pl else TABLE[["number"]].to_numpy()
        model = NeuralRegressor(**FAST).fit(X, SIGNAL)
        found = to_shap(model, X, background=X[:2])
        np.testing.assert_array_equal(found.values, model.explain(X, background=X[:2]))
        prediction = model.predict(X)
        assert np.abs(found.base_values + found.values.sum(axis=1) - prediction).max() <= 1e-3 * prediction.std()
        np.testing.assert_array_equal(found.data[:, 0], TABLE["number"])
        if library is np:
            assert found.feature_names == ["column 0"]
            return
        assert found.feature_names == list(TABLE)
        assert found.display_data[0, 1] == TABLE["colour"][0]
        assert found.data.dtype == np.float64
        assert len(np.unique(found.data[:, 1])) == 3
        assert (np.argsort(found.data[:, 2], kind="stable") == np.argsort(TABLE["date"], kind="stable")).all()

    @pytest.mark.filterwarnings("ignore")
    def test_plots_of_one_output(self):
        import matplotlib.pyplot as plt
        import shap

        model = NeuralRegressor(**FAST).fit(TABLE, SIGNAL)
        found = to_shap(model, TABLE)
        shap.plots.beeswarm(found, show=False)
        assert {label.get_text() for label in plt.gca().get_yticklabels()} >= set(TABLE)
        plt.close("all")
        shap.plots.waterfall(found[0], show=False)
        labels = [label.get_text() for label in plt.gca().get_yticklabels()]
        assert any("colour" in label and str(TABLE["colour"][0]) in label for label in labels)
        shap.plots.bar(found, show=False)
        shap.plots.scatter(found[:, "number"], show=False)
        plt.close("all")

    @pytest.mark.filterwarnings("ignore")
    def test_plots_of_several_classes(self):
        import matplotlib.pyplot as plt
        import shap

        y = np.array(["low", "middle", "high"])[np.digitize(SIGNAL, [-0.5, 0.5])]
        model = NeuralClassifier(**FAST).fit(TABLE, y)
        found = to_shap(model, TABLE)
        assert found.output_names == ["high", "low", "middle"]
        assert found.base_values.shape == (N, 3)
        shap.plots.beeswarm(found[:, :, "low"], show=False)
        shap.plots.waterfall(found[0, :, 1], show=False)
        shap.plots.bar(found[:, :, 2], show=False)
        plt.close("all")
