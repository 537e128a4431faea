"""y there and back: labels and indicators keep their type and order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse
from sklearn.metrics import log_loss

from sknn import NeuralClassifier
from sknn._data.targets import ClassTargets, MultilabelTargets, class_targets
from sknn.modules import MLP

# ------------------------------------------------------------------ classes

LABELS: dict[str, Any] = {
    "strings": np.array(["no", "yes", "maybe", "no"]),
    "object strings": np.array(["no", "yes", "maybe", "no"], dtype=object),
    "integers": np.array([5, 9, 7, 5]),
    "negative": np.array([-1, 1, -1, 1], dtype=np.int8),
    "unsigned": np.array([200, 3, 200, 3], dtype=np.uint8),
    "booleans": np.array([True, False, True, True]),
    "whole floats": np.array([1.0, 2.0, 1.0, 3.0]),
    "object integers": np.array([1, 2, 2, 1], dtype=object),
    "list": ["b", "a", "b", "a"],
    "pandas": pd.Series(["b", "a", "b", "a"], index=[3, 3, 1, 0]),
    "pandas categorical": pd.Series(pd.Categorical(["b", "a", "b", "a"], categories=["b", "a", "unused"])),
    "pandas nullable": pd.Series([3, 1, 3, 1], dtype="Int64"),
    "polars": pl.Series(["b", "a", "b", "a"]),
    "pyarrow": pa.array(["b", "a", "b", "a"]),
    "pyarrow booleans": pa.array([True, False, True, True]),
    "pyarrow dictionary": pa.array(["b", "a", "b", "a"]).dictionary_encode(),
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_come_back_as_they_were(name: str) -> None:
    y = LABELS[name]
    targets, checked = class_targets(y)
    labels = np.asarray(y)
    assert targets.kind == "classes"
    assert targets.classes_.tolist() == sorted(set(labels.tolist()))
    codes = targets.encode(y)
    assert codes.dtype == np.int64
    np.testing.assert_array_equal(targets.encode(checked), codes)
    predicted = targets.predict(np.eye(targets.n_targets)[codes])
    assert predicted.tolist() == labels.tolist()
    if labels.dtype != object:
        assert predicted.dtype == labels.dtype


def test_a_column_of_labels_is_flattened() -> None:
    assert class_targets(np.array([["a"], ["b"], ["a"]]))[1].shape == (3,)


def test_known_classes_may_be_more_than_seen_and_in_any_order() -> None:
    targets, _ = class_targets(["b", "b"], classes=["c", "a", "b"])
    assert targets.classes_.tolist() == ["a", "b", "c"]
    assert targets.encode(["b", "c"]).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("classes", "y"),
    [(np.array(["a", "b"]), ["a", "z"]), (np.array([1, 2]), [1, 3]), (np.array([1, 2]), [1.0, 1.5]), (np.array([1, 2]), ["1", "2"]),
     (np.array(["a", "bb"]), np.array(["a", "longer"], dtype=object))],
)  # fmt: skip
def test_unknown_labels_are_named(classes: np.ndarray, y: Any) -> None:
    with pytest.raises(ValueError, match=r"labels that are not among classes_: \[.*known are \["):
        ClassTargets(classes).encode(y)


def test_integers_and_floats_of_the_same_value_are_the_same_label() -> None:
    assert ClassTargets(np.array([1, 2])).encode(np.array([2.0, 1.0])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y is None"),
        (["a", None, "b"], r"NaN or None in 1 of 3 rows"),
        (np.array(["a", np.nan, None], dtype=object), r"NaN or None in 2 of 3 rows"),
        (pd.Series(["a", pd.NA, "b"]), r"NaN or None in 1 of 3"),
        (pa.array(["a", None, "b"]), r"NaN or None in 1 of 3"),
        (np.array([0.0, np.nan, 1.0]), "Input y contains NaN"),
        ([1, 1, 1], r"at least 2 classes, got 1 class: \[1\].*DummyClassifier"),
        ([0.5, 1.25, 3.5], "Unknown label type: continuous|Unknown label type"),
        (np.array(["a", 1, "b"], dtype=object), r"it mixes \['int', 'str'\].*astype\(str\)"),
        (pd.Series([(0, 1), (1, 1)]), r"one label .* holds \(0, 1\) of type tuple.*np\.array\(y\.tolist\(\)\)"),
        (pd.Series([[0, 1], [1, 1]]), r"one label .* holds \[0, 1\] of type list"),
        (pd.Series([np.array([0, 1]), np.array([1, 1])]), r"one label .* of type ndarray"),
        ([["a"], ["a", "b"]], r"one label .* holds \['a'\] of type list.*MultiLabelBinarizer"),
        ([{"a"}, {"b"}], r"one label .* holds \{'a'\} of type set"),
        (np.arange(20), r"every one of the 20 rows has a class of its own.*NeuralRegressor"),
        (np.array([[1, 2], [3, 4]]), r"should be a 1d array, got an array of shape \(2, 2\)"),
    ],
)
def test_a_bad_y_is_an_error_that_says_what_to_do(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_targets(y)


def test_a_toy_with_a_class_for_every_row_is_allowed() -> None:
    assert class_targets(np.arange(19))[0].n_targets == 19


def test_decisions_are_one_score_for_two_classes() -> None:
    two, three = ClassTargets(np.arange(2)), ClassTargets(np.arange(3))
    np.testing.assert_array_equal(two.decision(np.array([[1.0, 4.0]])), [3.0])
    np.testing.assert_array_equal(two.decision(np.array([[2.5]])), [2.5])
    assert three.decision(np.ones((4, 3))).shape == (4, 3)


# ------------------------------------------------------------------ multilabel


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.csc_matrix, lambda y: y.tolist(), pd.DataFrame])
def test_indicators_come_back_as_they_were(make: Any) -> None:
    y = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1]])
    targets, _ = class_targets(make(y))
    assert targets.kind == "multilabel"
    assert targets.classes_.tolist() == [0, 1, 2]
    encoded = targets.encode(make(y))
    assert encoded.dtype == np.float32
    predicted = targets.predict(encoded * 0.9)
    assert predicted.dtype == np.int64
    np.testing.assert_array_equal(predicted, y)


@pytest.mark.parametrize(("off", "on", "fix"), [(0, 2, "y > 0"), (1, 2, "y == 2"), (-1, 1, "y > 0"), (0, 255, "y > 0")])
@pytest.mark.parametrize("make", [np.asarray, lambda y: sparse.csr_array(y) if 0 in y else y, pd.DataFrame])
def test_indicators_of_other_values_than_zero_and_one_are_named(make: Any, off: int, on: int, fix: str) -> None:
    indicators = np.where(np.random.default_rng(0).random((40, 3)) < 0.5, on, off)
    model = NeuralClassifier(max_epochs=1, random_state=0)
    X = np.zeros((40, 2))
    message = rf"y: .*zeros and ones.*\[{off}, {on}\].*\({fix}\)\.astype\(int\)"
    with pytest.raises(ValueError, match=message):
        model.fit(X, make(indicators))
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, make(indicators))
    assert not hasattr(model, "classes_")


def test_another_number_of_labels_is_named() -> None:
    with pytest.raises(ValueError, match=r"indicator matrix with 3 labels, got shape \(2, 2\)"):
        MultilabelTargets(3).encode(np.eye(2))


# ------------------------------------------------------------------ through the estimators

X = np.random.default_rng(0).normal(size=(40, 2))


@pytest.mark.parametrize("name", LABELS)
def test_the_classifier_predicts_labels_of_ys_kind(name: str) -> None:
    y = np.asarray(LABELS[name])
    y = np.tile(y, 10)
    model = NeuralClassifier(MLP, max_epochs=1, random_state=0).fit(X, y)
    predicted = model.predict(X)
    assert set(predicted.tolist()) <= set(y.tolist())
    probabilities = model.predict_proba(X)
    assert probabilities.dtype == np.float64
    np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], predicted)


@pytest.mark.parametrize("n_classes", [2, 3, 1000])
def test_rows_of_probabilities_sum_to_one_in_any_dtype(n_classes: int) -> None:
    targets = class_targets(np.arange(n_classes).repeat(2))[0]
    raw = torch.from_numpy(np.random.default_rng(0).normal(size=(500, n_classes)) * 5).float()
    values = raw.softmax(1).numpy()
    probabilities = targets.probabilities(values)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-14)
    np.testing.assert_allclose(probabilities, values, rtol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), values.argmax(axis=1))
    y = np.arange(500) % n_classes
    for dtype in (float, np.float32):
        log_loss(y, probabilities.astype(dtype), labels=np.arange(n_classes))  # warnings are errors


def test_scores_that_are_not_probabilities_stay() -> None:
    scores = np.array([[-3.0, 1.0], [0.0, 0.0], [0.2, 0.3], [np.nan, 1.0]], dtype=np.float32)
    np.testing.assert_array_equal(class_targets([0, 1])[0].probabilities(scores), scores)
    np.testing.assert_array_equal(MultilabelTargets(2).probabilities(scores), scores)


def test_the_classifier_gives_probabilities_that_metrics_accept() -> None:
    y = (X[:, 0] > 0).astype(int)
    for target in (y, y + (X[:, 1] > 1), np.c_[y, 1 - y]):
        model = NeuralClassifier(MLP, max_epochs=1, random_state=0).fit(X, target)
        probabilities = model.predict_proba(X)
        assert probabilities.dtype == model.predict_log_proba(X).dtype == np.float64
        if target.ndim == 1:
            log_loss(target, probabilities.astype(float))
            np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
