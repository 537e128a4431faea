"""Everything that holds for tables holds for every kind of data."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.exceptions import GradientHealthWarning
from tests.checkpoint.conftest import no_power_cut  # noqa: F401
from tests.checkpoint.fits import Quiet, cut_off
from tests.contract.kinds import KINDS, N_ROWS, NAMES, Kind, Y, rows_of

FIRST, LAST = slice(0, 24), slice(24, N_ROWS)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
OTHER_KIND = "fitted on|as in fit|expected an? "
REAL = Y + 0.1 * np.arange(N_ROWS)


@pytest.fixture(autouse=True)
def no_advice():
    """Of so few rows and epochs, training may well be called unfinished."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        yield


def classifier(kind: Kind, **params: Any) -> NeuralClassifier:
    return NeuralClassifier(**{**kind.params, "random_state": 0, **params})


def regressor(kind: Kind, **params: Any) -> NeuralRegressor:
    return NeuralRegressor(**{**kind.params, "random_state": 0, **params})


fitted_models: dict[str, NeuralClassifier] = {}


def fitted(kind: Kind) -> NeuralClassifier:
    """Fitted to all rows; not to be changed."""
    if kind.name not in fitted_models:
        fitted_models[kind.name] = classifier(kind).fit(kind.X, NAMES)
    return fitted_models[kind.name]


def same_bits(kind: Kind, one: Any, other: Any) -> bool:
    """Whether two fitted models are equal: predictions, weights, losses."""
    weights = [model.module_.state_dict().values() for model in (one, other)]
    return (
        np.array_equal(one.predict_proba(kind.X), other.predict_proba(kind.X))
        and all(map(torch.equal, *weights))
        and one.loss_curve_ == other.loss_curve_
        and one.validation_scores_ == other.validation_scores_
    )


# ------------------------------------------------------------------ predictions


@each_kind
def test_predictions_of_classes(kind):
    model = fitted(kind)
    probability = model.predict_proba(kind.X)
    assert probability.shape == (N_ROWS, 2)
    np.testing.assert_allclose(probability.sum(1), 1, atol=1e-6)
    predicted = model.predict(kind.X)
    assert list(model.classes_) == ["no", "yes"]
    np.testing.assert_array_equal(predicted, model.classes_[probability.argmax(1)])
    assert model.score(kind.X, NAMES) == np.mean(predicted == NAMES)


@each_kind
def test_what_a_row_means_does_not_depend_on_its_batch(kind):
    model = fitted(kind)
    together = model.predict_proba(kind.X)
    alone = np.concatenate([model.predict_proba(rows_of(kind.X, [i])) for i in (0, 7, 35)])
    np.testing.assert_allclose(alone, together[[0, 7, 35]], atol=1e-5)
    turned = model.predict_proba(rows_of(kind.X, np.arange(N_ROWS)[::-1]))
    np.testing.assert_allclose(turned[::-1], together, atol=1e-5)


@each_kind
def test_no_row_is_refused(kind):
    with pytest.raises(ValueError, match="0 sample|no row|is empty|at least one"):
        fitted(kind).predict(rows_of(kind.X, slice(0, 0)))


@each_kind
def test_another_kind_is_refused(kind):
    with pytest.raises((ValueError, TypeError), match=OTHER_KIND):
        fitted(kind).predict(kind.other)


@each_kind
def test_numbers_are_predicted(kind):
    model = regressor(kind).fit(kind.X, REAL)
    assert model.predict(kind.X).shape == (N_ROWS,)
    assert np.isfinite(model.score(kind.X, REAL))
    model = regressor(kind, max_epochs=1).fit(kind.X, np.c_[REAL, -REAL])
    assert model.predict(kind.X).shape == (N_ROWS, 2)


@each_kind
def test_labels_are_predicted(kind):
    labels = np.c_[Y, 1 - Y, np.arange(N_ROWS) % 3 == 0].astype(int)
    model = classifier(kind, max_epochs=1).fit(kind.X, labels)
    assert model.predict(kind.X).shape == labels.shape
    assert set(np.unique(model.predict(kind.X))) <= {0, 1}


# ------------------------------------------------------------------ what training is told


@each_kind
def test_one_random_state_gives_one_model(kind):
    model, again = fitted(kind), classifier(kind).fit(kind.X, NAMES)
    assert same_bits(kind, model, again)
    np.testing.assert_array_equal(model.predict_proba(kind.X), again.predict_proba(kind.X))
    other = classifier(kind, random_state=1).fit(kind.X, NAMES)
    assert not np.array_equal(model.predict_proba(kind.X), other.predict_proba(kind.X))


@each_kind
def test_rows_of_weight_zero_are_left_out(kind):
    weight = np.ones(N_ROWS)
    weight[LAST] = 0
    params = {"early_stopping": False, "max_epochs": 2}
    weighted = classifier(kind, **params).fit(kind.X, NAMES, sample_weight=weight)
    without = classifier(kind, **params).fit(rows_of(kind.X, FIRST), NAMES[FIRST])
    np.testing.assert_allclose(weighted.predict_proba(kind.X), without.predict_proba(kind.X), atol=1e-5)


@each_kind
def test_weights_of_rows_and_classes_change_the_model(kind):
    params = {"max_epochs": 2, "early_stopping": False}
    plain = classifier(kind, **params).fit(kind.X, NAMES).predict_proba(kind.X)
    weighted = classifier(kind, **params).fit(kind.X, NAMES, sample_weight=1.0 + 9.0 * Y).predict_proba(kind.X)
    by_class = classifier(kind, class_weight={"no": 1.0, "yes": 10.0}, **params).fit(kind.X, NAMES)
    assert weighted[:, 1].mean() > plain[:, 1].mean()
    np.testing.assert_allclose(by_class.predict_proba(kind.X), weighted, atol=1e-5)


@each_kind
def test_validation_rows_are_those_of_the_user_or_groups(kind):
    first, last = rows_of(kind.X, FIRST), rows_of(kind.X, LAST)
    model = classifier(kind, max_epochs=2).fit(first, NAMES[FIRST], X_val=last, y_val=NAMES[LAST])
    assert len(model.validation_scores_) == 2
    groups = np.arange(N_ROWS) // 2
    model = classifier(kind, max_epochs=2, early_stopping=True).fit(kind.X, NAMES, groups=groups)
    assert len(model.validation_scores_) == 2
    with pytest.raises((ValueError, TypeError), match="X_val"):
        classifier(kind).fit(first, NAMES[FIRST], X_val=kind.other, y_val=NAMES)


@each_kind
def test_training_is_watched(kind):
    model = fitted(kind)
    assert isinstance(model.health_, list) or model.health_ is not None
    assert model.n_iter_ == len(model.loss_curve_) == kind.params["max_epochs"]


@each_kind
def test_training_goes_on(kind):
    model = classifier(kind)
    for rows in (FIRST, LAST):
        model.partial_fit(rows_of(kind.X, rows), NAMES[rows], classes=["no", "yes"])
    assert model.predict(kind.X).shape == (N_ROWS,)
    assert len(model.loss_curve_) == 2
    warm = classifier(kind, warm_start=True, max_epochs=2).fit(kind.X, NAMES)
    before = warm.predict_proba(kind.X)
    warm.fit(kind.X, NAMES)
    assert len(warm.loss_curve_) == 4
    assert not np.array_equal(before, warm.predict_proba(kind.X))


@each_kind
def test_an_interrupted_fit_is_resumed(kind, tmp_path):
    def make(**params):
        return classifier(kind, callbacks=[Quiet()], checkpoint_every_epochs=1, **params)

    cut_off(make, tmp_path / "checkpoint", 1, kind.X, NAMES)
    resumed = make(checkpoint=tmp_path / "checkpoint").fit(kind.X, NAMES)
    assert resumed.n_iter_ == kind.params["max_epochs"]
    assert same_bits(kind, resumed, fitted(kind))


@each_kind
def test_a_fit_that_fails_leaves_the_model(kind):
    model = classifier(kind).fit(kind.X, NAMES)
    before = model.predict_proba(kind.X)
    with pytest.raises((ValueError, TypeError)):
        model.fit(kind.X, NAMES[:-1])
    np.testing.assert_array_equal(model.predict_proba(kind.X), before)


# ------------------------------------------------------------------ scikit-learn


@each_kind
def test_clones_and_parameters(kind):
    name, values = kind.searched
    model = fitted(kind)
    copy = clone(model)
    assert not hasattr(copy, "classes_")
    assert copy.set_params(**{name: values[0]}).get_params()[name] == values[0]
    assert same_bits(kind, clone(model).fit(kind.X, NAMES), model)


@each_kind
def test_searches_and_pipelines(kind):
    name, values = kind.searched
    search = GridSearchCV(classifier(kind, max_epochs=1), {name: values}, cv=2, error_score="raise")
    search.fit(kind.X, NAMES)
    assert search.best_params_[name] in values
    assert search.predict(kind.X).shape == (N_ROWS,)
    pipeline = make_pipeline("passthrough", classifier(kind, max_epochs=1)).fit(kind.X, NAMES)
    assert isinstance(pipeline, Pipeline)
    assert pipeline.predict_proba(kind.X).shape == (N_ROWS, 2)


def test_scores_by_processes():
    """One pool of two processes for all kinds: a process takes seconds to start."""
    with joblib.parallel_config(n_jobs=2):
        for kind in KINDS:
            scores = cross_val_score(classifier(kind, max_epochs=1), kind.X, NAMES, cv=2, n_jobs=2, error_score="raise")
            alone = cross_val_score(classifier(kind, max_epochs=1), kind.X, NAMES, cv=2, n_jobs=1)
            np.testing.assert_array_equal(scores, alone, err_msg=kind.name)


@each_kind
def test_columns_are_counted_where_there_are_columns(kind):
    model = fitted(kind)
    assert hasattr(model, "n_features_in_") == kind.has_columns
    if kind.has_columns:
        assert model.n_features_in_ == kind.X.shape[1]


# ------------------------------------------------------------------ files


@each_kind
def test_safe_files(kind, tmp_path):
    model = fitted(kind)
    sknn.save(model, tmp_path / "model.sknn")
    # Without a child process that tries it first: that takes seconds.
    loaded = sknn.load(tmp_path / "model.sknn", trusted=kind.classes, max_memory=None, max_seconds=None)
    np.testing.assert_array_equal(loaded.predict_proba(kind.X), model.predict_proba(kind.X))
    with pytest.raises((ValueError, TypeError), match=OTHER_KIND):
        loaded.predict(kind.other)
    loaded.partial_fit(kind.X, NAMES)
    assert same_bits(kind, clone(loaded).fit(kind.X, NAMES), model)


def test_safe_files_are_tried_within_the_default_limits(tmp_path):
    """One file for all kinds, since trying takes a process; code of the user's is not tried."""
    kinds = [kind for kind in KINDS if not kind.classes]
    sknn.save(Pipeline([(str(i), fitted(kind)) for i, kind in enumerate(kinds)]), tmp_path / "models.sknn")
    loaded = sknn.load(tmp_path / "models.sknn")
    for kind, (_, model) in zip(kinds, loaded.steps, strict=True):
        np.testing.assert_array_equal(model.predict_proba(kind.X), fitted(kind).predict_proba(kind.X))


@each_kind
def test_pickles(kind):
    model = fitted(kind)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(kind.X), model.predict_proba(kind.X))
    copy.partial_fit(kind.X, NAMES)


def test_pickles_in_a_new_process(tmp_path):
    """One process for all kinds."""
    for i, kind in enumerate(KINDS):
        joblib.dump((fitted(kind), kind.X), tmp_path / f"{i}.joblib")
    code = (
        "import joblib, json, pathlib, sys, torch\n"
        "torch.set_num_threads(1)\n"
        "files = sorted(pathlib.Path(sys.argv[1]).glob('*.joblib'), key=lambda path: int(path.stem))\n"
        "pairs = [joblib.load(path) for path in files]\n"
        "print(json.dumps([model.predict_proba(X).tolist() for model, X in pairs]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for kind, probability in zip(KINDS, json.loads(done.stdout), strict=True):
        here = fitted(kind).predict_proba(kind.X)
        np.testing.assert_array_equal(np.array(probability, dtype=here.dtype), here, err_msg=kind.name)
