"""Estimators on recordings of sound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import AudioNet

PARAMS = {"sampling_rate": 8000, "width": 4, "n_blocks": 1}


def tones(n: int, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Noisy tones of several lengths and levels, int16; the class is the pitch."""
    rng = np.random.default_rng(seed)
    y = np.tile(["high", "low"], n // 2)
    X = []
    for label in y:
        time = np.arange(rng.integers(500, 2000)) / 8000
        pitch = rng.uniform(0.9, 1.1) * (1200 if label == "high" else 400)
        sound = np.sin(2 * np.pi * pitch * time) + 0.2 * rng.normal(size=len(time))
        X.append((rng.uniform(100, 10_000) * sound).astype(np.int16))
    return X, y


@pytest.fixture(scope="module")
def fitted() -> NeuralClassifier:
    params = {**PARAMS, "width": 8}
    return NeuralClassifier(AudioNet, module_params=params, max_epochs=30, random_state=0).fit(*tones(60))


def test_new_recordings_are_told_apart_at_any_level(fitted):
    X, y = tones(40, seed=1)
    assert fitted.score(X, y) > 0.95
    expected = fitted.predict_proba(X)
    louder = [x.astype(np.float32) * 1e6 for x in X]
    np.testing.assert_allclose(fitted.predict_proba(louder), expected, atol=1e-4)


def test_a_prediction_does_not_depend_on_the_other_recordings(fitted):
    X, _ = tones(12, seed=2)
    together = fitted.predict_proba(X)
    alone = np.vstack([fitted.predict_proba([x]) for x in X])
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_one_seed_gives_the_same_bits():
    X, y = tones(20)
    model = NeuralClassifier(AudioNet, module_params=PARAMS, max_epochs=2, random_state=3)
    first = model.fit(X, y).predict_proba(X)
    assert (clone(model).fit(X, y).predict_proba(X) == first).all()


def test_a_file_predicts_the_same(fitted, tmp_path):
    X, _ = tones(10, seed=3)
    sknn.save(fitted, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn")
    assert (loaded.predict_proba(X) == fitted.predict_proba(X)).all()


def test_parameters_of_the_spectrogram_are_searched():
    X, y = tones(24)
    model = NeuralClassifier(AudioNet, module_params=PARAMS, max_epochs=1, random_state=0)
    search = GridSearchCV(model, {"module__n_mels": [16, 24]}, cv=2, refit=False).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_numbers_are_predicted_from_an_array_of_recordings():
    X = np.random.default_rng(0).normal(size=(30, 700)).astype(np.float32)
    model = NeuralRegressor(AudioNet, module_params=PARAMS, max_epochs=1, random_state=0).fit(X, np.arange(30.0))
    assert model.predict(X[:3]).shape == (3,)


def test_the_sampling_rate_is_asked_for():
    with pytest.raises(ValueError, match=r'sampling_rate is missing.*module_params=\{"sampling_rate": 16000\}'):
        NeuralClassifier(AudioNet).fit(*tones(10))


def test_names_of_files_are_no_recordings(fitted):
    with pytest.raises(TypeError, match=r"X\[0\] is 'a.wav'.*Load files of sound first"):
        fitted.predict(["a.wav"])


class Waveforms(nn.Module):
    """A module of a user's that takes waveforms."""

    reads = "audio"

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.layer = nn.Linear(2, out_features)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        assert x.abs().max() <= 1
        assert x.shape[1] == lengths.max()
        crossings = (x[:, 1:] * x[:, :-1] < 0).sum(1) / lengths
        return self.layer(torch.stack([crossings, crossings.square()], dim=1))


def test_a_module_that_reads_audio_is_given_waveforms():
    X, y = tones(40)
    model = NeuralClassifier(Waveforms, lr=0.3, max_epochs=40, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.8
