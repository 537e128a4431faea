"""Allowed values of the estimators' parameters."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from .._hyperparameters import hyperparameters

__all__ = ["BUILT_WITH", "CONSTRAINTS", "fit_parameters"]

CONSTRAINTS: dict[str, list[Any]] = {
    "module": [StrOptions({"auto"}), callable, nn.Module],
    "module_params": [dict, None],
    "criterion": [str, callable, nn.Module],
    "criterion_params": [dict, None],
    "optimizer": [StrOptions({"auto"}), callable],
    "optimizer_params": [dict, None],
    "lr": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "lr_schedule": [StrOptions({"constant", "cosine", "one_cycle", "plateau"}), callable],
    "lr_schedule_params": [dict, None],
    "max_epochs": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "max_time": [None, Interval(Real, 0, None, closed="neither")],
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_networks": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "n_iter_no_change": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "scoring": [str, callable, None],
    "gradient_clipping": [None, StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "ema_decay": [None, StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
    "gradient_health": [StrOptions({"warn", "raise", "repair"}), None],
    "preprocessing": ["boolean"],
    "categorical_features": [StrOptions({"from_dtype"}), "array-like", None],
    "text_features": [StrOptions({"auto"}), "array-like", None],
    "warm_start": ["boolean"],
    "callbacks": [list, tuple, None],
    "checkpoint": [str, os.PathLike, None],
    "checkpoint_every_s": [Interval(Real, 0, None, closed="left")],
    "checkpoint_every_epochs": [Interval(Integral, 1, None, closed="left"), None],
    "on_interrupt": [StrOptions({"raise", "keep"})],
    "device": [str, torch.device],
    "precision": [StrOptions({"auto", "float32", "bfloat16"})],
    "compile": ["boolean"],
    "random_state": ["random_state"],
    "verbose": [Interval(Integral, 0, None, closed="left"), "boolean"],
}

# Parameters of a fitted network that cannot change when it is trained further.
BUILT_WITH = (
    "module",
    "module_params",
    "criterion",
    "criterion_params",
    "optimizer",
    "optimizer_params",
    "preprocessing",
    "categorical_features",
    "text_features",
    "n_networks",
)


def fit_parameters(estimator: Any) -> dict[str, Any]:
    """Values of all that a fit reads: hyperparameters, and class attributes in place of those that do not exist."""
    return {**{name: getattr(estimator, name) for name in CONSTRAINTS}, **hyperparameters(estimator)}
