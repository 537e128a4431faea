"""y, weights and groups stay with their rows; weights are refused, ignored, or stand for copies of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
from sklearn.base import clone

from sknn import NeuralClassifier, NeuralRegressor
from sknn._data.labelled_rows import (
    MERGE_LIMIT,
    LabelledRows,
    check_weights,
    group_codes,
    merge_equal_rows,
)
from sknn.modules import MLP

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
FEW = np.arange(12.0).reshape(6, 2)
LABELS = np.array(list("abcabc"))


def test_rows_of_weight_zero_are_dropped_with_all_that_belongs_to_them() -> None:
    weight = np.array([0, 2, 0, 4, 6, 0.0])
    rows = LabelledRows(FEW, LABELS, weight, groups=[3, 1, 3, 2, 1, 1])
    assert rows.positions.tolist() == [1, 3, 4]
    assert (len(rows), rows.y.tolist(), rows.groups.tolist()) == (3, ["b", "a", "b"], [0, 1, 0])
    assert rows.weight.tolist() == rows.sample_weight.tolist() == [2, 4, 6]
    assert rows.of(FEW).tolist() == FEW[[1, 3, 4]].tolist()
    rows.keep(np.array([2, 0]))
    assert (rows.positions.tolist(), rows.y.tolist(), rows.weight.tolist()) == ([4, 1], ["b", "b"], [6, 2])


def test_all_rows_are_the_table_itself() -> None:
    rows = LabelledRows(FEW, LABELS)
    assert rows.of(FEW) is FEW
    assert rows.weight is rows.sample_weight is rows.groups is rows.positions is None


@pytest.mark.parametrize(
    "y",
    [
        list(LABELS),
        pd.Series(LABELS, index=[5, 5, 1, 0, 2, 2]),
        scipy.sparse.csr_array(np.eye(6)),
        scipy.sparse.coo_matrix(np.eye(6)),
    ],
    ids=["list", "series", "csr", "coo"],
)
def test_targets_of_every_kind_are_taken_by_position(y: object) -> None:
    rows = LabelledRows(FEW, y, np.array([0, 1, 1, 2, 0, 1.0]))
    expected = np.eye(6)[[1, 2, 3, 5]].tolist() if scipy.sparse.issparse(y) else LABELS[[1, 2, 3, 5]].tolist()
    assert (rows.y.toarray() if scipy.sparse.issparse(rows.y) else rows.y).tolist() == expected


def test_lists_of_labels_of_unequal_length_are_left_to_the_targets_to_refuse() -> None:
    rows = LabelledRows(FEW, [["a"], ["a", "b"], ["b"], [], ["a"], ["b"]], np.array([0, 1, 1, 2, 0, 1.0]))
    assert rows.y.tolist() == [["a", "b"], ["b"], [], ["b"]]


def test_another_number_of_targets_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^y: .*inconsistent numbers of samples: \[6, 5\]"):
        LabelledRows(FEW, LABELS[:5])
    with pytest.raises(TypeError, match="^y is a dict, expected a list or an array"):
        LabelledRows(FEW, dict.fromkeys(range(6)))


@pytest.mark.parametrize("values", [["b", "a", "b"], [True, False, True], [2, 1, 2]], ids=["str", "bool", "int"])
def test_arrays_of_pyarrow_are_labels_and_groups(values: list[Any]) -> None:
    rows = LabelledRows(np.zeros((3, 1)), pa.array(values), groups=pa.array(values))
    assert rows.y.tolist() == values
    assert rows.groups is not None
    assert rows.groups.tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="groups: 1 of 3 values are missing"):
        LabelledRows(np.zeros((3, 1)), pa.array(values), groups=pa.array([None, *values[1:]]))


def test_missing_groups_are_counted() -> None:
    with pytest.raises(ValueError, match="^groups: 2 of 3 values are missing"):
        group_codes([None, "a", np.nan], 3)
    with pytest.raises(ValueError, match=r"^groups has shape \(2,\), expected \(3,\)"):
        group_codes([1, 2], 3)
    assert group_codes(["b", 1, "b"], 3).tolist() == [0, 1, 0]


def test_rows_that_are_equal_in_keys_and_groups_are_merged() -> None:
    rows = LabelledRows(FEW, LABELS, np.array([0, 1, 2, 3, 4, 5.0]), groups=[1, 1, 1, 1, 2, 1])
    keys = np.array([[7], [5], [7], [7], [5.0]])  # of the five rows with a weight
    assert rows.merge([keys]).tolist() == [1, 0, 3]
    assert (rows.positions.tolist(), rows.weight.tolist()) == ([2, 1, 4], [7, 4, 4])
    assert LabelledRows(FEW, LABELS).merge([FEW]) is None


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(59), r"sample_weight\.shape"),
        (np.ones((60, 2)), "1D array or scalar"),
        (np.where(X[:, 0] > 0, 1, np.nan), "NaN"),
        (np.where(X[:, 0] > 0, 1, np.inf), "infinity"),
        (np.where(X[:, 0] > 0, 1, -1.0), "Negative values"),
        (np.zeros(60), "all weights are zero|at least one non-zero"),
    ],
)
def test_weights_that_are_not_numbers_of_the_rows_are_refused(weight: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_weights(weight, 60)
    with pytest.raises(ValueError, match=message):
        NeuralClassifier().fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize("weight", [None, np.ones(60), np.full(60, 7), [2] * 60])
def test_equal_weights_are_no_weights(weight: Any) -> None:
    assert check_weights(weight, 60) is None


def test_weights_become_float64() -> None:
    weight = check_weights(list(range(60)), 60)
    assert weight.dtype == np.float64
    assert weight.shape == (60,)


# ------------------------------------------------------------------ merging


def test_equal_rows_become_one_with_the_summed_weight() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [1.0, 2.5]])
    y = np.array([0, 1, 0, 0])
    first, weight = merge_equal_rows([rows, y], np.array([1.0, 2.0, 4.0, 8.0]))
    merged = {(*rows[i], int(y[i])): w for i, w in zip(first, weight, strict=True)}
    assert merged == {(1.0, 2.0, 0): 5.0, (3.0, 4.0, 1): 2.0, (1.0, 2.5, 0): 8.0}


def test_rows_that_differ_in_y_only_stay_apart() -> None:
    assert merge_equal_rows([np.ones((2, 3)), np.array([0, 1])], None) is None


def test_nothing_to_merge_without_weights_leaves_the_order() -> None:
    assert merge_equal_rows([X, Y], None) is None


def test_missing_numbers_are_equal_to_each_other() -> None:
    rows = np.array([[np.nan, 1.0], [np.nan, 1.0]])
    _, weight = merge_equal_rows([rows], None)
    assert weight.tolist() == [2.0]


def test_the_order_of_rows_is_forgotten() -> None:
    order = GENERATOR.permutation(60)
    weight = GENERATOR.integers(1, 4, size=60).astype(float)
    first, summed = merge_equal_rows([X, Y], weight)
    first_again, summed_again = merge_equal_rows([X[order], Y[order]], weight[order])
    np.testing.assert_array_equal(X[first], X[order][first_again])
    np.testing.assert_array_equal(summed, summed_again)


def test_the_order_is_that_of_the_numbers_whatever_their_unit() -> None:
    column = np.array([3.0, -1.0, 0.0, -20.0, 5.5])
    for unit in (1.0, 1e-3, 1e7):
        first, _ = merge_equal_rows([unit * column[:, None], np.zeros(5, dtype=np.int64)], np.ones(5))
        assert column[first].tolist() == sorted(column)
    codes = np.array([[3], [-1], [2**40]])
    first, _ = merge_equal_rows([codes], np.ones(3))
    assert codes[first, 0].tolist() == [-1, 3, 2**40]


def test_zero_has_no_sign() -> None:
    _, weight = merge_equal_rows([np.array([[0.0], [-0.0]])], None)
    assert weight.tolist() == [2.0]


# ------------------------------------------------------------------ in the estimators


@pytest.mark.parametrize("params", [{}, {"early_stopping": True}, {"preprocessing": False}], ids=str)
@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_a_weight_of_k_is_k_copies_bit_by_bit(estimator: Any, params: dict[str, Any]) -> None:
    few, y = X[:25], Y[:25]
    weight = GENERATOR.integers(0, 4, size=25)
    assert weight.sum() <= MERGE_LIMIT
    model = estimator(MLP, max_epochs=2, random_state=0, **params)
    weighted = clone(model).fit(few, y, sample_weight=weight)
    repeated = clone(model).fit(few.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    unweighted = clone(model).fit(few, y)
    assert not np.array_equal(weighted.net_.history[:, "train_loss"], unweighted.net_.history[:, "train_loss"])


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_the_unit_of_weights_does_not_matter(estimator: Any) -> None:
    weight = GENERATOR.integers(1, 4, size=60)
    model = estimator(MLP, max_epochs=2, random_state=0)
    first = clone(model).fit(X, Y, sample_weight=weight).predict(X)
    second = clone(model).fit(X, Y, sample_weight=1024.0 * weight).predict(X)
    np.testing.assert_array_equal(first, second)


def test_weights_count_in_the_validation_score() -> None:
    """Validation rows of weight zero, with wrong labels, must not be seen."""
    X_val = np.concatenate([X, X])
    y_val = np.concatenate([Y, 1 - Y])
    weight = np.repeat([1.0, 0.0], 60)
    model = NeuralClassifier(MLP, max_epochs=3, random_state=0)
    weighted = clone(model).fit(X, Y, X_val=X_val, y_val=y_val, sample_weight_val=weight)
    right = clone(model).fit(X, Y, X_val=X, y_val=Y)
    np.testing.assert_allclose(weighted.validation_scores_, right.validation_scores_, rtol=1e-6)
    by_accuracy = clone(model).set_params(scoring="accuracy").fit(X, Y, X_val=X_val, y_val=y_val,
                                                                 sample_weight_val=1 + 9 * weight)  # fmt: skip
    accuracy = by_accuracy.score(X, Y)
    if by_accuracy.best_epoch_ == by_accuracy.n_iter_:
        expected = (10 * accuracy + (1 - accuracy)) / 11
        assert by_accuracy.validation_scores_[-1] == pytest.approx(expected)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 9.0}], ids=str)
def test_class_weights_are_sample_weights(class_weight: Any) -> None:
    y = (X[:, 0] > 1).astype(int)
    from sklearn.utils import compute_sample_weight

    weight = compute_sample_weight(class_weight, y)
    model = NeuralClassifier(MLP, max_epochs=3, random_state=0)
    by_class = clone(model).set_params(class_weight=class_weight).fit(X, y)
    by_sample = clone(model).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), rtol=1e-5)
    assert by_class.predict_proba(X)[:, 1].mean() > clone(model).fit(X, y).predict_proba(X)[:, 1].mean()


def test_large_tables_obey_weights_in_the_mean() -> None:
    X = (np.arange(1000) % 7.0)[:, None]
    y = np.arange(1000) % 2 * 1.0
    # None: the labels have nothing to do with the rows, and training would say so.
    model = NeuralRegressor(MLP, max_epochs=8, lr=0.02, early_stopping=False, gradient_health=None, random_state=0)
    model.fit(X, y, sample_weight=1 + 3 * y)
    assert model.predict(X).mean() == pytest.approx(0.8, abs=0.05)


def weighted_and_left_out(n: int, name: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Estimator, X, y and further arguments of fit."""
    draw = np.random.default_rng(n)
    X = draw.normal(size=(n, 3))
    y = np.where(np.arange(n) < 6, np.arange(n) // 3, X[:, 0] > 0).astype(int)
    params: dict[str, Any] = dict(max_epochs=1, random_state=0, gradient_health=None)
    kinds: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
        "classes": (NeuralClassifier(**params), X, y, {}),
        "numbers": (NeuralRegressor(**params), X, X[:, 0], {}),
        "labels": (NeuralClassifier(**params), X, np.c_[y, 1 - y], {}),
        "sparse": (NeuralClassifier(MLP, **params), scipy.sparse.csr_array(X), y, {}),
        "balanced": (NeuralClassifier(MLP, class_weight="balanced", early_stopping=True, **params), X, y, {}),
        "groups": (NeuralRegressor(early_stopping=True, **params), X, X[:, 0], {"groups": np.arange(n) % 5}),
    }
    return kinds[name]


def bits(model: Any, X: Any) -> np.ndarray:
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@pytest.mark.parametrize("kind", ["classes", "numbers", "labels", "sparse", "balanced", "groups"])
@pytest.mark.parametrize("n", [6, 30, 70])
def test_a_weight_of_zero_is_a_row_left_out_at_any_size(n: int, kind: str) -> None:
    model, X, y, more = weighted_and_left_out(n, kind)
    zero_one = 1.0 * (np.arange(n) % 3 > 0)
    kept = np.flatnonzero(zero_one)
    arguments = {name: value[kept] for name, value in more.items()}
    left_out = bits(clone(model).fit(X[kept], y[kept], **arguments), X)
    np.testing.assert_array_equal(bits(clone(model).fit(X, y, sample_weight=zero_one, **more), X), left_out)
    np.testing.assert_array_equal(bits(clone(model).fit(X, y, sample_weight=7 * zero_one, **more), X), left_out)
    weight = zero_one * (1 + np.arange(n) % 2)
    left_out = bits(clone(model).fit(X[kept], y[kept], sample_weight=weight[kept], **arguments), X)
    np.testing.assert_array_equal(bits(clone(model).fit(X, y, sample_weight=weight, **more), X), left_out)


@pytest.mark.parametrize("kind", ["classes", "numbers", "labels", "sparse", "balanced", "groups"])
@pytest.mark.parametrize("copies", ["two of some", "two of all", "none to two"])
def test_weights_are_copies_up_to_the_limit(copies: str, kind: str) -> None:
    for n in (6, 32):
        model, X, y, more = weighted_and_left_out(n, kind)
        weight = {"two of some": 1 + np.arange(n) % 2, "two of all": np.full(n, 2), "none to two": np.arange(n) % 3}
        rows = np.repeat(np.arange(n), weight[copies])
        repeated = {name: value[rows] for name, value in more.items()}
        np.testing.assert_array_equal(
            bits(clone(model).fit(X, y, sample_weight=weight[copies], **more), X),
            bits(clone(model).fit(X[rows], y[rows], **repeated), X),
        )


def test_rows_of_weight_zero_may_hold_anything() -> None:
    weight = np.r_[0.0, np.ones(59)]
    bad = np.r_[[[np.inf, 0, 0]], X[1:]]
    model = NeuralRegressor(MLP, max_epochs=1, random_state=0).fit(bad, np.r_[np.nan, X[1:, 0]], sample_weight=weight)
    assert np.isfinite(model.predict(X)).all()
    classes = NeuralClassifier(MLP, max_epochs=1).fit(X, np.r_[9, Y[1:]], sample_weight=weight).classes_
    assert classes.tolist() == [0, 1]


def test_validation_rows_of_weight_zero_are_rows_left_out() -> None:
    weight = 3.0 * (np.arange(60) % 3 > 0)
    model = NeuralClassifier(max_epochs=2, random_state=0)
    for scoring in ("loss", "accuracy"):
        model.set_params(scoring=scoring)
        weighted = clone(model).fit(X, Y, X_val=X, y_val=Y, sample_weight_val=weight)
        left_out = clone(model).fit(X, Y, X_val=X[weight > 0], y_val=Y[weight > 0])
        assert weighted.validation_scores_ == left_out.validation_scores_
    with pytest.raises(ValueError, match=r"^sample_weight_val: .*(all weights are zero|at least one non-zero)"):
        model.fit(X, Y, X_val=X, y_val=Y, sample_weight_val=np.zeros(60))


def test_equal_sums_of_weights_leave_the_table() -> None:
    rows = LabelledRows(FEW, LABELS, [1.0, 1, 1, 1, 1, 1])
    order = np.array([[3], [1], [2], [3], [1], [2.0]])
    assert rows.merge([order]).tolist() == [0, 1, 2]
    assert rows.weight is None
    rows = LabelledRows(FEW, LABELS, [0, 2.0, 0, 2, 2, 0])
    assert (rows.weight, rows.sample_weight, rows.positions.tolist()) == (None, None, [1, 3, 4])
