"""Causes that only show in context: what a simple model reaches, what a step really changes, where outputs end."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, make_circles
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import GradientHealth
from sknn.modules import MLP, TabM

CANCER = load_breast_cancer(return_X_y=True)
SCALED = ((CANCER[0] - CANCER[0].mean(0)) / CANCER[0].std(0)).astype(np.float32)
CIRCLES = make_circles(400, noise=0.05, factor=0.5, random_state=0)
DIABETES = load_diabetes(return_X_y=True)


def record(model, X, y, **fit_params):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, **fit_params)
    if hasattr(model, "health_"):
        return model.health_
    return next(cb for _, cb in model.callbacks_ if isinstance(cb, GradientHealth)).health_


def classifier(module=MLP, **params) -> NeuralClassifier:
    settings = {"max_epochs": 20, "batch_size": 32, "random_state": 0}
    return NeuralClassifier(module, **{**settings, **params})


@torch.no_grad()
def _scale_hidden(module: nn.Module, factor: float) -> None:
    for parameter in [p for p in module.parameters() if p.ndim > 1][:-1]:
        parameter.mul_(factor)


class Steep(MLP):
    """Hidden weights are far too large; those of the last layer are as usual."""

    def __init__(self, in_features, out_features, factor=40.0) -> None:
        super().__init__(in_features, out_features, hidden_sizes=(16, 16, 16), activation=nn.Tanh)
        _scale_hidden(self, factor)


def test_curves_that_no_linear_model_knows_tell_that_a_network_could_learn():
    (finding,) = record(classifier(Steep), *CIRCLES).findings
    assert finding.symptom == "saturated_units"
    assert record(classifier(Steep, module_params={"factor": 1.0}, lr=0.01), *CIRCLES).findings == []


@pytest.mark.parametrize(("optimizer", "lr"), [(torch.optim.Adam, 20.0), (torch.optim.Adagrad, 30.0)])
def test_updates_beyond_the_weights_name_the_learning_rate(optimizer, lr):
    (finding,) = record(classifier(optimizer=optimizer, lr=lr, module_params={"activation": nn.Tanh}), *CANCER).findings
    if finding.symptom == "exploding":
        assert finding.cause == "updates"
    assert f"(it is {lr:g})" in finding.remedy
    proposed = float(finding.remedy.split("lr=")[1].split(" ")[0])
    assert proposed < 0.01 * lr


def test_weights_that_decay_away():
    (finding,) = record(
        classifier(optimizer=torch.optim.Adam, optimizer_params={"weight_decay": 300.0}, lr=0.01), *CANCER
    ).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "weight_decay")
    assert "(it is 300)" in finding.remedy


def test_a_schedule_that_comes_down_at_once():
    params = {"lr_schedule": torch.optim.lr_scheduler.ExponentialLR, "lr_schedule_params": {"gamma": 0.1}}
    (finding,) = record(classifier(optimizer=torch.optim.SGD, lr=1e-3, max_epochs=30, **params), *CIRCLES).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "schedule")


def test_a_small_rate_of_a_default_that_decays_weights():
    model = NeuralRegressor(TabM, module_params={"n_members": 4}, lr=1e-9, max_epochs=20, n_networks=1, random_state=0)
    (finding,) = record(model, *DIABETES).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "small_updates")
    assert float(finding.remedy.split("lr=")[1].split(",")[0]) > 1e-6


def test_a_loss_without_a_minimum_that_begins_at_its_largest():
    class NegatedMSE(nn.Module):
        def forward(self, prediction, target):
            return -nn.functional.mse_loss(prediction, target)

    model = NeuralRegressor(MLP, criterion=NegatedMSE, lr=0.01, max_epochs=30, early_stopping=False, random_state=0)
    (finding,) = record(model, *DIABETES).findings
    assert finding.symptom == "loss_diverging"
    assert "sign" in finding.remedy


class Ends(MLP):
    def __init__(self, in_features, out_features, end) -> None:
        super().__init__(in_features, out_features, hidden_sizes=(16,))
        self.end = end

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.end(super().forward(x))


ENDS = {
    "scaled": lambda z: 0.4 * torch.tanh(z),
    "moved": lambda z: 1.0 - 0.5 * torch.sigmoid(-z),
    "of unit length": lambda z: 0.2 * nn.functional.normalize(torch.cat([z, z + 1], dim=1), dim=1)[:, :1],
}
FREE_ENDS = {
    "wide enough": lambda z: 40.0 * torch.tanh(z / 40),
    "residual": lambda z: z + torch.tanh(z),
    "softsign of nothing": lambda z: z / 2 - 1.0,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_outputs_that_stay_bounded_in_other_ways(end):
    model = NeuralRegressor(Ends, module_params={"end": end}, max_epochs=5, random_state=0)
    (finding,) = record(model, *DIABETES).findings
    assert (finding.symptom, finding.epoch) == ("output_mismatch", 0)


@pytest.mark.parametrize("end", FREE_ENDS.values(), ids=FREE_ENDS)
def test_outputs_that_go_where_they_must(end):
    assert (
        record(NeuralRegressor(Ends, module_params={"end": end}, max_epochs=30, random_state=0), *DIABETES).findings
        == []
    )


def test_looking_for_bounds_leaves_the_weights_as_they_were():
    params = {"module_params": {"end": FREE_ENDS["residual"]}, "max_epochs": 3, "random_state": 0}
    watched, unwatched = NeuralRegressor(Ends, **params), NeuralRegressor(Ends, gradient_health=None, **params)
    for a, b in zip(
        watched.fit(*DIABETES).module_.parameters(), unwatched.fit(*DIABETES).module_.parameters(), strict=True
    ):
        assert torch.equal(a, b)


class Cosine(nn.Module):
    """Logits are cosines, times a factor."""

    def __init__(self, factor) -> None:
        super().__init__()
        self.body, self.classes = nn.Linear(30, 16), nn.Parameter(torch.randn(2, 16))
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.body(x))
        return self.factor * nn.functional.linear(
            nn.functional.normalize(hidden, dim=1), nn.functional.normalize(self.classes, dim=1)
        )


def test_cosines_are_no_logits_until_they_are_scaled():
    def found(factor):
        torch.manual_seed(0)
        net = NeuralNetClassifier(
            Cosine(factor), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=0.01, max_epochs=15, verbose=0,
            callbacks=[GradientHealth()],
        )  # fmt: skip
        return [finding.symptom for finding in record(net, SCALED, CANCER[1]).findings]

    assert found(0.3) == ["output_mismatch"]
    assert found(12.0) == []


def test_three_outputs_for_one_target_in_plain_skorch():
    y = DIABETES[1]
    target = ((y - y.mean()) / y.std()).astype(np.float32).reshape(-1, 1)
    net = NeuralNetRegressor(nn.Linear(10, 3), max_epochs=3, verbose=0, callbacks=[GradientHealth()])
    (finding,) = record(net, DIABETES[0].astype(np.float32), target).findings
    assert finding.symptom == "output_mismatch"
    assert "(n, 3)" in finding.evidence


def test_a_loss_that_knows_what_two_outputs_mean_is_no_mismatch():
    class Gaussian(nn.Module):
        def forward(self, output, target):
            return nn.functional.gaussian_nll_loss(output[:, :1], target, output[:, 1:].exp())

    y = DIABETES[1]
    target = ((y - y.mean()) / y.std()).astype(np.float32).reshape(-1, 1)
    net = NeuralNetRegressor(
        nn.Linear(10, 2), criterion=Gaussian, lr=0.05, max_epochs=10, verbose=0, callbacks=[GradientHealth()]
    )
    assert record(net, DIABETES[0].astype(np.float32) * 20, target).findings == []


def test_an_overflow_of_inputs_out_of_scale_is_named_by_its_cause():
    model = classifier(preprocessing=False, optimizer=torch.optim.SGD, lr=0.1, gradient_clipping=None)
    (finding,) = record(model, SCALED * 1e6, CANCER[1]).findings
    assert finding.symptom == "input_scale"
    assert "In step" in finding.evidence


def test_the_units_of_each_gate_of_a_cell_are_alike():
    class Cell(nn.Module):
        def __init__(self, in_features, out_features) -> None:
            super().__init__()
            self.x, self.h = nn.Linear(in_features, 48), nn.Linear(24, 48)
            self.out = nn.Linear(24, out_features)
            for parameter in [*self.x.parameters(), *self.h.parameters(), *self.out.parameters()]:
                nn.init.constant_(parameter, 0.05)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = x.new_zeros(len(x), 24)
            for part in x.split(10, dim=1):
                gate, new = (self.x(torch.nn.functional.pad(part, (0, 20))) + self.h(hidden)).chunk(2, dim=1)
                hidden = torch.sigmoid(gate) * hidden + torch.tanh(new)
            return self.out(hidden)

    (finding,) = record(classifier(Cell), *CANCER).findings
    assert finding.symptom == "symmetric_init"


def test_a_remedy_proposes_nothing_that_is_on_already():
    auto = record(classifier(optimizer=torch.optim.Adam, lr=50.0), *CANCER).findings
    none = record(classifier(optimizer=torch.optim.Adam, lr=50.0, gradient_clipping=None), *CANCER).findings
    assert "gradient_clipping=1.0 (it is 'auto')" in auto[0].remedy
    assert "gradient_clipping='auto'" in none[0].remedy
