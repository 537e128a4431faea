"""Both exports of a small estimator, and tables to compare them on."""

from __future__ import annotations

import importlib.util

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from sknn import export_numpy, export_onnx
from sknn._export.numpy import export as _to_numpy
from sknn._export.onnx import export as _to_onnx
from sknn.modules import MLP, FTTransformer, ResNet, TabM

TOLERANCE = 1e-5
QUICK = {"max_epochs": 1, "random_state": 0, "gradient_health": None}
SMALL = {
    TabM: {"n_blocks": 1, "width": 8, "n_bins": 4},
    MLP: {"hidden_sizes": (8,)},
    ResNet: {"n_blocks": 1, "width": 8},
    FTTransformer: {"n_blocks": 1, "token_size": 8, "n_heads": 2},
}
N_ROWS = 60
SECRET = 987654321.25  # a value of the training table that no file may contain


def raw_table(n: int = N_ROWS) -> pd.DataFrame:
    random = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "amount": random.normal(size=n) * 1e3 + 1.7e9,
            "gaps": np.where(random.random(n) < 0.2, np.nan, random.normal(size=n)),
            "nothing": np.full(n, np.nan),
            "constant": np.ones(n),
            "when": pd.Timestamp("2024-02-29") + pd.to_timedelta(random.integers(0, 9999, n), unit="min"),
            "label": random.choice(["é", "日本", "plain", ""], n),  # the name of an output, and unicode
            "with gaps": random.choice(np.array(["a", "b", None], dtype=object), n),
            "flag": random.random(n) < 0.5,
            "code": random.choice([7, 11, 13], n),
            "many": [f"k{i % 14}" for i in range(n)],
        }
    )
    return table.astype({"many": "category"})


def labels(table: pd.DataFrame, n_classes: int = 2) -> np.ndarray:
    return (np.arange(len(table)) + table["flag"].to_numpy()) % n_classes


def numbers(n_columns: int = 4) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(N_ROWS, n_columns))


def predictor_module(path):
    """The predictor beside a file of weights, as a module."""
    spec = importlib.util.spec_from_file_location("exported_predictor", path.with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Exported:
    """Both exports of one estimator."""

    def __init__(self, estimator, folder, confidence_level=None):
        model = _to_numpy.exported_model(estimator, "test", confidence_level)
        with pytest.MonkeyPatch.context() as patch:  # recorded once, since that takes longest
            for module in (_to_numpy, _to_onnx):
                patch.setattr(module, "exported_model", lambda *given: model)
            self.path = export_numpy(estimator, folder / "model.npz")
            self.inputs = export_onnx(estimator, folder / "model.onnx")
        self.numpy = predictor_module(self.path).load(self.path)
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])

    def onnx(self, X):
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, self.inputs.feeds(X)), strict=True))


def assert_same(estimator, X, exported, scale=1.0):
    """Both exports answer as the estimator does."""
    answers = {"predict": estimator.predict(X)}
    if hasattr(estimator, "predict_proba"):
        answers["predict_proba"] = estimator.predict_proba(X)
    from_onnx = exported.onnx(X)
    for method, expected in answers.items():
        by_numpy = getattr(exported.numpy, method)(X)
        name = "probabilities" if method == "predict_proba" else "label" if "label" in from_onnx else "prediction"
        for found in (by_numpy, from_onnx[name]):
            assert found.shape == expected.shape
            if expected.dtype.kind == "f":
                # ONNX holds what the network computes; in Python, metrics ask for float64.
                in_float32 = method == "predict_proba" and found is not by_numpy
                assert found.dtype == (np.float32 if in_float32 else expected.dtype)
                assert np.abs(found - expected).max() <= TOLERANCE * scale
            else:
                assert (found == expected).all()
