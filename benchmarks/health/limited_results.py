"""Training runs without a fault of their own whose result is limited: no skill, or not converged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .case import Case, Source, Table, classifier, limited, regressor
from .networks import Convolutions, Perceptron
from .tables import blobs, digits, friedman, images, linear, with_validation, with_y

__all__ = ["CASES", "noise", "shuffled"]

SGD, Adam = torch.optim.SGD, torch.optim.Adam
WIDE: dict[str, Any] = {"module__sizes": (256, 256), "early_stopping": False, "max_epochs": 40}


def noise(n_train: int, *, classes: bool) -> Source:
    """Columns and targets that have nothing to do with each other."""

    def make(seed: int) -> Table:
        rng = np.random.default_rng(seed)
        X, X_test = (rng.normal(size=(n, 10)).astype(np.float32) for n in (n_train, 200))
        if classes:
            return Table("classes", X, rng.integers(0, 2, n_train), X_test, rng.integers(0, 2, 200))
        y, y_test = (rng.normal(size=(n, 1)).astype(np.float32) for n in (n_train, 200))
        return Table("real", X, y, X_test, y_test)

    return make


def shuffled(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(y)


def _no_skill(name: str, source: Source, model: Any) -> Case:
    """Noise cannot be distinguished from labels of other rows."""
    return limited("unknown unhealthy", name, source, model)


NO_SKILL: Sequence[Case] = [
    _no_skill("noise, 100 rows", noise(100, classes=True), classifier(Perceptron)),
    _no_skill("noise, 100 rows, regression", noise(100, classes=False), regressor(Perceptron)),
    _no_skill("noise, 250 rows, regression", noise(250, classes=False), regressor(Perceptron)),
    _no_skill("noise, 250 rows, the default", noise(250, classes=True), classifier()),
    _no_skill("noise by heart", with_validation(noise(130, classes=False)), regressor(Perceptron, **WIDE)),
    _no_skill("noise by heart, classes", with_validation(noise(130, classes=True)), classifier(Perceptron, **WIDE)),
    _no_skill("labels shuffled, 150 rows", with_y(blobs(150), shuffled), classifier(Perceptron, lr=0.003)),
    _no_skill("numbers shuffled, 190 rows", with_y(friedman(190), shuffled), regressor(Perceptron, lr=0.003)),
    _no_skill("two epochs at 1e-6", digits(), classifier(Perceptron, max_epochs=2, lr=1e-6)),
    # After steps that are far too long the loss is huge, or the units are dead and the loss is that of a constant.
    _no_skill("SGD at 3, two epochs", friedman(), regressor(Perceptron, optimizer=SGD, lr=3.0, max_epochs=2)),
    _no_skill("Adam at 3, two epochs", friedman(), regressor(Perceptron, optimizer=Adam, lr=3.0, max_epochs=2)),
    _no_skill("Adam at 3, two epochs, classes", digits(),
              classifier(Perceptron, optimizer=Adam, lr=3.0, max_epochs=2)),
]  # fmt: skip

NOT_CONVERGED: Sequence[Case] = [
    limited("not_converged", "convolutions at 1e-4", images(), classifier(Convolutions, lr=1e-4, max_epochs=30)),
    limited("not_converged", "convolutions at 3e-4", images(), classifier(Convolutions, lr=3e-4)),
    limited("not_converged", "convolutions, SGD at 0.01", images(), classifier(Convolutions, optimizer=SGD, lr=0.01)),
    limited("not_converged", "convolutions, no rows held out", images(),
            classifier(Convolutions, lr=3e-4, early_stopping=False)),
    limited("not_converged", "the default, nine epochs", friedman(1000), regressor(max_epochs=9)),
    limited("not_converged", "a constant rate of 3e-4", digits(),
            classifier(Perceptron, lr=3e-4, lr_schedule="constant")),
    limited("not_converged", "a linear model, ten epochs", linear(),
            regressor(Perceptron, module__sizes=(), max_epochs=10, lr=0.003)),
]  # fmt: skip

CASES: list[Case] = [*NO_SKILL, *NOT_CONVERGED]
