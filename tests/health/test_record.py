"""The record: status, text, HTML, plot."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import EpochHealth, LayerHealth, TrainingHealth
from sknn.exceptions import (
    OutputMismatchWarning,
)
from sknn.modules import MLP
from tests.health.subjects import CANCER, IRIS


def test_a_run_too_short_to_judge_is_neither_healthy_nor_unhealthy():
    def status(**params):
        return NeuralClassifier(MLP, random_state=0, **params).fit(*CANCER).health_.status

    assert status(lr=1e-8, max_epochs=2) == "unknown"
    assert status(max_epochs=2) == "healthy"  # it has learned, so there is nothing to be unsure of


def test_the_record_in_a_line():
    health = NeuralClassifier(MLP, max_epochs=3, random_state=0).fit(*CANCER).health_
    assert repr(health) == "<TrainingHealth: healthy, 3 epochs>"


def test_a_picture_of_one_epoch_shows_it():
    layers = {"a": LayerHealth(0.1, 0.01, 1.0), "b": LayerHealth(1.0, 0.01, 1.0)}
    axes = TrainingHealth(epochs=[EpochHealth(1, 0.5, layers)]).plot()
    assert axes.get_xlim() == (0.5, 1.5)
    assert axes.collections[0].get_array().size == 2


def test_a_healthy_fit_says_so():
    model = NeuralClassifier(MLP, max_epochs=6, random_state=0).fit(*IRIS)
    health = model.health_
    assert (health.status, health.findings, health.repairs, str(health)) == ("healthy", [], [], "healthy")
    assert health.constant_loss == pytest.approx(math.log(3), rel=1e-3)
    assert [epoch.epoch for epoch in health.epochs] == [1, 2, 3, 4, 5, 6]
    assert health.epochs[-1].skill == pytest.approx(1 - model.loss_curve_[-1] / health.constant_loss)
    assert list(health.epochs[0].layers) == ["layers.0", "layers.2", "layers.4"]
    layer = health.epochs[0].layers["layers.0"]
    assert layer.relative_gradient > 0
    assert 0 < layer.update < 1
    assert layer.weight_norm > 0


def test_the_record_as_html_escapes_what_a_user_wrote():
    with pytest.warns(OutputMismatchWarning):
        model = NeuralClassifier(nn.Sequential(nn.Linear(4, 3), nn.Softmax(1)), max_epochs=2).fit(*IRIS)
    page = model.health_._repr_html_()
    assert "output_mismatch" in page
    assert "<table>" in page
    model.health_.findings[0] = (
        copy.replace(model.health_.findings[0], layer="<b>")
        if hasattr(copy, "replace")
        else (type(model.health_.findings[0])("non_finite", "<b>", 1, "", ""))
    )
    assert "&lt;b&gt;" in model.health_._repr_html_()


def test_the_record_is_pickled_and_drawn():
    import matplotlib

    matplotlib.use("Agg")
    model = NeuralClassifier(MLP, max_epochs=4, random_state=0).fit(*IRIS)
    again = pickle.loads(pickle.dumps(model)).health_
    assert again == model.health_
    axes = again.plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["layers.0", "layers.2", "layers.4"]
    assert axes.get_xlabel() == "epoch"
    again.epochs.clear()
    with pytest.raises(ValueError, match="No epoch was recorded"):
        again.plot()
