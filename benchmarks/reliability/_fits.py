"""Fits of one seed under settings that must not matter, and a digest of what they learned."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import multiprocessing
import pickle
import signal
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, FTTransformer, ResNet

__all__ = ["CASES", "SETTINGS", "axis_of", "digest"]

_N_TRAIN, _N_TEST = 260, 61


def users_network(in_features: int, out_features: int) -> nn.Module:
    """A network as a user writes it, with batch norm and dropout."""
    return nn.Sequential(
        nn.Linear(in_features, 64), nn.BatchNorm1d(64), nn.GELU(), nn.Dropout(0.2), nn.Linear(64, out_features)
    )


@dataclass(frozen=True)
class Case:
    """What is fitted: an estimator and its parameters, on numbers or on a mixed table."""

    estimator: type
    params: dict[str, Any]
    mixed: bool = False


_NETWORKS: dict[str, dict[str, Any]] = {
    "TabM": {},
    "TabM with dropout": {"module_params": {"dropout": 0.1}},
    "MLP": {"module": MLP, "module_params": {"hidden_sizes": (256, 256), "dropout": 0.1}, "batch_size": 128},
    "ResNet": {"module": ResNet, "batch_size": 64},
    "FTTransformer": {"module": FTTransformer},
    "user's": {"module": users_network, "lr": 0.01},
}
CASES = {
    f"{network}, {estimator.__name__}, {'stopped early' if stop else 'whole'}, {'mixed' if mixed else 'numbers'}": Case(
        estimator, {**params, "early_stopping": stop, "max_epochs": 3}, mixed
    )
    for network, params in _NETWORKS.items()
    for estimator in (NeuralClassifier, NeuralRegressor)
    for stop in (True, False)
    for mixed in (False, True)
}


class Passive(Callback):
    """Listens to every event, and does nothing."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Nothing."""

    on_train_end = on_epoch_begin = on_epoch_end = on_train_begin
    on_batch_begin = on_batch_end = on_grad_computed = on_train_begin


@dataclass
class _Fit:
    """A fit that is about to be made; a setting changes what it is given."""

    case: Case
    model: Any
    table: Callable[[pd.DataFrame], Any] = lambda frame: frame
    y: Callable[[np.ndarray], Any] = lambda y: y
    before: list[Callable[[_Fit], None]] = field(default_factory=list)
    around: list[Callable[[], Any]] = field(default_factory=list)


def _rows(mixed: bool) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(5)
    n = _N_TRAIN + _N_TEST
    numbers = rng.normal(size=(n, 5)).astype(np.float32).astype(np.float64)
    numbers[rng.random((n, 5)) < 0.05] = np.nan
    numbers[:, 1] = np.round(numbers[:, 1] * 2)
    frame = pd.DataFrame(numbers, columns=list("abcde"))
    a, b, c = np.nan_to_num(numbers[:, :3]).T
    y = a * c + 0.3 * b
    if mixed:
        frame["colour"] = pd.Series(rng.choice(["red", "green", "blue"], n), dtype=object)
        y = y + (frame["colour"] == "red").to_numpy()
    return frame, y


def digest(case_name: str, settings: tuple[str, ...]) -> str:
    """Fit the case under the settings; a digest of weights, losses and predictions."""
    case = CASES[case_name]
    fit = _Fit(case, case.estimator(random_state=7, **case.params))
    for name in settings:
        SETTINGS[name](fit)
    frame, y = _rows(case.mixed)
    y = np.where(y > 0.2, "yes", "no") if case.estimator is NeuralClassifier else y
    train, test = fit.table(frame[:_N_TRAIN]), fit.table(frame[_N_TRAIN:].reset_index(drop=True))
    with contextlib.ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for context in fit.around:
            stack.enter_context(context())
        for action in fit.before:
            action(fit)
        model = fit.model.fit(train, fit.y(y[:_N_TRAIN]))
        predicted = model.predict_proba(test) if hasattr(model, "predict_proba") else model.predict(test)
    found = hashlib.sha256(repr(model.loss_curve_).encode())
    for tensor in model.module_.state_dict().values():
        found.update(tensor.numpy().tobytes())
    found.update(np.asarray(predicted).tobytes())
    return found.hexdigest()


# ---------------------------------------------------------------------- settings


def _table(convert: Callable[[pd.DataFrame], Any]) -> Callable[[_Fit], None]:
    def change(fit: _Fit) -> None:
        fit.table = convert

    return change


def _single(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({name: np.float32 for name in "abcde"})


def _strided(frame: pd.DataFrame) -> np.ndarray:
    values = frame.to_numpy()
    wide = np.empty((2 * len(values), 3 * values.shape[1]), values.dtype)
    wide[::2, ::3] = values
    return wide[::2, ::3]


def _categories(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype({"colour": "category"}) if "colour" in frame else frame


def _before(action: Callable[[_Fit], None]) -> Callable[[_Fit], None]:
    return lambda fit: fit.before.append(action)


def _around(context: Callable[[], Any]) -> Callable[[_Fit], None]:
    return lambda fit: fit.around.append(context)


def _params(**params: Any) -> Callable[[_Fit], None]:
    return lambda fit: fit.model.set_params(**copy.deepcopy(params))


def _model(change: Callable[[Any], Any]) -> Callable[[_Fit], None]:
    def action(fit: _Fit) -> None:
        fit.model = change(fit.model)

    return _before(action)


def _use_generators(fit: _Fit) -> None:
    torch.manual_seed(123)
    torch.rand(5)
    np.random.seed(99)
    np.random.rand(3)


def _fit_another(fit: _Fit) -> None:
    X = np.random.default_rng(1).normal(size=(90, 3))
    NeuralRegressor(max_epochs=1, random_state=3).fit(X, X[:, 0])


class _Raises(Callback):
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        torch.rand(3)
        self.interrupt()

    def interrupt(self) -> None:
        """Where the error comes from."""
        # A signal reaches the main thread, whoever raised it.
        if self.error is KeyboardInterrupt and threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)
        raise self.error("in an earlier fit")


def _fail(error: type[BaseException]) -> Callable[[_Fit], None]:
    def action(fit: _Fit) -> None:
        X = np.random.default_rng(1).normal(size=(90, 3))
        with contextlib.suppress(error):
            NeuralRegressor(max_epochs=1, callbacks=[_Raises(error)], random_state=3).fit(X, X[:, 0])

    return action


def _fail_oneself(fit: _Fit) -> None:
    X = np.random.default_rng(1).normal(size=(90, 3))
    with contextlib.suppress(ValueError):
        fit.model.fit(X, np.full(90, np.nan))


@contextlib.contextmanager
def _threads(number: int) -> Any:
    if multiprocessing.current_process().daemon:  # a forked child would wait for threads that its parent had
        number = 1
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _watched(fit: _Fit) -> None:
    """A scikit-learn callback, which is told of every epoch."""
    try:
        from sklearn.callback import ScoringMonitor
    except ImportError:  # scikit-learn < 1.9
        return
    fit.model.set_callbacks(ScoringMonitor(scoring="accuracy" if fit.case.estimator is NeuralClassifier else "r2"))


def _verbose(fit: _Fit) -> None:
    fit.model.set_params(verbose=1)
    fit.around.append(lambda: contextlib.redirect_stdout(io.StringIO()))
    fit.around.append(lambda: contextlib.redirect_stderr(io.StringIO()))


# By axis; two of one axis are never together.
_AXES: dict[str, dict[str, Callable[[_Fit], None]]] = {
    "table": {
        "numpy, C order": _table(lambda frame: np.ascontiguousarray(frame.to_numpy())),
        "numpy, Fortran order": _table(lambda frame: np.asfortranarray(frame.to_numpy())),
        "numpy, strided": _table(_strided),
        "pandas, float32": _table(_single),
        "pandas, categories": _table(_categories),
        "polars": _table(lambda frame: pl.from_pandas(frame)),
        "polars, float32": _table(lambda frame: pl.from_pandas(_single(frame))),
    },
    "threads": {f"{n} threads": _around(lambda n=n: _threads(n)) for n in (1, 2, 3)},
    "earlier": {
        "global generators used": _before(_use_generators),
        "another fit before": _before(_fit_another),
        "an exception before": _before(_fail(RuntimeError)),
        "Ctrl-C before": _before(_fail(KeyboardInterrupt)),
        "a fit of its own that failed": _before(_fail_oneself),
    },
    "watched": {
        "health off": _params(gradient_health=None),
        "passive callback": _params(callbacks=[Passive()]),
        "scikit-learn callback": _watched,
        "verbose": _verbose,
    },
    "copied": {
        "clone": _model(clone),
        "deepcopy": _model(copy.deepcopy),
        "pickle": _model(lambda model: pickle.loads(pickle.dumps(model))),
        "clone of a fitted one": _model(lambda model: clone(_fitted(model))),
    },
    "random_state": {"RandomState": lambda fit: fit.model.set_params(random_state=np.random.RandomState(7))},
}
SETTINGS = {name: change for settings in _AXES.values() for name, change in settings.items()}


def _fitted(model: Any) -> Any:
    X = np.random.default_rng(1).normal(size=(90, 3))
    y = X[:, 0] > 0
    return clone(model).fit(X, y.astype(float) if isinstance(model, NeuralRegressor) else y)


def axis_of(setting: str) -> str:
    """The axis that a setting belongs to."""
    return next(axis for axis, settings in _AXES.items() if setting in settings)
