"""Parameters and fit, which classifier and regressor share."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from .._data.drift import warn_of_few_rows
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
from .answers import Answers
from .component_params import check_names
from .conformal_scores import conformal_scores
from .fitted import training_attributes
from .parameters import BUILT_WITH, CONSTRAINTS
from .progress import (
    CallbackSupportMixin,  # pyright: ignore[reportAttributeAccessIssue]
    EpochListeners,
    with_callbacks,  # pyright: ignore[reportAttributeAccessIssue]
)
from .reading import Reading, check_axes, reading_of
from .recipe import n_networks_for, optimizer_params_for, stops_early, training_plan

__all__ = ["BaseNeuralEstimator"]


class BaseNeuralEstimator(CallbackSupportMixin, Answers):
    """Parameters and fit of all estimators. The subclasses define how y becomes a tensor and back."""

    _parameter_constraints: dict[str, list[Any]] = CONSTRAINTS

    # ------------------------------------------------------------------ what the subclasses define

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
        """Learn from a table, texts, images, sequences or sounds.

        Parameters
        ----------
        X : n_samples rows of one kind
            * A table: array, sparse matrix or dataframe of shape (n_samples, n_features). Numbers, categories, texts,
              dates and missing values need no preparation.
            * Texts: list, array or series of str.
            * Images: uint8 (n_samples, height, width); (n_samples, height, width, channels) or (n_samples, channels,
              height, width) with 1, 3 or 4 channels; list of such images of several sizes, or of PIL. Other whole
              numbers from 0 to 255 (n_samples, side, side) are grey images, too, with a warning.
            * Sequences: float (n_samples, n_channels, n_timepoints), or list of arrays (n_channels, length_i).
            * Sounds, for a module that reads them: list of waveforms (length_i,).

            A module of your own is given other arrays of more than two dimensions, and float sequences and images of
            one shape, unchanged, unless its attribute ``reads`` says otherwise.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels, label indicators, or numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the training loss and in the validation score. Rows of weight zero are ignored.
        X_val, y_val : like X and y, default=None
            Validation rows, instead of a split of X.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation rows.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay on one side of the validation split; at least 2 groups.

        Returns
        -------
        self : estimator instance

        Raises
        ------
        ValueError, TypeError
            A parameter, column or target is invalid. The message says what was expected and the likely fix; the
            estimator stays as it was before.
        """
        validation = (X_val, y_val, sample_weight_val)
        with self._unchanged_on_failure(), default_settings():
            return self._fit(X, y, sample_weight, validation=validation, groups=groups)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> Any:
        """One more epoch."""
        with self._unchanged_on_failure(), default_settings():
            return self._fit(X, y, sample_weight, classes=classes, partial=True)

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
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
        device, is_continued = self._check_parameters(partial)
        if self.max_time is not None:
            start_up(device)
        started = time.perf_counter()
        reading = reading_of(X, hyperparameters(self), self._inputs if is_continued else None)
        params = {**hyperparameters(self), "module": reading.module}
        check_names("module", reading.module, list(self.module_params or ()))
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
            self._check_columns(reading.X, reset=not is_continued)
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
                X_val = reading.kind.prepare(X_val)
                if reading.kind.has_columns:
                    check_axes(X_val, len(reading.X.shape), reading.kind.what)
                    self._check_columns(X_val, reset=False)
            data.validate_on(X_val, y_val, sample_weight_val, self._check_y)
        elif sample_weight_val is not None:
            raise ValueError("sample_weight_val is given without X_val and y_val. Pass these too, or leave it out.")
        elif stops_early(reading.module, self.early_stopping, len(data)):
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
