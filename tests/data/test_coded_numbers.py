"""Text that spells whole numbers which recur, such as those of zones, is numbers and categories."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

from sknn import NeuralRegressor
from sknn._data import inputs as all_inputs
from sknn._data import table_inputs
from sknn.modules import MLP, TabM

from .reading import read_first
from .tables import learn, parsed

NAN = np.nan
N, N_ZONES, N_TRAIN = 1500, 60, 1000
RANDOM = np.random.default_rng(0)
ZONES = RANDOM.integers(0, N_ZONES, N) + 100
EFFECTS = RANDOM.normal(size=N_ZONES)
TABLE = pd.DataFrame({"zone": ZONES.astype(str), "size": RANDOM.normal(size=N)})
Y = EFFECTS[ZONES - 100] + 0.2 * TABLE["size"].to_numpy() + 0.3 * RANDOM.normal(size=N)
QUICK = {"max_epochs": 40, "random_state": 0, "module_params": {"width": 32}, "n_networks": 1}
IS_BOTH = (
    r"'zone' \(position 0\) is text that was read as numeric and, since its whole numbers recur, as categories, too"
)


def fit(X=TABLE, y=Y, rows=slice(None, N_TRAIN), **params):
    return NeuralRegressor(TabM, **{**QUICK, **params}).fit(X[rows], y[rows])


@pytest.fixture(scope="module")
def model():
    with pytest.warns(UserWarning, match=IS_BOTH):
        return fit()


def quiet_learn(values, **params):
    """The reader of a column of these values, without the warning of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return learn(pd.DataFrame({"a": values}), **params)


def is_both(values, **params):
    (found,) = quiet_learn(values, **params).columns
    return found.kind == "numeric" and found.has_codes


def recurring(n_distinct=30, n_rows=90):
    return [str(i % n_distinct) for i in range(n_rows)]


def learned(X, rows=None, leaves_out_idle=True):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = read_first(X, True, "from_dtype")
    return raw, raw.learn(rows, None, leaves_out_idle)


# --- what is learned ------------------------------------------------------------------------------


def test_the_effect_of_each_number_is_learned(model):
    as_numbers, as_categories = fit(categorical_features=None), fit(categorical_features=["zone"])
    scores = [found.score(TABLE[N_TRAIN:], Y[N_TRAIN:]) for found in (model, as_numbers, as_categories)]
    assert scores[0] > max(scores[1] + 0.3, scores[2] - 0.05)


def test_numbers_that_were_not_seen_are_still_read_as_numbers(model):
    found = model.predict(pd.DataFrame({"zone": ["101.5", "130.5", "158.5", "700"], "size": 0.0}))
    assert len(set(found)) == 4


# --- which columns --------------------------------------------------------------------------------


def test_whole_numbers_that_recur_are_numbers_and_categories():
    assert is_both(recurring())
    assert is_both([f"{i % 30}.0" for i in range(90)])
    assert is_both([f"-{i % 30}" for i in range(90)])
    assert is_both([f"1,{i % 30:03d}" for i in range(90)])
    assert is_both([*recurring(), "?", None, None])
    assert is_both(np.array([*recurring(), 7, 8.0], dtype=object))  # text among others
    assert is_both(recurring(), categorical_features=[])


def test_other_numbers_are_numbers_only():
    assert not is_both([f"{i % 30}.5" for i in range(90)])
    assert not is_both([*recurring(), "0.5"])
    assert not is_both([f"{i % 30} kg" for i in range(90)])
    assert not is_both([f"{i % 30} %" for i in range(90)])
    assert not is_both([f"{10**300 * (i % 30 + 1)}"[:3] + f"e{i % 30 + 20}" for i in range(90)])  # beyond 2**53
    assert not is_both([str(i % 46) for i in range(91)])  # they hardly recur
    assert not is_both([*(str(i % 46) for i in range(91)), "?", None, None])
    assert is_both([str(i % 46) for i in range(92)])
    for dtype in ("int64", "float64", "Int64", "int64[pyarrow]"):
        assert not is_both(pd.Series(recurring()).astype("int64").astype(dtype))
    assert not is_both(np.array([i % 30 for i in range(90)], dtype=object))


def test_the_user_decides():
    for values in (recurring(), [*recurring(), "?"]):
        assert not is_both(values, categorical_features=None)
    for values, params in ((recurring(), {"categorical_features": ["a"]}), (pd.Categorical(recurring()), {})):
        assert quiet_learn(values, **params).columns[0].kind == "categorical"


def test_few_distinct_numbers_stay_categories_without_a_word():
    assert learn(pd.DataFrame({"a": recurring(20)})).columns[0].kind == "categorical"


# --- codes ----------------------------------------------------------------------------------------

SPELLINGS = {
    "text": lambda zones: [None if zone is None else str(zone) for zone in zones],
    "spelled otherwise": lambda zones: [None if zone is None else f"{zone}.0" for zone in zones],
    "objects": lambda zones: pd.Series(zones, dtype=object),
    "float64": lambda zones: pd.Series(zones, dtype="float64"),
    "Int64": lambda zones: pd.Series(zones, dtype="Int64"),
    "arrow": lambda zones: pd.Series(zones, dtype="int64[pyarrow]"),
    "mixed": lambda zones: pd.Series([str(z) if i % 2 and z else z for i, z in enumerate(zones)], dtype=object),
}
CONTAINERS = {
    "polars": pl.DataFrame,
    "pyarrow": lambda X: pa.table(dict(X)),
    "numpy": lambda X: X.to_numpy(dtype=object),
}


def test_codes_are_those_of_the_numbers():
    reader = quiet_learn(recurring())
    numeric, codes = parsed(reader, pd.DataFrame({"a": [0.0, 29.0, 30.0, -0.0, 0.5, NAN, -1e300]})).read()
    np.testing.assert_array_equal(numeric[:, 0], [0, 29, 30, 0, 0.5, NAN, -1e300])
    np.testing.assert_array_equal(codes[:, 0], [1, 30, 0, 1, 0, 31, 0])
    assert reader.cardinalities == [32]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_prediction_is_that_of_the_number_whatever_its_dtype(spelling, model):
    zones, size = [100, 159, None, 7, 120], [0.1, -1.0, 2.0, 0.0, 0.5]
    expected = model.predict(pd.DataFrame({"zone": SPELLINGS["text"](zones), "size": size}))
    assert len(set(expected)) == 5
    X = pd.DataFrame({"zone": SPELLINGS[spelling](zones), "size": size})
    np.testing.assert_array_equal(model.predict(X), expected)
    if spelling == "mixed":
        return  # for pandas only
    for make in CONTAINERS.values():
        given = make(X)
        names = not isinstance(given, np.ndarray)
        np.testing.assert_array_equal(model.predict(given if names else pd.DataFrame(given, columns=list(X))), expected)


def test_a_table_of_numbers_only_at_predict(model):
    X = TABLE[:50].astype({"zone": "int64"})
    expected = model.predict(TABLE[:50])
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(model.predict(X.astype("float32")), model.predict(X.astype({"size": "float32"})))


def test_numbers_that_are_all_unknown_are_named_and_predicted(model):
    with pytest.warns(UserWarning, match="'zone'"):
        predicted = model.predict(TABLE[:50].assign(zone=[str(i + 5000) for i in range(50)]))
    assert np.isfinite(predicted).all()


def test_infinity_and_a_sparse_matrix_are_errors(model):
    with pytest.raises(ValueError, match="'zone'.*infinity|infinity.*'zone'"):
        model.predict(TABLE[:2].assign(zone=[np.inf, 100.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = read_first(TABLE.to_numpy(dtype=object), True, "from_dtype").learn(None, None)
    with pytest.raises(ValueError, match="X is sparse, but was a table with categories"):
        inputs.read(scipy.sparse.csr_array(np.ones((3, 2))))


def test_a_missing_number_that_fit_has_not_seen_is_unknown():
    for gaps, code in (([], 0), ([None], 31)):
        raw, inputs = learned(pd.DataFrame({"a": [*recurring(), *gaps]}))
        store = inputs.encode(pd.DataFrame({"a": ["1", None]}))
        assert store.x_cat[:, 0].tolist() == [2, code]
        assert len(raw) == 90 + len(gaps)


def test_a_copy_predicts_the_same(model):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(TABLE), model.predict(TABLE))


def test_further_calls_keep_the_categories():
    X, y = TABLE.rename(columns={"zone": "z"}), Y
    with pytest.warns(UserWarning, match="read as numeric and"):
        model = NeuralRegressor(MLP, random_state=0).partial_fit(X[:500], y[:500])
    model.partial_fit(X[500:600].assign(z=["100", "4"] * 50), y[500:600])
    assert model._inputs.cardinalities == [N_ZONES + 2]


# --- training rows that hold one value, or none -----------------------------------------------------


@pytest.mark.parametrize("gap", [False, True], ids=["one value", "no value"])
def test_a_column_that_is_idle_in_the_training_rows_is_left_out_of_both(gap):
    n = 200
    values = pd.Series(recurring(n_rows=n))
    values[:40] = None if gap else "7"
    X = pd.DataFrame({"x": np.arange(float(n)), "a": [*recurring(25, n)], "b": values, "c": ["u", "v"] * (n // 2)})
    raw, inputs = learned(X, np.arange(40))
    assert [column.kind for column in inputs.reader.columns] == ["numeric", "numeric", "idle", "categorical"]
    assert inputs.cardinalities == [27, 4]
    store = inputs.encode_rows(raw)
    assert store.x.shape == (n, 2)
    np.testing.assert_array_equal(store.x_cat[:3, 0], [1, 2, 3])
    np.testing.assert_array_equal(inputs.encode(X).x_cat, store.x_cat)
    kept = learned(X, np.arange(40), leaves_out_idle=False)[1]
    assert kept.cardinalities == [27, 32, 4]


def test_an_idle_column_is_kept_if_there_is_no_other():
    values = pd.Series(recurring())
    values[:40] = "7"
    raw, inputs = learned(pd.DataFrame({"a": values}), np.arange(40))
    store = inputs.encode_rows(raw)
    assert (store.x.shape, store.x_cat.shape, inputs.never_missing.shape) == ((90, 1), (90, 1), (1,))


@pytest.mark.parametrize("chunk", [4 * 2**20, 1])
def test_a_column_that_varies_in_rare_rows_only_is_kept_in_both(chunk, monkeypatch):
    monkeypatch.setattr(all_inputs, "_MAX_ROWS_FOR_STATISTICS", 10)
    monkeypatch.setattr(table_inputs, "_CHUNK_BYTES", chunk)
    n = 400
    for others in (None, "9"):
        values = pd.Series(recurring(n_rows=n))
        values[:300] = "7"
        values[3] = others
        X = pd.DataFrame({"x": np.arange(n * 1.0), "a": values})
        raw, inputs = learned(X, np.arange(300))
        assert [column.kind for column in inputs.reader.columns] == ["numeric", "numeric"]
        assert inputs.cardinalities == [32]
        assert len(set(inputs.encode_rows(raw, np.arange(300)).x_cat[:, 0].tolist())) == 2
