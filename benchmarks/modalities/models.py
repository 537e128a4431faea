"""What is fitted on the tasks: sknn's defaults, sknn on flattened rows, and peers that are quick to run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.fft import dct
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import sknn
from benchmarks.modalities.tasks import Task
from sknn.modules import AudioNet

__all__ = ["DETERMINISTIC", "MODELS", "models_of"]

Fitted = Any  # an estimator with fit and predict


def _sknn(task: Task, seed: int) -> Fitted:
    """The defaults; audio says its module and its rate."""
    estimator = sknn.NeuralRegressor if task.is_regression else sknn.NeuralClassifier
    if task.kind == "audio":
        params = {"sampling_rate": task.sampling_rate}
        return estimator(AudioNet, module_params=params, random_state=seed)
    return estimator(random_state=seed)


def _sknn_flat(task: Task, seed: int) -> Fitted:
    return (sknn.NeuralRegressor if task.is_regression else sknn.NeuralClassifier)(random_state=seed)


class _OnFeatures:
    """A classifier on a vector of features for each row."""

    def __init__(self, features: Callable[[Any], np.ndarray], classifier: Any) -> None:
        self.features, self.classifier = features, classifier

    def fit(self, X: Any, y: np.ndarray) -> _OnFeatures:
        self.classifier.fit(self.features(X), y)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return self.classifier.predict(self.features(X))


def _mel_filters(sampling_rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Triangles between frequencies that are equally spaced in mel (HTK), (n_mels, n_fft // 2 + 1)."""
    top = 2595 * np.log10(1 + sampling_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, n_mels + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(n_fft, 1 / sampling_rate)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.minimum(rising, falling).clip(min=0)


def _mfcc_statistics(waveforms: list[np.ndarray], sampling_rate: int, n_coefficients: int = 20) -> np.ndarray:
    """Mean, deviation, least and largest of the cepstral coefficients, and the means of four parts of the recording."""
    window, hop = round(0.025 * sampling_rate), round(0.010 * sampling_rate)
    n_fft = 1 << (window - 1).bit_length()
    filters, taper = _mel_filters(sampling_rate, n_fft, 40), np.hanning(window)
    rows = []
    for waveform in waveforms:
        padded = np.pad(waveform.astype(np.float64), window // 2 + 1)
        frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop] * taper
        power = np.abs(np.fft.rfft(frames, n_fft)) ** 2 @ filters.T
        mfcc = dct(10 * np.log10(power + 1e-8 * max(power.max(), 1e-12)), axis=1, norm="ortho")[:, :n_coefficients]
        parts = [part.mean(axis=0) for part in np.array_split(mfcc, 4) if len(part)]
        parts += parts[-1:] * (4 - len(parts))
        rows.append(np.concatenate([mfcc.mean(0), mfcc.std(0), mfcc.min(0), mfcc.max(0), *parts]))
    return np.asarray(rows)


def _on_mfcc(make_classifier: Callable[[int], Any]) -> Callable[[Task, int], Fitted]:
    def build(task: Task, seed: int) -> Fitted:
        rate = task.sampling_rate or 0
        return _OnFeatures(lambda X: _mfcc_statistics(X, rate), make_classifier(seed))

    return build


def _pixels(X: Any) -> np.ndarray:
    return np.asarray(X, np.float64).reshape(len(X), -1)


# name -> (kinds of tasks, build); recorded peers of the same name are not run
MODELS: dict[str, tuple[tuple[str, ...], Callable[[Task, int], Fitted]]] = {
    "sknn": (("text", "images", "sequences", "audio", "sensors"), _sknn),
    "sknn_flat": (("sensors",), _sknn_flat),
    "mfcc_svc": (("audio",), _on_mfcc(lambda seed: make_pipeline(StandardScaler(), SVC(C=10)))),
    "mfcc_lr": (("audio",), _on_mfcc(lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)))),
    "mfcc_rf": (("audio",), _on_mfcc(lambda seed: RandomForestClassifier(300, random_state=seed))),
    "pixels_rf": (("images",), lambda task, seed: _OnFeatures(_pixels, RandomForestClassifier(300, random_state=seed))),
}
DETERMINISTIC = {"mfcc_svc", "mfcc_lr"}


def models_of(task: Task, wanted: list[str], recorded: set[str]) -> list[str]:
    """The wanted models that read this kind of task, peers with a recorded result excepted."""
    return [name for name in wanted if task.kind in MODELS[name][0] and name not in recorded]
