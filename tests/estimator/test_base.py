"""Bad input: a ValueError or TypeError that names the thing, and an estimator that stays as it was."""

from __future__ import annotations

import signal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping
from sknn.modules import MLP

X, Y = load_iris(return_X_y=True)
X_REAL, Y_REAL = load_diabetes(return_X_y=True)


class Wide(torch.nn.Module):
    """Returns seven scores, whatever it is asked for."""

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(in_features, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Needy(torch.nn.Module):
    def __init__(self, in_features: int, depth: int) -> None:
        super().__init__()


class Frozen(torch.nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(in_features, out_features).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr": -0.1}, r"'lr'.*\(0.0, inf\).*-0.1"),
        ({"max_epochs": 0}, r"'max_epochs'.*Got 0"),
        ({"validation_fraction": 1.5}, r"'validation_fraction'.*1.5"),
        ({"lr_schedule": "cosin"}, r"'lr_schedule'.*cosine.*'cosin'"),
        ({"lr_schedule_params": {"warm": 0.1}}, r"lr_schedule_params.*'warm'.*warmup"),
        ({"lr_schedule": "plateau", "lr_schedule_params": {"fctor": 1}}, r"'fctor'.*ReduceLROnPlateau.*factor"),
        ({"module_params": {"dropuot": 0.1}}, r"'dropuot' for module TabM.*dropout"),
        ({"module_params": {"in_features": 3}}, r"'in_features'.*filled in from the data"),
        ({"module_params": {"dropout": 1.5}}, r"dropout=1.5"),
        ({"optimizer_params": {"momentum": 0.9}}, r"'momentum' for optimizer 'auto'.*weight_decay"),
        ({"optimizer_params": {"lr": 0.1}}, r"'lr' for optimizer 'auto'.*own parameter lr"),
        ({"optimizer_params": {"betas": (2.0, 0.9)}}, r"Muon refuses.*betas"),
        ({"criterion": "log_los"}, r"criterion='log_los'.*log_loss"),
        ({"criterion": "squared_error"}, r"criterion='squared_error'.*log_loss"),
        ({"criterion_params": {"label_smoothing": 2.0}}, r"label_smoothing=2.0"),
        ({"module": Wide}, r"Wide returned shape \(\d+, 7\).*expected \(batch, 3\)"),
        ({"module": Needy}, r"Needy needs \['depth'\].*module_params"),
        ({"module": Frozen}, r"Frozen has no parameters that require gradients"),
        ({"module": torch.nn.Linear(9, 3)}, r"Linear failed on an input of shape \(\d+, 4\)"),
        ({"device": "cuda:99"}, r"device='cuda:99' is not available"),
        ({"scoring": "no_such_score"}, r"no_such_score"),
        ({"categorical_features": ["a"]}, r"categorical_features"),
        ({"class_weight": {0: 0, 1: 0, 2: 0}}, r"class_weight.*zero"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        NeuralClassifier(max_epochs=1, early_stopping=True).set_params(**params).fit(X, Y)


def test_set_params_refuses_unknown_component_names():
    with pytest.raises(ValueError, match="'drop' for module 'auto'"):
        NeuralClassifier().set_params(module__drop=0.1)
    with pytest.raises(ValueError, match="'nothing'"):
        NeuralClassifier().set_params(nothing=0.1)


@pytest.mark.parametrize(
    ("table", "target", "message"),
    [
        (X[:0], Y[:0], "0 sample"),
        (X[:, :0], Y, "0 feature"),
        (X[:, 0], Y, "Expected 2D array, got 1D array"),
        (X, Y[:-1], "inconsistent numbers of samples"),
        (X, None, "y is None"),
        (X, np.zeros(150), "1 class"),
        (X, np.arange(150), "class of its own"),
        (X, np.where(np.arange(150) == 3, np.nan, Y), "NaN"),
        (X, ["a", None] * 75, "NaN or None in 75 of 150 rows"),
        (X, np.linspace(0, 1, 150), "Unknown label type"),
        (np.where(np.arange(600).reshape(150, 4) == 6, np.inf, X), Y, "(?s)inf.*column 2|column 2.*inf"),
        (pd.DataFrame({"age": X[:, 0], "name": [f"person-{i}" for i in range(150)]}), Y, "name"),
        (X.astype(complex), Y, "Complex data not supported"),
    ],
)
@pytest.mark.filterwarnings("ignore:The number of unique classes:UserWarning")
def test_bad_tables_are_refused(table, target, message):
    with pytest.raises((ValueError, TypeError), match=message):
        NeuralClassifier(max_epochs=1).fit(table, target)


def test_regression_targets_are_checked():
    with pytest.raises(ValueError, match="Input y contains NaN"):
        NeuralRegressor(max_epochs=1).fit(X_REAL, np.where(np.arange(442) == 3, np.nan, Y_REAL))
    with pytest.raises(ValueError, match="(?s)poisson.*y must be >= 0"):
        NeuralRegressor(criterion="poisson").fit(X_REAL, -Y_REAL)
    with pytest.raises(ValueError, match="levels"):
        several = {"quantile": [0.1, 0.9]}
        NeuralRegressor(criterion="quantile", criterion_params=several).fit(X_REAL, np.c_[Y_REAL, Y_REAL])


def test_prediction_needs_a_fit_and_the_same_columns():
    with pytest.raises(NotFittedError, match="NeuralClassifier"):
        NeuralClassifier().predict(X)
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = NeuralClassifier(max_epochs=1).fit(frame, Y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["a", "b"]])
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"a": "z"}))


def test_validation_rows_come_in_pairs():
    with pytest.raises(ValueError, match="y_val is None"):
        NeuralClassifier(max_epochs=1).fit(X, Y, X_val=X)
    with pytest.raises(ValueError, match="sample_weight_val"):
        NeuralClassifier(max_epochs=1).fit(X, Y, sample_weight_val=np.ones(150))


class Bomb(Callback):
    """Fails in an epoch."""

    def __init__(self, epoch: int, error: type[BaseException] = RuntimeError) -> None:
        self.epoch = epoch
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        if net.history[-1]["epoch"] >= self.epoch:
            raise self.error("boom")


@pytest.mark.parametrize("how", ["fit", "warm_start", "partial_fit"])
def test_a_failed_fit_leaves_the_estimator_as_it_was(how):
    model = NeuralClassifier(max_epochs=3, random_state=0, warm_start=how == "warm_start").fit(X, Y)
    before = dict(vars(model))
    probabilities = model.predict_proba(X)
    model.callbacks = [Bomb(epoch=4 if how != "fit" else 2)]
    with pytest.raises(RuntimeError, match="boom"):
        (model.partial_fit if how == "partial_fit" else model.fit)(X, Y)
    model.callbacks = None
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items() if name != "callbacks")
    np.testing.assert_array_equal(model.predict_proba(X), probabilities)
    assert len(model.net_.history) == model.n_iter_ == 3
    model.callbacks = None
    assert model.partial_fit(X, Y).n_iter_ == 4


class PressCtrlC(Callback):
    def on_epoch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("search", [False, True])
def test_ctrl_c_reaches_the_caller(search):
    model = NeuralClassifier(max_epochs=3, callbacks=[PressCtrlC()])
    if search:
        model = GridSearchCV(model, {"lr": [0.1, 0.01]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert not hasattr(model, "net_")


def test_a_callback_of_skorch_that_interrupts_on_purpose_only_stops():
    stopper = SkorchEarlyStopping(monitor="train_loss", patience=2, threshold=1e9, threshold_mode="abs", sink=str)
    model = NeuralClassifier(max_epochs=50, callbacks=[stopper]).fit(X, Y)
    assert 1 < model.n_iter_ < 10


@pytest.mark.parametrize(
    ("criterion", "y", "message"),
    [
        (nn.BCELoss, Y > 0, "BCELoss expects probabilities.*BCEWithLogitsLoss.*Sigmoid"),
        (nn.BCELoss, np.stack([Y > 0, Y > 1], axis=1).astype(int), "BCELoss expects probabilities"),
        (nn.NLLLoss, Y, "NLLLoss expects logarithms of probabilities.*CrossEntropyLoss.*LogSoftmax"),
        (nn.CrossEntropyLoss(weight=torch.ones(5)), Y, r"CrossEntropyLoss failed.*shape \(\d+, 3\).*weight"),
    ],
)
def test_a_loss_that_cannot_take_raw_scores_is_told_before_training(criterion, y, message):
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(criterion=criterion, max_epochs=1, random_state=0).fit(X, y)


# --- what a stranger would try --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"class_weight": {0: -2}}, r"class_weight=\{0: -2\}.*negative"),
        ({"class_weight": {"setosa": 2}}, r"\[0, 1, 2\].*class_weight"),
        ({"callbacks": [3]}, r"callbacks.*\b3\b.*skorch"),
        ({"module": "MLP"}, r"'module'.*callable.*'MLP'"),
        ({"optimizer": "adam"}, r"'optimizer'.*callable.*'adam'"),
        ({"n_iter_no_change": np.inf}, r"'n_iter_no_change'.*inf"),
        ({"lr": np.nan}, r"'lr'.*nan"),
        ({"scoring": "roc_auc"}, r"scoring='roc_auc'.*validation rows.*multi_class"),
        ({"device": "gpu"}, r"device='gpu' is not available.*'cpu'"),
        ({"lr_schedule": torch.optim.lr_scheduler.StepLR}, r"StepLR.*lr_schedule_params.*step_size"),
        ({"criterion": torch.nn.MSELoss}, r"MSELoss does not fit y.*log_loss"),
        ({"criterion": torch.nn.BCEWithLogitsLoss}, r"BCEWithLogitsLoss.*3 classes"),
    ],
)
def test_more_bad_parameters_are_named(params, message):
    with pytest.raises((ValueError, TypeError), match=f"(?s){message}"):
        NeuralClassifier(max_epochs=1, early_stopping=True).set_params(**params).fit(X, Y)


@pytest.mark.parametrize(
    ("fit_params", "message"),
    [
        ({"X_val": X[:, :2], "y_val": Y}, "X_val: .*2 features.*expecting 4"),
        ({"X_val": X, "y_val": Y + 1}, r"y_val: .*not among classes_: \['3'\]"),
        ({"X_val": X, "y_val": Y[:3]}, "inconsistent numbers of samples"),
        ({"groups": np.zeros(150)}, "groups: .*at least 2 groups.*early_stopping=False"),
        ({"sample_weight": -np.ones(150)}, "(?i)negative.*sample_weight"),
        ({"sample_weight": np.zeros(150)}, "(?i)sample.weight"),
        ({"sample_weight": np.ones(3)}, r"sample_weight.*\(3,\)"),
        ({"sample_weight": (Y == 1) * 1.0}, r"got 1 class: \[1\]"),
    ],
)
def test_bad_fit_arguments_are_named(fit_params, message):
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(max_epochs=1, early_stopping=True).fit(X, Y, **fit_params)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (pd.Series(["a", None, "b"] * 50, dtype="category"), "NaN or None in 50 of 150 rows"),
        (np.array(["a", np.nan, "b"] * 50, dtype=object), "NaN or None in 50 of 150 rows"),
        (pd.Series([0, pd.NA, 1] * 50, dtype="Int64"), "Input y contains NaN"),
        (pl.Series([None, "a", "b"] * 50), "NaN or None in 50 of 150 rows"),
        (np.array([1, "a", 2] * 50, dtype=object), r"it mixes \['int', 'str'\].*astype\(str\)"),
    ],
)
def test_gaps_and_mixtures_in_labels_are_refused(target, message):
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(max_epochs=1).fit(X, target)


@pytest.mark.parametrize(
    "target",
    [np.array(list("abc"))[Y], np.array(list("abc"), dtype=object)[Y], pd.Series(pd.date_range("2024", periods=150))],
    ids=["strings", "objects", "dates"],
)
def test_regression_of_what_is_no_number_names_y_and_the_way_out(target):
    with pytest.raises(ValueError, match="y: numbers were expected.*NeuralClassifier"):
        NeuralRegressor(max_epochs=1).fit(X, target)


def test_table_that_is_not_in_memory_is_refused():
    with pytest.raises(TypeError, match=r"LazyFrame.*collect\(\)"):
        NeuralClassifier().fit(pl.DataFrame(X).lazy(), Y)


def test_categories_of_a_sparse_matrix_are_refused():
    with pytest.raises(ValueError, match=r"categorical_features=\[0\].*sparse"):
        NeuralClassifier(categorical_features=[0]).fit(scipy.sparse.csr_array(X), Y)


def test_prediction_names_the_column_that_is_no_longer_a_number():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = NeuralClassifier(max_epochs=1).fit(frame, Y)
    with pytest.raises(ValueError, match="column 'b'.*'x'.*numbers were expected"):
        model.predict(frame.assign(b="x"))
    with pytest.raises(ValueError, match="column 'c'.*infinity"):
        model.predict(frame.assign(c=np.inf))


def test_a_callback_without_its_validation_rows_says_how_to_get_them():
    with pytest.raises(ValueError, match="valid_loss.*early_stopping=True"):
        NeuralClassifier(MLP, callbacks=[EarlyStopping()]).fit(X, Y)


# --- as it was ------------------------------------------------------------------------------------------


class BatchBomb(Callback):
    """Fails in the middle of an epoch."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.seen = 0

    def on_batch_end(self, net, training=False, **kwargs):
        self.seen += training
        if self.seen == self.batch:
            raise RuntimeError("boom")


@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_training_goes_on_after_a_failure_as_if_there_had_been_none(estimator, how):
    module_params = {"dropout": 0.3, "norm": torch.nn.BatchNorm1d}  # random numbers and buffers

    def fitted():
        warm = how == "warm_start"
        params = {"module_params": module_params, "max_epochs": 2, "random_state": 0, "warm_start": warm}
        return estimator(MLP, **params).fit(X, Y)

    def go_on(model):
        return (model.fit if how == "warm_start" else model.partial_fit)(X, Y)

    smooth, bumpy = fitted(), fitted()
    bumpy.callbacks = [BatchBomb(5)]
    with pytest.raises(RuntimeError, match="boom"):
        go_on(bumpy)
    assert not any(isinstance(callback, BatchBomb) for _, callback in bumpy.net_.callbacks_)
    bumpy.callbacks = None
    go_on(smooth)
    go_on(bumpy)
    for expected, actual in zip(smooth.module_.state_dict().values(), bumpy.module_.state_dict().values(), strict=True):
        assert torch.equal(expected, actual)


@pytest.mark.parametrize(
    "bad_call",
    [
        lambda model: model.fit(X[:, :2], Y[:-1]),
        lambda model: model.fit(X[:, :2], np.zeros(150)),
        lambda model: model.fit(pd.DataFrame(X).assign(bad=np.inf).rename(columns=str), Y),
        lambda model: model.fit(X, Y, sample_weight=np.zeros(150)),
        lambda model: model.partial_fit(X, Y + 1),
        lambda model: model.partial_fit(X[:, :2], Y),
        lambda model: model.set_params(module=Wide).fit(X, Y),
        lambda model: model.set_params(optimizer_params={"betas": 3}).fit(X, Y),
        lambda model: model.set_params(lr=-1).fit(X, Y),
    ],
)
def test_a_refused_call_leaves_what_was_learned(bad_call):
    model = NeuralClassifier(max_epochs=2, random_state=0).fit(X, Y)
    learned = {name: value for name, value in vars(model).items() if name.endswith("_")}
    probabilities = model.predict_proba(X)
    with pytest.raises((ValueError, TypeError)):
        bad_call(model)
    after = {name: value for name, value in vars(model).items() if name.endswith("_")}
    assert after.keys() == learned.keys()
    assert all(after[name] is value for name, value in learned.items())
    np.testing.assert_array_equal(model.predict_proba(X), probabilities)


# --- Ctrl-C ---------------------------------------------------------------------------------------------


class PressedInForward(torch.nn.Module):
    def __init__(self, in_features: int, out_features: int, by_hand: bool = False) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(in_features, out_features)
        self.by_hand = by_hand

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and self.by_hand:
            raise KeyboardInterrupt
        if self.training:
            signal.raise_signal(signal.SIGINT)
        return self.layer(x)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("search", [False, True])
def test_ctrl_c_in_a_network_reaches_the_caller(search, by_hand):
    model = NeuralClassifier(PressedInForward, module_params={"by_hand": by_hand})
    with pytest.raises(KeyboardInterrupt):
        (GridSearchCV(model, {"lr": [0.1, 0.01]}, cv=2) if search else model).fit(X, Y)


def test_ctrl_c_by_a_handler_of_the_program_reaches_the_caller():
    def handler(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            NeuralClassifier(max_epochs=3, callbacks=[PressCtrlC()]).fit(X, Y)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
def test_ctrl_c_while_training_on_leaves_the_model_as_it_was(how):
    model = NeuralClassifier(max_epochs=2, random_state=0, warm_start=True).fit(X, Y)
    probabilities = model.predict_proba(X)
    model.callbacks = [PressCtrlC()]
    with pytest.raises(KeyboardInterrupt):
        (model.fit if how == "warm_start" else model.partial_fit)(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), probabilities)
    assert model.n_iter_ == len(model.net_.history) == 2
