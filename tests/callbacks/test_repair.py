"""gradient_health='repair': one change at a time, kept if the skill is better, else undone."""

from __future__ import annotations

import itertools
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import GradientHealth
from sknn.exceptions import GradientHealthWarning
from sknn.modules import MLP
from tests.health.subjects import CANCER, fitted

X, Y = load_breast_cancer(return_X_y=True)


SCALED = ((X - X.mean(0)) / X.std(0)).astype(np.float32)


FAR_OUT = SCALED * np.where(np.arange(30) == 2, 1e6, 1)


class Started(nn.Module):
    """A network whose weights a function changes at the start."""

    def __init__(self, in_features, out_features, change, depth=3, activation=nn.ReLU) -> None:
        super().__init__()
        layers = [nn.Linear(in_features, 24), activation()]
        for _ in range(depth - 2):
            layers += [nn.Linear(24, 24), activation()]
        self.layers = nn.Sequential(*layers, nn.Linear(24, out_features))
        with torch.no_grad():
            change(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def huge(module) -> None:
    for parameter in module.parameters():
        parameter.mul_(50)


def below_zero(module) -> None:
    module.layers[0].bias.fill_(-100)


def constant(module) -> None:
    for parameter in module.parameters():
        parameter.fill_(0.05)


def nothing(module) -> None:
    pass


def repaired(module=MLP, module_params=None, data=(SCALED, Y), **params) -> NeuralClassifier:
    settings = {"max_epochs": 8, "batch_size": 32, "random_state": 0, "gradient_health": "repair"}
    model = NeuralClassifier(module, module_params=module_params, **{**settings, **params})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        return model.fit(*data)


@pytest.fixture(scope="module")
def revived() -> NeuralClassifier:
    """A network of dead units, repaired."""
    return repaired(Started, {"change": below_zero})


@pytest.mark.parametrize(
    ("symptom", "settings"),
    [
        ("symmetric_init", {"module": Started, "module_params": {"change": constant}}),
        ("exploding", {"module": Started, "module_params": {"change": huge, "depth": 6}}),
        ("saturated_units", {"module": Started, "module_params": {"change": huge, "activation": nn.Tanh, "depth": 4}}),
        ("vanishing", {"module": Started, "module_params": {"change": nothing, "depth": 14, "activation": nn.Sigmoid}}),
        ("not_learning", {"lr": 1e-9, "max_time": 60.0}),
        ("non_finite", {"lr": 1e5, "optimizer": torch.optim.SGD, "gradient_clipping": None}),
        ("input_scale", {"data": (FAR_OUT, Y), "preprocessing": False}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_is_repaired(symptom, settings):
    model = repaired(**settings)
    assert model.health_.status == "repaired"
    found = {finding.symptom for finding in model.health_.findings}
    assert found == {symptom} or (symptom == "saturated_units" and found == {"exploding"})
    assert 1 <= model.n_repairs_ <= 3
    assert model.n_repairs_ == sum(repair.kept is True for repair in model.health_.repairs)
    assert model.score(*settings.get("data", (SCALED, Y))) > 0.85
    assert "kept" in str(model.health_)


def test_dead_units_are_repaired(revived):
    assert revived.health_.status == "repaired"
    assert [finding.symptom for finding in revived.health_.findings] == ["dead_units"]
    assert 1 <= revived.n_repairs_ <= 3
    assert revived.score(SCALED, Y) > 0.85


def test_scaled_inputs_are_scaled_at_predict_and_after_pickling():
    X_train, X_test, y_train, y_test = train_test_split(FAR_OUT, Y, random_state=0)
    model = repaired(data=(X_train, y_train), preprocessing=False)
    assert model.health_.repairs[-1].change == "inputs: as they are -> zero mean and unit variance"
    assert model.score(X_test, y_test) > 0.9
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X_test), model.predict_proba(X_test))


def test_restoring_the_best_epoch_repairs_overfitting():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(300, 20))
    labels = (table[:, 0] + 1.5 * rng.normal(size=300) > 0).astype(int)
    model = NeuralClassifier(
        MLP,
        module_params={"hidden_sizes": (128, 128)},
        criterion_params={"temperature_scaling": False},
        max_epochs=60,
        early_stopping=False,
        random_state=0,
        gradient_health="repair",
    )
    with pytest.warns(GradientHealthWarning, match="overfitting"):
        model.fit(table[:100], labels[:100], X_val=table[100:], y_val=labels[100:])
    (repair,) = model.health_.repairs
    assert (repair.symptom, repair.change, repair.kept) == ("overfitting", "weights of the best epoch", True)
    assert repair.skill_after > repair.skill_before


def test_what_does_not_help_is_undone_and_reported():
    class Ignores(MLP):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 0.0

    model = repaired(Ignores, {"hidden_sizes": (8,)})
    assert model.health_.status == "unhealthy"
    assert model.n_repairs_ == 0
    assert 1 <= len(model.health_.repairs) <= 3
    assert all(repair.kept is False for repair in model.health_.repairs)
    assert "undone" in str(model.health_)


def test_shuffled_labels_are_reported_and_nothing_is_changed():
    model = repaired(data=(SCALED, np.random.default_rng(0).permutation(Y)))
    assert [finding.cause for finding in model.health_.findings] == ["unrelated_labels"]
    assert model.health_.repairs == []


def test_structure_is_advised_never_changed():
    model = repaired(nn.Sequential(nn.Linear(30, 2), nn.Softmax(1)), max_epochs=5)
    assert [finding.symptom for finding in model.health_.findings] == ["output_mismatch"]
    assert model.health_.repairs == []
    assert isinstance(model.module_[1], nn.Softmax)


def test_a_repair_is_repeatable_to_the_bit(revived):
    one, two = revived, repaired(Started, {"change": below_zero})
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    assert one.health_.repairs == two.health_.repairs


def test_a_healthy_run_has_the_same_bits_as_with_warn():
    data = tuple(part[:600] for part in load_digits(return_X_y=True))
    warned = repaired(data=data, gradient_health="warn", max_epochs=6)
    mended = repaired(data=data, max_epochs=6)
    np.testing.assert_array_equal(mended.predict_proba(data[0]), warned.predict_proba(data[0]))
    assert mended.health_.repairs == []


def test_history_and_best_epoch_count_all_epochs(revived):
    model = revived
    assert model.n_iter_ == len(model.net_.history) == len(model.health_.epochs) > 8
    assert model.n_iter_ >= model.best_epoch_ > model.health_.repairs[0].epoch - 8
    assert [epoch.epoch for epoch in model.health_.epochs] == list(range(1, model.n_iter_ + 1))


def test_in_plain_skorch_the_present_run_continues_after_the_repair():
    class Dead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(30, 24), nn.ReLU(), nn.Linear(24, 2))
            nn.init.constant_(self.layers[0].bias, -100.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(x)

    torch.manual_seed(0)
    net = NeuralNetClassifier(
        Dead,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.003,
        max_epochs=16,
        batch_size=32,
        verbose=0,
        iterator_train__shuffle=True,
        callbacks=[("health", GradientHealth("repair"))],
    )
    with pytest.warns(GradientHealthWarning, match="dead_units"):
        net.fit(SCALED, Y.astype(np.int64))
    health = dict(net.callbacks_)["health"].health_
    assert health.status == "repaired"
    assert len(net.history) == 16
    assert (net.predict(SCALED) == Y).mean() > 0.9


def test_a_second_scaling_is_added_to_the_first():
    def far(*columns):
        factors = np.ones(30)
        factors[list(columns)] = 1e6
        return SCALED * factors

    model = NeuralClassifier(
        MLP,
        preprocessing=False,
        gradient_health="repair",
        warm_start=True,
        max_epochs=12,
        batch_size=32,
        random_state=0,
    )
    fitted(model, far(3), CANCER[1])
    assert model.score(far(3), CANCER[1]) > 0.9
    fitted(model, far(3, 5), CANCER[1])
    assert model.score(far(3, 5), CANCER[1]) > 0.9

    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == n_epochs + 8:  # inputs are scaled, on trial
                raise RuntimeError("on purpose")

    n_epochs = len(model.net_.history)
    before = model.predict_proba(far(3, 5))
    model.set_params(callbacks=[Fails()])
    with pytest.raises(RuntimeError, match="on purpose"):
        fitted(model, far(3, 5, 7), CANCER[1])
    np.testing.assert_array_equal(model.predict_proba(far(3, 5)), before)


def test_scaling_forgets_the_best_weights_of_before():
    falling = itertools.count(0, -1)  # the first epoch has the best score of all
    model = repaired(
        data=(FAR_OUT, Y), preprocessing=False, scoring=lambda *_: float(next(falling)), early_stopping=True,
        n_iter_no_change=30,
    )  # fmt: skip
    (repair,) = model.health_.repairs
    assert repair.change.startswith("inputs")
    assert model.best_epoch_ == repair.epoch + 1


def test_a_stop_by_the_user_begins_no_further_run_and_leaves_no_change_on_trial():
    far = SCALED * np.where(np.arange(30) == 2, 1e6, 1)

    class Stops(Callback):
        def __init__(self, epoch) -> None:
            self.epoch = epoch

        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == self.epoch:
                raise KeyboardInterrupt

    for epoch in (8, 12):
        model = NeuralClassifier(
            MLP, preprocessing=False, gradient_health="repair", max_epochs=12, batch_size=32, callbacks=[Stops(epoch)],
            random_state=0,
        )  # fmt: skip
        fitted(model, far, CANCER[1])
        assert len(model.net_.history) == epoch
        scaled = any(repair.kept and "inputs" in repair.change for repair in model.health_.repairs)
        assert (model._inputs.rescaling is not None) == scaled


@pytest.mark.parametrize("lr", [0.5])
def test_a_far_too_large_rate_is_repaired_from_the_initial_weights(lr):
    model = NeuralClassifier(MLP, lr=lr, max_epochs=12, random_state=0, gradient_health="repair")
    with pytest.warns(GradientHealthWarning):
        model.fit(*CANCER)
    assert model.health_.status == "repaired"
    assert model.score(*CANCER) > 0.95
