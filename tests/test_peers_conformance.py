"""At home in scikit-learn: the rows of the group "sklearn conformance", in which peers of sknn differ."""

from __future__ import annotations

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_iris, make_classification, make_multilabel_classification
from sklearn.metrics import accuracy_score, get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochScoring

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping
from sknn.modules import MLP, ResNet

X, Y = load_iris(return_X_y=True)
X_REG, Y_REG = load_diabetes(return_X_y=True)


def classifier(**params) -> NeuralClassifier:
    return NeuralClassifier(**{"max_epochs": 3, "lr": 0.01, "random_state": 0, **params})


def regressor(**params) -> NeuralRegressor:
    return NeuralRegressor(**{"max_epochs": 3, "lr": 0.01, "random_state": 0, **params})


class Recorder(torch.nn.Module):
    """A linear network that remembers what it was built with."""

    def __init__(self, in_features: int, out_features: int, width: int = 4) -> None:
        super().__init__()
        self.width = width
        self.net = torch.nn.Sequential(torch.nn.Linear(in_features, width), torch.nn.Linear(width, out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Raw scores."""
        return self.net(x)


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_clone_keeps_everything(estimator):
    params = {
        "module": ResNet,
        "module_params": {"dropout": 0.2},
        "criterion_params": {},
        "optimizer": torch.optim.SGD,
        "optimizer_params": {"momentum": 0.9},
        "lr": 0.02,
        "lr_schedule": torch.optim.lr_scheduler.StepLR,
        "lr_schedule_params": {"step_size": 3},
        "max_epochs": 7,
        "callbacks": [("stop", EarlyStopping(patience=2))],
        "early_stopping": True,
        "warm_start": True,
        "random_state": 3,
    }
    original = estimator(**params)
    copy = clone(original.fit(X, Y))
    assert not hasattr(copy, "net_")
    for name, value in original.get_params(deep=False).items():
        other = copy.get_params(deep=False)[name]
        assert other == value or name == "callbacks", name
    assert copy.get_params().keys() == original.get_params().keys()
    copy.set_params(module__dropout=0.5)
    assert original.module_params == {"dropout": 0.2}


def test_clone_of_a_module_instance_starts_from_its_weights_and_leaves_it_alone():
    network = Recorder(4, 3)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    original = classifier(module=network)
    first = original.fit(X, Y).predict_proba(X)
    assert_array_equal(clone(original).fit(X, Y).predict_proba(X), first)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_module_and_optimizer_params_are_a_grid():
    grid = {"module__dropout": [0.0, 0.3], "optimizer__weight_decay": [0.0, 0.1], "lr": [0.001, 0.01]}
    search = GridSearchCV(classifier(module=MLP, max_epochs=1), grid, cv=2).fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert set(search.best_params_) == set(grid)
    best = search.best_estimator_
    assert best.module_params["dropout"] == search.best_params_["module__dropout"]
    assert best.net_.optimizer_.param_groups[0]["weight_decay"] in (0.0, 0.1)
    assert best.net_.optimizer_.defaults["lr"] == search.best_params_["lr"]


def test_grid_reaches_through_a_pipeline_and_really_changes_the_network():
    pipe = Pipeline([("scale", StandardScaler()), ("net", classifier(module=Recorder, max_epochs=1))])
    widths = [2, 5]
    search = GridSearchCV(pipe, {"net__module__width": widths}, cv=2, refit=False).fit(X, Y)
    assert search.cv_results_["mean_test_score"].shape == (2,)
    for width in widths:
        fitted = clone(pipe).set_params(net__module__width=width).fit(X, Y)
        assert fitted["net"].module_.width == width


def test_module_and_its_params_can_change_in_one_call():
    model = classifier().set_params(module=Recorder, module__width=6).fit(X, Y)
    assert model.module_.width == 6
    model.set_params(module__width=3, module=Recorder)
    assert model.get_params()["module__width"] == 3


def test_get_params_lists_the_components_values_in_use():
    params = NeuralClassifier(module_params={"dropout": 0.3}, optimizer_params={"weight_decay": 0.5}).get_params()
    assert params["module__dropout"] == 0.3
    assert params["optimizer__weight_decay"] == 0.5
    assert "lr" in params
    assert "optimizer__lr" not in params


@pytest.mark.parametrize("estimator", [classifier(), regressor()], ids=["classifier", "regressor"])
def test_what_get_params_lists_set_params_accepts(estimator):
    before = estimator.get_params()
    assert estimator.set_params(**before).get_params().keys() == before.keys()
    estimator.fit(X, Y)


# --- what a classifier gives ------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_predict_proba_is_a_distribution_in_the_order_of_classes(n_classes):
    X, y = make_classification(300, n_informative=8, n_classes=n_classes, random_state=0)
    model = classifier(max_epochs=10).fit(X, np.array(list("edcba"))[y])
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (300, n_classes)
    assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert (probabilities >= 0).all()
    assert model.classes_.tolist() == sorted("edcba"[:n_classes])
    assert_array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(X))
    assert log_loss(np.array(list("edcba"))[y], probabilities) < np.log(n_classes)


def test_decision_function_is_the_log_odds():
    y = (Y == 1).astype(int)
    model = classifier(max_epochs=10, criterion_params={"temperature_scaling": False}).fit(X, y)
    decision = model.decision_function(X)
    assert decision.shape == (150,)
    probability = model.predict_proba(X)[:, 1].astype(float)
    assert_allclose(1 / (1 + np.exp(-decision.astype(float))), probability, atol=1e-6)
    assert_array_equal(model.predict(X), (decision > 0).astype(int))
    assert classifier().fit(X, Y).decision_function(X).shape == (150, 3)


def test_only_classifiers_have_probabilities():
    assert is_classifier(classifier())
    assert is_regressor(regressor())
    assert not hasattr(regressor().fit(X, Y), "predict_proba")


# --- weights ----------------------------------------------------------------------------------------


def values(model, X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_weight_of_k_is_k_copies(make, early_stopping):
    rows, y = X[::5], Y[::5]  # a small table: here the equality is exact
    weight = np.random.default_rng(0).integers(0, 4, size=len(rows))
    weighted = make(early_stopping=early_stopping).fit(rows, y, sample_weight=weight)
    repeated = make(early_stopping=early_stopping).fit(np.repeat(rows, weight, axis=0), np.repeat(y, weight))
    assert_array_equal(values(weighted, X), values(repeated, X))


def test_equal_rows_of_a_discrete_table_are_learned():
    key = np.arange(400) % 100
    labels = np.random.default_rng(0).integers(0, 2, 100)[key]
    table = pd.DataFrame({"key": np.char.add("s", key.astype(str))})
    assert NeuralClassifier(module_params={"width": 32}, random_state=0).fit(table, labels).score(table, labels) > 0.95


def test_a_module_that_works_in_place_changes_neither_the_table_nor_the_next_prediction():
    class InPlace(torch.nn.Module):
        def __init__(self, out_features):
            super().__init__()
            self.layer = torch.nn.Linear(16, out_features)

        def forward(self, x):
            x /= 255.0
            return self.layer(x.flatten(1))

    images = (np.random.default_rng(0).random((240, 1, 4, 4)) * 255).astype(np.float32)
    before = images.copy()
    labels = (images.mean(axis=(1, 2, 3)) > 127).astype(int)
    model = NeuralClassifier(InPlace, max_epochs=3, random_state=0).fit(images, labels)
    first = model.predict_proba(images)
    assert_array_equal(images, before)
    assert_array_equal(model.predict_proba(images), first)


def test_a_module_that_asks_for_categories_gets_none_from_a_table_without():
    class Both(torch.nn.Module):
        def __init__(self, in_features, out_features, cat_cardinalities):
            super().__init__()
            assert cat_cardinalities == []
            self.layer = torch.nn.Linear(in_features, out_features)

        def forward(self, x_num, x_cat):
            assert x_cat.shape == (len(x_num), 0)
            return self.layer(x_num)

    assert NeuralClassifier(Both, max_epochs=1).fit(X, Y).predict(X).shape == Y.shape


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_weight_of_k_is_k_copies_in_a_full_batch_of_a_large_table(make):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1600, 3))
    y = (X[:, 0] > 0).astype(int)
    weight = rng.integers(1, 4, size=1600)
    params = {"batch_size": 10_000, "early_stopping": False, "max_epochs": 5, "n_networks": 1}
    weighted = make(**params).fit(X, y, sample_weight=weight)
    repeated = make(**params).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert_allclose(values(weighted, X), values(repeated, X), atol=1e-4)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_the_unit_of_weights_does_not_matter(make):
    weight = np.random.default_rng(0).random(len(X)) + 0.1
    first = values(make().fit(X, Y, sample_weight=weight), X)
    assert_allclose(values(make().fit(X, Y, sample_weight=weight * 1e6), X), first, atol=1e-5)
    assert np.abs(first - values(make().fit(X, Y), X)).max() > 1e-4


def test_weights_count_in_the_validation_score():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2100, 2))
    y = rng.normal(size=2100)
    weight = rng.random(2100)
    model = regressor(scoring="r2", max_epochs=2).fit(X, y, sample_weight_val=weight, X_val=X, y_val=y)
    assert model.validation_scores_[model.best_epoch_ - 1] == pytest.approx(model.score(X, y, weight), abs=1e-5)
    assert model.validation_scores_[model.best_epoch_ - 1] != pytest.approx(model.score(X, y), abs=1e-5)


def test_class_weight_balanced_is_the_weight_it_names():
    y = (Y == 2).astype(int)
    balanced = classifier(class_weight="balanced").fit(X, y)
    named = classifier(class_weight={0: 0.75, 1: 1.5}).fit(X, y)
    by_row = classifier().fit(X, y, sample_weight=np.where(y == 1, 1.5, 0.75))
    assert_array_equal(balanced.predict_proba(X), named.predict_proba(X))
    assert_array_equal(balanced.predict_proba(X), by_row.predict_proba(X))


def test_class_weight_balanced_counts_a_weight_of_k_as_k_copies():
    rows, y = X[::5], Y[::5]
    weight = np.random.default_rng(0).integers(0, 4, size=len(rows))
    weighted = classifier(class_weight="balanced").fit(rows, y, sample_weight=weight)
    repeated = classifier(class_weight="balanced").fit(np.repeat(rows, weight, axis=0), np.repeat(y, weight))
    assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


def test_class_weight_lifts_the_rare_class():
    X, y = make_classification(1000, weights=[0.95], flip_y=0.05, class_sep=0.5, random_state=0)
    plain = classifier(module=MLP, max_epochs=10).fit(X, y)
    balanced = classifier(module=MLP, max_epochs=10, class_weight="balanced").fit(X, y)
    assert balanced.predict(X)[y == 1].mean() > plain.predict(X)[y == 1].mean() + 0.2


def test_class_weight_takes_string_labels():
    labels = np.array(["a", "b", "c"])[Y]
    model = classifier(class_weight={"a": 1, "b": 5, "c": 1}).fit(X, labels)
    assert_array_equal(
        model.predict_proba(X),
        classifier().fit(X, labels, sample_weight=np.where(labels == "b", 5, 1)).predict_proba(X),
    )


# --- forms of y -----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", [np.asarray, scipy.sparse.csr_array, scipy.sparse.csc_array, pd.DataFrame])
def test_multilabel_indicators(container):
    X, y = make_multilabel_classification(300, n_features=12, n_classes=4, random_state=0)
    model = classifier(module=MLP, max_epochs=30).fit(X, container(y))
    assert model.predict(X).shape == y.shape
    assert set(np.unique(model.predict(X))) == {0, 1}
    probabilities = model.predict_proba(X)
    assert probabilities.shape == y.shape
    assert not np.allclose(probabilities.sum(axis=1), 1)
    assert np.mean(model.predict(X) == y) > np.mean(y == (y.mean(axis=0) > 0.5)) + 0.1
    assert cross_val_score(classifier(module=MLP), X, y, cv=2).shape == (2,)


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, lambda y: y.tolist()])
def test_regression_of_several_outputs(form):
    y = np.column_stack([Y_REG, -Y_REG * 1e6, Y_REG + 1e5])
    model = regressor(module=MLP, max_epochs=30).fit(X_REG, form(y))
    assert model.n_outputs_ == 3
    assert model.predict(X_REG).shape == y.shape
    assert model.score(X_REG, y) > 0.3


@pytest.mark.parametrize("criterion", ["squared_error", "absolute_error", "huber", torch.nn.MSELoss])
def test_one_dimensional_y_with_a_column_of_raw_scores_never_broadcasts(criterion):
    # (n,) against (n, 1) would be (n, n): every row would learn the mean.
    model = regressor(module=Recorder, criterion=criterion, max_epochs=60, early_stopping=False)
    assert model.fit(X_REG, Y_REG).score(X_REG, Y_REG) > 0.4
    assert model.predict(X_REG).shape == Y_REG.shape
    column = clone(model).fit(X_REG, Y_REG[:, None])
    assert column.predict(X_REG).shape == (len(Y_REG), 1)
    assert_allclose(column.predict(X_REG).ravel(), model.predict(X_REG), rtol=1e-5)


def test_module_that_returns_one_dimension_is_a_column():
    class Flat(Recorder):
        def forward(self, x):
            return super().forward(x).squeeze(1)

    flat = regressor(module=Flat).fit(X_REG, Y_REG).predict(X_REG)
    assert_array_equal(flat, regressor(module=Recorder).fit(X_REG, Y_REG).predict(X_REG))


# --- going on ---------------------------------------------------------------------------------------


def test_partial_fit_with_classes_learns_from_blocks():
    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))
    model = classifier(lr=0.02)
    for epoch in range(30):
        for block in np.array_split(order, 3):
            model.partial_fit(X[block], Y[block], classes=[0, 1, 2] if epoch == 0 else None)
    assert model.score(X, Y) > 0.9
    assert model.n_iter_ == 90


def test_partial_fit_takes_classes_that_come_later():
    model = classifier()
    model.partial_fit(X[:100], Y[:100], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    model.partial_fit(X[100:], Y[100:])
    assert model.classes_.tolist() == [0, 1, 2]


def test_partial_fit_in_a_search_by_halving_or_alone_is_deterministic():
    first, second = (classifier().partial_fit(X, Y, [0, 1, 2]).partial_fit(X, Y).predict_proba(X) for _ in range(2))
    assert_array_equal(first, second)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_warm_start_goes_on_and_cold_start_forgets(make):
    warm = make(warm_start=True, early_stopping=False).fit(X, Y)
    network = warm.module_
    losses = list(warm.loss_curve_)
    warm.fit(X, Y)
    assert warm.module_ is network
    assert warm.n_iter_ == 6
    assert warm.loss_curve_[:3] == losses
    assert warm.loss_curve_[3] < losses[0]
    cold = make(early_stopping=False).fit(X, Y)
    once = values(cold, X)
    assert_array_equal(values(cold.fit(X, Y), X), once)


# --- metadata -----------------------------------------------------------------------------------------


def test_sample_weight_is_routed_through_pipeline_and_search():
    weight = np.random.default_rng(0).random(len(X))
    with config_context(enable_metadata_routing=True):
        net = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), net)
        fitted = clone(pipe).fit(X, Y, sample_weight=weight)
        direct = classifier().fit(StandardScaler().fit_transform(X), Y, sample_weight=weight)
        assert_array_equal(fitted.predict_proba(X), direct.predict_proba(StandardScaler().fit_transform(X)))
        assert fitted.score(X, Y, sample_weight=weight) == accuracy_score(Y, fitted.predict(X), sample_weight=weight)
        # The score of a Pipeline takes no routed weights before scikit-learn 1.7, a scorer does.
        grid, scorer = {"neuralclassifier__lr": [0.01]}, get_scorer("accuracy").set_score_request(sample_weight=True)
        search = GridSearchCV(pipe, grid, cv=2, scoring=scorer).fit(X, Y, sample_weight=weight)
        assert_array_equal(search.predict_proba(X), fitted.predict_proba(X))
        plain = GridSearchCV(clone(pipe), grid, cv=2, scoring=scorer).fit(X, Y)
        assert plain.best_score_ != search.best_score_


def test_groups_are_routed_to_the_splitter_and_to_the_inner_split():
    groups = np.arange(len(X)) % 10
    with config_context(enable_metadata_routing=True):
        net = classifier(early_stopping=True).set_fit_request(groups=True)
        scores = cross_validate(net, X, Y, cv=GroupKFold(2), params={"groups": groups})["test_score"]
        assert scores.shape == (2,)
        assert np.isfinite(scores).all()


def test_metadata_that_nobody_asked_for_is_refused():
    from sklearn.exceptions import UnsetMetadataPassedError

    with config_context(enable_metadata_routing=True), pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        GridSearchCV(classifier(), {"lr": [0.01]}, cv=2).fit(X, Y, sample_weight=np.ones(len(X)))


def test_validation_rows_are_transformed_by_the_pipeline():
    train, valid = np.arange(150) % 3 > 0, np.arange(150) % 3 == 0
    with config_context(enable_metadata_routing=True):
        net = classifier(early_stopping=True).set_fit_request(X_val=True, y_val=True)
        pipe = Pipeline([("scale", StandardScaler()), ("net", net)], transform_input=["X_val"])
        pipe.fit(X[train], Y[train], X_val=X[valid], y_val=Y[valid])
    scaler = StandardScaler().fit(X[train])
    direct = classifier(early_stopping=True).fit(
        scaler.transform(X[train]), Y[train], X_val=scaler.transform(X[valid]), y_val=Y[valid]
    )
    assert pipe["net"].validation_scores_ == direct.validation_scores_
    assert_array_equal(pipe.predict_proba(X), direct.predict_proba(scaler.transform(X)))


def test_fit_params_pass_without_routing_too():
    weight = np.random.default_rng(0).random(len(X))
    pipe = make_pipeline(StandardScaler(), classifier()).fit(X, Y, neuralclassifier__sample_weight=weight)
    direct = classifier().fit(StandardScaler().fit_transform(X), Y, sample_weight=weight)
    assert_array_equal(pipe[-1].loss_curve_, direct.loss_curve_)


# --- names of columns -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [classifier, regressor])
def test_names_and_number_of_features_are_kept_and_checked(make):
    frame = load_iris(as_frame=True).data
    model = make().fit(frame, Y)
    assert model.n_features_in_ == 4
    assert_array_equal(model.feature_names_in_, frame.columns)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    with pytest.raises(ValueError, match="expecting 4 features"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match=r"(?s)feature names.*petal length \(cm\)"):
        model.predict(frame.rename(columns={"petal length (cm)": "other"}))
    assert not hasattr(make().fit(X, Y), "feature_names_in_")


def test_names_are_forgotten_by_a_later_fit_without_names():
    model = classifier().fit(load_iris(as_frame=True).data, Y)
    assert not hasattr(model.fit(X, Y), "feature_names_in_")


# --- callbacks ------------------------------------------------------------------------------------------


@pytest.fixture
def sklearn_callback():
    return pytest.importorskip("sklearn.callback", reason="scikit-learn >= 1.9")


def test_scoring_monitor_logs_every_epoch(sklearn_callback):
    monitor = sklearn_callback.ScoringMonitor(scoring="neg_log_loss")
    model = classifier(max_epochs=4, early_stopping=False).set_callbacks(monitor).fit(X, Y)
    rows = monitor.get_logs().data
    epochs = [row["neg_log_loss"] for row in rows if row["task_name"] == "epoch"]
    assert len(epochs) == 4
    assert epochs == sorted(epochs)
    assert [row["neg_log_loss"] for row in rows if row["task_name"] == "fit"] == epochs[-1:]
    assert epochs[-1] == pytest.approx(-log_loss(Y, model.predict_proba(X)), abs=1e-6)


def test_monitoring_does_not_change_the_training(sklearn_callback):
    monitor = sklearn_callback.ScoringMonitor(scoring="accuracy")
    params = {"module_params": {"dropout": 0.3}}
    watched = classifier(**params).set_callbacks(monitor).fit(X, Y).predict_proba(X)
    assert_array_equal(watched, classifier(**params).fit(X, Y).predict_proba(X))


@pytest.mark.parametrize("make", [classifier, regressor])
def test_scoring_monitor_works_through_pipeline_and_grid_search(make, sklearn_callback):
    monitor = sklearn_callback.ScoringMonitor(scoring="accuracy" if make is classifier else "r2")
    pipe = make_pipeline(StandardScaler(), make(max_epochs=2, early_stopping=False).set_callbacks(monitor))
    name = pipe.steps[-1][0]
    search = GridSearchCV(pipe, {f"{name}__lr": [0.01, 0.1]}, cv=2).fit(X, Y)
    assert search.best_score_ == search.best_score_
    runs = monitor.get_logs(select="all")
    rows = [row for run in runs for row in run.data]
    # 2 candidates x 2 folds, and the refit: two epochs each.
    assert sum(row["task_name"] == "epoch" for row in rows) == 5 * 2


@pytest.mark.filterwarnings("ignore")
def test_progress_bar_works_through_pipeline_and_grid_search(sklearn_callback, capfd):
    pytest.importorskip("rich")
    bar = sklearn_callback.ProgressBar(max_propagation_depth=None)
    pipe = make_pipeline(StandardScaler(), classifier(max_epochs=2))
    search = GridSearchCV(pipe, {"neuralclassifier__lr": [0.01]}, cv=2).set_callbacks(bar).fit(X, Y)
    assert search.best_estimator_[-1].n_iter_ == 2
    assert "NeuralClassifier" in capfd.readouterr().out


def test_skorch_callbacks_see_every_epoch_and_can_be_read_after_fit():
    scoring = EpochScoring("accuracy", lower_is_better=False, name="train_accuracy", on_train=True, use_caching=False)
    model = classifier(callbacks=[("accuracy", scoring)], early_stopping=False, max_epochs=5).fit(X, Y)
    assert len(model.net_.history[:, "train_accuracy"]) == 5
    assert model.net_.history[-1, "train_accuracy"] == pytest.approx(model.score(X, Y), abs=0.02)
    assert scoring.best_score_ == max(model.net_.history[:, "train_accuracy"])


# --- reproducible, and portable ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", [classifier, regressor])
def test_random_state_decides_everything(make):
    params = {"module_params": {"dropout": 0.3}, "early_stopping": True}
    first = values(make(**params).fit(X, Y), X)
    torch.manual_seed(99)
    np.random.seed(99)
    assert_array_equal(values(make(**params).fit(X, Y), X), first)
    assert not np.array_equal(values(make(**params, random_state=1).fit(X, Y), X), first)


def test_random_state_instance_moves_on():
    state = np.random.RandomState(0)
    first = classifier(random_state=state).fit(X, Y).predict_proba(X)
    assert not np.array_equal(classifier(random_state=state).fit(X, Y).predict_proba(X), first)
    again = classifier(random_state=np.random.RandomState(0)).fit(X, Y).predict_proba(X)
    assert_array_equal(again, first)


def test_fits_in_threads_beside_each_other_do_not_change_a_search():
    def scores():
        search = GridSearchCV(classifier(module_params={"dropout": 0.3}), {"lr": [0.01, 0.1]}, cv=2, n_jobs=2)
        return search.fit(X, Y).cv_results_["mean_test_score"]

    with joblib.parallel_backend("sequential"):
        expected = scores()
    with joblib.parallel_backend("threading"):
        assert_array_equal(scores(), expected)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_pickled_model_predicts_the_same_and_trains_on(make):
    model = make().fit(X, Y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(values(loaded, X), values(model, X))
    loaded.partial_fit(X, Y)
    assert not np.array_equal(values(loaded, X), values(model, X))


def test_the_default_module_is_written_in_the_repr_only_when_changed():
    assert repr(NeuralClassifier()) == "NeuralClassifier()"
    assert repr(NeuralClassifier("auto")) == "NeuralClassifier()"
    assert "ResNet" in repr(NeuralClassifier(ResNet))
    assert "NeuralRegressor" in NeuralRegressor()._repr_html_()
