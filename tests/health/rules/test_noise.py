"""not_learning: random numbers in the network drown what it computes from the inputs."""

from __future__ import annotations

import torch
from sklearn.datasets import make_friedman1
from torch.nn import functional as F

from sknn import NeuralRegressor
from tests.health.subjects import DIGITS, Deep, classifier, fitted, record

FRIEDMAN = make_friedman1(500, random_state=1)


class Always(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.dropout(self.body(x), 0.97))


class Noisy(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        noise = 25.0 * torch.randn_like(x) if self.training else 0.0
        return super().forward(x + noise)


class Dropout(Deep):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(F.dropout(self.body(F.dropout(x, 0.3, self.training)), 0.5, self.training))


def test_dropout_in_evaluation():
    health = record(classifier(Always, max_epochs=15), *DIGITS)
    (finding,) = health.findings
    assert (finding.symptom, finding.cause) == ("not_learning", "noise")
    assert "in evaluation" in finding.evidence
    assert "self.training" in finding.remedy


def test_noise_in_training_is_no_exploding_loss():
    model = NeuralRegressor(Noisy, max_epochs=20, batch_size=32, lr=0.003, random_state=0)
    (finding,) = record(model, *FRIEDMAN).findings
    assert (finding.symptom, finding.cause) == ("not_learning", "noise")
    assert "in training" in finding.evidence


def test_much_dropout_is_fine():
    assert record(classifier(Dropout, max_epochs=30, lr=0.003), *DIGITS).findings == []


def test_weights_that_a_module_changes_in_training_mode_are_put_back():
    class Decays(Deep):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                with torch.no_grad():
                    self.head.weight.mul_(0.5)
            return super().forward(x)

    given = {"max_epochs": 12, "early_stopping": False}
    watched, alone = (fitted(classifier(Decays, gradient_health=action, **given), *DIGITS) for action in ("warn", None))
    assert watched.health_.status == "unhealthy"
    assert all(torch.equal(a, b) for a, b in zip(watched.module_.parameters(), alone.module_.parameters(), strict=True))
