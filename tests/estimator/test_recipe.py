"""Committees, averaged weights and temperatures of fitted estimators, and what "auto" means."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.metrics import log_loss
from torch import nn
from torch.nn import functional as F

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn._estimator.recipe import batch_size_for, epochs_for, n_networks_for
from sknn.modules import MLP, Committee, SequenceNet, TabM
from sknn.modules._recipe import Recipe, params_for_table, recipe_of

NARROW = {"n_curved", "width"}


def test_networks_hold_out_different_rows():
    X, y = load_wine(return_X_y=True)
    clf = NeuralClassifier(early_stopping=True, max_epochs=3, random_state=0).fit(X, y)
    assert isinstance(clf.module_, Committee)
    assert len(clf.module_.networks) == 8
    first, *others = clf.module_.networks
    different = [
        not torch.equal(a, b) for other in others for a, b in zip(first.parameters(), other.parameters(), strict=True)
    ]
    assert any(different)


def test_prediction_is_the_mean_of_all_members():
    X, y = load_iris(return_X_y=True)
    clf = NeuralClassifier(max_epochs=5, criterion_params={"temperature_scaling": False}, random_state=0).fit(X, y)
    x_num = clf._inputs.encode(X[:7]).x
    with torch.no_grad():
        members = clf.module_(x_num).softmax(-1)
    assert members.shape == (7, 8, 3)
    np.testing.assert_allclose(clf.predict_proba(X[:7]), members.mean(1), atol=1e-5)


def test_any_module_can_be_a_committee():
    X, y = load_diabetes(return_X_y=True)

    class Linear(nn.Module):
        def __init__(self, in_features, out_features):
            super().__init__()
            self.linear = nn.Linear(in_features, out_features)

        def forward(self, x):
            return self.linear(x)

    reg = NeuralRegressor(Linear, n_networks=3, lr=0.01, random_state=0).fit(X, y)
    assert len(reg.module_.networks) == 3
    assert reg.score(X, y) > 0.4


def test_scorers_see_the_rows_that_their_predictions_are_of():
    X, y = load_wine(return_X_y=True)
    by_score = NeuralClassifier(
        early_stopping=True, scoring="neg_log_loss", max_epochs=30, n_iter_no_change=30, random_state=0
    ).fit(X, y)
    assert max(by_score.validation_scores_) > -0.2  # of rows in another order it would be about -1.1


def test_validation_rows_of_the_user_serve_all_networks():
    X, y = load_iris(return_X_y=True)
    clf = NeuralClassifier(max_epochs=3, random_state=0).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(clf.validation_scores_) == 3


def test_temperature_is_kept_with_the_model():
    X, y = load_wine(return_X_y=True)
    clf = NeuralClassifier(early_stopping=True, max_epochs=4, random_state=0).fit(X, y)
    temperature = float(clf.net_.criterion_.temperature)
    assert temperature != 1
    raw = torch.from_numpy(clf.decision_function(X))
    np.testing.assert_allclose(clf.predict_proba(X), F.softmax(raw / temperature, 1), atol=1e-6)


def test_average_of_the_weights_is_what_is_kept():
    X, y = load_iris(return_X_y=True)
    kept = {}
    for decay in (None, 0.9):
        clf = NeuralClassifier(ema_decay=decay, max_epochs=3, random_state=0).fit(X, y)
        kept[decay] = [p.detach().clone() for p in clf.module_.parameters()]
    assert any(not torch.equal(*pair) for pair in zip(kept[None], kept[0.9], strict=True))


def test_weights_and_copies_of_rows_mean_the_same():
    X, y = load_iris(return_X_y=True)
    X, y = X[::6], y[::6]
    weight = np.where(np.arange(len(y)) % 2, 1.0, 2.0)
    copies = np.repeat(np.arange(len(y)), weight.astype(int))
    weighted = NeuralClassifier(max_epochs=5, random_state=0).fit(X, y, sample_weight=weight)
    copied = NeuralClassifier(max_epochs=5, random_state=0).fit(X[copies], y[copies])
    np.testing.assert_allclose(weighted.predict_proba(X), copied.predict_proba(X), atol=1e-6)


def test_a_module_class_brings_its_recipe():
    class Own(TabM):
        pass

    for module in (TabM, Own, functools.partial(TabM, width=8), functools.partial(functools.partial(Own)), TabM(2, 1)):
        assert recipe_of(module) is TabM.recipe
    for module in (MLP, nn.Linear(2, 1), lambda: MLP(2, 1), functools.partial(MLP)):
        assert recipe_of(module) == Recipe()


@pytest.mark.parametrize(
    ("module", "is_sparse", "n_columns", "added"),
    [(TabM, False, 64, set()), (TabM, False, 65, NARROW), (TabM, True, 3, {"n_bins"}), (MLP, True, 3, set())],
)
def test_wide_and_sparse_tables_have_parameters_of_their_own(module, is_sparse, n_columns, added):
    given = {"dropout": 0.1}
    params = params_for_table(module, given, n_columns=n_columns, is_sparse=is_sparse, n_rows=3000)
    assert params.pop("dropout") == 0.1
    assert set(params) == added
    own = {"n_bins": 5, "width": 7}
    params = params_for_table(module, own, n_columns=n_columns, is_sparse=is_sparse, n_rows=3000)
    assert {name: params[name] for name in own} == own


def test_many_rows_and_streams_get_a_lower_learning_rate():
    X = np.random.default_rng(0).normal(size=(5001, 2))
    quick = {"max_epochs": 1, "n_networks": 1, "early_stopping": False, "module_params": {"width": 4, "n_bins": 2}}
    models = [NeuralRegressor(random_state=0, **quick) for _ in range(4)]
    models[0].fit(X[:-1], X[:-1, 0])
    models[1].fit(X, X[:, 0])
    models[2].partial_fit(X[:50], X[:50, 0])
    models[3].set_params(lr=0.02).fit(X, X[:, 0])
    assert [model.net_.lr for model in models] == [0.01, 0.005, 0.005, 0.02]


def test_many_rows_get_finer_curves():
    def added(n_rows):
        return params_for_table(TabM, {}, n_columns=5, is_sparse=False, n_rows=n_rows)

    assert [added(n) for n in (1500, 1501, 5000)] == [{"n_members": 1}, {}, {}]
    assert [added(n) for n in (5001, 50_000)] == [{"n_bins": 48}] * 2
    assert added(50_001) == {"n_bins": 32, "activation": nn.ReLU}


def test_a_table_of_few_rows_gets_networks_of_one_member_which_a_file_keeps(tmp_path):
    X = np.random.default_rng(0).normal(size=(1501, 2))
    reg = NeuralRegressor(max_epochs=1, n_networks=2, random_state=0)
    for n_rows, n_members in ((1500, 1), (1501, 2)):
        reg.fit(X[:n_rows], X[:n_rows, 0])
        assert reg.module_.networks[0].n_members == n_members
        sknn.save(reg, tmp_path / "file.sknn")
        again = sknn.load(tmp_path / "file.sknn")
        np.testing.assert_array_equal(again.predict(X), reg.predict(X))
    stream = NeuralRegressor(max_epochs=1, n_networks=2, random_state=0).partial_fit(X[:100], X[:100, 0])
    assert stream.module_.networks[0].n_members == 2
    sknn.save(stream, tmp_path / "file.sknn")
    assert sknn.load(tmp_path / "file.sknn").module_.networks[0].n_members == 2


class TestWideTables:
    @staticmethod
    def tabm(n_columns, is_sparse=False):
        return TabM(n_columns, 1, **params_for_table(TabM, {}, n_columns=n_columns, is_sparse=is_sparse, n_rows=3000))

    def test_the_narrowest_wide_table_gets_nearly_the_network_of_others(self):
        narrow, wide = self.tabm(64), self.tabm(65)
        assert wide.knots.shape[1] == narrow.knots.shape[1]
        assert wide.width == narrow.width
        assert wide.curve_weight.shape == narrow.curve_weight.shape

    @pytest.mark.parametrize("n_columns", [100, 300, 784, 1000, 2000, 10_000])
    def test_a_row_costs_about_the_same_however_wide(self, n_columns):
        tabm = self.tabm(n_columns)
        encoded = 0 if tabm.curves is None else tabm.curves.shape[0] * tabm.curves.shape[1]
        assert encoded <= 4096
        assert n_columns * tabm.width <= max(2**15, 16 * n_columns)

    def test_words_of_texts_get_a_shallow_network(self):
        assert len(self.tabm(5000, is_sparse=True).blocks) == 0
        assert len(self.tabm(500, is_sparse=True).blocks) == 2

    def test_all_epochs_together_are_bounded(self):
        def epochs(n_rows, n_columns):
            return epochs_for(TabM.recipe, "auto", n_rows, 128, row_size=n_columns, stopped=True)

        assert epochs(1000, 1000) == 86
        assert epochs(20_000, 1000) == 15
        assert epochs(20_000, 10_000) == 3
        for n_rows in (1000, 20_000, 100_000, 500_000):  # of 64 columns and fewer nothing changes
            assert epochs(n_rows, 64) == epochs(n_rows, 1)


def test_many_rows_are_shown_more_rarely_to_fewer_networks_in_larger_batches():
    def plan(n_rows):
        size = batch_size_for(TabM.recipe, "auto", n_rows)
        return size, epochs_for(TabM.recipe, "auto", n_rows, size, row_size=20, stopped=True)

    assert [plan(n) for n in (30_000, 100_000, 480_000, 1_000_000)] == [(128, 20), (256, 11), (256, 5), (256, 4)]
    assert [n_networks_for(TabM, "auto", n) for n in (None, 5000, 50_000, 50_001)] == [4, 8, 4, 1]
    assert n_networks_for(SequenceNet, "auto", None) == 2


@pytest.mark.parametrize("n_networks", [1, 2])
def test_a_constant_target_of_many_rows_takes_a_few_steps(n_networks):
    X = np.random.default_rng(0).normal(size=(20_000, 3))
    small = NeuralRegressor(TabM, module_params={"width": 8, "n_bins": 2}, n_networks=n_networks, random_state=0)
    reg = small.fit(X, np.full(20_000, 0.1))
    assert reg.net_.steps_done_ <= 10
    assert (reg.predict(X[:100]) == np.float32(0.1)).all()


def test_an_attribute_of_the_same_name_is_no_recipe():
    class Cake(nn.Linear):
        recipe = "flour"

    assert recipe_of(Cake) == Recipe()


class TestFewRows:
    @staticmethod
    def table(n_rows, seed, slope):
        random = np.random.default_rng(seed)
        X = random.normal(size=(n_rows + 500, 8))
        y = (1 / (1 + np.exp(-slope * (X[:, 0] + X[:, 1]))) > random.random(len(X))).astype(int)
        return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]

    # Rows that are related to nothing may look related by chance: logistic regression is 0.2 above the frequencies.
    @pytest.mark.parametrize(("slope", "above"), [(0.0, 0.1), (1.5, -0.05)])
    def test_probabilities_are_no_worse_than_the_class_frequencies(self, slope, above):
        losses, constant = [], []
        for seed in range(4):
            X, y, X_test, y_test = self.table(30, seed, slope)
            positive = NeuralClassifier(random_state=seed).fit(X, y).predict_proba(X_test)[:, 1].astype(float)
            losses.append(log_loss(y_test, np.c_[1 - positive, positive]))
            constant.append(log_loss(y_test, np.tile([1 - y.mean(), y.mean()], (len(y_test), 1))))
        assert np.mean(losses) < np.mean(constant) + above

    def test_every_row_is_held_out_once_and_judged(self):
        X, y, _, _ = self.table(40, 0, 1.5)
        clf = NeuralClassifier(max_epochs=2, random_state=0).fit(X, y)
        assert len(clf.module_.networks) == 7
        assert len(clf.validation_scores_) == 2

    @pytest.mark.parametrize(("n_rows", "smoothing"), [(20, 0.2), (100, 5 / 105), (101, 0.0)])
    def test_labels_are_smoothed_as_by_five_more_rows(self, n_rows, smoothing):
        X, y, _, _ = self.table(n_rows, 0, 1.5)
        clf = NeuralClassifier(max_epochs=1, random_state=0).fit(X, y)
        assert clf.net_.criterion_.smoothing == pytest.approx(smoothing)
        labels = NeuralClassifier(max_epochs=1, random_state=0).fit(X, np.c_[y, 1 - y])
        assert labels.net_.criterion_.smoothing == pytest.approx(smoothing)

    def test_a_smoothing_of_the_user_stays(self):
        X, y, _, _ = self.table(20, 0, 1.5)
        clf = NeuralClassifier(criterion_params={"label_smoothing": 0.0}, max_epochs=1, random_state=0).fit(X, y)
        assert clf.net_.criterion_.smoothing == 0

    def test_the_unit_of_the_weights_does_not_matter(self):
        X, y, X_test, _ = self.table(20, 0, 1.5)
        weight = np.linspace(1, 2, 20)
        one, other = (
            NeuralClassifier(max_epochs=5, random_state=0).fit(X, y, sample_weight=unit * weight).predict_proba(X_test)
            for unit in (0.25, 0.5)
        )
        np.testing.assert_allclose(one, other, atol=1e-6)


class TestRecipe:
    PARAMS = {"module_params": {"width": 8, "n_members": 2, "n_bins": 4}, "max_epochs": 1, "random_state": 0}

    @staticmethod
    def table(n_rows):
        X = np.random.default_rng(0).normal(size=(n_rows, 3))
        return X, X[:, 0]

    def test_more_networks_for_few_rows(self):
        for n_rows, n_networks in ((100, 7), (101, 8)):
            reg = NeuralRegressor(**self.PARAMS).fit(*self.table(n_rows))
            assert len(reg.module_.networks) == n_networks

    def test_a_fit_that_goes_on_keeps_its_networks(self):
        X, y = self.table(200)
        reg = NeuralRegressor(warm_start=True, **self.PARAMS).fit(X, y)
        reg.fit(X[:100], y[:100])
        assert len(reg.module_.networks) == 8
        stream = NeuralRegressor(**self.PARAMS).partial_fit(X[:100], y[:100])
        assert len(stream.module_.networks) == 4

    def test_decay_follows_the_steps_of_an_epoch(self):
        X, y = self.table(1000)  # 850 to learn from, 7 batches of 128
        reg = NeuralRegressor(lr=0.02, **self.PARAMS).fit(X, y)
        decayed, exempt, matrices = reg.net_.optimizer_.param_groups
        assert matrices["weight_decay"] == decayed["weight_decay"]
        assert decayed["weight_decay"] == pytest.approx(1 / (0.02 * 12 * 7))
        assert exempt["weight_decay"] == 0

    def test_a_decay_of_the_user_stays(self):
        X, y = self.table(300)
        reg = NeuralRegressor(optimizer_params={"weight_decay": 0.5}, **self.PARAMS).fit(X, y)
        assert reg.net_.optimizer_.param_groups[0]["weight_decay"] == 0.5
        reg = NeuralRegressor(optimizer=torch.optim.SGD, **self.PARAMS).fit(X, y)
        assert reg.net_.optimizer_.param_groups[0]["weight_decay"] == 0
        reg = NeuralRegressor(MLP, max_epochs=1).fit(X, y)
        assert reg.net_.optimizer_.param_groups[0]["weight_decay"] == 0.01  # torch's


class TestRecipeOfAModule:
    """Fields of a recipe that the recipes of tables leave at their defaults."""

    @staticmethod
    def module(**recipe):
        return type("Own", (MLP,), {"recipe": Recipe(**recipe)})

    @staticmethod
    def table(n_rows=40, n_columns=5):
        X = np.random.default_rng(0).normal(size=(n_rows, n_columns))
        return X, (X[:, 0] > 0).astype(int)

    @pytest.mark.parametrize(("max_numbers", "n_epochs"), [(np.inf, 12), (2000, 10), (2199, 10), (1, 3)])
    def test_the_numbers_that_all_epochs_read_are_bounded(self, max_numbers, n_epochs):
        own = self.module(epochs=12, max_numbers=max_numbers)
        assert NeuralClassifier(own, random_state=0).fit(*self.table()).n_iter_ == n_epochs
        assert NeuralClassifier(own, max_epochs=5, random_state=0).fit(*self.table()).n_iter_ == 5

    def test_rows_of_any_shape_count_with_all_their_numbers(self):
        class Mean(nn.Module):
            recipe = Recipe(epochs=12, max_numbers=20_000)

            def __init__(self, in_features, out_features):
                super().__init__()
                self.linear = nn.Linear(in_features, out_features)

            def forward(self, x):
                return self.linear(x.mean(1))

        X = np.random.default_rng(0).normal(size=(40, 20, 5))
        assert NeuralClassifier(Mean, random_state=0).fit(X, X[:, 0, 0] > 0).n_iter_ == 5

    @pytest.mark.parametrize(
        ("min_rows", "n_rows", "splits"), [(None, 300, False), (200, 300, True), (400, 300, False)]
    )
    def test_rows_are_held_out_from_a_number_on(self, min_rows, n_rows, splits):
        clf = NeuralClassifier(self.module(epochs=1, min_rows_to_split=min_rows)).fit(*self.table(n_rows))
        assert (clf.validation_scores_ is not None) == splits

    def test_a_fixed_weight_decay(self):
        own = self.module(epochs=1, weight_decay=0.3)

        def decays(**params):
            groups = NeuralClassifier(own, **params).fit(*self.table()).net_.optimizer_.param_groups
            return [group["weight_decay"] for group in groups]

        assert decays() == [0.3, 0.0]
        assert decays(optimizer_params={"weight_decay": 0.1}) == [0.1, 0.0]
        assert decays(optimizer=torch.optim.Adam) == [0.0, 0.0]

    def test_label_smoothing_by_the_recipe(self, tmp_path):
        own = self.module(epochs=1, label_smoothing=0.1)
        X, y = self.table()

        def smoothing(y, **params):
            return NeuralClassifier(own, **params).fit(X, y).net_.criterion_.smoothing

        assert smoothing(y) == smoothing(np.c_[y, 1 - y]) == 0.1
        assert smoothing(y, criterion_params={"label_smoothing": 0.0}) == 0.0
        assert smoothing(y, criterion_params={"temperature_scaling": False}) == 0.1
        NeuralRegressor(own).fit(X, X[:, 0])  # which has no labels
        assert isinstance(NeuralClassifier(own, criterion=nn.CrossEntropyLoss).fit(X, y), NeuralClassifier)

    def test_label_smoothing_is_the_same_in_a_loaded_model(self, tmp_path):
        from sknn import load, save

        X, y = self.table()
        path = tmp_path / "model.sknn"
        save(NeuralClassifier(Smoothed, max_epochs=1).fit(X, y), path)
        assert load(path, trusted=[Smoothed]).net_.criterion_.label_smoothing == 0.1


class Smoothed(MLP):
    recipe = Recipe(label_smoothing=0.1)


def test_the_warm_up_is_that_of_the_recipe_unless_given() -> None:
    X = np.random.default_rng(0).integers(0, 256, (64, 6, 6), dtype=np.uint8)
    few = {"max_epochs": 2, "batch_size": 8, "early_stopping": False, "lr": 0.01, "random_state": 0}
    found = []
    for given in ({}, {"lr_schedule_params": {"warmup": 0.3}}, {"lr_schedule_params": {"warmup": 0.05}}):
        model = NeuralClassifier(module_params={"width": 2}, n_networks=1, **few, **given).fit(X, np.arange(64) % 2)
        found.append(model.predict_proba(X))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()
