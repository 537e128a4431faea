"""The learning rate of every step."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, LRScheduler
from torch import nn
from torch.optim import lr_scheduler

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP
from sknn.optim import LRSchedule

GENERATOR = np.random.default_rng(0)


X = GENERATOR.normal(size=(96, 4)).astype(np.float32)


Y = (X[:, 0] > 0).astype(int)


def make_schedule(schedule: Any, n_steps: int = 100, **params: Any) -> tuple[torch.optim.Optimizer, LRSchedule]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.5)
    return optimizer, LRSchedule(schedule, params, optimizer, n_steps)


def rates(schedule: str, progress: list[float], **params: Any) -> list[float]:
    optimizer, made = make_schedule(schedule, **params)
    seen = []
    for share in progress:
        made.before_step(share)
        seen.append(optimizer.param_groups[0]["lr"])
    return seen


def test_constant_is_constant() -> None:
    assert rates("constant", [0.0, 0.5, 1.0]) == [0.5, 0.5, 0.5]


def test_cosine_warms_up_peaks_and_falls_to_final() -> None:
    seen = rates("cosine", [0.0, 0.1, 0.2, 0.6, 1.0, 1.5], warmup=0.2, final=0.1)
    np.testing.assert_allclose(seen, [0.0005, 0.25, 0.5, 0.275, 0.05, 0.05], rtol=1e-9)


def test_cosine_without_warmup_starts_at_the_full_rate() -> None:
    np.testing.assert_allclose(rates("cosine", [0.0, 0.5, 1.0], warmup=0.0), [0.5, 0.25, 0.0], atol=1e-12)


def test_one_cycle_rises_and_falls() -> None:
    seen = rates("one_cycle", [0.0, 0.15, 0.3, 0.65, 1.0])
    np.testing.assert_allclose(seen, [0.02, 0.26, 0.5, 0.5 * (1 + 1e-4) / 2, 5e-5], rtol=1e-6)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_a_warmup_over_the_whole_training_is_finite(schedule: str) -> None:
    assert all(math.isfinite(rate) for rate in rates(schedule, [0.0, 0.5, 1.0], warmup=1.0))


def test_plateau_halves_the_rate_when_the_loss_stops_falling() -> None:
    optimizer, schedule = make_schedule("plateau", patience=1)
    seen = []
    for loss in (1.0, 0.5, 0.5, 0.5, 0.5):
        schedule.after_epoch(loss)
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [0.5, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("schedule", "params", "message"),
    [
        ("cosine", {"warm_up": 0.1}, r"'warm_up' is unknown to 'cosine'\. Valid names: \['final', 'warmup'\]"),
        ("cosine", {"warmup": 1.5}, r"warmup=1\.5, expected a number in \[0, 1\]"),
        ("one_cycle", {"final": "low"}, r"final='low', expected a number"),
        ("constant", {"warmup": 0.1}, r"'warmup' is unknown to 'constant'"),
        ("plateau", {"warmup": 0.1}, r"'warmup' is unknown to ReduceLROnPlateau\. Valid names: .*'patience'"),
        ("plateau", {"factor": 2.0}, r"ReduceLROnPlateau refuses .*Factor should be < 1\.0"),
        (lr_scheduler.StepLR, {}, r"StepLR refuses .*step_size"),
        (lr_scheduler.StepLR, {"steps": 3}, r"'steps' is unknown to StepLR"),
    ],
)
def test_a_wrong_schedule_is_an_error_that_names_it(schedule: Any, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_schedule(schedule, **params)
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(MLP, lr_schedule=schedule, lr_schedule_params=params, max_epochs=1).fit(X, Y)


def fitted_rates(lr_schedule: Any, estimator: Any = NeuralClassifier, **params: Any) -> list[float]:
    """Rate of the last step of every epoch: three steps an epoch, eight epochs. Of a rate that is too large, unwatched."""
    params = {"module": MLP, "gradient_health": None, **params}
    model = estimator(lr=0.1, lr_schedule=lr_schedule, max_epochs=8, batch_size=32, random_state=0, **params)
    return model.fit(X, Y).net_.history[:, "lr"]


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_step_lr_steps_an_epoch(estimator: Any) -> None:
    seen = fitted_rates(lr_scheduler.StepLR, estimator, lr_schedule_params={"step_size": 2, "gamma": 0.5})
    np.testing.assert_allclose(seen, [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125])


def one_cycle_of_torch(n_steps: int, max_lr: float) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=max_lr)
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=max_lr, total_steps=n_steps)
    seen = []
    for step in range(n_steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < n_steps - 1:
            scheduler.step()
    return seen


@pytest.mark.parametrize("params", [{}, {"max_lr": 0.1}, {"epochs": 8, "steps_per_epoch": 3}], ids=str)
def test_one_cycle_lr_steps_a_batch_up_to_the_last(params: dict[str, Any]) -> None:
    seen = fitted_rates(lr_scheduler.OneCycleLR, lr_schedule_params=params)
    expected = one_cycle_of_torch(24, 0.1)
    # History has the rate after the epoch's last step, so that of the next.
    np.testing.assert_allclose(seen, [*expected[3::3], expected[-1]], rtol=1e-6)


def test_cyclic_lr_steps_a_batch() -> None:
    params = {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "cycle_momentum": False}
    seen = fitted_rates(lr_scheduler.CyclicLR, lr_schedule_params=params)
    np.testing.assert_allclose(seen, [0.1, 0.01] * 4, rtol=1e-6)


def test_reduce_on_plateau_watches_the_validation_loss() -> None:
    class Stuck(nn.Module):
        """Its loss never falls."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 2) + 0 * self.weight

    for schedule in ("plateau", lr_scheduler.ReduceLROnPlateau):
        seen = fitted_rates(
            schedule, module=Stuck(), lr_schedule_params={"patience": 1, "factor": 0.5}, early_stopping=True
        )
        np.testing.assert_allclose(seen, [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125])


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle", "plateau", lr_scheduler.OneCycleLR,
                                      lr_scheduler.CosineAnnealingWarmRestarts], ids=str)  # fmt: skip
def test_every_schedule_learns_and_starts_again_in_a_warm_start(schedule: Any) -> None:
    params = {"T_0": 2} if schedule is lr_scheduler.CosineAnnealingWarmRestarts else None
    model = NeuralClassifier(
        MLP, lr_schedule=schedule, lr_schedule_params=params, lr=0.01, max_epochs=8, warm_start=True, random_state=0
    )
    assert model.fit(X, Y).score(X, Y) > 0.85
    first = model.net_.history[:, "lr"]
    model.fit(X, Y)
    assert model.n_iter_ == 16
    np.testing.assert_allclose(model.net_.history[8:, "lr"], first, rtol=1e-6)


def test_partial_fit_after_fit_learns_at_the_full_rate() -> None:
    model = NeuralClassifier(MLP, lr=0.01, max_epochs=3, random_state=0).fit(
        X, Y
    )  # cosine: the last rate is about zero
    model.partial_fit(X, Y)
    assert model.net_.history[:, "lr"][-1] == 0.01


def test_a_warm_start_uses_the_present_lr_and_batch_size() -> None:
    model = NeuralClassifier(MLP, lr=0.01, lr_schedule="constant", max_epochs=1, batch_size=16, warm_start=True)
    model.fit(X, Y)
    model.set_params(lr=0.001, batch_size=48).fit(X, Y)
    assert model.net_.history[:, "lr"] == [0.01, 0.001]
    assert model.net_.history[:, "train_batch_count"] == [6, 2]


def test_a_schedule_leaves_the_optimizer_as_it_was() -> None:
    optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(1))], lr=0.5)
    before = {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
    for schedule in ("cosine", lr_scheduler.OneCycleLR, "plateau"):
        made = LRSchedule(schedule, {}, optimizer, 10)
        made.before_step(0.5)
        optimizer.step()
        made.after_step()
        made.undo()
        assert {name: value for name, value in optimizer.param_groups[0].items() if name != "params"} == before


def test_a_failed_fit_with_another_lr_leaves_the_rate() -> None:
    class Fails(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            raise RuntimeError("disk full")

    model = NeuralClassifier(MLP, lr=0.01, lr_schedule="constant", max_epochs=1, warm_start=True).fit(X, Y)
    with pytest.raises(RuntimeError, match="disk full"):
        model.set_params(lr=0.5, callbacks=[Fails()]).fit(X, Y)
    model.set_params(lr=0.01, callbacks=None).fit(X, Y)
    assert model.net_.history[:, "lr"] == [0.01, 0.01]


@pytest.mark.parametrize("pickled", [False, True])
def test_skorchs_scheduler_continues_in_a_warm_start(pickled: bool) -> None:
    model = NeuralClassifier(
        MLP, lr=0.01, lr_schedule="constant", max_epochs=3, warm_start=True,
        callbacks=[LRScheduler(lr_scheduler.ExponentialLR, gamma=0.5)],
    ).fit(X, Y)  # fmt: skip
    if pickled:
        model = pickle.loads(pickle.dumps(model))
    model.fit(X, Y)
    rates = model.net_.history[:, "lr"]
    np.testing.assert_allclose(rates[:3], [0.01, 0.005, 0.0025])
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[3:]))
    assert pickled or rates[3] < rates[2]


def test_skorchs_scheduler_sets_the_rate_of_the_first_step() -> None:
    model = NeuralClassifier(
        MLP, lr=0.01, lr_schedule="constant", max_epochs=2,
        callbacks=[LRScheduler(lr_scheduler.LambdaLR, lr_lambda=lambda epoch: 0.1 * (epoch + 1))],
    ).fit(X, Y)  # fmt: skip
    np.testing.assert_allclose(model.net_.history[:, "lr"], [0.001, 0.002])
