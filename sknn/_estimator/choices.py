"""What the parameters of an estimator mean for the training of its network, "auto" among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from .._network.table_network import committee_of
from .._training.plan import TrainingPlan
from .recipe import Recipe, training_callbacks

__all__ = ["TrainingChoicesMixin"]


class TrainingChoicesMixin:
    """Reads parameters, changes nothing."""

    if TYPE_CHECKING:  # parameters of the estimators

        def __getattr__(self, name: str) -> Any: ...

    def _n_networks(self, recipe: Recipe, n_samples: int, *, go_on: bool, partial: bool) -> int:
        """Networks of the committee: those there are, or as many as so many rows deserve; a stream has no number."""
        if go_on:
            committee = committee_of(self.net_.module_)
            return 1 if committee is None else len(committee.networks)
        if partial and self.n_networks == "auto":
            return recipe.n_networks
        return recipe.n_networks_for(self.n_networks, n_samples)

    def _plan(self, recipe: Recipe, shuffle_seed: int, started: float, *, partial: bool) -> TrainingPlan:
        return TrainingPlan(
            lr_schedule="constant" if partial else self.lr_schedule,
            lr_schedule_params={} if partial else self.lr_schedule_params,
            shuffle_seed=shuffle_seed,
            started=started,
            precision=self.precision,
            compile=bool(self.compile),
            deadline=None if partial or self.max_time is None else started + self.max_time,
            ema_decay=recipe.ema_decay if self.ema_decay == "auto" else self.ema_decay,
            keeps_optimizer=bool(self.warm_start),
            weight_decay_follows_lr=recipe.chooses_weight_decay(self.optimizer_params, self.optimizer),
        )

    def _net_params(
        self, recipe: Recipe, lr: float, epochs: int, n_rows: int, batch_size: int, *, partial: bool
    ) -> dict[str, Any]:
        """Parameters of the estimator with what "auto" means for a net."""
        params = {**self.get_params(deep=False), "lr": lr, "max_epochs": epochs}
        if not partial:  # the steps of an epoch say nothing of a stream
            params["optimizer_params"] = recipe.optimizer_params_for(
                self.optimizer_params, self.optimizer, lr, n_rows, batch_size
            )
        return params

    def _training_callbacks(self, recipe: Recipe, *, stop_early: bool, partial: bool) -> list[Any]:
        return training_callbacks(
            self.callbacks,
            # Differences of clipped gradients would tell LBFGS of a curvature that is not there: it diverges.
            gradient_clipping=None if self.optimizer is torch.optim.LBFGS else self.gradient_clipping,
            gradient_health=self.gradient_health,
            stop_early=stop_early and bool(self.early_stopping),
            by_loss=self.scoring in (None, "loss"),
            patience=recipe.patience if self.n_iter_no_change == "auto" else self.n_iter_no_change,
            tol=self.tol,
            partial=partial,
        )
