"""The training loops that sknn is compared with: one written by hand, skorch, and scikit-learn's MLP."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import skorch
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from skorch.callbacks import GradientNormClipping
from torch import nn

__all__ = ["hand_loop", "mlp", "scikit_learn_fit", "skorch_fit"]


def mlp(in_features: int, hidden: tuple[int, ...], out_features: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    sizes = [in_features, *hidden]
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], out_features))


def hand_loop(
    net: nn.Module,
    inputs: Sequence[torch.Tensor],
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    lr: float = 1e-3,
    clip: float | None = None,
) -> nn.Module:
    """As an expert writes it: tensors in memory, one indexing operation per batch and input, fused AdamW."""
    y_ = torch.from_numpy(y)
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr, fused=True)
    criterion = nn.CrossEntropyLoss()
    net.train()
    for _ in range(epochs):
        order = torch.randperm(len(y_))
        for start in range(0, len(y_), batch_size):
            rows = order[start : start + batch_size]
            optimizer.zero_grad()
            scores, labels = net(*(values[rows] for values in inputs)), y_[rows]
            if scores.ndim == 3:  # of several members, each with a loss of its own
                scores, labels = scores.flatten(0, 1), labels.repeat_interleave(scores.shape[1])
            criterion(scores, labels).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(net.parameters(), clip)
            optimizer.step()
    return net


def skorch_fit(X: np.ndarray, y: np.ndarray, hidden: tuple[int, ...], batch_size: int, epochs: int) -> object:
    """skorch with its own gradient clipping."""
    return skorch.NeuralNetClassifier(
        mlp(X.shape[1], hidden, int(y.max()) + 1),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        optimizer__fused=True,
        lr=1e-3,
        batch_size=batch_size,
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        callbacks=[("clip", GradientNormClipping(1.0))],
    ).fit(X, y)


def scikit_learn_fit(X: np.ndarray, y: np.ndarray, hidden: tuple[int, ...], batch_size: int, epochs: int) -> object:
    """scikit-learn's MLP, trained for exactly `epochs` epochs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLPClassifier(
            hidden, batch_size=batch_size, max_iter=epochs, n_iter_no_change=epochs + 1, random_state=0
        ).fit(X, y)
