"""Steps that callbacks are not told of are the steps in which they would have done nothing."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer

from sknn import NeuralClassifier
from sknn._training.quiet_steps import QuietSteps
from sknn.callbacks import GradientClipping
from sknn.exceptions import GradientHealthWarning
from sknn.losses import LogLoss
from sknn.modules import MLP

X, Y = load_breast_cancer(return_X_y=True)


class Spiky(LogLoss):
    """Gradients of a few steps are far larger than those of the others."""

    spikes: dict[int, float] = {}
    n_steps = 0

    def value_and_gradient(self, raw, y, weight=None):
        value, gradient = super().value_and_gradient(raw, y, weight)
        Spiky.n_steps += 1
        return value, gradient * Spiky.spikes.get(Spiky.n_steps, 1.0)


def fitted(spikes, monkeypatch, *, told_always: bool, clipping="auto", health="warn") -> NeuralClassifier:
    monkeypatch.setattr(Spiky, "spikes", spikes)
    monkeypatch.setattr(Spiky, "n_steps", 0)
    if told_always:
        monkeypatch.setattr(QuietSteps, "can_serve", staticmethod(lambda callbacks: False))
    model = NeuralClassifier(
        MLP, criterion=Spiky, module_params={"hidden_sizes": (16,)}, max_epochs=8, batch_size=16, early_stopping=False,
        gradient_clipping=clipping, gradient_health=health, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        return model.fit(X, Y)


SPIKES = {30: 1e3, 31: 1e4, 77: 1e6, 160: math.nan, 161: 50.0, 200: math.inf}


@pytest.mark.parametrize("spikes", [{}, SPIKES], ids=["calm", "spikes"])
@pytest.mark.parametrize("clipping", ["auto", 0.5, None])
@pytest.mark.parametrize("health", ["warn", None])
def test_the_bits_are_those_of_a_training_whose_callbacks_see_every_step(spikes, clipping, health, monkeypatch):
    quiet = fitted(spikes, monkeypatch, told_always=False, clipping=clipping, health=health)
    told = fitted(spikes, monkeypatch, told_always=True, clipping=clipping, health=health)
    for a, b in zip(quiet.module_.parameters(), told.module_.parameters(), strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy())
    for key in ("clipped_share", "skipped_steps") if clipping is not None else ():
        assert [record[key] for record in quiet.net_.history] == [record[key] for record in told.net_.history]
    if clipping is not None:
        norms = [[record["gradient_norm"] for record in model.net_.history] for model in (quiet, told)]
        np.testing.assert_allclose(*norms, rtol=1e-5)
    if health is not None:
        assert str(quiet.health_) == str(told.health_)


def test_spikes_are_clipped_and_what_is_no_number_is_named_by_its_step(monkeypatch):
    model = fitted(SPIKES, monkeypatch, told_always=False)
    assert sum(record["skipped_steps"] for record in model.net_.history) == 2
    assert sum(record["clipped_share"] > 0 for record in model.net_.history) >= 2
    (finding,) = model.health_.findings
    assert "in step 160 " in finding.evidence


def test_most_steps_are_quiet(monkeypatch):
    told = []
    step = GradientClipping.on_grad_computed
    monkeypatch.setattr(
        GradientClipping,
        "on_grad_computed",
        lambda self, *args, **kwargs: (told.append(1), step(self, *args, **kwargs)),
    )
    model = fitted({}, monkeypatch, told_always=False)
    assert len(told) < 0.4 * model.net_.steps_done_


def test_a_callback_of_the_user_that_looks_at_steps_sees_all_of_them():
    from skorch.callbacks import Callback

    class Counts(Callback):
        n_steps = 0

        def on_grad_computed(self, net, **kwargs):
            Counts.n_steps += 1

    model = NeuralClassifier(MLP, max_epochs=2, batch_size=16, callbacks=[Counts()], random_state=0).fit(X, Y)
    assert Counts.n_steps == model.net_.steps_done_


def test_norms_of_quiet_steps_are_known_to_the_clipping(monkeypatch):
    model = fitted({}, monkeypatch, told_always=False)
    clipping = next(callback for _, callback in model.net_.callbacks_ if isinstance(callback, GradientClipping))
    assert len(clipping.norms_) == math.ceil(len(X) / 16)
    assert all(torch.isfinite(torch.tensor(clipping.norms_)))
