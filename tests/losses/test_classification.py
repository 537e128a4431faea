"""How losses combine the predictions of members, and calibrate them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sknn.losses import AbsoluteError, LogLoss, ModuleLoss, MultilabelLogLoss, Poisson, SquaredError


@pytest.mark.parametrize(
    "loss",
    [
        *(LogLoss(), MultilabelLogLoss(), Poisson(), SquaredError(), AbsoluteError()),
        *(ModuleLoss(nn.CrossEntropyLoss(), "classes"), ModuleLoss(nn.NLLLoss(), "classes")),
        *(ModuleLoss(nn.BCEWithLogitsLoss(), "multilabel"), ModuleLoss(nn.PoissonNLLLoss(), "real")),
    ],
    ids=lambda loss: loss.name + type(loss).__name__,
)
def test_combined_prediction_is_the_mean_of_the_members(loss):
    torch.manual_seed(0)
    raw = torch.randn(5, 4, 3)
    if loss.name == "NLLLoss":
        raw = raw.log_softmax(2)
    mean = torch.stack([loss.inverse_link(raw[:, i]) for i in range(4)]).mean(0)
    torch.testing.assert_close(loss.inverse_link(loss.combine(raw)), mean)


def test_combined_score_of_two_classes_is_the_mean_probability():
    raw = torch.tensor([[[3.0], [-1.0]]])
    expected = raw.sigmoid().mean(1)
    torch.testing.assert_close(LogLoss().inverse_link(LogLoss().combine(raw))[:, 1:], expected)


def test_temperature_finds_how_overconfident_scores_are():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5000, 3, generator=generator)
    y = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    loss = LogLoss()
    loss.calibrate(3 * logits, y)
    assert 2.7 < float(loss.temperature) < 3.3
    off = LogLoss(temperature_scaling=False)
    off.calibrate(3 * logits, y)
    assert float(off.temperature) == 1


def test_temperature_obeys_weights_and_hardly_moves_on_few_rows():
    logits, y = torch.tensor([[4.0, 0.0], [4.0, 0.0]]), torch.tensor([0, 1])
    right, wrong, few = LogLoss(), LogLoss(), LogLoss()
    right.calibrate(logits.repeat(50, 1), y.repeat(50), torch.tensor([1.0, 0.0]).repeat(50))
    wrong.calibrate(logits.repeat(50, 1), y.repeat(50), torch.tensor([0.0, 1.0]).repeat(50))
    few.calibrate(logits[1:], y[1:])
    assert float(right.temperature) < 1 < float(few.temperature) < float(wrong.temperature)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
@pytest.mark.parametrize("n_scores", [1, 2, 3])
@pytest.mark.parametrize("factor", [0.02, 0.2, 5.0, 100.0])
def test_held_out_rows_are_judged_at_the_temperature_that_will_be_fitted(n_scores, factor, label_smoothing):
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(3000, n_scores, generator=generator)
    loss = LogLoss(label_smoothing=label_smoothing)
    y = torch.multinomial(loss.inverse_link(logits), 1, generator=generator)[:, 0]
    weight = torch.rand(3000, generator=generator)
    judged = float(loss.validation_loss(factor * logits, y, weight))
    assert judged < float(loss(factor * logits, y, weight)) - 0.01
    loss.calibrate(factor * logits, y, weight)
    assert judged == pytest.approx(float(loss(factor * logits / loss.temperature, y, weight)), rel=1e-3)
    off = LogLoss(temperature_scaling=False)
    assert off.validation_loss(factor * logits, y) == off(factor * logits, y)


def test_few_held_out_rows_hardly_move_the_temperature_that_they_are_judged_at():
    raw, y = torch.tensor([[4.0, 0.0], [0.0, 4.0]]), torch.tensor([0, 1])
    assert 0 < float(LogLoss().validation_loss(raw, y)) < float(LogLoss()(raw, y))
    assert float(LogLoss().validation_loss(100 * raw, y)) == 0
    assert torch.isfinite(LogLoss().validation_loss(1e20 * raw, 1 - y))
    assert torch.isfinite(LogLoss().validation_loss(raw.double(), y))


def test_temperature_does_not_enter_the_training_loss():
    loss, raw, y = LogLoss(), torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    before = loss(raw, y)
    loss.temperature.fill_(5.0)
    assert loss(raw, y) == before
    assert loss.inverse_link(raw)[0, 1] > raw.softmax(1)[0, 1]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_temperature_of_many_classes_is_fitted_to_fewer_rows(weighted, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    raw = 4 * torch.randn(4000, 1000, generator=generator)
    y = torch.multinomial((raw / 2).softmax(1), 1, generator=generator)[:, 0]
    weight = torch.ones(4000) if weighted else None
    if weight is not None:  # rows that say otherwise, and do not count
        y[::2], weight[::2] = torch.randint(1000, (2000,), generator=generator), 0.0
        raw, y, weight = raw.repeat(2, 1), y.repeat(2), weight.repeat(2)
        order = torch.randperm(8000, generator=generator)
        raw, y, weight = raw[order], y[order], weight[order]
    sizes = []
    pointwise = LogLoss.pointwise
    monkeypatch.setattr(
        LogLoss, "pointwise", lambda self, raw, y: (sizes.append(raw.numel()), pointwise(self, raw, y))[1]
    )
    loss = LogLoss()
    loss.calibrate(raw, y, weight)
    assert 1.7 < float(loss.temperature) < 2.3
    assert max(sizes) <= 2**20 + 2000
    assert abs(1 / loss._best_scale(raw, y, weight) - float(loss.temperature)) < 0.1
