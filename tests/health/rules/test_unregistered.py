"""Weights that are no parameters of a module."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn

from sknn._health.rules.unregistered import unregistered_weights
from tests.health.subjects import classifier, record


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.registered = nn.ModuleList([nn.Linear(3, 3), nn.ReLU()])
        self.again = list(self.registered)
        self.names, self.activations = ["a"], [nn.ReLU()]
        self.scale = torch.tensor(2.0)
        self.register_buffer("grid", torch.zeros(2, 2))
        self.by_name = {"first": nn.Linear(3, 3)}
        self.inner = nn.Sequential(nn.Linear(3, 3))
        self.inner.kernel = torch.randn(3, 3)
        self.rnn = nn.LSTM(3, 3)


def test_layers_in_containers_of_python_and_tensors_are_found():
    assert unregistered_weights(Parts()) == ["by_name", "inner.kernel"]


class Kernels(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.layers = (nn.Linear(in_features, 30), nn.Linear(30, 3))
        self.head = nn.Linear(3, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.head(x)


def test_a_network_far_behind_a_simple_model_names_them():
    X, y = load_digits(return_X_y=True)
    health = record(classifier(Kernels, max_epochs=20, lr=0.001), X[:900], y[:900])
    (finding,) = health.findings
    assert (finding.symptom, finding.cause) == ("not_learning", "frozen")
    assert "weights in layers are no parameters" in finding.evidence
    assert "a simple model reaches 0.9" in finding.evidence
    assert "nn.ModuleList" in finding.remedy
