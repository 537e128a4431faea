"""Whatever is passed is served rightly or refused clearly: fuzzed anew, and by properties of numbers and strings."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

# A bare `pytest`, unlike `python -m pytest`, does not look for modules here.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.reliability._fuzz_case import run_case
from benchmarks.reliability._fuzz_judge import unclear_refusal, unexpected_warnings, wrong_prediction
from benchmarks.reliability._fuzz_tables import COLUMNS, TABLES, changed
from benchmarks.reliability._fuzz_targets import draw_target
from benchmarks.reliability._fuzz_threads import MODULES, different_in_threads
from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

SMALL = {"module": MLP, "module_params": {"hidden_sizes": (8,)}, "max_epochs": 1, "random_state": 0}
FEW = settings(max_examples=10, derandomize=True, deadline=None)


# --- drawn at random ------------------------------------------------------------------------------


@settings(max_examples=20, derandomize=True, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_drawn_calls_are_served_rightly_or_refused_clearly(seed, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("calls"))
        outcome = run_case(seed)
    assert outcome.n_calls
    assert not outcome.failures, outcome


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_column_of_any_content_is_served_or_refused(name):
    values = list(COLUMNS[name](np.random.default_rng(0), 20))
    column = np.empty(20, dtype=object)
    for i, value in enumerate(values):
        column[i] = value
    for table in (column[:, None], pd.DataFrame({"a": pd.Series(column, dtype=object)})):
        model = NeuralRegressor(**SMALL)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                prediction = model.fit(table, np.arange(20.0)).predict(table)
            except Exception as error:
                assert unclear_refusal(error) is None, error
            else:
                assert wrong_prediction(prediction, 20, probabilities=False) is None
        assert unexpected_warnings(caught) == []


@given(
    X=arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 12), st.integers(1, 4)),
        elements=st.floats(allow_infinity=False, width=64),
    ),
    scale=st.sampled_from([1.0, 1e-310, 1e-200, 1e200, 1e307]),
)
@FEW
def test_numbers_of_any_magnitude_give_finite_predictions(X, scale):
    y = np.linspace(-1, 1, len(X)) * scale
    prediction = NeuralRegressor(**SMALL).fit(X, y).predict(X)
    assert np.isfinite(prediction).all()
    assert np.abs(prediction).max() <= 100 * scale
    probabilities = NeuralClassifier(**SMALL).fit(np.r_[X, X], np.arange(2 * len(X)) % 2).predict_proba(X)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@given(values=st.lists(st.text() | st.none() | st.booleans() | st.integers() | st.floats(), min_size=2, max_size=20))
@FEW
def test_objects_of_any_kind_in_a_column_are_served_or_refused(values):
    X = pd.DataFrame({"a": pd.Series(values, dtype=object), "b": np.arange(len(values))})
    try:
        model = NeuralRegressor(**SMALL).fit(X, np.arange(len(values)))
    except (ValueError, TypeError) as error:
        assert unclear_refusal(error) is None, error
        assert "column 'a'" in str(error)
    else:
        assert np.isfinite(model.predict(X)).all()


@given(labels=st.lists(st.text(max_size=3), min_size=2, max_size=15))
@FEW
def test_labels_of_any_text_come_back_as_they_were(labels):
    X = np.arange(len(labels), dtype=float)[:, None]
    y = np.array(labels, dtype=object)
    if len(set(labels)) < 2:
        with pytest.raises(ValueError, match="at least 2 classes"):
            NeuralClassifier(**SMALL).fit(X, y)
        return
    model = NeuralClassifier(**SMALL).fit(X, y)
    assert set(model.classes_.tolist()) == set(labels)
    assert set(model.predict(X).tolist()) <= set(labels)


# --- the fuzzing itself ---------------------------------------------------------------------------


def raised(function):
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("it raised nothing")


def refuse(message: str, kind: type[Exception] = ValueError):
    """Raised here, as if on purpose by sknn."""
    error = raised(lambda: NeuralClassifier(lr=-1).fit([[1]], [1]))
    error.args = (message,)
    error.__class__ = error.__class__
    return error


def test_refusals_are_judged():
    assert unclear_refusal(raised(lambda: NeuralClassifier(lr=-1).fit([[1.0]], [1]))) is None
    assert "raised KeyError" in unclear_refusal(raised(lambda: {}["a"]))
    assert "not on purpose" in unclear_refusal(raised(lambda: np.zeros(2) + np.zeros(3)))
    assert "not on purpose" in unclear_refusal(raised(lambda: float("a")))
    assert "fewer than four words" in unclear_refusal(refuse("lr is bad"))
    assert "names no argument" in unclear_refusal(refuse("something went wrong in there"))
    assert "begins with" in unclear_refusal(refuse("operands could not broadcast, of array X"))
    assert "characters" in unclear_refusal(refuse("X is wrong here: " + "x" * 10_000))


def test_predictions_are_judged():
    assert wrong_prediction(np.zeros(3), 3, probabilities=False) is None
    assert "shape" in wrong_prediction(np.zeros(3), 2, probabilities=False)
    assert "finite" in wrong_prediction(np.array([np.nan]), 1, probabilities=False)
    assert "outside" in wrong_prediction(np.array([[1.5, -0.5]]), 1, probabilities=True)
    assert "type list" in wrong_prediction([1], 1, probabilities=False)


def test_warnings_are_judged():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.float32(1e38) * np.float32(1e38)
    assert "overflow" in unexpected_warnings(caught)[0]


def test_a_failure_is_found_and_its_seed_told(monkeypatch):
    def broken(self, X):
        raise IndexError("index 3 is out of bounds")

    monkeypatch.setattr(NeuralClassifier, "predict", broken)
    monkeypatch.setattr(NeuralRegressor, "predict", broken)
    outcomes = [run_case(seed) for seed in range(12)]
    failed = [outcome for outcome in outcomes if any("raised IndexError" in failure for failure in outcome.failures)]
    assert failed
    assert all(outcome.seed == seed for seed, outcome in enumerate(outcomes))


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_a_seed_draws_the_same_table_again(kind):
    make = TABLES[kind][0]
    first, second = (repr(make(np.random.default_rng(5), 6, 3))[:30] for _ in range(2))
    assert first == second


def test_targets_and_changes_are_drawn_of_every_kind():
    rng = np.random.default_rng(0)
    assert len({draw_target(rng, 12, classifier, 0.5)[0] for classifier in (True, False) for _ in range(400)}) > 80
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    assert len({changed(rng, frame)[0] for _ in range(200)}) > 12


# --- threads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_predictions_from_eight_threads_have_the_bits_of_one(module):
    assert different_in_threads(module, seed=0, n_calls=1) == []
