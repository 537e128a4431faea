"""Subclasses with signatures of their own: fit, clone, search, files and messages, as with scikit-learn's estimators."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn._estimator.parameters import CONSTRAINTS
from sknn._hyperparameters import constructor_names, hyperparameters
from sknn.exceptions import CheckpointError
from sknn.modules import MLP

rng = np.random.default_rng(0)
X = rng.normal(size=(99, 2))
Y = X[:, 0]


class OwnSignature(NeuralRegressor):
    """Hides most parameters, and has another default for one."""

    def __init__(self, lr=0.01):
        super().__init__(MLP, module_params={"hidden_sizes": (8,)}, lr=lr, max_epochs=3, random_state=0)


class Extra(NeuralRegressor):
    """Makes the network from a parameter of its own, in fit."""

    def __init__(self, n_units=8, max_epochs=3):
        super().__init__(MLP, max_epochs=max_epochs, random_state=0)
        self.n_units = n_units

    def fit(self, X, y, **kwargs):
        self.module_params = {"hidden_sizes": (self.n_units,)}
        return super().fit(X, y, **kwargs)

    def predict(self, X):
        return super().predict(X).clip(-1, 1)


class Open(NeuralRegressor):
    """Passes what it does not know on."""

    def __init__(self, n_units=8, **kwargs):
        super().__init__(**kwargs)
        self.n_units = n_units


class Mixin:
    """In front of the estimator."""

    max_epochs = 7  # of no effect: the constructor sets it

    def halved(self, X):
        return self.predict(X) / 2


class Mixed(Mixin, OwnSignature):
    pass


class WithUnits:
    """A mixin that adds a parameter."""

    def __init__(self, n_units=8, **kwargs):
        super().__init__(**kwargs)
        self.n_units = n_units


class MixedIn(WithUnits, NeuralRegressor):
    pass


class Logged(OwnSignature):
    """Hides fewer parameters."""

    def __init__(self, lr=0.01, verbose=0):
        super().__init__(lr=lr)
        self.verbose = verbose


class Forgetful(NeuralRegressor):
    def __init__(self, lr=0.01):
        self.lr = lr


class Nameless(NeuralRegressor):
    def __init__(self, rate=0.01):
        super().__init__(lr=rate)


SUBCLASSES = [OwnSignature, Extra, Open, Mixed, MixedIn, Logged]


def quick(kind):
    return kind(module=MLP, max_epochs=3, random_state=0) if kind in (Open, MixedIn) else kind()


@pytest.mark.parametrize("kind", SUBCLASSES)
def test_a_subclass_does_what_estimators_do(kind, tmp_path):
    estimator = quick(kind)
    fitted = clone(estimator).fit(X, Y)
    assert fitted.n_iter_ == 3
    assert fitted.predict(X).shape == (99,)
    assert clone(fitted).get_params() == estimator.get_params()
    assert kind.__name__ in repr(fitted)
    assert kind.__name__ in fitted._repr_html_()
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    fitted.partial_fit(X, Y)
    assert fitted.n_iter_ == 4
    sknn.save(fitted, tmp_path / "a.sknn")
    loaded = sknn.load(tmp_path / "a.sknn", trusted=[kind])
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    assert hyperparameters(loaded).keys() == hyperparameters(fitted).keys()
    assert loaded.partial_fit(X, Y).n_iter_ == 5


def test_parameters_of_a_subclass_are_set_and_searched():
    assert GridSearchCV(OwnSignature(), {"lr": [0.01, 0.1]}, cv=2).fit(X, Y).best_params_["lr"] in (0.01, 0.1)
    search = GridSearchCV(Extra(), {"n_units": [4, 6]}, cv=2).fit(X, Y)
    assert search.best_estimator_.module_params == {"hidden_sizes": (search.best_params_["n_units"],)}
    search = GridSearchCV(Open(module=MLP, random_state=0), {"max_epochs": [1, 2], "n_units": [1]}, cv=2).fit(X, Y)
    assert search.best_estimator_.module is MLP
    assert search.best_estimator_.n_iter_ == search.best_params_["max_epochs"]


def test_only_parameters_of_the_signature_can_be_set():
    assert OwnSignature().get_params() == {"lr": 0.01}
    with pytest.raises(ValueError, match=r"Invalid parameter 'max_epochs' for estimator.*\['lr'\]\."):
        OwnSignature().set_params(max_epochs=5)
    with pytest.raises(ValueError, match="Invalid parameter 'module' for estimator"):
        OwnSignature().set_params(module__dropout=0.5)
    with pytest.raises(TypeError, match="unexpected keyword argument 'learning_rate'. Did you mean lr"):
        OwnSignature(learning_rate=1)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'hidden_layer_sizes'\.$"):
        OwnSignature(hidden_layer_sizes=1)


def test_a_subclass_can_be_trained_further():
    warm = OwnSignature()
    warm.warm_start = True
    assert warm.fit(X, Y).fit(X, Y).n_iter_ == 6


@pytest.mark.parametrize("kind", [Open, MixedIn, Extra])
def test_added_parameters_are_part_of_what_a_checkpoint_belongs_to(kind, tmp_path):
    for n_units, works in ((8, True), (8, True), (4, False)):
        estimator = quick(kind).set_params(n_units=n_units)
        estimator.checkpoint = tmp_path / "a"
        if works:
            estimator.fit(X, Y)
        else:
            with pytest.raises(CheckpointError, match="n_units"):
                estimator.fit(X, Y)


def test_hidden_parameters_are_part_of_what_a_checkpoint_belongs_to(tmp_path):
    def make(seed):
        estimator = OwnSignature()
        estimator.checkpoint, estimator.random_state = tmp_path / "a", seed
        return estimator

    assert make(0).fit(X, Y).loss_curve_ == make(0).fit(X, Y).loss_curve_
    with pytest.raises(CheckpointError, match="random_state"):
        make(1).fit(X, Y)


def test_hidden_parameters_are_checked():
    estimator = OwnSignature()
    estimator.max_epochs = 0
    with pytest.raises(ValueError, match="'max_epochs' parameter of OwnSignature"):
        estimator.fit(X, Y)


@pytest.mark.parametrize(("kind", "name"), [(Forgetful, "module"), (Nameless, "rate")])
def test_a_constructor_that_stores_too_little_is_named(kind, name):
    with pytest.raises(TypeError, match=rf"{kind.__name__} lacks a parameter.*{name}.*super\(\).__init__\(\)"):
        kind().fit(X, Y)


@pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])
def test_constraints_constructor_and_hyperparameters_have_the_same_names(kind):
    assert set(hyperparameters(kind())) == set(constructor_names(kind)) == set(inspect.signature(kind).parameters)
    assert set(kind._parameter_constraints) == set(constructor_names(kind))
    assert set(CONSTRAINTS) <= set(constructor_names(kind))
    assert hyperparameters(kind()) == kind().get_params(deep=False)
    assert issubclass(kind, BaseEstimator)
