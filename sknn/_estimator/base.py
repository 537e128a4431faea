"""Parameters and training, which all estimators share."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch

from .._data.drift import warn_of_few_rows
from .._data.inputs import Inputs
from .._data.tagged import untagged
from .._data.training_data import EncodedData, TrainingData
from .._device import resolve_device
from .._errors import refused_as, shown
from .._hyperparameters import hyperparameters
from .._network.signature import fits_any_columns
from .._network.table_network import committee_of
from .._random import Seeds, isolated_random_state, random_generator
from .._settings import default_settings
from .._threads import limited_threads
from .._training.affordable import affordable_networks
from .._training.checkpointing import find_checkpoint
from .._training.make_net import make_net
from .._training.net import _Net
from .._training.plan import TrainingPlan
from .._training.start_up import start_up
from .._training.train import train
from ..losses._make import can_weigh_rows
from .component_params import check_names
from .conformal_scores import conformal_scores
from .fitted import FittedEstimator, training_attributes
from .parameters import BUILT_WITH, CONSTRAINTS, fit_parameters
from .progress import (
    CallbackSupportMixin,  # pyright: ignore[reportAttributeAccessIssue]
    EpochListeners,
    with_callbacks,  # pyright: ignore[reportAttributeAccessIssue]
)
from .reading import Reading, check_axes, reading_of
from .recipe import n_networks_for, optimizer_params_for, stops_early, training_plan

__all__ = ["BaseNeuralEstimator"]


class BaseNeuralEstimator(CallbackSupportMixin, FittedEstimator):
    """Parameters and training of all estimators. The subclasses define how y becomes a tensor and back.

    A subclass whose constructor lacks one of the parameters has a class attribute of that name instead.
    """

    _parameter_constraints: dict[str, list[Any]] = CONSTRAINTS
    _target_kinds: ClassVar[tuple[str, ...]]  # of what `_learn_targets` may return
    _needs_y: ClassVar[bool] = True  # False where the rows are their own targets

    # ------------------------------------------------------------------ what the subclasses define

    def _reading(self, X: Any, params: Mapping[str, Any], fitted: Inputs | None) -> Reading:
        """As what X is read, and by which module; `fitted` is what an earlier fit learned, if this one continues it."""
        return reading_of(X, params, fitted)

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

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        classes: Any = None,
        validation: tuple[Any, Any, Any] = (None, None, None),
        groups: Any = None,
        partial: bool = False,
    ) -> Any:
        """Learn from rows, for one more epoch if `partial`; the estimator stays as it was if that fails.

        `y` is None where the rows are their own targets. `validation` is X, y and weights of validation rows.
        """
        with self._unchanged_on_failure(), default_settings():
            return self._trained(
                X, y, sample_weight, classes=classes, validation=validation, groups=groups, partial=partial
            )

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        """Within this context an error leaves the attributes as they were."""
        attributes: dict[str, Any] = vars(self)  # pyright: ignore[reportAssignmentType]
        before = dict(attributes)
        inputs = before.get("_inputs")
        scaling = None if inputs is None else inputs.scaling
        try:
            yield
        except BaseException:
            attributes.clear()
            attributes.update(before)
            if inputs is not None:
                inputs.scaling = scaling
            raise

    @with_callbacks
    def _trained(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        *,
        classes: Any,
        validation: tuple[Any, Any, Any],
        groups: Any,
        partial: bool,
    ) -> Any:
        device, is_continued = self._check_parameters(partial)
        if self.max_time is not None:
            start_up(device)
        started = time.perf_counter()
        params = fit_parameters(self)
        reading = self._reading(X, params, self._inputs if is_continued else None)
        params["module"] = reading.module
        check_names("module", reading.module, list(self.module_params or ()))
        if not self._needs_y:
            y = np.zeros(reading.X.shape[0], dtype=np.float32)
        arguments = dict(X=X, y=y, sample_weight=sample_weight, groups=groups, validation=validation)

        raw = self._training_data(reading, y, sample_weight, groups, classes, is_continued, partial)
        checkpoint = None if partial else self._checkpoint(arguments, device, is_continued)
        random = self._generator(checkpoint, is_continued)
        seeds = Seeds.draw(random)
        n_networks = self._n_networks(reading.module, None if partial else len(raw), is_continued)
        if partial and not is_continued and self.preprocessing:
            warn_of_few_rows(len(raw))
        if not partial:
            self._choose_validation(raw, reading, validation, seeds.split, n_networks)
        data = raw.encode(device, self.scoring)
        del raw  # what was read of X is not held while the network is trained

        listeners = EpochListeners(self, arguments, verbose=0 if partial else int(self.verbose))
        plan = training_plan(
            params, data, vars(self).get("feature_names_in_", ()), partial=partial,
            started=started, checkpoint=checkpoint, shuffle_seed=seeds.shuffle, device=device,
            before_epoch=listeners.before_epoch, after_epoch=listeners.after_epoch, after_resume=listeners.after_resume,
        )  # fmt: skip
        listeners.begin(plan.epochs)
        # A resumed fit needs the networks of the one that it continues.
        if plan.deadline is not None and checkpoint is None and self.n_networks == "auto" and not is_continued:
            n_networks = affordable_networks(n_networks, params, data, plan)
            data = data.of_networks(n_networks)
        net = self._network(params, plan, data, seeds.initialisation, n_networks, is_continued, partial)
        with net.unchanged_on_failure() if is_continued else net.released_on_failure():
            listeners.fitted = self._learned(net, data, random)
            n_threads = limited_threads(net.work, repeatable=self.random_state is not None)
            with isolated_random_state(seeds.training, device), listeners.reporting(), n_threads:
                ending = train(net, data.train, data.valid, learned=(data.inputs, data.targets))
                scores = conformal_scores(net, data, seeds.split)
            net.release()
            fitted = {**listeners.fitted, **training_attributes(net, ending), "_conformal": scores}
            for name, value in fitted.items():
                setattr(self, name, value)
            listeners.end()
        return self

    def _check_parameters(self, partial: bool) -> tuple[torch.device, bool]:
        """The device, and whether a fitted network is trained further; the parameters are allowed."""
        self._validate_params()
        self._check_component_params()
        device = resolve_device(self.device)
        is_continued = self.__sklearn_is_fitted__() and (partial or self.warm_start)
        if is_continued:
            self._check_same_network()
        return device, is_continued

    def _checkpoint(self, arguments: dict[str, Any], device: torch.device, is_continued: bool) -> Any:
        """The checkpoint of this fit, or None."""
        before = (self.net_.weights_and_moments(), self._random) if is_continued else None
        return find_checkpoint(hyperparameters(self), arguments, device=device, before=before)

    def _generator(self, checkpoint: Any, is_continued: bool) -> np.random.RandomState:
        """Where the random numbers of this fit begin."""
        # A copy: a fit that fails must not advance the generator.
        random = copy.deepcopy(self._random) if is_continued else random_generator(self.random_state)
        if checkpoint is None:
            return random
        return checkpoint.begin(random, is_fresh=not is_continued and self.random_state is None)

    def _n_networks(self, module: Any, n_samples: int | None, is_continued: bool) -> int:
        """Networks of the committee: those of a fitted one, or as many as the recipe chooses."""
        if not is_continued:
            return n_networks_for(module, self.n_networks, n_samples)
        committee = committee_of(self.net_.module_)
        return 1 if committee is None else len(committee.networks)

    def _network(
        self,
        params: dict[str, Any],
        plan: TrainingPlan,
        data: EncodedData,
        seed: int,
        n_networks: int,
        is_continued: bool,
        partial: bool,
    ) -> _Net:
        """The net to train: the fitted one, or a new one."""
        if is_continued:
            net = self.net_
            net.attach(plan)
        else:
            if not partial:  # the steps of one epoch say nothing about a stream
                optimizer_params = optimizer_params_for(params, plan, data.train.n_per_epoch)
                params = {**params, "optimizer_params": optimizer_params}
            net = make_net(
                params, data.inputs, data.targets, data.train,
                plan=plan, seed=seed, n_networks=n_networks, is_stream=partial,
            )  # fmt: skip
        net.keeps_optimizer = bool(self.warm_start)
        # Copies of a row, merged into one, count. The rows of a chunk say nothing about a stream.
        net.criterion_.set_n_rows(math.inf if partial else max(len(data.train), data.n_copies or 0))
        return net

    def _learned(self, net: _Net, data: EncodedData, random: np.random.RandomState) -> dict[str, Any]:
        """Fitted attributes that exist while the network is trained."""
        built_with = {name: getattr(self, name) for name in BUILT_WITH}
        learned = dict(net_=net, _inputs=data.inputs, _targets=data.targets, _random=random, _built_with=built_with)
        return {**learned, **self._public_targets(data.targets)}

    def _training_data(
        self, reading: Reading, y: Any, sample_weight: Any, groups: Any, classes: Any, is_continued: bool, partial: bool
    ) -> TrainingData:
        """Rows, and what is learned from them about columns and targets."""
        if reading.kind.has_columns:
            self._check_columns(untagged(reading.X), reset=not is_continued)
        elif not is_continued:  # those of an earlier fit
            for name in ("n_features_in_", "feature_names_in_"):
                if name in vars(self):
                    delattr(self, name)
        # A column that has one value in the first rows of a stream may have others later.
        leaves_out_idle = not partial and fits_any_columns(reading.module, dict(self.module_params or {}))

        def learn_targets(y: Any, weight: np.ndarray | None) -> Any:
            return self._targets.for_further(y) if is_continued else self._learn_targets(y, classes, weight)

        return TrainingData(
            reading.X, y, sample_weight, groups, inputs=self._inputs if is_continued else None,
            kind=reading.kind, options=reading.options,
            leaves_out_idle=leaves_out_idle, learn_targets=learn_targets, class_weight=self._extra_weight,
            merge=self.scoring in (None, "loss") and can_weigh_rows(self.criterion, self.criterion_params),
        )  # fmt: skip

    def _choose_validation(
        self, data: TrainingData, reading: Reading, given: tuple[Any, Any, Any], seed: int, n_networks: int
    ) -> None:
        X_val, y_val, sample_weight_val = given
        if (X_val is None) != (y_val is None):
            missing = "y_val" if y_val is None else "X_val"
            raise ValueError(f"{missing} is None: X_val and y_val belong together. Pass both, or neither.")
        if X_val is not None:
            with refused_as("X_val", f"{reading.kind.what} like X", instead_of="X"):
                X_val = reading.kind.prepare(X_val if reading.kind.reads_tags else untagged(X_val))
                if reading.kind.has_columns:
                    check_axes(X_val, len(reading.X.shape), reading.kind.what)
                    self._check_columns(untagged(X_val), reset=False)
            data.validate_on(X_val, y_val, sample_weight_val, self._check_y)
        elif sample_weight_val is not None:
            raise ValueError("sample_weight_val is given without X_val and y_val. Pass these too, or leave it out.")
        elif stops_early(reading.module, self.early_stopping, data.n_independent):
            data.hold_out(self.validation_fraction, seed, n_networks)

    def _check_same_network(self) -> None:
        """Refuse to train a fitted network further if a parameter that it was built with has changed."""
        for name, value in self._built_with.items():
            now = getattr(self, name)
            if now is not value and repr(now) != repr(value):
                raise ValueError(
                    f"{name} is now {shown(now)}, but the fitted network was built with {shown(value)}. Set "
                    "warm_start=False to build a new one, or train a clone."
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
