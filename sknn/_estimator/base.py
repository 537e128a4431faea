"""Parameters and fit, which classifier and regressor share."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from .._data.containers import as_table
from .._data.kinds import read_first
from .._data.rows import Rows
from .._data.training_data import TrainingData
from .._device import resolve_device
from .._errors import refused_as
from .._random import Seeds, isolated_random_state, random_generator
from .._threads import limited_threads
from .._training.make_net import make_net
from .._training.net import _Net
from .._training.train import find_checkpoint, scaling_of, train
from ..losses._make import can_weigh_rows
from .choices import TrainingChoicesMixin
from .component_params import ComponentParamsMixin
from .fitted import FittedNetworkMixin, validation_score
from .parameters import BUILT_WITH, CONSTRAINTS
from .pickling import PicklingMixin
from .progress import EpochReport
from .recipe import Recipe
from .sklearn_callbacks import (
    CallbackSupportMixin,  # pyright: ignore[reportAttributeAccessIssue]
    EpochContexts,
    with_callbacks,  # pyright: ignore[reportAttributeAccessIssue]
)

__all__ = ["BaseNeuralEstimator"]


class BaseNeuralEstimator(
    ComponentParamsMixin, CallbackSupportMixin, TrainingChoicesMixin, FittedNetworkMixin, PicklingMixin, BaseEstimator
):
    """What classifier and regressor share. The subclasses say how y becomes a tensor and back."""

    _parameter_constraints: dict[str, list[Any]] = CONSTRAINTS

    # ------------------------------------------------------------------ what the subclasses say

    def _learn_targets(self, y: Any, classes: Any, weight: np.ndarray | None) -> Any:
        """Targets learned from the training y."""
        raise NotImplementedError

    def _check_y(self, y: Any) -> None:
        """Raise a ValueError for a validation target that the loss cannot take."""

    def _extra_weight(self, y: Any, weight: np.ndarray | None) -> np.ndarray | None:
        """Class weights of each row, or None."""
        return None

    def _public_targets(self, targets: Any) -> dict[str, Any]:
        """Fitted attributes about y."""
        raise NotImplementedError

    # ------------------------------------------------------------------ fit

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        groups: Any = None,
    ) -> Any:
        """Learn from a table.

        Parameters
        ----------
        X : array, sparse matrix or dataframe of shape (n_samples, n_features), or array (n_samples, ...)
            Numbers, categories, gaps: as they are. Arrays of more than two dimensions go to the module untouched.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, label indicators, or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the training loss and in the validation score. Zero is as if the row were absent.
        X_val, y_val : like X and y, default=None
            Validation rows, instead of a split of X.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation rows.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay on one side of the validation split.

        Returns
        -------
        self : estimator instance

        Raises
        ------
        ValueError, TypeError
            A parameter, column or target that cannot be served: which, what was expected, and the likely fix.
            The estimator is then as it was before.
        """
        validation = (X_val, y_val, sample_weight_val)
        with self._unchanged_on_failure():
            return self._fit(X, y, sample_weight, validation=validation, groups=groups)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Any:
        """One more epoch."""
        with self._unchanged_on_failure():
            return self._fit(X, y, sample_weight, classes=classes, partial=True)

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        attributes: dict[str, Any] = vars(self)  # pyright: ignore[reportAssignmentType]
        before = dict(attributes)
        net = before.get("net_")
        net_settings = {} if net is None else net.settings()
        inputs = before.get("_inputs")
        scaling = None if inputs is None else inputs.scaling
        try:
            yield
        except BaseException:
            attributes.clear()
            attributes.update(before)
            if net is not None:
                vars(net).update(net_settings)
            if inputs is not None:
                inputs.scaling = scaling
            raise

    @with_callbacks
    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        classes: Any = None,
        validation: tuple[Any, Any, Any] = (None, None, None),
        groups: Any = None,
        partial: bool = False,
    ) -> Any:
        started = time.perf_counter()
        self._validate_params()
        self._check_component_params()
        device = resolve_device(self.device)
        go_on = hasattr(self, "net_") and (partial or self.warm_start)
        if go_on:
            self._check_same_network()
        recipe = Recipe.of(self.module)

        data = self._training_data(X, y, sample_weight, groups, classes, go_on)
        # A copy: a fit that fails must not move the generator on.
        random = copy.deepcopy(self._random) if go_on else random_generator(self.random_state)
        fit_data = dict(X=X, y=y, sample_weight=sample_weight, groups=groups, validation=validation)
        checkpoint = None if partial else self._checkpoint(fit_data, device, go_on)
        if checkpoint is not None:
            random = checkpoint.begin(random, is_fresh=not go_on and self.random_state is None)
        seeds = Seeds.draw(random)
        n_networks = self._n_networks(recipe, len(data), go_on=go_on, partial=partial)
        if not partial:
            self._choose_validation(data, validation, seeds.split, n_networks, recipe)
        prepared = data.encode(device, self.scoring)
        rows, valid = prepared.rows, prepared.valid
        del data  # what was read of X is not held while the network is trained

        plan = self._plan(recipe, seeds.shuffle, started, partial=partial)
        plan.checkpoint, plan.keeps_interrupted = checkpoint, self.on_interrupt == "keep"
        plan.validation_score = prepared.score
        if prepared.inputs.can_be_scaled:
            plan.columns = list(vars(self).get("feature_names_in_", ())) or None
            plan.scale_inputs = scaling_of(plan, prepared.inputs, [part for part in (rows, valid) if part is not None])
        n_batch = recipe.batch_size_for(self.batch_size, rows.n_per_epoch, prepared.n_copies)
        n_rows, stopped = rows.n_per_epoch, valid is not None
        epochs = 1 if partial else recipe.epochs_for(self.max_epochs, n_rows, n_batch, stopped=stopped)
        callbacks = self._training_callbacks(recipe, stop_early=stopped, partial=partial)
        contexts = EpochContexts(self, epochs, X, y, sample_weight)
        lr = recipe.lr if self.lr == "auto" else self.lr
        if go_on:
            net = self.net_
            net.attach(plan, callbacks, lr, n_batch, device)
        else:
            params = self._net_params(recipe, lr, epochs, n_rows, n_batch, partial=partial)
            net = make_net(
                params, prepared.inputs, prepared.targets, rows, batch_size=n_batch, callbacks=callbacks, plan=plan,
                seed=seeds.initialisation, n_networks=n_networks,
            )  # fmt: skip
        state = dict(net_=net, _inputs=prepared.inputs, _targets=prepared.targets, _random=random)
        state["_built_with"] = {name: getattr(self, name) for name in BUILT_WITH}
        state.update(self._public_targets(prepared.targets))
        with isolated_random_state(seeds.training, device), _guarded(net, go_on):
            kept = self._train(net, rows, valid, epochs, contexts, state, is_silent=partial)
        net.release()
        for name, value in state.items():
            setattr(self, name, value)
        self._record_training(kept)
        contexts.end(state)
        return self

    def _train(
        self,
        net: _Net,
        rows: Rows,
        valid: Rows | None,
        epochs: int,
        contexts: EpochContexts,
        state: dict[str, Any],
        *,
        is_silent: bool,
    ) -> int | None:
        """Train, and tell of every epoch; the epoch that is kept if Ctrl-C ended it, else None."""
        # Only now: a bar that an error leaves behind would stay on the screen.
        report = EpochReport(0 if is_silent else int(self.verbose), epochs, n_before=len(net.history))

        def after_epoch() -> bool:
            record = net.history[-1]
            report.epoch(record, validation_score(record))
            return contexts.end_epoch(lambda: state)

        net.plan.before_epoch, net.plan.after_epoch = contexts.begin_epoch, after_epoch
        try:
            with limited_threads(net.work, repeatable=self.random_state is not None):
                return train(net, rows, valid, epochs, learned=(state["_inputs"], state["_targets"]))
        finally:
            report.close()

    def _checkpoint(self, data: dict[str, Any], device: torch.device, go_on: bool) -> Any:
        before = (self.net_.weights_and_moments(), self._random) if go_on else None
        return find_checkpoint(self.get_params(deep=False), data, device=device, before=before)

    def _training_data(
        self, X: Any, y: Any, sample_weight: Any, groups: Any, classes: Any, go_on: bool
    ) -> TrainingData:
        """Rows, and what is learned from them about columns and targets."""
        X = as_table(X)
        self._check_columns(X, reset=not go_on)

        def learn_targets(y: Any, weight: np.ndarray | None) -> Any:
            return self._targets if go_on else self._learn_targets(y, classes, weight)

        return TrainingData(
            X, y, sample_weight, groups, inputs=self._inputs if go_on else None,
            read_first=lambda X: read_first(X, bool(self.preprocessing), self.categorical_features),
            learn_targets=learn_targets, class_weight=self._extra_weight,
            merge=self.scoring in (None, "loss") and can_weigh_rows(self.criterion, self.criterion_params),
        )  # fmt: skip

    def _choose_validation(
        self, data: TrainingData, given: tuple[Any, Any, Any], seed: int, n_splits: int, recipe: Recipe
    ) -> None:
        X_val, y_val, sample_weight_val = given
        if (X_val is None) != (y_val is None):
            missing = "y_val" if y_val is None else "X_val"
            raise ValueError(f"{missing} is None: X_val and y_val belong together. Pass both, or neither.")
        if X_val is not None:
            with refused_as("X_val", "a table like X", instead_of="X"):
                X_val = as_table(X_val)
                self._check_columns(X_val, reset=False)
            data.validate_on(X_val, y_val, sample_weight_val, self._check_y)
        elif sample_weight_val is not None:
            raise ValueError("sample_weight_val is given without X_val and y_val. Pass these too, or leave it out.")
        elif recipe.stops_early(self.early_stopping, len(data)):
            data.hold_out(self.validation_fraction, seed, n_splits)

    def _check_same_network(self) -> None:
        """What a fitted network was built with cannot change while it trains on."""
        for name, value in self._built_with.items():
            now = getattr(self, name)
            if now is not value and repr(now) != repr(value):
                raise ValueError(
                    f"{name} is now {now!r}, but the network that would train on was built with {value!r}. Set "
                    "warm_start=False to build it anew, or train a clone."
                )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = bool(self.preprocessing)
        tags.input_tags.string = bool(self.preprocessing)
        tags.input_tags.categorical = bool(self.preprocessing)
        tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags


@contextmanager
def _guarded(net: _Net, go_on: bool) -> Iterator[None]:
    """A failure while training on leaves the weights of before; a new net is just dropped."""
    if not go_on:
        yield
        return
    with net.unchanged_on_failure():
        yield
