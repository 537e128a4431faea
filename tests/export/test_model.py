"""Both exports predict what the estimator predicts, for every built-in module and every kind of target."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor, export_numpy, export_onnx
from sknn.modules import MLP, PeriodicEmbeddings, PiecewiseLinearEmbeddings, TabM

from .exported import QUICK, SMALL, TOLERANCE, Exported, assert_same, labels, numbers, raw_table


@pytest.mark.parametrize("module", SMALL, ids=lambda module: module.__name__)
def test_every_module_on_a_raw_table(module, raw, tmp_path):
    if module is MLP:
        exported, table, clf = raw
        assert clf.net_.criterion_.temperature == 3.0
    else:
        table, n_networks = raw_table(), 2 if module is TabM else 1
        clf = NeuralClassifier(
            module, module_params=SMALL[module], categorical_features=["code"], n_networks=n_networks, **QUICK
        ).fit(table, labels(table, 3))
        exported = Exported(clf, tmp_path)
    assert_same(clf, table, exported)
    new = raw_table(1000).sample(frac=1, random_state=0)
    new["label"] = new["label"].replace("plain", "never seen")
    new.loc[new.index[:9], ["label", "with gaps"]] = None
    new["code"] = new["code"].replace(13, 17)
    for n in (1, 2, 7, 1000):
        rows, expected = new[:n], clf.predict_proba(new[:n])
        assert np.abs(exported.numpy.predict_proba(rows) - expected).max() <= TOLERANCE
        assert np.abs(exported.onnx(rows)["probabilities"] - expected).max() <= TOLERANCE


class Embedded(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.periodic, self.piecewise = PeriodicEmbeddings(in_features, 4), PiecewiseLinearEmbeddings(in_features, 4)
        self.head = nn.Linear(self.periodic.out_features + self.piecewise.out_features, out_features)

    def forward(self, x):
        return self.head(torch.cat([self.periodic(x), self.piecewise(x)], dim=1))


def test_embeddings_of_numbers(tmp_path):
    X = numbers(3)
    clf = NeuralClassifier(Embedded, n_networks=2, **QUICK).fit(X, X[:, 0] > 0)
    assert_same(clf, X, Exported(clf, tmp_path))


TARGETS = {
    "multilabel": (NeuralClassifier, lambda r: np.stack([r > 0, r > 1], 1).astype(int), {}),
    "strings": (NeuralClassifier, lambda r: np.where(r > 0, "ja", "né"), {"n_networks": 2}),
    "one score": (NeuralClassifier, lambda r: r > 0, {"criterion": nn.BCEWithLogitsLoss}),
    "outputs with a huge mean": (NeuralRegressor, lambda r: np.stack([r, r * 2], 1) + 1e9, {}),
    "quantiles": (
        NeuralRegressor,
        lambda r: r,
        {"criterion": "quantile", "criterion_params": {"quantile": [0.9, 0.1]}},
    ),
    "poisson": (NeuralRegressor, lambda r: np.exp(r).round(), {"criterion": "poisson"}),
}


@pytest.mark.parametrize("case", TARGETS)
def test_every_kind_of_target(case, tmp_path):
    kind, target, params = TARGETS[case]
    X = numbers()
    y = target(X[:, 0] + X[:, 1] * X[:, 2])
    estimator = kind(MLP, module_params=SMALL[MLP], **params, **QUICK).fit(X, y)
    assert_same(estimator, X, Exported(estimator, tmp_path), scale=np.std(y) if kind is NeuralRegressor else 1.0)


@pytest.mark.parametrize("export", [export_numpy, export_onnx])
def test_what_is_not_a_fitted_estimator_is_refused(export, plain, tmp_path):
    X, path = numbers(), tmp_path / "model.npz"
    with pytest.raises(NotFittedError):
        export(NeuralClassifier(), path)
    pipeline = make_pipeline(StandardScaler(), plain)
    with pytest.raises(TypeError, match=r"Pipeline.*pipeline\[-1\].*skl2onnx"):
        export(pipeline, path)
    search = GridSearchCV(NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK), {"lr": [0.01]}, cv=2)
    search.best_estimator_ = plain
    with pytest.raises(TypeError, match=r"search.best_estimator_"):
        export(search, path)
    with pytest.raises(TypeError, match="StandardScaler; expected a fitted"):
        export(StandardScaler().fit(X), path)
