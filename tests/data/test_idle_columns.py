"""Columns with one value or none are kept from the network, whatever the container."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch

from sknn import NeuralClassifier
from sknn._data import inputs, table_inputs
from sknn._data.sparse_inputs import SparseInputs
from sknn._data.table_inputs import TableInputs
from tests.data.reading import read_first

N = 40
GENERATOR = np.random.default_rng(0)
USED = pd.DataFrame(
    {"x": GENERATOR.normal(size=N), "city": ["Rome", "Bonn"] * (N // 2), "gaps": [1.0, None] * (N // 2)}
)
IDLE = {
    "seven": 7.0,
    "nothing": np.nan,
    "none": pd.Series([None] * N, dtype=object),
    "day": pd.Timestamp("2024-01-01"),
    "one": "a",
    "true": True,
    "no category": pd.Series([None] * N, dtype="string"),
    "category": pd.Categorical(["b"] * N),
}


def with_idle(**others):
    return USED.assign(**{**IDLE, **others})[
        ["seven", "x", "nothing", "one", "city", "none", "day", "gaps", *list(IDLE)[5:]]
    ]


def fitted(X, rows=None, leaves_out_idle=True, categorical_features="from_dtype"):
    raw = read_first(X, True, categorical_features)
    return raw, raw.learn(rows, None, leaves_out_idle)


def same(found, expected):
    found, expected = found.tensors(), expected.tensors()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize("make", [lambda X: X, pl.DataFrame, lambda X: pl.DataFrame(X).to_arrow(), lambda X: X.astype(object).to_numpy()],
                         ids=["pandas", "polars", "pyarrow", "objects"])  # fmt: skip
def test_the_network_gets_what_it_got_without_them(make):
    raw, inputs = fitted(make(with_idle()))
    expected = fitted(USED)[1]
    assert [c.kind == "idle" for c in inputs.reader.columns] == [name not in USED for name in with_idle()]
    assert (inputs.row_shape, inputs.cardinalities) == (expected.row_shape, expected.cardinalities)
    same(inputs.encode_rows(raw), expected.encode(USED))
    same(inputs.encode(make(with_idle())), expected.encode(USED))
    for again in (copy.deepcopy(inputs), pickle.loads(pickle.dumps(inputs))):
        same(again.encode(with_idle()), expected.encode(USED))


def test_other_values_in_them_are_ignored_at_predict():
    inputs = fitted(with_idle())[1]
    other = with_idle(seven=8.0, nothing="text", none=3, day="never", one="b", true=None, category=1.0)
    same(inputs.encode(other), inputs.encode(with_idle()))
    same(inputs.encode(with_idle(nothing=np.inf)), inputs.encode(with_idle()))


@pytest.mark.parametrize(
    "make", [np.asarray, pd.DataFrame, pl.DataFrame, scipy.sparse.csc_array], ids=lambda make: make.__name__
)
def test_tables_of_numbers_in_one_piece(make):
    X = np.c_[np.zeros(N), USED["x"], np.full(N, 3.0), GENERATOR.normal(size=N), np.zeros(N)]
    raw, inputs = fitted(make(X))
    expected = fitted(make(X[:, [1, 3]]))[1]
    assert inputs.row_shape == (2,)
    same(inputs.encode_rows(raw), expected.encode(make(X[:, [1, 3]])))
    same(inputs.encode_rows(raw, np.array([5, 1])), expected.encode(make(X[[5, 1]][:, [1, 3]])))
    same(inputs.encode(make(X + np.array([9, 0, 9, 0, 9]))), expected.encode(make(X[:, [1, 3]])))


def test_training_rows_decide():
    X = np.c_[USED["x"], np.r_[np.zeros(30), 1 + np.arange(10)]]
    assert fitted(X, np.arange(30))[1].row_shape == (1,)
    assert fitted(X)[1].row_shape == (2,)
    assert fitted(scipy.sparse.csr_array(X), np.arange(30))[1].row_shape == (1,)


def test_one_value_beside_gaps_is_not_idle():
    X = pd.DataFrame({"x": USED["x"], "gap": [1.0, None] * 20, "word": ["a", None] * 20})
    inputs = fitted(X)[1]
    assert (inputs.row_shape, inputs.cardinalities) == ((3,), [3])


@pytest.mark.parametrize("X", [
    np.zeros((N, 3)), np.full((N, 3), np.nan), pd.DataFrame({"a": ["x"] * N, "b": ["y"] * N}),
    scipy.sparse.csr_array((N, 3)), scipy.sparse.csr_array(np.ones((N, 3))),
], ids=["zeros", "nothing", "words", "empty", "ones"])  # fmt: skip
def test_one_column_is_left_where_all_are_idle(X):
    raw, inputs = fitted(X)
    tensors = inputs.encode_rows(raw).tensors()
    assert sum(part.shape[1] for part in tensors.values()) in (1, 2)  # a gap has an indicator
    assert len(inputs.cardinalities) + inputs.given_shape[0] in (1, 3)


def test_all_columns_are_kept_unless_the_fit_asks_for_it():
    assert fitted(with_idle(), leaves_out_idle=False)[1].row_shape[0] > fitted(with_idle())[1].row_shape[0]
    assert isinstance(fitted(np.zeros((N, 3)), leaves_out_idle=False)[1], TableInputs)
    sparse = fitted(scipy.sparse.csr_array((N, 3)), leaves_out_idle=False)[1]
    assert isinstance(sparse, SparseInputs)
    assert sparse.row_shape == (3,)
    assert read_first(np.zeros((N, 3)), False, None).learn(None, None, True).row_shape == (3,)
    assert read_first(np.zeros((N, 3, 2)), True, None).learn(None, None, True).row_shape == (3, 2)


def test_forced_categories_with_one_value_are_idle():
    X = np.c_[np.full(N, 4.0), USED["x"]]
    assert fitted(X, categorical_features=[0])[1].cardinalities == []


# ------------------------------------------------------------------ many rows, of which some decide the scales


@pytest.fixture
def every_fourth_row(monkeypatch):
    monkeypatch.setattr(inputs, "_MAX_ROWS_FOR_STATISTICS", N // 4)


RARE = np.where(np.arange(N) == 2, 3.0, 1.0)  # not one of the rows that decide the scales


@pytest.mark.usefixtures("every_fourth_row")
@pytest.mark.parametrize("leaves_out_idle", [True, False])
@pytest.mark.parametrize("rows", [None, np.arange(N - 1)], ids=["all", "some"])
def test_a_column_that_varies_outside_of_the_rows_for_statistics_is_kept(rows, leaves_out_idle):
    gap = np.where(RARE == 1, 7.0, np.nan)
    value = np.where(RARE == 1, np.nan, 7.0)
    X = np.c_[np.zeros(N), USED["x"], RARE, gap, value]
    for make in (np.asarray, pd.DataFrame, lambda X: pd.DataFrame(X).astype({2: "Float64"})):
        raw, learned = fitted(make(X), rows, leaves_out_idle)
        x_num = learned.encode_rows(raw).x
        assert x_num.shape[1] == 6 + (not leaves_out_idle)
        x_num = x_num[:, int(not leaves_out_idle) :]
        assert [len(np.unique(column)) for column in x_num.T] == [N, 2, 1, 1, 2, 2]
        assert x_num[2, 1] > x_num[0, 1]
    X = scipy.sparse.csr_array(np.c_[np.zeros(N), USED["x"], RARE - 1])
    raw, learned = fitted(X, rows, leaves_out_idle)
    x_num = learned.encode_rows(raw).x.toarray()
    assert x_num.shape[1] == 2 + (not leaves_out_idle)
    assert x_num[2, -1] > 0


@pytest.mark.usefixtures("every_fourth_row")
def test_a_gap_in_a_category_outside_of_the_rows_for_statistics_counts():
    X = USED.assign(word=np.where(RARE == 1, "a", None), same="b")
    raw, learned = fitted(X)
    assert learned.cardinalities == [4, 3]
    assert learned.encode_rows(raw).x_cat[:4, 1].tolist() == [1, 1, 2, 1]


@pytest.mark.usefixtures("every_fourth_row")
def test_idle_columns_of_many_rows_are_left_out(monkeypatch):
    monkeypatch.setattr(table_inputs, "_CHUNK_BYTES", 1)
    learned = fitted(with_idle())[1]
    assert [c.kind == "idle" for c in learned.reader.columns] == [name not in USED for name in with_idle()]


class TestColumnsOfOneRow:
    """Of many sparse columns, those that are zero in all rows but one are left out."""

    @staticmethod
    def fit(X, fit="fit"):
        y = np.arange(len(X)) % 2
        model = NeuralClassifier(module_params={"width": 8}, random_state=0, max_epochs=1, lr=0.05)
        classes = {"classes": [0, 1]} if fit == "partial_fit" else {}
        return getattr(model, fit)(scipy.sparse.csr_array(X), y, **classes)

    def used(self, X, fit="fit"):
        """Positions of the columns that reach the network."""
        used = self.fit(X, fit)._inputs.used
        return list(range(X.shape[1])) if used is None else used.tolist()

    @staticmethod
    def words(n_once, n_often):
        """Columns that are 1 in one row, and behind them such that are 1 in three rows of sixty."""
        once = np.eye(60)[:, np.arange(n_once) % 60]
        often = np.vstack([np.eye(20)] * 3)[:, np.arange(n_often) % 20]
        return np.hstack([once, often])

    def test_of_a_thousand_columns_all_that_vary_are_used(self):
        assert self.used(self.words(900, 100)) == list(range(1000))

    def test_of_more_those_of_two_rows(self):
        assert self.used(self.words(1000, 100)) == list(range(1000, 1100))

    def test_if_there_are_no_others_all_are_used(self):
        assert self.used(self.words(1200, 0)) == list(range(1200))

    def test_a_stream_keeps_them(self):
        assert self.used(self.words(1000, 100), "partial_fit") == list(range(1100))

    def test_they_are_nothing_to_a_prediction(self):
        X = self.words(1000, 100)
        model = self.fit(X)
        other = X.copy()
        other[:, :1000] = 0
        found = model.predict_proba(scipy.sparse.csr_array(other))
        np.testing.assert_array_equal(found, model.predict_proba(scipy.sparse.csr_array(X)))
