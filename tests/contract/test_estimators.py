"""What holds for the classifier holds for every estimator: copies, files, checkpoints, bits, health, searches."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone

import sknn
from sknn import NeuralClassifier, NeuralGenerator, NeuralImputer, NeuralRanker, NeuralRegressor
from sknn.callbacks import GradientHealth
from sknn.exceptions import GradientHealthWarning
from sknn.modules import MLP

RANDOM = np.random.default_rng(0)
N = 120
X = pd.DataFrame({"a": RANDOM.normal(size=N), "b": RANDOM.normal(size=N), "c": np.array(["u", "v"])[np.arange(N) % 2]})
Y = (X["a"] + (X["c"] == "u") > 0.5).to_numpy().astype(int)
GAPPY = X.mask(RANDOM.random(X.shape) < 0.1)
QID = np.repeat(np.arange(12), 10)


@dataclass(frozen=True)
class Subject:
    """An estimator, how it is fitted, and an answer of a fitted one, as an array."""

    kind: type
    params: dict[str, Any]
    data: tuple[Any, ...]
    answer: Callable[[Any], Any]
    arguments: dict[str, Any] = field(default_factory=dict)

    def made(self, **params: Any) -> Any:
        return self.kind(**{"max_epochs": 3, "random_state": 0, "early_stopping": True, **self.params, **params})

    def fit(self, estimator: Any) -> Any:
        return estimator.fit(*self.data, **self.arguments)

    def fitted(self, **params: Any) -> Any:
        return self.fit(self.made(**params))

    def answers(self, estimator: Any) -> np.ndarray:
        return np.asarray(self.answer(estimator))


SMALL = {"module": MLP, "module_params": {"hidden_sizes": (8,)}, "batch_size": 32}
NARROW = {"module_params": {"width": 8, "n_blocks": 1}, "batch_size": 32}
SUBJECTS = [
    Subject(NeuralClassifier, SMALL, (X, Y), lambda model: model.predict_proba(X)),
    Subject(NeuralRegressor, SMALL, (X, X["a"] + Y), lambda model: model.predict(X)),
    Subject(NeuralRanker, {**SMALL, "batch_size": 4}, (X, Y), lambda model: model.predict(X, qid=QID), {"qid": QID}),
    Subject(NeuralGenerator, NARROW, (GAPPY, Y), lambda model: model.sample(20, random_state=0)),
    Subject(NeuralImputer, NARROW, (GAPPY,), lambda model: model.transform(GAPPY)),
]
each = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.kind.__name__)
pytestmark = pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")


def equal(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two arrays of any cells are equal, gaps included."""
    return pd.DataFrame(one).equals(pd.DataFrame(other))


@each
def test_the_same_random_state_gives_the_same_bits(subject):
    first, again, other = subject.fitted(), subject.fitted(), subject.fitted(random_state=1)
    assert equal(subject.answers(first), subject.answers(again))
    assert first.loss_curve_ == again.loss_curve_ != other.loss_curve_


@each
def test_global_generators_are_left_alone(subject):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    subject.answers(subject.fitted())
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@each
def test_processes_and_order_change_nothing(subject):
    expected = subject.fitted().loss_curve_
    found = Parallel(n_jobs=2)(delayed(subject.fit)(subject.made()) for _ in range(2))
    assert all(model.loss_curve_ == expected for model in found)


@each
def test_clones_and_parameters(subject):
    model = subject.fitted()
    copy = clone(model)
    assert not copy.__sklearn_is_fitted__()
    assert copy.get_params() == model.get_params()
    copy.set_params(max_epochs=2, lr=0.01)
    assert subject.fit(copy).n_iter_ <= 2
    with pytest.raises(ValueError, match="Invalid parameter"):
        copy.set_params(no_such_parameter=1)
    with pytest.raises(TypeError, match="unexpected keyword"):
        subject.kind(learning_rate_init=0.1)


@each
def test_pickles_and_files(subject, tmp_path):
    model = subject.fitted()
    expected = subject.answers(model)
    assert equal(subject.answers(pickle.loads(pickle.dumps(model))), expected)
    sknn.save(model, tmp_path / "model.sknn")
    assert equal(subject.answers(sknn.load(tmp_path / "model.sknn")), expected)


@each
def test_checkpoints(subject, tmp_path):
    expected = subject.answers(subject.fitted())
    for _ in range(2):  # the second one is recalled
        assert equal(subject.answers(subject.fitted(checkpoint=tmp_path / "fit.ckpt")), expected)


@each
def test_time_limits_and_warm_starts(subject):
    assert subject.fitted(max_time=0.5, max_epochs=3).n_iter_ >= 1
    model = subject.fitted(warm_start=True)
    n_epochs = model.n_iter_
    assert subject.fit(model).n_iter_ > n_epochs


@each
def test_a_failed_fit_changes_nothing(subject):
    model = subject.fitted()
    expected = subject.answers(model)
    model.set_params(lr=-1.0)
    with pytest.raises(ValueError, match="'lr'"):
        subject.fit(model)
    assert equal(subject.answers(model), expected)


@each
def test_health_is_watched(subject):
    assert subject.fitted().health_ is not None
    assert subject.fitted(gradient_health=None).health_ is None
    assert isinstance(subject.fitted(callbacks=[GradientHealth()]).callbacks[0], GradientHealth)


@each
def test_training_that_blows_up_is_named(subject):
    with pytest.warns(GradientHealthWarning):
        subject.fitted(lr=1e4, max_epochs=8, gradient_clipping=None)


@each
def test_early_stopping_keeps_the_best_epoch(subject):
    model = subject.fitted(max_epochs=6)
    assert model.best_epoch_ == 1 + int(np.argmax(model.validation_scores_))
    assert model.n_iter_ == len(model.loss_curve_)
