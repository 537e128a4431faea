"""A training run of the bench: a table, an estimator, the acceptable symptoms, and the fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch import NeuralNet, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor

__all__ = ["Case", "Source", "Table", "Task", "classifier", "fault", "healthy", "plain_classifier", "plain_regressor"]
__all__ += ["limited", "regressor"]


@dataclass(frozen=True)
class Table:
    """Rows to train on and rows held out.

    Parameters
    ----------
    task : {"classes", "multilabel", "real"}
    X, X_test : array, sparse matrix or DataFrame
    y, y_test : ndarray
        Classes are counted from 0.
    fit : dict
        Further arguments of fit.
    """

    task: str
    X: Any
    y: np.ndarray
    X_test: Any
    y_test: np.ndarray
    fit: dict[str, Any] = field(default_factory=dict)


# seed -> rows
Source = Callable[[int], Table]


@dataclass(frozen=True)
class Task:
    """An estimator, unfitted, and its table."""

    model: Any
    table: Table


@dataclass(frozen=True)
class Case:
    """One training run.

    Parameters
    ----------
    name : str
    source : callable, seed -> Table
    model : estimator, or callable, seed -> estimator
    symptom : str
        The one that recall is counted for; empty for a healthy one.
    also : frozenset of str
        Other names for the same fault.
    fix : dict
        Parameters under which the same estimator trains well.
    good_source : callable or None
        The table without the fault, where the fault is in the table.
    repairable : bool
        Whether learning rate, initialisation, input scaling, clipping or going back to the best epoch would do.
    mild : bool
        Whether the fault may leave a score that is nearly as good.
    learns : float
        Skill on held-out rows that a healthy run reaches.
    statuses : frozenset of str
        Of a run that is neither faulty nor healthy: the acceptable values of ``health_.status``. Else empty.
    """

    name: str
    source: Source
    model: Any
    symptom: str = ""
    also: frozenset[str] = frozenset()
    fix: dict[str, Any] = field(default_factory=dict)
    good_source: Source | None = None
    repairable: bool = False
    mild: bool = False
    learns: float = 0.0
    statuses: frozenset[str] = frozenset()

    @property
    def kind(self) -> str:
        """``"faulty"``, ``"limited"`` or ``"healthy"``."""
        return "faulty" if self.symptom else "limited" if self.statuses else "healthy"

    @property
    def expected(self) -> frozenset[str]:
        """Acceptable symptoms; none for a healthy run."""
        return self.also | {self.symptom} if self.symptom else frozenset()

    @property
    def is_plain(self) -> bool:
        """Whether it is a net of skorch itself."""
        return isinstance(self.model, NeuralNet)

    def make(self, seed: int) -> Task:
        """The training run of the case."""
        return self._task(seed, self.source, {})

    def good(self, seed: int) -> Task:
        """The same task, set up well."""
        return self._task(seed, self.good_source or self.source, self.fix)

    def _task(self, seed: int, source: Source, params: dict[str, Any]) -> Task:
        table = source(seed)
        if isinstance(self.model, (NeuralClassifier, NeuralRegressor, NeuralNet)):
            model = clone(self.model)
        else:
            model = self.model(seed)
        if isinstance(model, NeuralNet):  # skorch asks the user for the widths
            model.set_params(module__in_features=_width(table.X), module__out_features=_n_outputs(table))
        else:
            model.set_params(random_state=seed)
        return Task(model.set_params(**params), table)


def _width(X: Any) -> int:
    """Columns, features of a step, or channels."""
    return X.shape[1] if X.ndim != 3 else X.shape[2]


def _n_outputs(table: Table) -> int:
    return int(table.y.max()) + 1 if table.task == "classes" else table.y[:1].size


def fault(symptoms: str, name: str, source: Source, model: Any, **params: Any) -> Case:
    """A faulty training run; `symptoms` holds names, that of the cause first."""
    symptom, *also = symptoms.split()
    return Case(name, source, model, symptom, frozenset(also), **params)


def healthy(name: str, source: Source, model: Any, learns: float = 0.3) -> Case:
    """A healthy training run."""
    return Case(name, source, model, learns=learns)


def limited(statuses: str, name: str, source: Source, model: Any) -> Case:
    """A training run whose result is limited: it has no skill, or has not converged."""
    return Case(name, source, model, learns=-np.inf, statuses=frozenset(statuses.split()))


def classifier(module: Any = None, **params: Any) -> NeuralClassifier:
    """A NeuralClassifier: 20 epochs, batches of 32 rows, unless params say otherwise. Without a module, its default."""
    return _estimator(NeuralClassifier, module, params)


def regressor(module: Any = None, **params: Any) -> NeuralRegressor:
    """The same for numbers."""
    return _estimator(NeuralRegressor, module, params)


def _estimator(kind: Any, module: Any, params: dict[str, Any]) -> Any:
    if module is None:
        return kind().set_params(**params)
    return kind(module, max_epochs=20, batch_size=32).set_params(**params)


def plain_classifier(module: type[nn.Module], **params: Any) -> NeuralNetClassifier:
    """skorch's own classifier, with the loss on raw scores."""
    return NeuralNetClassifier(module, **{**_PLAIN, "criterion": nn.CrossEntropyLoss, **params})


def plain_regressor(module: type[nn.Module], **params: Any) -> NeuralNetRegressor:
    """skorch's own regressor."""
    return NeuralNetRegressor(module, **{**_PLAIN, **params})


_PLAIN: dict[str, Any] = {
    "optimizer": torch.optim.Adam,
    "lr": 0.003,
    "max_epochs": 20,
    "batch_size": 32,
    "verbose": 0,
    "iterator_train__shuffle": True,
}
