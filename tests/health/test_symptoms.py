"""Each symptom is named on a network that has it, and none on hard but healthy trainings."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from skorch import NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import GradientHealth
from sknn.exceptions import GradientHealthWarning
from sknn.modules import MLP, FTTransformer, ResNet, TabM

CANCER = load_breast_cancer(return_X_y=True)
SCALED = ((CANCER[0] - CANCER[0].mean(0)) / CANCER[0].std(0)).astype(np.float32)
DIGITS = load_digits(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


class Deep(nn.Module):
    """Layers of 24 units; a function changes their weights at the start."""

    def __init__(self, in_features, out_features, depth=3, activation=nn.ReLU, change=None, last=None) -> None:
        super().__init__()
        sizes = [in_features, *[24] * (depth - 1)]
        layers = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), activation()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(24, out_features)
        self.last = nn.Identity() if last is None else last
        if change is not None:
            change(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.head(self.body(x)))


def findings(model, X, y, **fit_params) -> list:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        model.fit(X, y, **fit_params)
    if hasattr(model, "health_"):
        return model.health_.findings
    return next(cb for _, cb in model.callbacks_ if isinstance(cb, GradientHealth)).health_.findings


def classifier(module=Deep, module_params=None, **params) -> NeuralClassifier:
    settings = {"max_epochs": 20, "batch_size": 32, "random_state": 0}
    return NeuralClassifier(module, module_params=module_params, **{**settings, **params})


@torch.no_grad()
def huge(module) -> None:
    for parameter in module.parameters():
        parameter.mul_(60.0)


@torch.no_grad()
def huge_body(module) -> None:
    for parameter in module.body.parameters():
        parameter.mul_(60.0)


@torch.no_grad()
def below_zero(module) -> None:
    module.body[0].bias.fill_(-100.0)


@torch.no_grad()
def constant(module) -> None:
    for parameter in module.parameters():
        parameter.fill_(0.05)


FAULTS = {
    "exploding": [classifier(module_params={"depth": 6, "change": huge})],
    "vanishing": [
        classifier(module_params={"depth": 12, "activation": nn.Sigmoid}),
        classifier(module_params={"depth": 16, "activation": nn.Sigmoid}, optimizer=torch.optim.SGD, lr=0.1),
    ],
    "dead_units": [classifier(module_params={"change": below_zero})],
    "saturated_units": [classifier(module_params={"activation": nn.Tanh, "depth": 4, "change": huge_body})],
    "symmetric_init": [classifier(module_params={"change": constant}, optimizer=optimizer) for optimizer in (
        torch.optim.AdamW, torch.optim.SGD)],
    "output_mismatch": [
        classifier(module_params={"last": nn.Softmax(1)}),
        classifier(module_params={"last": nn.ReLU()}),
        classifier(module_params={"last": nn.Tanh()}),
        classifier(module_params={"last": nn.Softmax(1)}, criterion=nn.CrossEntropyLoss),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("symptom", "model"),
    [(symptom, model) for symptom, models in FAULTS.items() for model in models],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_faulty_module_is_one_finding(symptom, model):
    (finding,) = findings(model, *CANCER)
    assert finding.symptom == symptom
    assert finding.evidence
    assert finding.remedy


@pytest.mark.parametrize("lr", [1e4, 1e2])
@pytest.mark.parametrize("optimizer", [torch.optim.AdamW, torch.optim.SGD])
def test_a_far_too_large_learning_rate_is_one_finding(lr, optimizer):
    (finding,) = findings(classifier(lr=lr, optimizer=optimizer, gradient_clipping=None), *DIGITS)
    assert finding.symptom in ("non_finite", "exploding", "loss_diverging")


@pytest.mark.parametrize(("optimizer", "lr"), [(torch.optim.AdamW, 1e-8), (torch.optim.SGD, 1e-6)])
def test_a_far_too_small_learning_rate_is_not_learning(optimizer, lr):
    (finding,) = findings(classifier(lr=lr, optimizer=optimizer), *DIGITS)
    assert (finding.symptom, finding.cause) == ("not_learning", "small_updates")
    assert "lr=" in finding.remedy


def test_a_schedule_that_keeps_the_rate_down_is_told_from_a_small_rate():
    schedule = {"lr_schedule": torch.optim.lr_scheduler.LambdaLR, "lr_schedule_params": {"lr_lambda": lambda _: 1e-6}}
    (finding,) = findings(classifier(**schedule), *DIGITS)
    assert (finding.symptom, finding.cause) == ("not_learning", "schedule")


class Ignores(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.zeros_like(x))


class Random(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.randn_like(x))


class Detached(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).detach() * 1e-3)


@pytest.mark.parametrize(
    ("module", "cause"), [(Ignores, "ignores_inputs"), (Random, "ignores_inputs"), (Detached, "cut_off")]
)
def test_causes_of_not_learning_are_told_apart(module, cause):
    (finding,) = findings(classifier(module), *DIGITS)
    assert (finding.symptom, finding.cause) == ("not_learning", cause)


def test_labels_that_belong_to_other_rows():
    X, y = CANCER
    (finding,) = findings(classifier(), X, np.random.default_rng(0).permutation(y))
    assert (finding.symptom, finding.cause) == ("not_learning", "unrelated_labels")


def test_overfitting_is_found_only_where_nothing_stops_it():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20))
    y = (X[:, 0] + 1.5 * rng.normal(size=300) > 0).astype(int)
    params = {"max_epochs": 60, "module_params": {"hidden_sizes": (128, 128)}}
    params["criterion_params"] = {"temperature_scaling": False}  # which heals overconfidence
    rows = {"X_val": X[100:], "y_val": y[100:]}
    (finding,) = findings(classifier(MLP, early_stopping=False, **params), X[:100], y[:100], **rows)
    assert finding.symptom == "overfitting"
    assert findings(classifier(MLP, early_stopping=True, n_iter_no_change=50, **params), X[:100], y[:100], **rows) == []


def test_a_column_far_out_of_scale_is_named_as_the_table_names_it():
    table = load_breast_cancer(as_frame=True).data
    table = (table - table.mean()) / table.std()
    table["mean area"] *= 1e6
    (finding,) = findings(classifier(preprocessing=False), table, CANCER[1])
    assert (finding.symptom, finding.layer) == ("input_scale", "mean area")
    assert "preprocessing=True" in finding.remedy
    assert findings(classifier(), table, CANCER[1]) == []


def test_inputs_far_too_small():
    (finding,) = findings(classifier(preprocessing=False), SCALED * 1e-6, CANCER[1])
    assert finding.symptom in ("input_scale", "not_learning")


def test_the_sign_of_the_loss():
    class Rewards(nn.CrossEntropyLoss):
        def forward(self, raw_prediction, y):
            return -super().forward(raw_prediction, y)

    (finding,) = findings(classifier(criterion=Rewards, early_stopping=False, max_epochs=40), *CANCER)
    assert finding.symptom in ("loss_diverging", "exploding", "non_finite")


def test_outputs_that_cannot_reach_the_targets():
    X, y = DIABETES
    params = {"max_epochs": 5, "random_state": 0}
    (finding,) = findings(NeuralRegressor(Deep, module_params={"last": nn.Sigmoid()}, **params), X, y)
    assert finding.symptom == "output_mismatch"
    assert "% of the targets" in finding.evidence
    unit = (y - y.min()) / (y.max() - y.min())
    inside = NeuralRegressor(Deep, module_params={"last": nn.Sigmoid()}, preprocessing=False, **params)
    assert findings(inside, X / X.std(), unit) == []
    positive = NeuralRegressor(Deep, module_params={"last": nn.Softplus()}, preprocessing=False, **params)
    assert findings(positive, X / X.std(), unit) == []


class Flat(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(10, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


@pytest.mark.filterwarnings("ignore:Using a target size")
def test_a_column_against_a_vector_in_plain_skorch():
    X, y = DIABETES
    target = ((y - y.mean()) / y.std()).astype(np.float32)
    settings = {"train_split": None, "verbose": 0, "max_epochs": 3, "callbacks": [GradientHealth()]}
    (finding,) = findings(NeuralNetRegressor(Flat, **settings), X.astype(np.float32), target)
    assert finding.symptom == "output_mismatch"
    assert "(n, n)" in finding.evidence
    assert findings(NeuralNetRegressor(Flat, **settings), X.astype(np.float32), target.reshape(-1, 1)) == []


def test_a_softmax_that_the_loss_expects_is_no_mismatch():
    class Probabilities(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(30, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x).softmax(dim=1)

    settings = {"train_split": None, "verbose": 0, "max_epochs": 5, "lr": 0.1, "callbacks": [GradientHealth()]}
    assert findings(NeuralNetClassifier(Probabilities, **settings), SCALED, CANCER[1].astype(np.int64)) == []
    (finding,) = findings(
        NeuralNetClassifier(Probabilities, criterion=nn.CrossEntropyLoss, **settings),
        SCALED,
        CANCER[1].astype(np.int64),
    )
    assert finding.symptom == "output_mismatch"


# ---------------------------------------------------------------------- healthy, though it does not look so


class Recurrent(nn.Module):
    def __init__(self, kind, out_features: int) -> None:
        super().__init__()
        self.cell = kind(8, 16, batch_first=True)
        self.head = nn.Linear(16, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.cell(x)
        return self.head(states[:, -1])


class Convolutional(nn.Module):
    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3)
        self.head = nn.Linear(128, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.norm(self.first(x)))
        return self.head(torch.relu(self.second(hidden)).flatten(1))


class Attention(nn.Module):
    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True)
        self.head = nn.Linear(8, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x).mean(dim=1))


class Residual(nn.Module):
    """Branches that begin at zero."""

    def __init__(self, in_features: int, out_features: int, depth: int = 12) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, 32)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32)) for _ in range(depth)
        )
        for branch in self.branches:
            nn.init.zeros_(branch[2].weight)
        self.head = nn.Linear(32, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for branch in self.branches:
            x = x + branch(x)
        return self.head(x)


class Gated(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(in_features, 32), nn.Linear(in_features, 32)
        nn.init.constant_(self.gate.bias, -8.0)
        self.head = nn.Linear(32, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.sigmoid(self.gate(x)) * self.value(x) * 100)


IMAGES, SEQUENCES = DIGITS[0].reshape(-1, 1, 8, 8) / 16, DIGITS[0].reshape(-1, 8, 8) / 16
HEALTHY = [
    (classifier(MLP), *CANCER),
    (classifier(TabM), *CANCER),
    (classifier(ResNet), *CANCER),
    (classifier(FTTransformer, {"n_blocks": 1, "token_size": 16}, max_epochs=5), *CANCER),
    (classifier(Recurrent, {"kind": nn.LSTM}, lr=0.01), SEQUENCES, DIGITS[1]),
    (classifier(Recurrent, {"kind": nn.GRU}, lr=0.01), SEQUENCES, DIGITS[1]),
    (classifier(Recurrent, {"kind": nn.RNN}, lr=0.01), SEQUENCES, DIGITS[1]),
    (classifier(Convolutional), IMAGES, DIGITS[1]),
    (classifier(Convolutional), IMAGES * 255, DIGITS[1]),
    (classifier(Attention, lr=0.01), SEQUENCES, DIGITS[1]),
    (classifier(Residual), *DIGITS),
    (classifier(Gated), *CANCER),
    (classifier(optimizer=torch.optim.SGD, lr=0.05, optimizer_params={"momentum": 0.9}), *DIGITS),
    (classifier(criterion_params={"label_smoothing": 0.2}), *DIGITS),
    (classifier(max_epochs=2), *CANCER),
    (NeuralRegressor(MLP, max_epochs=20, random_state=0), *DIABETES),
    (NeuralRegressor(Residual, max_epochs=20, criterion="quantile", random_state=0), *DIABETES),
    (NeuralRegressor(MLP, max_epochs=20, criterion="poisson", random_state=0), *DIABETES),
]


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: f"{type(case[0]).__name__}-{case[0].module.__name__}")
def test_nothing_is_found_where_nothing_is_wrong(case):
    assert findings(*case) == []


@pytest.mark.parametrize("flipped", [0.3, 0.4])
def test_noisy_labels_are_no_fault(flipped):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(1500, 12))
    y = (X[:, 0] + X[:, 1] > 0) ^ (rng.random(1500) < flipped)
    assert findings(classifier(MLP), X, y.astype(int)) == []


def test_rare_classes_are_no_fault():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(2500, 10))
    y = (X[:, 0] + 0.4 * rng.normal(size=2500) > 2.1).astype(int)
    assert 0.01 < y.mean() < 0.04
    assert findings(classifier(MLP), X, y) == []


def test_targets_of_any_scale_are_no_fault():
    X, y = DIABETES
    for scale in (1e-6, 1e6):
        assert findings(NeuralRegressor(MLP, max_epochs=20, random_state=0), X, y * scale) == []


def test_fine_tuning_with_tiny_steps_is_no_fault():
    model = classifier(MLP).fit(*DIGITS)
    tuned = NeuralClassifier(model.module_, lr=1e-7, max_epochs=20, batch_size=32, random_state=0)
    assert findings(tuned, *DIGITS) == []


def test_frozen_layers_are_no_fault():
    def freeze(module) -> None:
        module.body[0].requires_grad_(False)

    assert findings(classifier(module_params={"change": freeze}), *CANCER) == []


def test_sparse_inputs_are_no_fault():
    from scipy import sparse

    rng = np.random.default_rng(3)
    X = sparse.random(1000, 200, 0.01, format="csr", random_state=3)
    y = (np.asarray(X[:, :100].sum(axis=1)).ravel() > np.asarray(X[:, 100:].sum(axis=1)).ravel()).astype(int)
    assert rng is not None
    assert findings(classifier(MLP), X, y) == []
