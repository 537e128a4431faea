"""Causes that fuzzing found, each with what is said or served instead."""

from __future__ import annotations

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch
from sklearn.exceptions import ConvergenceWarning

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, TabM

N = 30
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3))
Y = np.arange(N) % 2
Y_REAL = RNG.normal(size=N)
SMALL = {"module": MLP, "module_params": {"hidden_sizes": (8,)}, "max_epochs": 1, "random_state": 0}


def classifier(**params) -> NeuralClassifier:
    return NeuralClassifier(**{**SMALL, **params})


def regressor(**params) -> NeuralRegressor:
    return NeuralRegressor(**{**SMALL, **params})


class Hostile:
    """One method fails."""

    def __init__(self, what: str) -> None:
        self.what = what

    def fail(self, what, otherwise):
        if self.what == what:
            raise RuntimeError(f"{what} fails")
        return otherwise

    def __eq__(self, other):
        return self.fail("eq", self is other)

    def __hash__(self):
        return self.fail("hash", id(self))

    def __repr__(self):
        return self.fail("repr", "x" * 10**6 if self.what == "long" else "Hostile()")

    def __str__(self):
        return self.fail("str", "hostile")

    def __float__(self):
        return self.fail("float", 1.0)

    def __lt__(self, other):
        return self.fail("lt", False)


HOSTILE = ("eq", "hash", "repr", "str", "float", "lt", "long")


def objects(*values) -> np.ndarray:
    """(N,) of these objects in turn, whatever numpy would make of them."""
    column = np.empty(N, dtype=object)
    for i in range(N):
        column[i] = values[i % len(values)]
    return column


def refusal(function, *args, **kwargs) -> str:
    """The message of the ValueError or TypeError that a call must raise, which is never a page long."""
    with pytest.raises((ValueError, TypeError)) as caught:
        function(*args, **kwargs)
    message = str(caught.value)
    assert len(message) < 3000
    return message


# --- values that fail when they are looked at -----------------------------------------------------


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("make", [lambda c: np.c_[X.astype(object), c], lambda c: pd.DataFrame({"a": X[:, 0], "b": c})])
def test_a_value_that_fails_is_refused_by_its_column_or_served(what, make):
    table = make(objects(Hostile(what), 1.0, "a"))
    try:
        model = classifier().fit(table, Y)
    except (ValueError, TypeError) as error:
        assert "column" in str(error)
        assert len(str(error)) < 3000
    else:
        assert np.isfinite(model.predict_proba(table)).all()


def test_a_value_that_fails_at_predict_is_refused_by_its_column():
    frame = pd.DataFrame({"a": X[:, 0], "b": ["x", "y"] * 15})
    model = classifier().fit(frame, Y)
    message = refusal(model.predict, pd.DataFrame({"a": X[:, 0], "b": objects(Hostile("hash"))}))
    assert "X: column 'b' (position 1)" in message


@pytest.mark.parametrize("what", HOSTILE)
def test_labels_that_fail_are_refused_as_y(what):
    message = refusal(classifier().fit, X, objects(Hostile(what)))
    assert message.startswith("y") or " y" in message


def test_weights_and_targets_that_are_no_numbers_are_refused_by_name():
    assert refusal(regressor().fit, X, objects(Hostile("float"))).startswith("y: RuntimeError")
    assert refusal(regressor().fit, X, Y_REAL, objects(Hostile("float"))).startswith("sample_weight: RuntimeError")


def test_objects_with_comparisons_by_element_are_refused_by_their_column():
    class Elementwise:
        def __eq__(self, other):
            return np.array([True, False])

        def __hash__(self):
            return 1

    assert "X: column 1" in refusal(classifier().fit, np.c_[X[:, :1].astype(object), objects(Elementwise())], Y)


def test_an_array_that_cannot_be_made_is_refused_as_x():
    class Shy:
        shape, dtype = (10, 2), np.dtype(float)

        def __len__(self):
            return 10

        def __array__(self, *args, **kwargs):
            raise RuntimeError("not here")

    assert refusal(classifier().fit, Shy(), Y[:10]).startswith("X: RuntimeError: not here. Expected a table")
    classifier().fit(torch.zeros(N, 2, requires_grad=True), Y)
    classifier().fit(X, torch.arange(float(N)).remainder(2).requires_grad_())


def test_ragged_rows_are_refused_as_x_and_y():
    assert refusal(classifier().fit, [[1, 2], [3]], [0, 1]).startswith("X holds 2 one-dimensional rows")
    assert refusal(regressor().fit, X[:2], [[1, 2], [3]]).startswith("y: ")


# --- names ---------------------------------------------------------------------------------------


def test_columns_of_the_same_name_are_refused():
    same = pd.DataFrame(X, columns=["a", "b", "a"])
    assert "'a' 2 times" in refusal(classifier().fit, same, Y)
    arrow = pa.table({"a": X[:, 0], "b": X[:, 1]}).rename_columns(["a", "a"])
    assert "'a' 2 times" in refusal(classifier().fit, arrow, Y)
    model = classifier().fit(same.set_axis(list("abc"), axis=1), Y)
    assert refusal(model.predict, same).startswith("X")


def test_validation_rows_are_refused_by_their_own_name():
    infinite = np.where(np.arange(N)[:, None] == 3, np.inf, X)
    assert refusal(classifier().fit, X, Y, X_val=infinite, y_val=Y).startswith("X_val: column 0 contains infinity")
    assert refusal(classifier().fit, X, Y, X_val=X[:, :2], y_val=Y).startswith("X_val")
    assert refusal(classifier().fit, X, Y, X_val=X[:, 0], y_val=Y).startswith("X_val")
    assert refusal(classifier().fit, X, Y, X_val=X, y_val=Y + 5).startswith("y_val")
    assert refusal(classifier().fit, X, Y, X_val=X, y_val=Y[1:]).startswith("y_val")
    assert refusal(regressor().fit, X, Y_REAL, X_val=X, y_val=["a"] * N).startswith("y_val")
    negative = -np.ones(N)
    assert "sample_weight_val" in refusal(classifier().fit, X, Y, X_val=X, y_val=Y, sample_weight_val=negative)


@pytest.mark.parametrize(
    "y", ["a" * N, b"a" * N, dict.fromkeys(range(N), 1), set(range(N))], ids=lambda y: type(y).__name__
)
def test_what_has_a_length_but_no_rows_is_no_target(y):
    for model in (classifier(), regressor()):
        assert refusal(model.fit, X, y).startswith(f"y is a {type(y).__name__}")


# --- magnitudes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.7e308, 1e300, 1e160, 1e39, 1e-39, 1e-160, 1e-300, 5e-324])
def test_targets_of_any_magnitude_are_learned_in_their_unit(scale):
    y = np.where(X[:, 0] > 0, 1.0, -1.0) * scale
    model = regressor(max_epochs=60, module_params={"hidden_sizes": ()}, lr=0.1).fit(X, y)
    prediction = model.predict(X)
    assert np.isfinite(prediction).all()
    if scale > 1e-320:
        assert np.corrcoef(prediction / scale, y / scale)[0, 1] > 0.5
        assert 0.2 < np.std(prediction / scale) < 2


def test_a_target_of_ordinary_magnitude_has_the_mean_and_spread_that_numpy_says():
    from sknn._data.real_targets import RealTargets

    for y in (Y_REAL, 1e9 + Y_REAL, 1e-90 * Y_REAL):
        targets = RealTargets(y, None, "standard")
        mean = np.average(y)
        assert targets.mean[0] == mean
        assert targets.scale[0] == np.sqrt(np.average((y - mean) ** 2))


def test_the_smallest_target_there_is_has_a_spread():
    from sknn._data.real_targets import RealTargets

    y = np.array([0.0, 5e-324])
    assert np.isfinite(RealTargets(y, None, "standard").encode(y)).all()


@pytest.mark.parametrize("y", [[None] * N, objects(None), objects(1.0, None), pl.Series([None] * N)], ids=range(4))
def test_targets_without_values_are_refused(y):
    assert "y" in refusal(regressor().fit, X, y).split(".")[0]


def test_targets_beyond_float32_are_refused_where_nothing_scales_them():
    y = np.where(np.arange(N) == 4, 1e30, Y_REAL)
    assert "y holds 1e+30, too large" in refusal(regressor(preprocessing=False).fit, X, y)
    assert refusal(regressor().fit, X, Y_REAL, X_val=X, y_val=y).startswith("y_val: y holds 1e+30")


@pytest.mark.parametrize("scale", [1e300, 1.7e308, 1e-300, 1e-320])
def test_weights_of_any_magnitude_act_like_others(scale):
    weight = (1.0 + np.arange(N) % 4) / 4
    usual = regressor().fit(X, Y_REAL, weight).predict(X)
    extreme = regressor().fit(X, Y_REAL, weight * scale).predict(X)
    np.testing.assert_allclose(extreme, usual, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore::sknn.exceptions.LossDivergingWarning")  # one class is all that counts
def test_class_weights_of_any_magnitude_are_taken():
    model = classifier(class_weight={0: 1e308, 1: 1e300}).fit(X, Y, np.linspace(1, 1e300, N))
    assert np.isfinite(model.predict_proba(X)).all()


def test_numbers_beyond_float64_and_float32_are_refused_without_warnings():
    assert "infinity" in refusal(classifier().fit, X.astype(np.longdouble) * np.longdouble(10) ** 400, Y)
    assert "X" in refusal(classifier(preprocessing=False).fit, X * 1e300, Y)
    scalars = objects(np.longdouble(10) ** 400, 1.5)
    assert "column 1" in refusal(classifier().fit, np.c_[X[:, :1].astype(object), scalars], Y)
    assert refusal(classifier().fit, X, np.where(Y, 1e300, -1e300)).startswith("y: Unknown label type")


def test_years_that_only_pandas_knows_are_numbers():
    far = pd.DataFrame({"when": np.array([-(2**40), 2**45], dtype="datetime64[s]")[Y]})
    model = classifier(max_epochs=2).fit(far, Y)
    assert model._inputs.read(far).read()[0].ravel()[:2].tolist() == [-(2**40), 2**45]
    years = np.array([[-200_000], [1_000_000]], dtype="datetime64[Y]")
    seconds = model._inputs.read(years).read()[0].ravel() / (365.2425 * 86400)
    np.testing.assert_allclose(seconds, [-200_000, 1_000_000], rtol=1e-5)
    frame = pl.DataFrame({"when": pl.Series([-(2**55), 2**60]).cast(pl.Datetime("ms"))})
    assert model._inputs.read(frame).read()[0].ravel().tolist() == [-(2**55) / 1e3, 2**60 / 1e3]
    np.testing.assert_array_equal(model.predict_proba(far.astype(object)), model.predict_proba(far))


# --- weights, groups, classes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "weight",
    [["a"] * N, {0: 1.0}, "balanced", [None] * N, np.ones(N) * 1j, [[1], [1, 2]] * 15, (1.0 for _ in range(N)), -np.ones(N),
     np.zeros(N), np.ones(N - 1), np.ones((N, 2)), [10**400] * N, np.full(N, np.nan), scipy.sparse.eye_array(N)],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_bad_weights_are_refused_by_name(weight):
    assert "sample_weight" in refusal(classifier().fit, X, Y, weight)


def test_masked_weights_count_as_zero():
    weight = np.ma.masked_array(np.ones(N), np.arange(N) % 3 == 0)
    expected = classifier().fit(X, Y, weight.filled(0)).predict_proba(X)
    np.testing.assert_array_equal(classifier().fit(X, Y, weight).predict_proba(X), expected)


GROUPS = [1, 1, 2, 2, 3] * 6


@pytest.mark.parametrize(
    "groups",
    [list(map(str, GROUPS)), np.array(GROUPS, dtype=object), pd.Series(GROUPS, dtype="category"), pl.Series(GROUPS),
     [Decimal(g) for g in GROUPS], [(g, 0) for g in GROUPS], pd.Series(pd.to_datetime("2024-01-01"), index=range(N))
     + pd.to_timedelta(GROUPS, unit="D"), [g if g > 1 else "one" for g in GROUPS]],
    ids=["strings", "objects", "categories", "polars", "decimals", "tuples", "dates", "mixed"],
)  # fmt: skip
def test_groups_of_any_type_are_kept_together(groups):
    from sknn._data.labelled_rows import group_codes

    codes = group_codes(groups, N)
    assert len(set(codes)) == 3
    assert len(set(zip(codes, GROUPS, strict=True))) == 3
    classifier(early_stopping=True).fit(X, Y, groups=groups)


def test_sortable_groups_split_as_their_numbers_do():
    numbers, strings = (classifier(early_stopping=True, max_epochs=3) for _ in range(2))
    numbers.fit(X, Y, groups=np.array(GROUPS[::-1]))
    strings.fit(X, Y, groups=[f"g{g}" for g in GROUPS[::-1]])
    np.testing.assert_array_equal(numbers.predict_proba(X), strings.predict_proba(X))


@pytest.mark.parametrize(
    "groups",
    [[None, "a"] * 15, np.where(Y, np.nan, 1.0), pd.Series([pd.NA, 1] * 15, dtype="Int64"), np.zeros((N, 2)), [1] * (N - 1),
     3, "a" * N, scipy.sparse.csr_array(np.ones((N, 1))), objects(Hostile("hash")), (i for i in range(N)), {1: 2}],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_bad_groups_are_refused_by_name(groups):
    assert refusal(classifier().fit, X, Y, groups=groups).startswith("groups")


@pytest.mark.parametrize(
    "classes",
    [[0, 1, None], [0, np.nan], 3, [[0], [1, 2]], objects(Hostile("lt")), [0, "a"]],
    ids=lambda value: type(value).__name__,
)
def test_bad_classes_are_refused(classes):
    assert "class" in refusal(classifier().partial_fit, X, Y, classes=classes)


# --- what a table is at predict -------------------------------------------------------------------


def test_after_a_sparse_fit_dense_tables_of_any_kind_are_served():
    table = scipy.sparse.random_array((N, 3), density=0.5, rng=np.random.default_rng(0))
    model = classifier().fit(table, Y)
    expected = model.predict_proba(table)
    dense = table.toarray()
    for other in (dense, dense.tolist(), pd.DataFrame(dense), dense.astype(object), pl.DataFrame(dense)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of names that fit did not see
            np.testing.assert_array_equal(model.predict_proba(other), expected)
    assert "X: " in refusal(model.predict, [["a", "b", "c"]])
    model.partial_fit(dense, Y)


def test_rows_of_more_dimensions_than_in_fit_are_refused():
    model = classifier(preprocessing=False).fit(X, Y)
    assert "shape (30, 3, 1), expected 2 as in fit" in refusal(model.predict, X[:, :, None])


def test_images_are_refused_by_a_module_for_tables():
    assert "module: TabM failed on an input of shape" in refusal(
        NeuralClassifier(TabM, max_epochs=1).fit, RNG.normal(size=(N, 3, 4, 4)), Y
    )


def test_sparse_columns_of_pandas_are_served_untouched():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray(Y.astype(float)), "b": X[:, 0]})
    expected = classifier(preprocessing=False).fit(np.c_[Y, X[:, 0]], Y)
    model = classifier(preprocessing=False).fit(frame, Y)
    np.testing.assert_array_equal(model.predict_proba(frame), expected.predict_proba(np.c_[Y, X[:, 0]]))


def test_a_panic_of_a_compiled_library_is_refused():
    frame = pl.DataFrame({"é\0": ["a", "b"] * 15, "b": X[:, 0]})
    try:
        classifier().fit(frame, Y)
    except (ValueError, TypeError) as error:
        assert "X" in str(error)


# --- sizes ----------------------------------------------------------------------------------------


def test_sparse_columns_of_several_fill_values_go_to_the_network_untouched():
    values = np.array([0, 0, 1, 0, 2, 3, 0] * 6, dtype=float)
    columns = [pd.arrays.SparseArray(values, fill_value=fill) for fill in (0.0, 1.0)]
    frame = pd.DataFrame(dict(zip("ab", columns, strict=True)))
    model = NeuralClassifier(MLP, max_epochs=1, preprocessing=False, random_state=0).fit(frame, np.arange(42) % 2)
    np.testing.assert_array_equal(model.predict_proba(frame), model.predict_proba(frame.astype(float)))


def test_a_time_that_no_clock_can_tell_is_served():
    X = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.warns(ConvergenceWarning, match="max_time ended training within its first epoch, after 1 of"):
        model = NeuralClassifier(MLP, batch_size=5, max_epochs=3, max_time=5e-324).fit(X, np.arange(20) % 2)
    assert model.n_iter_ == 1
