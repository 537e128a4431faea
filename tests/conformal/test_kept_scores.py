"""What a fit keeps of its held-out rows, and when it keeps nothing."""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

import sknn
from sknn import NeuralRegressor
from sknn._training import held_out
from sknn.exceptions import DamagedFileError
from sknn.modules import MLP

from .cases import classes, classifier, coverage, regressor, table, train_and_test


def kept(estimator):
    return vars(estimator)["_conformal"]


def arrays(scores):
    found = {name: value for name, value in vars(scores).items() if isinstance(value, np.ndarray)}
    return found if scores.spread is None else found | vars(scores.spread)


def same(a, b):
    a, b = arrays(kept(a)), arrays(kept(b))
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def fitted():
    X, y = table(300)
    return regressor(max_epochs=3).fit(X, y)


def test_each_held_out_row_counts_once():
    X, y = table(300)
    reg = NeuralRegressor(MLP, early_stopping=True, n_networks=9, max_epochs=1, random_state=0).fit(X, y)
    assert len(kept(reg).scores) == 270  # sets of 45 rows; the last networks hold out the first sets again


def test_ten_thousand_rows_are_kept_at_most(monkeypatch):
    monkeypatch.setattr(held_out, "_MOST_ROWS", 50)
    X, y = table(300)
    first, again, other = (regressor(max_epochs=1, random_state=seed).fit(X, y) for seed in (0, 0, 1))
    assert len(kept(first).scores) == len(kept(first).codes) == 50
    assert same(first, again)
    assert not same(first, other)


def test_validation_rows_are_those_of_the_caller():
    X, y, X_test, y_test = train_and_test()
    reg = regressor(max_epochs=4).fit(X[:500], y[:500], X_val=X[500:], y_val=y[500:])
    assert len(kept(reg).scores) == len(X) - 500
    assert coverage(reg.predict_interval(X_test), y_test) == pytest.approx(0.9, abs=0.03)
    # The committee itself predicts them, so that nothing is corrected: the split conformal interval.
    interval = reg.predict_interval(X[500:])
    assert coverage(interval, y[500:]) == pytest.approx(0.9, abs=0.005)


def test_whole_groups_are_unseen():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), 10)
    X, y = table(600)
    X["group"] = [f"group {group}" for group in groups]
    y = 400 * random.normal(size=60)[groups] + 0.1 * (y - 5000)
    new = X.assign(group="none of them")
    by_group, by_row = regressor().fit(X, y, groups=groups), regressor().fit(X, y)
    with pytest.warns(UserWarning, match="'group'"):  # whose values are all new
        interval = by_group.predict_interval(new)
    assert coverage(interval, y) > 0.85
    with pytest.warns(UserWarning, match="'group'"):
        interval = by_row.predict_interval(new)
    assert coverage(interval, y) < 0.7


def test_weights_decide_what_is_covered():
    X, y, X_test, y_test = train_and_test()
    is_quiet, in_test = (X["where"] == "x").to_numpy(), (X_test["where"] == "x").to_numpy()
    weight = np.where(is_quiet, 1e-3, 1.0)
    interval = regressor(max_epochs=4).fit(X, y, sample_weight=weight).predict_interval(X_test)
    assert coverage(interval[~in_test], y_test[~in_test]) == pytest.approx(0.9, abs=0.03)


def test_scores_do_not_depend_on_the_number_of_threads():
    X, y = table(300)
    found = []
    before = torch.get_num_threads()
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        found.append(NeuralRegressor(max_epochs=2, random_state=0, gradient_health=None).fit(X, y))
    torch.set_num_threads(before)
    assert same(*found)


class Ends(Callback):
    """Ends a fit after three epochs, as the end of the process would. What it is told by is no part of the fit."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3 and "SKNN_TEST_ENDS" in os.environ:
            raise RuntimeError("the process ends")


def test_a_resumed_fit_keeps_the_same_scores(tmp_path, monkeypatch):
    X, y = table(200)
    settings = {"max_epochs": 5, "checkpoint_every_epochs": 1, "callbacks": [Ends()]}
    plain = regressor(**settings).fit(X, y)
    monkeypatch.setenv("SKNN_TEST_ENDS", "1")
    with pytest.raises(RuntimeError, match="the process ends"):
        regressor(**settings, checkpoint=tmp_path / "fit").fit(X, y)
    monkeypatch.delenv("SKNN_TEST_ENDS")
    resumed = regressor(**settings, checkpoint=tmp_path / "fit").fit(X, y)
    finished_before = regressor(**settings, checkpoint=tmp_path / "fit").fit(X, y)
    assert same(resumed, plain)
    assert same(finished_before, plain)


def test_a_continued_fit_replaces_them():
    X, y = table(300)
    reg = regressor(max_epochs=1, warm_start=True).fit(X[:200], y[:200])
    before = kept(reg)
    reg.fit(X[200:], y[200:])
    assert len(kept(reg).scores) == 60 != len(before.scores)
    reg.partial_fit(X, y)
    assert kept(reg) is None


def test_a_fit_that_fails_leaves_them(fitted):
    reg = copy.deepcopy(fitted)
    before = kept(reg)
    with pytest.raises(ValueError, match="y"):
        reg.fit(table(10)[0], ["a"] * 10)
    assert kept(reg) is before


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda reg: pickle.loads(pickle.dumps(reg))])
def test_copies_answer_alike(fitted, copied):
    X, _ = table(20)
    np.testing.assert_array_equal(copied(fitted).predict_interval(X), fitted.predict_interval(X))


def test_a_pickle_of_an_older_version_says_what_to_do(fitted):
    old = copy.deepcopy(fitted)
    del old._conformal
    with pytest.raises(ValueError, match="A model from a file of an older version must be fitted again"):
        pickle.loads(pickle.dumps(old)).predict_interval(table(5)[0])


# ------------------------------------------------------------------ files


def test_files_hold_them(fitted, tmp_path):
    X, y = table(300)
    two = regressor(max_epochs=1).fit(X, np.stack([y, y], axis=1))
    quantiles = regressor(max_epochs=1, criterion="quantile", criterion_params={"quantile": [0.1, 0.9]}).fit(X, y)
    clf = classifier(max_epochs=1).fit(X, classes(X))
    for estimator in (fitted, two, quantiles, clf):
        sknn.save(estimator, tmp_path / "model.sknn")
        loaded = sknn.load(tmp_path / "model.sknn")
        assert same(loaded, estimator)
        ask = "predict_set" if estimator is clf else "predict_interval"
        np.testing.assert_array_equal(getattr(loaded, ask)(X, 0.8), getattr(estimator, ask)(X, 0.8))


def test_a_file_without_them_loads(fitted, tmp_path):
    old = copy.deepcopy(fitted)
    del old._conformal
    sknn.save(old, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn")
    assert loaded.predict(table(5)[0]).shape == (5,)
    with pytest.raises(ValueError, match="must be fitted again"):
        loaded.predict_interval(table(5)[0])


def changed(record, **values):
    record = copy.deepcopy(record)
    for name, value in values.items():
        object.__setattr__(record, name, value)
    return record


@pytest.mark.parametrize(
    "change",
    [
        lambda s: changed(s, scores=s.scores[:0], codes=s.codes[:0]),
        lambda s: changed(s, scores=np.repeat(s.scores, 2, axis=1)),
        lambda s: changed(s, codes=s.codes + np.uint8(9)),
        lambda s: changed(s, codes=s.codes[:, :0]),
        lambda s: changed(s, labels=np.zeros(len(s.scores), np.int32)),
        lambda s: changed(s, spread=None),
        lambda s: changed(s, spread=changed(s.spread, linear=np.zeros((5, 1), np.float32), square=np.zeros((5, 1), np.float32))),
        lambda s: changed(s, spread=changed(s.spread, categories=np.zeros((50, 1), np.float32))),
        lambda s: changed(s, scores=np.full_like(s.scores, np.nan)),
        lambda s: changed(s, codes=s.codes[:7]),
        lambda s: 7,
    ],
)  # fmt: skip
def test_damaged_scores_are_refused(fitted, tmp_path, change):
    damaged = copy.deepcopy(fitted)
    damaged._conformal = change(damaged._conformal)
    # `save` reads what it has written.
    with pytest.raises((DamagedFileError, TypeError), match=r"held-out rows|must be|_conformal"):
        sknn.save(damaged, tmp_path / "model.sknn")
