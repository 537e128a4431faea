"""not_learning: which of its causes is named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sknn import NeuralRegressor
from sknn.modules import MLP, TabM
from tests.health.subjects import CANCER, CIRCLES, DIABETES, DIGITS, Deep, classifier, findings, record


@pytest.mark.parametrize(("optimizer", "lr"), [(torch.optim.AdamW, 1e-8), (torch.optim.SGD, 1e-6)])
def test_a_far_too_small_learning_rate_is_not_learning(optimizer, lr):
    (finding,) = findings(classifier(lr=lr, optimizer=optimizer), *DIGITS)
    assert (finding.symptom, finding.cause) == ("not_learning", "small_updates")
    assert "lr=" in finding.remedy


def test_a_schedule_that_keeps_the_rate_low_is_distinguished_from_a_low_rate():
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
def test_causes_of_not_learning_are_distinguished(module, cause):
    (finding,) = findings(classifier(module), *DIGITS)
    assert (finding.symptom, finding.cause) == ("not_learning", cause)


def test_shuffled_labels():
    X, y = CANCER
    (finding,) = findings(classifier(), X, np.random.default_rng(0).permutation(y))
    assert (finding.symptom, finding.cause) == ("not_learning", "unrelated_labels")


def test_weights_that_decay_away():
    (finding,) = record(
        classifier(MLP, optimizer=torch.optim.Adam, optimizer_params={"weight_decay": 300.0}, lr=0.01), *CANCER
    ).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "weight_decay")
    assert "(it is 300)" in finding.remedy


def test_a_schedule_that_falls_at_once():
    params = {"lr_schedule": torch.optim.lr_scheduler.ExponentialLR, "lr_schedule_params": {"gamma": 0.1}}
    (finding,) = record(classifier(MLP, optimizer=torch.optim.SGD, lr=1e-3, max_epochs=30, **params), *CIRCLES).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "schedule")


def test_a_small_rate_of_a_default_that_decays_weights():
    model = NeuralRegressor(TabM, module_params={"n_members": 4}, lr=1e-9, max_epochs=20, n_networks=1, random_state=0)
    (finding,) = record(model, *DIABETES).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "small_updates")
    assert float(finding.remedy.split("lr=")[1].split(",")[0]) > 1e-6


def test_a_weak_relation_is_no_finding():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 8)).astype(np.float32)
    y = (0.15 * X[:, 0] + rng.normal(size=4000)).astype(np.float32)
    model = NeuralRegressor(MLP, module_params={"hidden_sizes": (16,)}, max_epochs=8, lr=0.003, random_state=0)
    health = record(model, X, y)
    assert (health.status, health.findings) == ("healthy", [])
    assert 0 < health.skill < 0.05
    assert [f.cause for f in findings(model, X, rng.permutation(y))] == ["unrelated_labels"]
