"""What a caller does with an estimator: under settings, and a digest of what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch.callbacks import Callback
from torch import Tensor, nn

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, FTTransformer

__all__ = ["MODELS", "TRANSFORMER_OF_TORCH", "USES", "digest_of"]

_N_TRAIN, _N_TEST = 120, 33
Under = Callable[[], AbstractContextManager[Any]]


class Convolutions(nn.Module):
    """A network of a user that makes tensors of its own, without dtype or device."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.taps = nn.Parameter(torch.linspace(0.5, 1.5, in_features))
        self.first = nn.Conv1d(1, 8, 3, padding=1)
        self.recurrent = nn.GRU(8, 8, batch_first=True)
        self.last = nn.Linear(8, out_features)

    def forward(self, x: Tensor) -> Tensor:
        x = (x * self.taps + torch.zeros(x.shape[1]))[:, None]
        return self.last(self.recurrent(self.first(x).relu().mT)[0].mean(1))


class Attention(nn.Module):
    """A transformer layer of torch."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.first = nn.Linear(1, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.last = nn.Linear(16, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.layer(self.first(x[..., None])).mean(1))


class Struck(Callback):
    """Ends a fit in its third epoch if the environment says so, which is no parameter."""

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        if os.environ.get("STRUCK") and len(net.history) == 3:
            raise RuntimeError("struck")


TRANSFORMER_OF_TORCH = "torch's transformer layer"
MODELS: dict[str, Callable[[], Any]] = {
    "TabM": lambda: NeuralClassifier(),
    "MLP": lambda: NeuralRegressor(MLP, module_params={"hidden_sizes": (64, 64), "dropout": 0.1}, ema_decay=0.9),
    "FTTransformer": lambda: NeuralClassifier(FTTransformer, module_params={"token_size": 16}),
    "convolutions": lambda: NeuralRegressor(Convolutions, preprocessing=True),
    TRANSFORMER_OF_TORCH: lambda: NeuralClassifier(
        Attention, optimizer=torch.optim.SGD, optimizer_params={"momentum": 0.9}
    ),
}


def model(name: str, **params: Any) -> Any:
    """An estimator that is not fitted."""
    return MODELS[name]().set_params(max_epochs=5, random_state=3, callbacks=[Struck()], **params)


@cache
def _rows(name: str) -> tuple[pd.DataFrame, Any, pd.DataFrame, Any]:
    rng = np.random.default_rng(8)
    n = _N_TRAIN + _N_TEST
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=list("abcde"))
    X.loc[::9, "b"] = np.nan
    X["e"] = X["e"] * 1e-30
    y: Any = X["a"].to_numpy() * X["c"].to_numpy() + 0.1 * rng.normal(size=n)
    if isinstance(MODELS[name](), NeuralClassifier):
        X["colour"] = rng.choice(["red", "green", "blue"], n)
        y = np.where(y > 0, "yes", "no")
    return X[:_N_TRAIN], y[:_N_TRAIN], X[_N_TRAIN:], y[_N_TRAIN:]


def _learned(fitted: Any, name: str) -> bytes:
    """Weights, losses and predictions, asked for under the ordinary settings."""
    weights = [tensor.numpy().tobytes() for tensor in fitted.module_.state_dict().values()]
    curve = repr(fitted.loss_curve_).encode()
    return b"".join([*weights, curve, _predicted(fitted, _rows(name)[2])])


def _predicted(fitted: Any, X: Any) -> bytes:
    predict = fitted.predict_proba if isinstance(fitted, NeuralClassifier) else fitted.predict
    row_by_row = np.concatenate([predict(X[i : i + 1]) for i in range(3)])
    return predict(X).tobytes() + row_by_row.tobytes() + repr(fitted.predict(X).tolist()).encode()


@cache
def _pickled(name: str) -> bytes:
    X, y, _, _ = _rows(name)
    return pickle.dumps(model(name, warm_start=True).fit(X, y))


def _fitted(name: str) -> Any:
    return pickle.loads(_pickled(name))


def _fit(name: str, under: Under, folder: Path) -> bytes:
    X, y, _, _ = _rows(name)
    with under():
        fitted = model(name).fit(X, y)
    return _learned(fitted, name) + _learned(fitted.partial_fit(X, y), name)


def _partial_fit(name: str, under: Under, folder: Path) -> bytes:
    X, y, _, _ = _rows(name)
    fitted = _fitted(name)
    with under():
        fitted.partial_fit(X, y)
    return _learned(fitted, name)


def _predict(name: str, under: Under, folder: Path) -> bytes:
    fitted, X = _fitted(name), _rows(name)[2]
    with under():
        return _predicted(fitted, X)


def _score(name: str, under: Under, folder: Path) -> bytes:
    fitted, (_, _, X, y) = _fitted(name), _rows(name)
    with under():
        return repr(float(fitted.score(X, y))).encode()


def _pickle(name: str, under: Under, folder: Path) -> bytes:
    fitted, (X, y, _, _) = _fitted(name), _rows(name)
    with under():
        again = pickle.loads(pickle.dumps(fitted))
    return _learned(again, name) + _learned(again.partial_fit(X, y), name)


def _save(name: str, under: Under, folder: Path) -> bytes:
    fitted, path = _fitted(name), folder / "model.sknn"
    with under():
        sknn.save(fitted, path)
    return path.read_bytes()


def _trusted() -> list[Any]:
    return [Convolutions, Attention, Struck]


def _load(name: str, under: Under, folder: Path) -> bytes:
    X, y, _, _ = _rows(name)
    sknn.save(_fitted(name), folder / "model.sknn")
    with under():
        fitted = sknn.load(folder / "model.sknn", trusted=_trusted())
    return _learned(fitted, name) + _learned(fitted.partial_fit(X, y), name)


def _export_numpy(name: str, under: Under, folder: Path) -> bytes:
    fitted, X = _fitted(name), _rows(name)[2]
    with under():
        path = sknn.export_numpy(fitted, folder / "exported.npz")
        spec: Any = importlib.util.spec_from_file_location("exported", path.with_suffix(".py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        predictor = module.load(path)
        values = predictor.values(X)
    return path.read_bytes() + path.with_suffix(".py").read_bytes() + values.tobytes()


def _export_onnx(name: str, under: Under, folder: Path) -> bytes:
    fitted, X = _fitted(name), _rows(name)[2]
    with under():
        inputs = sknn.export_onnx(fitted, folder / "exported.onnx")
        feeds = inputs.feeds(X)
    return (folder / "exported.onnx").read_bytes() + pickle.dumps({key: np.array(feeds[key]) for key in feeds})


def _resume(name: str, under: Under, folder: Path, *, before: bool = False) -> bytes:
    """A fit that was interrupted, and resumed under the settings; with `before` the other way round."""
    X, y, _, _ = _rows(name)

    def fit() -> Any:
        return model(name, checkpoint=folder / "fit.ckpt", checkpoint_every_epochs=1).fit(X, y)

    os.environ["STRUCK"] = "1"
    try:
        with contextlib.suppress(RuntimeError), under() if before else contextlib.nullcontext():
            fit()
    finally:
        del os.environ["STRUCK"]
    if not (folder / "fit.ckpt").exists():
        raise AssertionError("the fit was not interrupted")
    with contextlib.nullcontext() if before else under():
        resumed = fit()
    if resumed.net_.history[:, "epoch"] != [1, 2, 3, 4, 5]:
        raise AssertionError("the fit was not resumed")
    with under():
        stored = fit()  # what is finished is found again
    return _learned(resumed, name) + _learned(stored, name)


USES: dict[str, Callable[[str, Under, Path], bytes]] = {
    "fit": _fit,
    "partial_fit": _partial_fit,
    "predict": _predict,
    "score": _score,
    "pickle": _pickle,
    "save": _save,
    "load": _load,
    "export_numpy": _export_numpy,
    "export_onnx": _export_onnx,
    "resume": _resume,
    "resume elsewhere": lambda name, under, folder: _resume(name, under, folder, before=True),
}


def digest_of(use: str, name: str, settings: Sequence[Under]) -> str:
    """SHA-256 of what a use gives under these settings; an error is a digest, too, which equals no other."""

    @contextlib.contextmanager
    def under() -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for setting in settings:
                stack.enter_context(setting())
            yield

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return hashlib.sha256(USES[use](name, under, Path(folder))).hexdigest()
        except Exception as error:
            return f"{type(error).__name__}: {str(error)[:200]}"
