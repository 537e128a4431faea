"""NeuralRanker: it learns, in scikit-learn's tools, by argument and by column, and refuses what it cannot rank."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from sknn import NeuralRanker
from sknn._backprop.tabm_stack import Buffers
from sknn.modules import MLP

RANDOM = np.random.default_rng(0)
N_QUERIES = 40
QID = np.repeat(np.arange(N_QUERIES), RANDOM.integers(3, 9, N_QUERIES))
N = len(QID)
SHIFT = 4 * RANDOM.normal(size=N_QUERIES)[QID]
Z = RANDOM.normal(size=(N, 3)).astype(np.float32)
X = Z + SHIFT[:, None].astype(np.float32)  # what counts is relative to the query
Y = np.digitize(Z[:, 0] + 0.2 * RANDOM.normal(size=N), [0, 1, 1.5])
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(kind=np.where(Z[:, 1] > 0, "u", "v"), query=QID)
SMALL = {"module": MLP, "module_params": {"hidden_sizes": (16,)}, "max_epochs": 15, "lr": 0.02, "random_state": 0}
IN_PARTS = {**SMALL, "n_networks": 2, "early_stopping": True}


class Unaware(torch.nn.Module):
    """A loss that knows no queries."""

    def forward(self, raw_prediction, y):
        return (raw_prediction - y).square().mean()


def ranker(**params) -> NeuralRanker:
    return NeuralRanker(**{**SMALL, **params})


@pytest.fixture(scope="module")
def fitted() -> NeuralRanker:
    return ranker().fit(X, Y, qid=QID)


def test_it_ranks_within_queries(fitted):
    assert fitted.score(X, Y, qid=QID) > 0.9
    scores = fitted.predict(X, qid=QID)
    assert scores.shape == (N,)
    assert scores.dtype == np.float32


@pytest.mark.parametrize("criterion", ["approx_ndcg", "lambdarank", "listnet", "ranknet", "pointwise"])
@pytest.mark.parametrize("params", [SMALL, IN_PARTS], ids=["one network", "a committee"])
def test_every_loss_learns(criterion, params):
    model = NeuralRanker(**params, criterion=criterion).fit(X, Y, qid=QID)
    assert model.score(X, Y, qid=QID, k=5) > 0.8
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_the_default_network():
    model = NeuralRanker(max_epochs=6, random_state=0).fit(FRAME.drop(columns="query"), Y, qid=QID)
    assert model.score(FRAME.drop(columns="query"), Y, qid=QID) > 0.8
    assert np.isfinite(model.validation_scores_).all()


def test_rows_in_any_order(fitted):
    order = RANDOM.permutation(N)
    np.testing.assert_allclose(fitted.predict(X[order], qid=QID[order]), fitted.predict(X, qid=QID)[order], atol=1e-5)


def test_without_qid_the_rows_are_those_of_one_query(fitted):
    rows = QID == 7
    np.testing.assert_allclose(fitted.predict(X[rows]), fitted.predict(X, qid=QID)[rows], atol=1e-5)


def test_many_rows_without_qid_are_warned_of(fitted):
    with pytest.warns(UserWarning, match=f"all {N} rows are ranked as those of one query"):
        scores = fitted.predict(X)
    np.testing.assert_array_equal(fitted.predict(X, qid=np.zeros(N)), scores)


def test_many_rows_are_predicted_in_parts_of_whole_queries(fitted):
    many, qid = np.tile(X, (80, 1)), np.concatenate([QID + i * N_QUERIES for i in range(80)])
    order = RANDOM.permutation(len(qid))
    expected = np.tile(fitted.predict(X, qid=QID), 80)
    np.testing.assert_allclose(fitted.predict(many[order], qid=qid[order]), expected[order], atol=1e-5)


def test_a_query_of_ten_thousand_rows():
    x = RANDOM.normal(size=(10_050, 2)).astype(np.float32)
    qid = np.append(np.zeros(10_000), np.repeat(np.arange(1, 11), 5))
    model = ranker(max_epochs=3).fit(x, (x[:, 0] > 2) * 1.0, qid=qid)
    assert model.score(x, (x[:, 0] > 2) * 1.0, qid=qid) > 0.5


# ------------------------------------------------------------------ the column of queries


@pytest.mark.parametrize("make", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_queries_in_a_column(make):
    table = make(FRAME)
    by_column = ranker(qid_column="query").fit(table, Y)
    by_argument = ranker().fit(make(FRAME.drop(columns="query")), Y, qid=QID)
    expected = by_argument.predict(make(FRAME.drop(columns="query")), qid=QID)
    np.testing.assert_array_equal(by_column.predict(table), expected)
    assert by_column.score(table, Y) == by_argument.score(make(FRAME.drop(columns="query")), Y, qid=QID)
    assert by_column.n_features_in_ == 4


@pytest.mark.parametrize("position", [1, -3])
def test_queries_in_a_column_of_an_array(position):
    table = np.insert(X, 1, QID, axis=1)
    model = ranker(qid_column=position).fit(table, Y)
    np.testing.assert_array_equal(model.predict(table), ranker().fit(X, Y, qid=QID).predict(X, qid=QID))


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda: ranker().fit(X, Y), "qid is missing"),
        (lambda: ranker(qid_column="query").fit(FRAME, Y, qid=QID), "Leave one of the two out"),
        (lambda: ranker(qid_column="q").fit(FRAME, Y), "no column 'q'"),
        (lambda: ranker(qid_column=9).fit(X, Y), "no column 9"),
        (lambda: ranker().fit(X, Y - 1, qid=QID), "relevance is >= 0"),
        (lambda: ranker().fit(X, Y.astype(str), qid=QID), "y"),
        (lambda: ranker().fit(X, np.c_[Y, Y], qid=QID), "one relevance for each row"),
        (lambda: ranker(criterion="squared_error").fit(X, Y, qid=QID), "squared_error"),
        (lambda: ranker().fit(X, Y, qid=QID, sample_weight=np.ones(3)), "one weight for each of the"),
        (lambda: ranker().fit(X, Y, qid=QID, X_val=X), "belong together"),
        (lambda: ranker().fit(X, Y, qid=QID, qid_val=QID), "belong together"),
        (lambda: ranker().fit(X, Y * 1e300, qid=QID), "relevances are at most"),
        (lambda: ranker(criterion=Unaware).fit(X, Y, qid=QID), "Unaware"),
        (lambda: ranker().fit(X, Y, qid=QID, sample_weight=np.where(QID > 3, -1.0, 1.0)), "weights >= 0"),
        (lambda: ranker().fit(X, Y, qid=QID, X_val=X, y_val=Y), "qid_val is missing"),
        (lambda: ranker().fit(X, Y[:-1], qid=QID), "qid has the shape|inconsistent"),
    ],
)
def test_bad_input_is_refused(fit, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fit()


def test_a_failed_fit_changes_nothing():
    model = ranker().fit(X, Y, qid=QID)
    before = model.predict(X, qid=QID)
    with pytest.raises(ValueError, match="relevance"):
        model.fit(X, -Y - 1, qid=QID)
    np.testing.assert_array_equal(model.predict(X, qid=QID), before)


# ------------------------------------------------------------------ scikit-learn's tools


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def routed() -> NeuralRanker:
    return ranker().set_fit_request(qid=True).set_score_request(qid=True)


def test_cross_validation_both_ways(routing):
    folds = GroupKFold(3)
    by_argument = cross_val_score(
        routed(), FRAME.drop(columns="query"), Y, cv=folds, params={"qid": QID, "groups": QID}
    )
    by_column = cross_val_score(ranker(qid_column="query"), FRAME, Y, cv=folds, params={"groups": QID})
    np.testing.assert_array_equal(by_argument, by_column)


def test_a_search_both_ways(routing):
    grid = {"criterion": ["approx_ndcg", "listnet"], "module__hidden_sizes": [(4,), (16,)]}
    by_argument = GridSearchCV(routed(), grid, cv=GroupKFold(2))
    by_argument.fit(FRAME.drop(columns="query"), Y, qid=QID, groups=QID)
    by_column = GridSearchCV(ranker(qid_column="query"), grid, cv=GroupKFold(2)).fit(FRAME, Y, groups=QID)
    for name in ("mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(by_argument.cv_results_[name], by_column.cv_results_[name])
    assert by_argument.score(FRAME.drop(columns="query"), Y, qid=QID) == by_column.score(FRAME, Y)


def test_queries_in_a_column_need_no_routing():
    scores = cross_val_score(ranker(qid_column="query"), FRAME, Y, groups=QID, cv=GroupKFold(2))
    assert scores.min() > 0.6


def test_a_pipeline(routing):
    model = make_pipeline(StandardScaler(), routed().set_predict_request(qid=True)).fit(X, Y, qid=QID)
    assert model.score(X, Y, qid=QID) > 0.9
    assert model.predict(X, qid=QID).shape == (N,)


# ------------------------------------------------------------------ weights, validation, further training


def test_rows_of_weight_zero_leave_no_trace():
    weight = np.where(QID < 20, 1.0, 0.0)
    some = weight > 0
    weighted = ranker().fit(X, Y, qid=QID, sample_weight=weight)
    np.testing.assert_array_equal(
        weighted.predict(X, qid=QID), ranker().fit(X[some], Y[some], qid=QID[some]).predict(X, qid=QID)
    )


def test_weights_of_queries_are_those_of_their_rows():
    weight = RANDOM.uniform(0.5, 2, N_QUERIES)
    by_query = ranker().fit(X, Y, qid=QID, sample_weight=weight)
    by_row = ranker().fit(X, Y, qid=QID, sample_weight=weight[QID])
    np.testing.assert_array_equal(by_query.predict(X, qid=QID), by_row.predict(X, qid=QID))
    assert by_query.score(X, Y, qid=QID, sample_weight=weight) == by_row.score(X, Y, qid=QID, sample_weight=weight[QID])


def test_validation_rows_of_the_callers():
    model = ranker(early_stopping=True).fit(
        FRAME.drop(columns="query"), Y, qid=QID, X_val=FRAME.drop(columns="query"), y_val=Y, qid_val=QID
    )
    expected = model.net_.criterion_(
        torch.from_numpy(model.predict(FRAME.drop(columns="query"), qid=QID))[:, None],
        torch.from_numpy(np.column_stack([Y, QID, Y]).astype(np.float32)),
    )
    assert max(model.validation_scores_) == pytest.approx(-expected.item(), rel=1e-3)


def test_whole_queries_are_held_out():
    seen = []

    class Spy(MLP):
        def forward(self, x):
            if len(seen) or self.training:  # before, the network is tried on a few rows
                seen.append((self.training, x[:, 0].tolist()))
            return super().forward(x)

    params = {**SMALL, "module": Spy, "max_epochs": 1, "early_stopping": True, "preprocessing": False}
    params["gradient_health"] = None  # it looks at rows of its own
    NeuralRanker(**params).fit(np.insert(X, 0, QID, axis=1), Y, qid=QID)
    queries = [{code for is_training, codes in seen if is_training == side for code in codes} for side in (True, False)]
    assert not queries[0] & queries[1]
    assert queries[0] | queries[1] == set(range(N_QUERIES))
    assert 2 <= len(queries[1]) <= 10


def test_partial_fit():
    model = ranker()
    for _ in range(15):
        model.partial_fit(X, Y, qid=QID)
    assert model.score(X, Y, qid=QID) > 0.8


def test_queries_of_one_row_and_of_one_relevance():
    qid = np.arange(N)
    model = ranker().fit(X, Y, qid=qid)  # nothing can be learned
    assert np.isfinite(model.predict(X, qid=qid)).all()
    assert np.isfinite(ranker(**IN_PARTS).fit(X, np.ones(N), qid=QID).predict(X, qid=QID)).all()
    assert ranker(criterion="pointwise").fit(X, Y, qid=qid).loss_curve_[-1] < 1


def test_relevances_may_be_any_numbers():
    assert ranker().fit(X, Y * 0.37, qid=QID).score(X, Y, qid=QID) > 0.8
    assert ranker(criterion="pointwise").fit(X, 1e6 * Y, qid=QID).score(X, Y, qid=QID) > 0.8


# ------------------------------------------------------------------ kinds of data, answers, persistence


def test_other_kinds_of_data_are_ranked_without_relative_numbers():
    texts = [f"{'good' if z > 0 else 'bad'} thing {i % 7}" for i, z in enumerate(Z[:, 0])]
    model = NeuralRanker(max_epochs=20, random_state=0).fit(texts, (Z[:, 0] > 0) * 1, qid=QID)
    assert model.score(texts, (Z[:, 0] > 0) * 1, qid=QID) > 0.9
    matrix = sparse.csr_matrix(Z)
    assert ranker().fit(matrix, Y, qid=QID).score(matrix, Y, qid=QID) > 0.9


def test_explanations_sum_to_differences_of_scores(fitted):
    values = fitted.explain(X, qid=QID)
    assert values.shape == (N, 3)
    assert np.abs(values[:, 0]).mean() > 2 * np.abs(values[:, 1:]).mean()
    difference = fitted.predict(X, qid=QID) - values.sum(1)
    np.testing.assert_allclose(difference, difference[0], atol=1e-3)
    assert fitted.embed(X, qid=QID).shape == (N, 16)


def test_a_ranker_has_no_intervals(fitted):
    assert not hasattr(fitted, "predict_interval")
    assert not hasattr(fitted, "predict_set")


def test_copies_and_files(fitted, tmp_path):
    expected = fitted.predict(X, qid=QID)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X, qid=QID), expected)
    sknn.save(fitted, tmp_path / "ranker.sknn")
    loaded = sknn.load(tmp_path / "ranker.sknn")
    np.testing.assert_array_equal(loaded.predict(X, qid=QID), expected)
    assert loaded.score(X, Y, qid=QID) == fitted.score(X, Y, qid=QID)
    assert clone(fitted).get_params() == fitted.get_params()


def test_a_checkpoint_gives_the_same_bits(tmp_path):
    expected = ranker(**IN_PARTS).fit(X, Y, qid=QID)
    stored = {**IN_PARTS, "checkpoint": tmp_path / "fit.ckpt"}
    ranker(**stored).fit(X, Y, qid=QID)
    again = ranker(**stored).fit(X, Y, qid=QID)
    np.testing.assert_array_equal(again.predict(X, qid=QID), expected.predict(X, qid=QID))
    with pytest.raises(sknn.exceptions.CheckpointError):
        ranker(**stored).fit(X, Y, qid=QID[::-1])


# ------------------------------------------------------------------ health, memory


def test_a_network_that_learns_is_healthy():
    model = ranker(early_stopping=True, max_epochs=40, gradient_health="raise").fit(X, Y, qid=QID)
    assert model.health_.status in ("healthy", "unknown", "not_converged")


class Dead(torch.nn.Module):
    """No unit is ever active."""

    def __init__(self, in_features):
        super().__init__()
        self.hidden, self.head = torch.nn.Linear(in_features, 16), torch.nn.Linear(16, 1)
        torch.nn.init.constant_(self.hidden.bias, -100.0)

    def forward(self, x):
        return self.head(self.hidden(x).relu())


@pytest.mark.parametrize(
    ("params", "warning"),
    [
        ({"module": Dead, "module_params": None}, sknn.exceptions.DeadUnitsWarning),
        ({"lr": 1e-9}, sknn.exceptions.NotLearningWarning),
    ],
    ids=["dead", "slow"],
)
def test_training_that_goes_wrong_is_warned_of(params, warning):
    many = np.tile(X, (4, 1)), np.tile(Y, 4), np.concatenate([QID + i * N_QUERIES for i in range(4)])
    with pytest.warns(warning):
        ranker(**{**params, "max_epochs": 20, "batch_size": 16}).fit(*many[:2], qid=many[2])


def test_buffers_do_not_grow_with_the_sizes_of_batches():
    buffers = Buffers()
    first = buffers.result("a", (40, 3))
    for n in (7, 39, 12):
        shrunk = buffers.result("a", (n, 3))
        assert shrunk.shape == (n, 3)
        assert shrunk.data_ptr() == first.data_ptr()
        assert buffers["a"] is shrunk
    assert buffers.result("a", (50, 3)).shape == (50, 3)
