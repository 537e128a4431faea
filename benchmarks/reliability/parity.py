"""Exported models against the estimators that they were made of: every built-in module on every table of the suite."""

from __future__ import annotations

import importlib.util
import itertools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
from torch import nn

from benchmarks.quality.tables import Table, suite_tables
from sknn import NeuralClassifier, NeuralRegressor, export_numpy, export_onnx
from sknn.modules import MLP, FTTransformer, PeriodicEmbeddings, ResNet, TabM

from ._figures import Figure

__all__ = ["measure"]

_BAR = 1e-5
_N_TRAIN, _N_TEST = 2000, 2000
_BATCHES = (1, 2, 7, 1000)


def _periodic(in_features: int, out_features: int) -> nn.Module:
    embeddings = PeriodicEmbeddings(in_features)
    return nn.Sequential(embeddings, nn.Linear(embeddings.out_features, 64), nn.GELU(), nn.Linear(64, out_features))


# Name -> parameters of the estimator.
_MODELS: dict[str, dict[str, Any]] = {
    "TabM": {"module": TabM, "n_networks": 1},
    "TabM, 3 networks": {"module": TabM, "n_networks": 3},
    "MLP": {"module": MLP},
    "MLP, 2 networks": {"module": MLP, "n_networks": 2},
    "ResNet": {"module": ResNet},
    "FTTransformer": {"module": FTTransformer},
    "PeriodicEmbeddings": {"module": _periodic},
}


def measure(seed: int, data: Path, share: float) -> list[Figure]:
    """The largest difference of each export, over all pairs of table and module."""
    pairs = list(itertools.product(_MODELS, suite_tables(data)))
    chosen = np.unique(np.linspace(0, len(pairs) - 1, max(1, math.ceil(share * len(pairs)))).round().astype(int))
    worst, failures = {"numpy": 0.0, "onnx": 0.0}, {"numpy": [], "onnx": []}
    for i in chosen:
        name, table = pairs[i]
        for backend, difference in _differences(name, table, seed):
            worst[backend] = max(worst[backend], difference)
            if not difference <= _BAR:
                failures[backend].append(f"{name} on {table.name}: {difference:.1e}")
    return [
        Figure(
            f"export_{backend} against sknn, {len(chosen)} models",
            f"{worst[backend]:.1e}",
            f"<= {_BAR:.0e}, of probabilities or of spreads of y",
            not failures[backend],
            failures[backend],
        )
        for backend in worst
    ]


def _differences(name: str, table: Table, seed: int) -> Iterator[tuple[str, float]]:
    """Largest difference of each export, in all batch sizes."""
    kind = NeuralClassifier if table.task == "classification" else NeuralRegressor
    train = slice(0, _N_TRAIN)
    estimator = kind(**_MODELS[name], max_epochs=3, random_state=seed, gradient_health=None)
    estimator.fit(table.X_train[train], table.y_train[train])
    X = _with_gaps(table.X_test[:_N_TEST], seed)
    method = "predict_proba" if table.task == "classification" else "predict"
    expected = getattr(estimator, method)(X)
    unit = 1.0 if table.task == "classification" else float(np.std(table.y_train))
    with tempfile.TemporaryDirectory() as folder:
        predictor = _loaded(export_numpy(estimator, Path(folder) / "model.npz"))
        yield "numpy", _largest(lambda rows: getattr(predictor, method)(rows), X, expected) / unit
        inputs = export_onnx(estimator, Path(folder) / "model.onnx")
        session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
        output = "probabilities" if table.task == "classification" else "prediction"
        yield "onnx", _largest(lambda rows: session.run([output], inputs.feeds(rows))[0], X, expected) / unit


def _with_gaps(X: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One value in twenty removed, in columns without gaps as well."""
    removed = np.random.default_rng(seed).random(X.shape) < 0.05
    return X.mask(removed)


def _largest(predict: Any, X: pd.DataFrame, expected: np.ndarray) -> float:
    sizes = [n for n in (*_BATCHES, len(X)) if n <= len(X)]
    differences = [np.abs(predict(X[:n]).astype(np.float64) - expected[:n]).max() for n in sizes]
    return float(np.max(differences))


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("exported", path.with_suffix(".py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(path)
