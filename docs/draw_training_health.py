"""Draw training_health.png: how gradients change from layer to layer, in one backward pass and in training.

    python docs/draw_training_health.py

Everything is computed here, in seconds: one backward pass through 30 layers, and two training runs on the breast
cancer table of scikit-learn.
"""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from sklearn.datasets import load_breast_cancer
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import TrainingHealth
from sknn.exceptions import GradientHealthWarning

N_LAYERS, WIDTH, N_ROWS = 30, 256, 64


def gradient_norms(activation: nn.Module, weight_std: float) -> np.ndarray:
    """Norm of the gradient with respect to the outputs of each of 30 layers, relative to that of the last one."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(N_ROWS, WIDTH, generator=generator)
    outputs = []
    for _ in range(N_LAYERS):
        weight = weight_std * torch.randn(WIDTH, WIDTH, generator=generator)
        hidden = activation(hidden @ weight.T).requires_grad_()
        outputs.append(hidden)
    direction = torch.randn(N_ROWS, WIDTH, generator=generator)
    gradients = torch.autograd.grad((direction * hidden).sum(), outputs)
    norms = np.array([gradient.norm().item() for gradient in gradients])
    return norms / norms[-1]


def draw_layers(ax: Axes) -> None:
    """Draw gradients of one backward pass that grow, keep their size, or shrink."""
    he, glorot = math.sqrt(2 / WIDTH), math.sqrt(1 / WIDTH)
    cases = [  # label, colour, and position of the label: layer, factor above or below the line
        ("ReLU, twice He", nn.ReLU(), 2 * he, "tab:red", 10, 20.0),
        ("ReLU, He", nn.ReLU(), he, "tab:green", 2, 8.0),
        ("tanh, Glorot", nn.Tanh(), glorot, "tab:blue", 2, 0.03),
        ("ReLU, half He", nn.ReLU(), he / 2, "tab:purple", 1, 2e4),
        ("sigmoid, Glorot", nn.Sigmoid(), glorot, "tab:orange", 9, 2e-4),
    ]
    layers = np.arange(1, N_LAYERS + 1)
    for label, activation, weight_std, colour, at, factor in cases:
        norms = gradient_norms(activation, weight_std)
        ax.semilogy(layers, norms, color=colour, linewidth=2)
        ax.text(at, norms[at - 1] * factor, label, color=colour, va="center")
    ax.set_xticks([1, 5, 10, 15, 20, 25, 30])
    ax.set_xlabel("layer, from the input to the output")
    ax.set_ylabel("norm of the gradient / that at layer 30")
    ax.set_title("One backward pass through 30 layers")
    ax.spines[["top", "right"]].set_visible(False)


class Deep(nn.Module):
    """Hidden layers of 24 units."""

    def __init__(self, in_features: int, out_features: int, n_hidden: int, activation: type[nn.Module]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for n_inputs, n_outputs in pairwise([in_features, *[24] * n_hidden]):
            layers += [nn.Linear(n_inputs, n_outputs), activation()]
        self.layers = nn.Sequential(*layers, nn.Linear(24, out_features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def health_of(gradient_health: str) -> TrainingHealth:
    """The record of a training run with 12 layers of sigmoid units."""
    model = NeuralClassifier(
        Deep,
        module_params={"n_hidden": 12, "activation": nn.Sigmoid},
        max_epochs=20,
        random_state=0,
        gradient_health=gradient_health,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        return model.fit(*load_breast_cancer(return_X_y=True)).health_


def main() -> None:
    """Draw and save the figure."""
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    draw_layers(axes[0])
    for ax, action, title in zip(axes[1:], ("warn", "repair"), ("unhealthy", "repaired"), strict=True):
        health_of(action).plot(ax)
        ax.set_title(f"12 hidden sigmoid layers: {title}")
    axes[2].set_ylabel("")
    figure.savefig(Path(__file__).with_name("training_health.png"), dpi=110)


if __name__ == "__main__":
    main()
