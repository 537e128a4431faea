"""What scikit-learn's tests ask of its own MLP, asked of these estimators where it makes sense."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import (
    load_diabetes,
    load_digits,
    load_iris,
    make_classification,
    make_multilabel_classification,
    make_regression,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.metrics import roc_auc_score

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping
from sknn.exceptions import GradientHealthWarning, TrainingHealthError
from sknn.modules import MLP

BOTH = pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
FIRST_ROWS_ARE_FEW = pytest.mark.filterwarnings("ignore:The first call of partial_fit")
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_DIGITS, Y_DIGITS = load_digits(return_X_y=True)
BINARY = Y_DIGITS < 2
X_BINARY, Y_BINARY = X_DIGITS[BINARY][:200], Y_DIGITS[BINARY][:200]
SMALL = {"module": MLP, "module_params": {"hidden_sizes": (32,)}}
PLAIN_SGD = {"optimizer": torch.optim.SGD, "lr_schedule": "constant"}


def values(model, X):
    return model.predict_proba(X) if isinstance(model, NeuralClassifier) else model.predict(X)


def weights(model):
    return [parameter.detach().numpy().copy() for parameter in model.module_.parameters()]


# --- fitting ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["ReLU", "Tanh", "Sigmoid", "SiLU"])
@pytest.mark.parametrize(("X", "y"), [(X_BINARY, Y_BINARY), (X_DIGITS[:300], Y_DIGITS[:300])], ids=["2", "10"])
def test_digits_are_learned_with_any_activation(X, y, activation):
    params = {"hidden_sizes": (50,), "activation": getattr(torch.nn, activation)}
    model = NeuralClassifier(MLP, module_params=params, max_epochs=15, lr=0.02, random_state=1).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.predict(X).dtype == y.dtype


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.AdamW])
def test_training_loss_falls(optimizer):
    lr = {torch.optim.SGD: 0.05, torch.optim.RMSprop: 1e-4}.get(optimizer, 0.003)
    model = NeuralClassifier(
        optimizer=optimizer, lr=lr, max_epochs=8, batch_size=1000, early_stopping=False, random_state=0
    ).fit(X_BINARY, Y_BINARY)
    assert len(model.loss_curve_) == 8
    assert (np.diff(model.loss_curve_) < 0).all()
    assert all(isinstance(loss, float) for loss in model.loss_curve_)


def test_lbfgs_on_full_batches_learns():
    params = {"optimizer": torch.optim.LBFGS, "lr": 0.5, "batch_size": 10_000, "early_stopping": False, **SMALL}
    model = NeuralClassifier(max_epochs=8, random_state=0, **params).fit(X_IRIS, Y_IRIS)
    assert model.score(X_IRIS, Y_IRIS) > 0.95
    regressor = NeuralRegressor(max_epochs=8, random_state=0, **params).fit(X_IRIS, X_IRIS[:, 2])
    assert regressor.score(X_IRIS, X_IRIS[:, 2]) > 0.95


def test_linear_network_is_logistic_regression():
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = (X @ [1, -2, 0.5] + np.random.default_rng(1).logistic(size=200) > 0).astype(int)
    model = NeuralClassifier(
        torch.nn.LazyLinear, module_params={}, optimizer=torch.optim.LBFGS, lr=1.0, lr_schedule="constant",
        max_epochs=20, batch_size=1000, preprocessing=False, early_stopping=False, gradient_clipping=None,
    ).fit(X, y)  # fmt: skip
    glm = LogisticRegression(C=np.inf, tol=1e-8).fit(X, y)
    assert_allclose(model.predict_proba(X), glm.predict_proba(X), atol=2e-3)


def test_linear_network_is_linear_regression():
    X, y = load_diabetes(return_X_y=True)
    model = NeuralRegressor(
        torch.nn.LazyLinear, optimizer=torch.optim.LBFGS, lr=1.0, lr_schedule="constant", max_epochs=20,
        optimizer_params={"max_iter": 50}, batch_size=1000, preprocessing=False, early_stopping=False,
        gradient_clipping=None,
    ).fit(X * 20, y / 100)  # fmt: skip
    expected = LinearRegression().fit(X, y).predict(X) / 100
    assert_allclose(model.predict(X * 20), expected, atol=5e-3)


@pytest.mark.parametrize("seed", [0, 1])
def test_linear_network_with_poisson_loss_is_a_poisson_regression(seed):
    rng = np.random.default_rng(seed)
    X = np.linspace(0, 1, 100)
    y = rng.poisson(np.exp(X + 1))
    X = X.reshape(-1, 1)
    settings = {
        "optimizer": torch.optim.LBFGS, "optimizer_params": {"max_iter": 50}, "lr": 1.0, "lr_schedule": "constant",
        "max_epochs": 10, "batch_size": 1000, "preprocessing": False, "gradient_clipping": None, "random_state": seed,
    }  # fmt: skip
    model = NeuralRegressor(torch.nn.LazyLinear, criterion="poisson", **settings).fit(X, y)
    glm = PoissonRegressor(alpha=0, tol=1e-8).fit(X, y)
    assert_allclose(model.predict(X), glm.predict(X), rtol=1e-3)
    squared = NeuralRegressor(torch.nn.LazyLinear, **settings).fit(X, y)
    assert not np.allclose(squared.predict(X), glm.predict(X), rtol=1e-3)


@BOTH
def test_batches_are_shuffled_anew_by_the_seed(estimator):
    class Watch(torch.nn.Module):
        def __init__(self, in_features, out_features):
            super().__init__()
            self.layer = torch.nn.Linear(in_features, out_features)
            self.seen = []

        def forward(self, x):
            if self.training:
                self.seen.append(x[:, 0].tolist())
            return self.layer(x)

    X = np.arange(64.0)[:, None]
    params = {"max_epochs": 2, "batch_size": 16, "preprocessing": False}
    runs = [estimator(Watch, random_state=s, **params).fit(X, np.arange(64) % 2).module_.seen for s in (0, 0, 1)]
    first, second = runs[0][:4], runs[0][4:]
    assert sorted(sum(first, [])) == sorted(sum(second, [])) == list(range(64))
    assert first != second
    assert runs[1] == runs[0]
    assert runs[2] != runs[0]


@BOTH
def test_sparse_and_dense_rows_are_learned_equally_well(estimator):
    # Not the same bits: sparse columns are scaled, but not centred.
    dense = estimator(max_epochs=10, lr=0.01, random_state=0).fit(X_BINARY, Y_BINARY)
    assert dense.score(X_BINARY, Y_BINARY) > 0.9
    for sparse in (scipy.sparse.csr_array, scipy.sparse.csc_array):
        model = estimator(max_epochs=10, lr=0.01, random_state=0).fit(sparse(X_BINARY), Y_BINARY)
        assert model.score(sparse(X_BINARY), Y_BINARY) > 0.9
        assert_allclose(values(model, X_BINARY), values(model, sparse(X_BINARY)), atol=1e-6)


@FIRST_ROWS_ARE_FEW
@BOTH
def test_one_row_of_a_known_class_set_is_enough_for_a_step(estimator):
    model = estimator(random_state=0)
    if estimator is NeuralClassifier:
        model.partial_fit([[3.0, 2.0]], [0], classes=[0, 1])
    else:
        model.partial_fit([[3.0, 2.0]], [0.5])
    assert model.predict([[1.0, 1.0]]).shape == (1,)


# --- labels ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scoring", ["loss", "accuracy", "neg_log_loss", "roc_auc_ovr"])
def test_early_stopping_takes_string_labels(scoring):
    X, y = make_classification(200, n_features=10, n_classes=3, n_informative=5, random_state=42)
    y = np.array(["class_a", "class_b", "class_c"], dtype=object)[y]
    model = NeuralClassifier(**SMALL, early_stopping=True, max_epochs=5, scoring=scoring, random_state=42).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.validation_scores_).all()


def test_binary_probabilities():
    model = NeuralClassifier(max_epochs=10, lr=0.01, random_state=1).fit(X_BINARY[:50], Y_BINARY[:50])
    probabilities = model.predict_proba(X_BINARY[:50])
    assert probabilities.shape == (50, 2)
    assert roc_auc_score(Y_BINARY[:50], probabilities[:, 1]) == 1.0


def test_multiclass_probabilities_of_few_rows():
    model = NeuralClassifier(max_epochs=2).fit(X_DIGITS[:10], Y_DIGITS[:10])
    assert model.predict_proba(X_DIGITS[:10]).shape == (10, 10)


def test_multilabel_probabilities_do_not_compete():
    X, Y = make_multilabel_classification(n_samples=50, random_state=0)
    model = NeuralClassifier(MLP, max_epochs=60, lr=0.02, random_state=0).fit(X, Y)
    probabilities = model.predict_proba(X)
    assert probabilities.shape == Y.shape
    assert_array_equal(probabilities > 0.5, model.predict(X))
    assert np.abs(probabilities.sum(axis=1) - 1).max() > 0.5
    assert model.score(X, Y) > 0.9


def test_multilabel_partial_fit_and_early_stopping():
    X, Y = make_multilabel_classification(n_samples=250, random_state=0)
    model = NeuralClassifier(MLP, lr=0.02, random_state=0)
    for _ in range(15):
        model.partial_fit(X, Y, classes=[0, 1, 2, 3, 4])
    assert model.score(X, Y) > 0.7
    stopped = NeuralClassifier(MLP, early_stopping=True, max_epochs=3, scoring="f1_macro").fit(X, Y)
    assert len(stopped.validation_scores_) == 3


def test_several_outputs_are_regressed():
    X, y = make_regression(n_samples=200, n_targets=5, n_features=10, random_state=11)
    model = NeuralRegressor(MLP, max_epochs=40, lr=0.01, random_state=1).fit(X, y)
    assert model.score(X, y) > 0.9
    assert model.predict(X).shape == (200, 5)


# --- partial_fit ---------------------------------------------------------------------------------------


@FIRST_ROWS_ARE_FEW
def test_partial_fit_without_classes_of_the_future_refuses_them():
    model = NeuralClassifier().partial_fit([[1], [2], [3]], ["a", "b", "c"], classes=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"not among classes_: \['d'\].*partial_fit"):
        model.partial_fit([[4]], ["d"])


@FIRST_ROWS_ARE_FEW
def test_partial_fit_serves_classes_that_were_announced():
    model = NeuralClassifier(random_state=0)
    model.partial_fit([[1], [2], [3]], ["a", "b", "c"], classes=["a", "b", "c", "d"])
    model.partial_fit([[4]], ["d"])
    assert model.score([[1], [2], [3], [4]], ["a", "b", "c", "d"]) > 0


@FIRST_ROWS_ARE_FEW
def test_partial_fit_with_other_classes_than_before_is_an_error():
    model = NeuralClassifier().partial_fit([[3, 2]], [0], classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes=\[1, 2\] differ"):
        model.partial_fit([[3, 2]], [0], classes=[1, 2])
    model.partial_fit([[3, 2]], [0], classes=[1, 0])  # the order is free


def test_partial_fit_with_labels_outside_classes_is_an_error():
    with pytest.raises(ValueError, match="classes"):
        NeuralClassifier().partial_fit([[3, 2], [1, 6]], [1, 0], classes=[2, 3])


def test_first_partial_fit_of_a_classifier_needs_classes():
    with pytest.raises(ValueError, match="classes=None in the first call of partial_fit"):
        NeuralClassifier().partial_fit([[1], [2]], [0, 1])


@BOTH
def test_partial_fit_over_and_over_reaches_what_fit_reaches(estimator):
    params = {**PLAIN_SGD, **SMALL, "lr": 0.03, "gradient_clipping": 10.0, "random_state": 1}
    fitted = estimator(max_epochs=40, early_stopping=False, **params).fit(X_IRIS, Y_IRIS)
    stepped = estimator(**params)
    for _ in range(40):
        if estimator is NeuralClassifier:
            stepped.partial_fit(X_IRIS, Y_IRIS, classes=np.unique(Y_IRIS))
        else:
            stepped.partial_fit(X_IRIS, Y_IRIS)
    assert stepped.n_iter_ == fitted.n_iter_ == 40
    assert stepped.score(X_IRIS, Y_IRIS) == pytest.approx(fitted.score(X_IRIS, Y_IRIS), abs=0.05)


@BOTH
def test_partial_fit_after_a_fit_with_early_stopping(estimator):
    model = estimator(early_stopping=True, max_epochs=3, random_state=0).fit(X_IRIS, Y_IRIS)
    before = weights(model)
    model.partial_fit(X_IRIS, Y_IRIS)
    assert any((a != b).any() for a, b in zip(before, weights(model), strict=True))


@pytest.mark.parametrize("callbacks", [None, [EarlyStopping(patience=3)]])
def test_partial_fit_moves_the_prediction_of_a_loaded_model(tmp_path, callbacks):
    fitted = NeuralRegressor(**SMALL, lr=0.01, max_epochs=20, early_stopping=False, random_state=0)
    fitted.fit([[0.0], [2.0], [4.0]], [0.0, 4.0, 8.0])
    joblib.dump(fitted, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib").set_params(callbacks=callbacks)
    for _ in range(100):
        loaded.partial_fit([[2.0]], [1.0])
    assert_allclose(loaded.predict([[2.0]]), [1.0], atol=0.05)


# --- warm start ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [[0] * 75 + [1] * 75, [0] * 50 + [1] * 50 + [3] * 50, [0] * 40 + [1] * 40 + [2] * 40 + [3] * 30],
    ids=["fewer", "other", "more"],
)
def test_warm_start_with_other_classes(labels):
    model = NeuralClassifier(warm_start=True, max_epochs=2, random_state=0).fit(X_IRIS, Y_IRIS)
    model.fit(X_IRIS, Y_IRIS)
    model.fit(X_IRIS, np.array([0] * 40 + [1] * 40 + [2] * 70))  # the same three, other rows
    if set(labels) <= {0, 1, 2}:
        # Unlike scikit-learn's: a class that is absent this time stays known.
        assert model.fit(X_IRIS, labels).classes_.tolist() == [0, 1, 2]
    else:
        with pytest.raises(ValueError, match=r"not among classes_: \['3'\]; known are \[0, 1, 2\]"):
            model.fit(X_IRIS, labels)


@BOTH
def test_warm_start_trains_max_epochs_more(estimator):
    model = estimator(warm_start=True, max_epochs=3, early_stopping=False, random_state=0).fit(X_IRIS, Y_IRIS)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    model.set_params(max_epochs=5).fit(X_IRIS, Y_IRIS)
    assert model.n_iter_ == len(model.loss_curve_) == 8  # as scikit-learn's MLP with sgd and adam: all epochs so far


@BOTH
def test_warm_start_with_early_stopping(estimator):
    model = estimator(max_epochs=3, random_state=0, warm_start=True, early_stopping=True).fit(X_IRIS, Y_IRIS)
    first = len(model.validation_scores_)
    model.set_params(max_epochs=6).fit(X_IRIS, Y_IRIS)
    assert len(model.validation_scores_) > first
    assert 1 <= model.best_epoch_ <= model.n_iter_
    assert model.best_epoch_ - 1 == int(np.argmax(model.validation_scores_)) or model.best_epoch_ > first


@BOTH
def test_warm_start_keeps_what_it_learned(estimator):
    model = estimator(warm_start=True, max_epochs=25, lr=0.01, early_stopping=False, random_state=0)
    learned = model.fit(X_IRIS, Y_IRIS).score(X_IRIS, Y_IRIS)
    again = model.set_params(max_epochs=1, lr=1e-6).fit(X_IRIS, Y_IRIS).score(X_IRIS, Y_IRIS)
    assert again == pytest.approx(learned, abs=0.01)


def test_warm_start_takes_the_new_lr():
    model = NeuralClassifier(warm_start=True, max_epochs=1, lr_schedule="constant", **{"lr": 0.01}).fit(X_IRIS, Y_IRIS)
    assert model.net_.history[-1]["lr"] == 0.01
    before = weights(model)
    model.set_params(lr=1e-12).fit(X_IRIS, Y_IRIS)
    assert model.net_.history[-1]["lr"] == 1e-12
    for a, b in zip(before, weights(model), strict=True):
        assert_allclose(a, b, atol=1e-6)


# --- weights -------------------------------------------------------------------------------------------


def test_weights_of_one_change_nothing_with_early_stopping():
    X, y = make_regression(n_samples=100, n_features=2, n_informative=2, random_state=42)
    params = {**SMALL, "early_stopping": True, "batch_size": 10, "max_epochs": 5, "random_state": 42}
    unweighted = NeuralRegressor(**params).fit(X, y)
    weighted = NeuralRegressor(**params).fit(X, y, sample_weight=np.ones_like(y))
    assert_array_equal(weighted.predict(X), unweighted.predict(X))


@BOTH
def test_weights_steer_the_fit(estimator):
    # The same x, two targets: the prediction is the weighted mean.
    X, y = np.zeros((40, 1)), np.arange(40) % 2
    model = estimator(MLP, max_epochs=60, lr=0.05, random_state=0)
    if estimator is NeuralClassifier:
        model.set_params(criterion__label_smoothing=0.0)
    model.fit(X, y, sample_weight=np.where(y == 1, 9.0, 1.0))
    value = model.predict_proba(X)[0, 1] if estimator is NeuralClassifier else model.predict(X)[0]
    assert value == pytest.approx(0.9, abs=0.05)


# --- stopping --------------------------------------------------------------------------------------------


@BOTH
def test_early_stopping_keeps_the_best_epoch(estimator):
    model = estimator(
        **SMALL, early_stopping=True, n_iter_no_change=3, tol=0.02, lr=0.02, max_epochs=200, random_state=0
    ).fit(X_BINARY, Y_BINARY)
    assert model.n_iter_ < 200
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_epoch_ - 1 == int(np.argmax(model.validation_scores_))
    whole = estimator(**SMALL, early_stopping=False, max_epochs=4).fit(X_BINARY, Y_BINARY)
    assert whole.validation_scores_ is None
    assert whole.n_iter_ == whole.best_epoch_ == 4


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_patience_counts_epochs_without_improvement(patience):
    # Nothing ever improves by so much after the first epoch.
    stopping = {"early_stopping": True, "tol": 1e9, "n_iter_no_change": patience}
    model = NeuralClassifier(**SMALL, **stopping, max_epochs=50, random_state=0)
    assert model.fit(X_BINARY, Y_BINARY).n_iter_ == patience + 1


def test_early_stopping_is_stratified():
    y = np.array([0] * 90 + [1] * 10)
    X = np.random.default_rng(0).normal(size=(100, 2))
    seen = []

    def count(estimator, X, y):
        seen.append(np.bincount(y.astype(int), minlength=2).tolist())
        return 0.0

    NeuralClassifier(MLP, early_stopping=True, validation_fraction=0.2, scoring=count, max_epochs=1).fit(X, y)
    assert seen == [[18, 2]]


def test_class_of_one_row_stays_in_training():
    # scikit-learn's MLP refuses; here the row is too rare to be on both sides, and is learned from.
    model = NeuralClassifier(early_stopping=True, max_epochs=2).fit([[1, 2], [2, 3], [3, 4], [4, 5]], [0, 0, 0, 1])
    assert model.classes_.tolist() == [0, 1]


@BOTH
def test_a_perfect_validation_score_is_no_reason_to_fail(estimator):
    y = np.arange(60) % 2
    model = estimator(**SMALL, early_stopping=True, max_epochs=20, lr=0.05, random_state=0).fit(y[:, None] * 1.0, y)
    assert np.isfinite(model.validation_scores_).all()


def test_plateau_schedule_lowers_the_rate_when_nothing_improves():
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.random.default_rng(1).normal(size=60)
    model = NeuralRegressor(
        MLP, lr_schedule="plateau", lr=0.05, max_epochs=40, lr_schedule_params={"patience": 2}, early_stopping=True,
        n_iter_no_change=40, random_state=0,
    ).fit(X, y)  # fmt: skip
    rates = model.net_.history[:, "lr"]
    assert rates[0] == 0.05
    assert rates[-1] < 0.05
    assert (np.diff(rates) <= 0).all()


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_schedules_start_and_end_where_they_should(schedule):
    model = NeuralClassifier(**SMALL, lr_schedule=schedule, lr=0.02, max_epochs=10, early_stopping=False).fit(
        X_IRIS, Y_IRIS
    )
    rates = model.net_.history[:, "lr"]
    assert max(rates) <= 0.02 * (1 + 1e-9)
    if schedule == "constant":
        assert rates == [0.02] * 10
    else:
        assert rates[-1] < 0.002
        assert max(rates) > 0.01


# --- numbers that are none ---------------------------------------------------------------------------------


@BOTH
def test_huge_inputs_are_no_trouble(estimator):
    rng = np.random.default_rng(0)
    X = np.finfo(np.float64).max * rng.uniform(size=(30, 2))
    model = estimator(max_epochs=3, random_state=0).fit(X, np.arange(30) % 2)
    assert np.isfinite(values(model, X)).all()


@BOTH
@pytest.mark.parametrize("early_stopping", [False, True])
def test_diverging_training_warns_and_keeps_finite_weights(estimator, early_stopping):
    diverging = estimator(
        **PLAIN_SGD, lr=1e30, gradient_clipping=None, early_stopping=early_stopping, max_epochs=10, random_state=0,
        module_params={"activation": torch.nn.Identity},
    )  # fmt: skip
    X = X_IRIS * 1.0
    with pytest.warns(GradientHealthWarning, match="lr"):
        diverging.fit(X, Y_IRIS)
    assert diverging.health_.status == "unhealthy"
    assert np.isfinite(values(diverging, X)).all()
    with pytest.raises(TrainingHealthError, match="lr"):
        diverging.set_params(gradient_health="raise").fit(X, Y_IRIS)


# --- what is said ---------------------------------------------------------------------------------------------


@BOTH
def test_verbose_tells_of_every_epoch(estimator, capfd):
    model = estimator(max_epochs=3, random_state=0)
    model.fit(X_IRIS, Y_IRIS)
    assert capfd.readouterr() == ("", "")
    model.set_params(verbose=2).fit(X_IRIS, Y_IRIS)
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("train_loss" in line for line in lines)
    model.set_params(verbose=1, early_stopping=True).fit(X_IRIS, Y_IRIS)
    bar = capfd.readouterr().err
    assert "3/3" in bar
    assert "best_valid" in bar


@BOTH
def test_feature_names_survive_early_stopping(estimator):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 2)), columns=["name_a", "name_b"])
    y = pd.Series(np.arange(20) % 2, name="target")
    for scoring in ("loss", "accuracy" if estimator is NeuralClassifier else "r2"):
        stopping = {"early_stopping": True, "validation_fraction": 0.2, "scoring": scoring}
        model = estimator(**SMALL, **stopping, max_epochs=2).fit(X, y)
        assert model.feature_names_in_.tolist() == ["name_a", "name_b"]
        model.predict(X)


# --- dtypes -----------------------------------------------------------------------------------------------------


def test_classes_do_not_depend_on_the_float_width():
    wide, narrow = (
        NeuralClassifier(**SMALL, max_epochs=5, random_state=1).fit(X_DIGITS[:300].astype(dtype), Y_DIGITS[:300])
        for dtype in (np.float64, np.float32)
    )
    assert_array_equal(narrow.predict_proba(X_DIGITS[300:]), wide.predict_proba(X_DIGITS[300:]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@BOTH
def test_weights_are_float32_and_probabilities_float64(estimator, dtype):
    y = Y_DIGITS[:300]
    model = estimator(**SMALL, max_epochs=2, random_state=0).fit(X_DIGITS[:300].astype(dtype), y.astype(dtype))
    assert {weight.dtype for weight in weights(model)} == {np.dtype(np.float32)}
    expected = np.float64 if estimator is NeuralClassifier else np.float32
    assert values(model, X_DIGITS[300:].astype(dtype)).dtype == expected
    if estimator is NeuralClassifier:
        assert model.predict(X_DIGITS[300:]).dtype == dtype


def test_prediction_of_a_target_with_a_large_mean_is_float64():
    y = 1e9 + np.arange(150.0)
    prediction = NeuralRegressor(max_epochs=2, random_state=0).fit(X_IRIS, y).predict(X_IRIS)
    assert prediction.dtype == np.float64
    assert len(np.unique(prediction)) > 100


# --- too few rows -------------------------------------------------------------------------------------------------


@BOTH
def test_one_row_cannot_be_split(estimator):
    model = estimator(early_stopping=True)
    with pytest.raises(ValueError, match=r"(?i)1 class|early_stopping needs at least 2 rows.*early_stopping=False"):
        model.fit([[1.0, 2.0]], [1])


@BOTH
def test_two_rows_are_enough(estimator):
    for early_stopping in ("auto", True, False):
        model = estimator(**SMALL, early_stopping=early_stopping, max_epochs=2).fit([[3, 2], [1, 6]], [1, 0])
        assert model.predict([[3, 2]]).shape == (1,)
