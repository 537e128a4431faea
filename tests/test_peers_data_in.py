"""Every form of table: the rows of the group "Data in", in which peers of sknn differ."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
N = 240
SMALL = {"width": 32}


def mixed_table(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers, gaps, strings and booleans; the label depends on a number and on a category."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=N)
    colour = rng.choice(["red", "green", "blue"], size=N)
    X = pd.DataFrame(
        {
            "number": number,
            "gaps": np.where(rng.random(N) < 0.3, np.nan, rng.normal(size=N)),
            "count": rng.integers(0, 9, size=N),
            "flag": rng.random(N) < 0.5,
            "colour": pd.Series(colour, dtype=object),
        }
    )
    return X, (number + 2 * (colour == "red") > 0.7).astype(int)


def classifier(**params) -> NeuralClassifier:
    return NeuralClassifier(**{"max_epochs": 15, "lr": 0.01, "random_state": 0, **params})


def regressor(**params) -> NeuralRegressor:
    return NeuralRegressor(**{"max_epochs": 15, "lr": 0.01, "random_state": 0, **params})


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", "int8", "uint64", "bool", object])
def test_numpy_of_any_dtype_is_taken_as_is(dtype):
    X = (X_IRIS * 2).astype(int).astype(dtype)
    assert classifier(max_epochs=2).fit(X, Y_IRIS).predict_proba(X).shape == (150, 3)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_float32_and_float64_of_the_same_values_give_the_same_bits(make):
    narrow = X_IRIS.astype(np.float32)
    wide = narrow.astype(np.float64)
    first, second = make(max_epochs=3).fit(narrow, Y_IRIS), make(max_epochs=3).fit(wide, Y_IRIS)
    assert_array_equal(first.predict(narrow), second.predict(wide))


@pytest.mark.parametrize("layout", [np.asfortranarray, lambda X: X[::-1][::-1], lambda X: np.repeat(X, 2, 1)[:, ::2]])
def test_memory_layout_does_not_matter(layout):
    expected = classifier(max_epochs=2).fit(X_IRIS, Y_IRIS).predict_proba(X_IRIS)
    X = layout(X_IRIS)
    assert_array_equal(classifier(max_epochs=2).fit(X, Y_IRIS).predict_proba(X), expected)


def test_read_only_memory_is_neither_refused_nor_written():
    X, y = X_IRIS.copy(), Y_IRIS.copy()
    X.setflags(write=False)
    y.setflags(write=False)
    classifier(max_epochs=2).fit(X, y).predict(X)
    regressor(max_epochs=2).fit(X, y).predict(X)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_fit_does_not_change_the_caller_s_table(make):
    X, y = mixed_table()
    before, y_before = X.copy(deep=True), y.copy()
    make(max_epochs=2).fit(X, y).predict(X)
    pd.testing.assert_frame_equal(X, before)
    assert_array_equal(y, y_before)


def test_lists_are_tables():
    X = [[1.0, "a"], [2.0, "b"], [None, "a"], [4.0, None]] * 5
    assert set(classifier(max_epochs=2).fit(X, [0, 1, 0, 1] * 5).predict(X)) <= {0, 1}


# --- dataframes -----------------------------------------------------------------------------------


def test_pandas_frame_of_mixed_columns_learns():
    X, y = mixed_table()
    model = classifier(max_epochs=40).fit(X, y)
    assert model.score(X, y) > 0.9
    assert_array_equal(model.feature_names_in_, X.columns)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_polars_and_pandas_give_the_same_bits(make):
    X, y = mixed_table()
    as_polars = pl.from_pandas(X)
    from_pandas = make(max_epochs=3).fit(X, y)
    from_polars = make(max_epochs=3).fit(as_polars, pl.Series(y))
    assert_array_equal(from_polars.feature_names_in_, X.columns)
    assert_array_equal(from_polars.predict(as_polars), from_pandas.predict(X))
    assert_array_equal(from_polars.predict(X), from_pandas.predict(as_polars))  # fitted on one, asked with the other


def test_pyarrow_backed_and_nullable_pandas_columns_give_the_same_bits():
    X, y = mixed_table()
    expected = classifier(max_epochs=3).fit(X, y).predict_proba(X)
    for backend in ("pyarrow", "numpy_nullable"):
        converted = X.convert_dtypes(dtype_backend=backend)
        assert_array_equal(classifier(max_epochs=3).fit(converted, y).predict_proba(converted), expected)


def test_pandas_index_is_ignored():
    X, y = mixed_table()
    shuffled = X.set_index(np.random.default_rng(0).permutation(N) % 7)
    expected = classifier(max_epochs=2).fit(X, y).predict_proba(X)
    target = pd.Series(y, index=np.arange(N)[::-1])
    assert_array_equal(classifier(max_epochs=2).fit(shuffled, target).predict_proba(shuffled), expected)


def test_frame_with_columns_in_another_order_is_refused():
    X, y = mixed_table()
    model = classifier(max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(X[X.columns[::-1]])


# --- categories -----------------------------------------------------------------------------------


def encoded_as(kind: str, colour: pd.Series):
    if kind == "category":
        return colour.astype("category")
    if kind == "string":
        return colour.astype("string")
    return colour


@pytest.mark.parametrize("kind", ["object", "string", "category"])
def test_categorical_columns_need_no_encoder(kind):
    X, y = mixed_table()
    X = pd.DataFrame({"colour": encoded_as(kind, X["colour"])})
    y = (X["colour"] == "red").to_numpy()
    assert classifier(max_epochs=40).fit(X, y).score(X, y) == 1.0


def test_codes_of_a_category_dtype_do_not_matter_only_its_labels():
    X, y = mixed_table()
    model = classifier(max_epochs=2).fit(X.assign(colour=X["colour"].astype("category")), y)
    recoded = X.assign(colour=pd.Categorical(X["colour"], categories=["zzz", "red", "green", "blue"]))
    assert_array_equal(model.predict_proba(recoded), model.predict_proba(X))


def test_integer_codes_are_categories_where_named():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"code": rng.integers(0, 12, size=N), "x": rng.normal(size=N)})
    y = X["code"].isin([1, 4, 5, 8, 10]).to_numpy()  # no order in the codes
    named = classifier(max_epochs=30, categorical_features=["code"]).fit(X, y)
    masked = classifier(max_epochs=30, categorical_features=[True, False]).fit(X.to_numpy(), y)
    assert named.score(X, y) > 0.97
    assert masked.score(X.to_numpy(), y) > 0.97
    assert classifier(module=MLP, max_epochs=30).fit(X, y).score(X, y) < 0.95  # TabM learns any curve of a number


def test_unseen_category_is_predicted_near_the_average_row():
    rng = np.random.default_rng(0)
    colour = rng.choice(["a", "b", "c", "d"], size=1000)
    y = rng.random(1000) < np.select([colour == "a", colour == "b", colour == "c"], [0.05, 0.3, 0.6], 0.9)
    X = pd.DataFrame({"colour": colour})
    model = classifier(module_params=SMALL, max_epochs=30).fit(X, y)
    unseen = model.predict_proba(pd.DataFrame({"colour": ["never seen"]}))[0, 1]
    assert abs(unseen - y.mean()) < 0.1
    # Not just anything in between: the known categories are distinguished.
    known = model.predict_proba(pd.DataFrame({"colour": list("abcd")}))[:, 1]
    assert (np.diff(known) > 0.15).all()


def test_unseen_category_in_regression_is_near_the_average_row():
    rng = np.random.default_rng(1)
    city = rng.choice(["x", "y", "z"], size=1000)
    y = np.select([city == "x", city == "y"], [100.0, 130.0], 200.0) + rng.normal(size=1000)
    model = regressor(module_params=SMALL, max_epochs=12).fit(pd.DataFrame({"city": city}), y)
    value = model.predict(pd.DataFrame({"city": ["w"]}))[0]
    assert abs(value - y.mean()) < 0.35 * y.std()


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_category_missing_only_at_predict_is_like_an_unseen_one(missing):
    X, y = mixed_table()
    model = classifier(max_epochs=2).fit(X, y)
    row = X.iloc[:1]
    unseen = model.predict_proba(row.assign(colour="never seen"))
    assert_array_equal(model.predict_proba(row.assign(colour=pd.Series([missing], dtype=object))), unseen)


# --- gaps -----------------------------------------------------------------------------------------


def test_gaps_in_numeric_columns_give_finite_predictions_and_carry_information():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 3))
    y = rng.random(N) < 0.5
    X[y, 1] = np.nan  # whether the value is there tells the class
    model = classifier(max_epochs=40).fit(X, y)
    assert model.score(X, y) == 1.0


@pytest.mark.parametrize("make", [classifier, regressor])
def test_gaps_only_at_predict_give_finite_predictions(make):
    model = make(max_epochs=2).fit(X_IRIS, Y_IRIS)
    gaps = X_IRIS.copy()
    gaps[::2, 0] = np.nan
    gaps[3] = np.nan
    assert np.isfinite(model.predict(gaps).astype(float)).all()


@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize(
    "column",
    [np.full(N, np.nan), np.full(N, None), np.full(N, 7.0), np.full(N, "one"), np.full(N, True), np.full(N, 1e300)],
    ids=["all NaN", "all None", "constant", "one category", "all True", "huge constant"],
)
def test_column_without_information_never_breaks_a_fit(make, column):
    X, y = mixed_table()
    X["useless"] = column
    model = make(max_epochs=3).fit(X, y)
    assert np.isfinite(model.predict(X).astype(float)).all()
    assert make(max_epochs=1).fit(X[["useless"]], y).predict(X[["useless"]]).shape == (N,)


def test_infinity_is_an_error_that_names_the_column():
    X, y = mixed_table()
    X.loc[5, "number"] = np.inf
    with pytest.raises(ValueError, match="number.*infinity"):
        classifier().fit(X, y)


# --- scale ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [classifier, regressor])
def test_no_input_scaling_is_needed(make):
    X, y = load_breast_cancer(return_X_y=True)
    factors = 2.0 ** np.random.default_rng(0).integers(-30, 31, size=X.shape[1])  # up to 1e9; exact in binary
    plain, scaled = make(max_epochs=4).fit(X, y), make(max_epochs=4).fit(X * factors, y)
    assert_array_equal(scaled.predict(X * factors), plain.predict(X))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_scaler_in_front_changes_next_to_nothing(make):
    X, y = X_IRIS * [1e9, 1.0, 1e-9, 1e3], Y_IRIS
    standardised = StandardScaler().fit_transform(X)

    def values(model, X):
        return model.predict_proba(X) if isinstance(model, NeuralClassifier) else model.predict(X)

    raw, scaled = make(max_epochs=10).fit(X, y), make(max_epochs=10).fit(standardised, y)
    assert_allclose(values(raw, X), values(scaled, standardised), atol=1e-3)


def test_a_large_offset_loses_no_precision():
    rng = np.random.default_rng(0)
    seconds = rng.integers(0, 3600, size=N)
    y = seconds > 1800
    X = (1.7e9 + seconds)[:, None]  # float32 keeps only multiples of 128 here
    assert classifier(max_epochs=40).fit(X, y).score(X, y) > 0.98


@pytest.mark.parametrize(("factor", "offset"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e7), (1e9, -1e12)])
def test_regression_target_is_scaled_inside(factor, offset):
    X, y = load_diabetes(return_X_y=True)
    plain = regressor().fit(X, y).predict(X)
    moved = regressor().fit(X, y * factor + offset).predict(X)
    assert_allclose((moved - offset) / factor, plain, atol=0.05 * y.std())


def test_integer_and_boolean_targets_are_regressed():
    for y in (Y_IRIS, Y_IRIS == 1, Y_IRIS.astype(np.int8), pd.Series(Y_IRIS, dtype="Int64"), list(Y_IRIS)):
        assert regressor(max_epochs=2).fit(X_IRIS, y).predict(X_IRIS).dtype == np.float32


# --- sparse ---------------------------------------------------------------------------------------

FORMATS = [scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_array]
FORMATS += [scipy.sparse.csr_matrix, scipy.sparse.csc_matrix, scipy.sparse.lil_array]


def sparse_table(n_samples: int = 1500, n_features: int = 2000):
    rng = np.random.default_rng(0)
    dense = rng.random((n_samples, n_features)) * (rng.random((n_samples, n_features)) < 0.01)
    dense[:, 0] = rng.integers(0, 2, size=n_samples)
    return scipy.sparse.csr_array(dense), dense[:, 0] > 0


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("make", [classifier, regressor])
@pytest.mark.parametrize("to_format", [scipy.sparse.csr_array, scipy.sparse.csc_array])
def test_sparse_matrix_is_never_densified_whole(make, to_format, monkeypatch):
    X, y = sparse_table()
    X = to_format(X)
    densified = []
    for base in (scipy.sparse.csr_array, scipy.sparse.csc_array, scipy.sparse.coo_array):
        for name in ("toarray", "todense"):
            original = getattr(base, name)

            def recorded(self, *args, _original=original, **kwargs):
                densified.append(self.shape)
                return _original(self, *args, **kwargs)

            monkeypatch.setattr(base, name, recorded)
    model = make(max_epochs=2, batch_size=64).fit(X, y)
    assert densified, "the spy saw nothing"
    # Validation and prediction take larger batches than training: no gradients are kept.
    assert max(rows for rows, _ in densified) <= 1024 < X.shape[0]
    model.predict(X)
    assert max(rows * columns for rows, columns in densified) <= 2**22 or max(r for r, _ in densified) < X.shape[0]


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
@pytest.mark.parametrize("to_format", FORMATS)
def test_every_sparse_format_gives_the_same_bits(to_format):
    X, y = sparse_table(300, 50)
    expected = classifier(max_epochs=2).fit(X, y).predict_proba(X)
    converted = to_format(X)
    assert_array_equal(classifier(max_epochs=2).fit(converted, y).predict_proba(converted), expected)


@pytest.mark.filterwarnings("ignore::scipy.sparse.SparseEfficiencyWarning")
def test_sparse_and_dense_rows_of_a_sparse_model_give_the_same_predictions():
    X, y = sparse_table(300, 50)
    model = classifier(max_epochs=40).fit(X, y)
    assert model.score(X, y) > 0.9
    assert_allclose(model.predict_proba(X.toarray()), model.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("n_samples", [60, 300])
def test_sparse_rows_are_accepted_by_a_model_of_dense_rows(n_samples):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4)) * (rng.random((n_samples, 4)) < 0.5)
    model = classifier(max_epochs=2).fit(X, X[:, 0] > 0)
    assert_array_equal(model.predict_proba(scipy.sparse.csr_array(X)), model.predict_proba(X))


# --- labels ---------------------------------------------------------------------------------------

LABELS = {
    "strings": np.array(["setosa", "versicolor", "virginica"]),
    "objects": np.array(["c", "a", "b"], dtype=object),
    "5/7/9": np.array([5, 7, 9]),
    "negative": np.array([-3, 0, 100]),
    "floats": np.array([1.0, 2.0, 30.0]),
    "integer objects": np.array([5, 7, 9], dtype=object),
    "large integers": np.array([2**62, 2**62 + 1, 2**62 + 2]),  # equal in float64
    "booleans": np.array([True, False, False]),
    "boolean objects": np.array([True, False, False], dtype=object),
    "one and minus one": np.array([-1, 1, 1]),
}


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
def test_any_class_labels_come_back_as_they_were(labels, early_stopping):
    y = labels[Y_IRIS]
    model = classifier(max_epochs=20, early_stopping=early_stopping, scoring="accuracy").fit(X_IRIS, y)
    prediction = model.predict(X_IRIS)
    assert_array_equal(model.classes_, np.unique(y))
    assert prediction.dtype == model.classes_.dtype
    assert np.mean(prediction == y) > 0.6
    probabilities = model.predict_proba(X_IRIS)
    assert probabilities.shape == (150, len(np.unique(y)))
    assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert_array_equal(model.classes_[probabilities.argmax(axis=1)], prediction)


@pytest.mark.parametrize(
    "container",
    [list, pd.Series, pl.Series, lambda y: pd.Series(y, dtype="category"), lambda y: pd.Series(y, dtype="string")],
    ids=["list", "pandas", "polars", "category", "string"],
)
def test_string_labels_in_any_container(container):
    names = LABELS["strings"][Y_IRIS].tolist()
    model = classifier(max_epochs=20).fit(X_IRIS, container(names))
    assert_array_equal(model.classes_, LABELS["strings"])
    assert np.mean(model.predict(X_IRIS) == np.array(names)) > 0.8
    assert model.score(X_IRIS, container(names)) > 0.8


# --- text and time --------------------------------------------------------------------------------


def test_free_text_column_is_read_or_an_error_that_says_what_to_do():
    X, y = mixed_table()
    X["review"] = [f"I liked number {i} of them, and so did my {i % 13} cousins" for i in range(N)]
    assert classifier().fit(X, y).score(X, y) > 0.8
    with pytest.raises(ValueError, match=r"review.*text_features=\['review'\]"):
        classifier(text_features=None).fit(X, y)


@pytest.mark.parametrize("frame", ["pandas", "polars"])
@pytest.mark.parametrize("unit", ["days", "minutes"])
def test_datetime_column_is_a_number(frame, unit):
    rng = np.random.default_rng(0)
    steps = rng.integers(0, 1000, size=N)
    when = [datetime.datetime(2024, 1, 1) + datetime.timedelta(**{unit: int(step)}) for step in steps]
    X = (pd.DataFrame if frame == "pandas" else pl.DataFrame)({"when": when})
    y = steps > 500
    assert classifier(max_epochs=40).fit(X, y).score(X, y) > 0.97


def test_duration_date_and_missing_time_are_read():
    X, y = mixed_table()
    X["waited"] = pd.to_timedelta(np.arange(N), unit="s")
    X["day"] = pd.Series([datetime.date(2024, 1, 1) + datetime.timedelta(days=i) for i in range(N)], dtype=object)
    X["seen"] = pd.to_datetime(pd.Series(["2024-02-03", None] * (N // 2)), utc=True)
    assert np.isfinite(classifier(max_epochs=2).fit(X, y).predict_proba(X)).all()


def test_numpy_datetimes_are_numbers():
    days = np.arange(N).reshape(-1, 1)
    X = np.datetime64("2020-01-01") + days.astype("timedelta64[D]")
    assert classifier(max_epochs=40).fit(X, days.ravel() > 100).score(X, days.ravel() > 100) > 0.95
