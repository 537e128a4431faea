"""Parameters of the estimators: tiny networks, sometimes with one or two values of a wrong type or out of range."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn.callbacks import EarlyStopping, GradientClipping
from sknn.modules import MLP, FTTransformer, ResNet, TabM

from ._fuzz_tables import Hostile

__all__ = ["PARAMETERS", "NotFinite", "draw_parameters"]

Rng = np.random.Generator

PARAMETERS = tuple(
    dict.fromkeys(name for kind in (NeuralClassifier, NeuralRegressor) for name in kind().get_params(False))
)

# Wrong for most parameters, whatever these are.
_JUNK: tuple[Callable[[], Any], ...] = (
    lambda: None, lambda: True, lambda: False, lambda: -1, lambda: 0, lambda: 1, lambda: 2, lambda: 0.5, lambda: -0.0,
    lambda: float("nan"), lambda: float("inf"), lambda: -float("inf"), lambda: 1e-320, lambda: 1j, lambda: "",
    lambda: "junk", lambda: "auto", lambda: "é\0", lambda: b"auto", lambda: [], lambda: [1], lambda: ["a", 1],
    lambda: (),
    lambda: {}, lambda: {"a": 1}, lambda: {1: 2}, lambda: set(), lambda: object(), lambda: object, lambda: int,
    lambda: np.float32(0.5), lambda: np.int8(1), lambda: np.bool_(True), lambda: np.str_("auto"), lambda: np.zeros(2),
    lambda: np.array(1), lambda: np.array("auto"), lambda: pd.NA, lambda: pd.Series([1, 2]), lambda: torch.tensor(1.0),
    lambda: torch.zeros(2), lambda: (lambda *args, **kwargs: None), lambda: len, lambda: NotImplemented,
    lambda: nn.ReLU,
    lambda: nn.ReLU(), lambda: nn.Linear(2, 2), lambda: MLP, lambda: nn.MSELoss, lambda: torch.optim.SGD,
    lambda: NeuralClassifier(), lambda: range(2), lambda: iter([1]), lambda: Hostile("__repr__"),
    lambda: Hostile("__eq__"),
    lambda: Hostile("__hash__"), lambda: Hostile("long"), lambda: Exception("x"), lambda: Exception, lambda: ...,
)  # fmt: skip


class _Fails(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        raise RuntimeError("this module cannot be made")


class _FailsLater(nn.Module):
    def __init__(self, in_features: int, out_features: int, width: int = 3) -> None:
        super().__init__()
        self.layer = nn.Linear(width, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of tables of the width it expects."""
        return self.layer(x)


class NotFinite(nn.Module):
    """Never a number: fit warns of it, and what it predicts is its own."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """NaN."""
        return self.layer(x) * float("nan")


# Values that are right by type and wrong, or odd, in themselves.
_ODD: dict[str, tuple[Callable[[], Any], ...]] = {
    "module": (
        lambda: _Fails, lambda: _FailsLater, lambda: NotFinite, lambda: nn.Linear, lambda: nn.Identity,
        lambda: nn.Linear(2, 1), lambda: lambda: nn.Linear(2, 2), lambda: nn.Module, lambda: nn.Module(), lambda: TabM,
        lambda: ResNet, lambda: FTTransformer, lambda: nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2)),
        lambda: nn.Conv2d, lambda: nn.Sequential, lambda: nn.Embedding,
    ),
    "module_params": (
        lambda: {"hidden_sizes": (0,)}, lambda: {"hidden_sizes": "8"}, lambda: {"hidden_sizes": (2.5,)},
        lambda: {"hidden_sizes": ()}, lambda: {"dropout": 1.0}, lambda: {"dropout": "a"}, lambda: {"dropout": None},
        lambda: {"dropout": 0.99}, lambda: {"activation": "relu"}, lambda: {"activation": nn.Linear},
        lambda: {"norm": nn.BatchNorm1d}, lambda: {"norm": nn.ReLU}, lambda: {"width": 3}, lambda: {"in_features": 3},
        lambda: {"embedding_size": 0}, lambda: {"hidden_sizes": (8, None)}, lambda: {"hidden_sizes": 8},
    ),
    "criterion": (
        lambda: "squared_error", lambda: "log_loss", lambda: "absolute_error", lambda: "huber", lambda: "poisson",
        lambda: "quantile", lambda: nn.CrossEntropyLoss, lambda: nn.BCEWithLogitsLoss, lambda: nn.BCELoss,
        lambda: nn.NLLLoss, lambda: nn.L1Loss(), lambda: nn.TripletMarginLoss, lambda: nn.CosineEmbeddingLoss,
        lambda: nn.CTCLoss, lambda: nn.MultiMarginLoss, lambda: nn.PoissonNLLLoss, lambda: nn.GaussianNLLLoss,
        lambda: nn.Identity, lambda: nn.CrossEntropyLoss(torch.ones(7)), lambda: nn.KLDivLoss, lambda: nn.HuberLoss,
    ),
    "criterion_params": (
        lambda: {"quantile": 0.3}, lambda: {"quantile": [0.1, 0.9]}, lambda: {"quantile": 2.0},
        lambda: {"quantile": "a"},
        lambda: {"delta": -1}, lambda: {"delta": float("nan")}, lambda: {"label_smoothing": 0.1},
        lambda: {"label_smoothing": None}, lambda: {"reduction": "none"}, lambda: {"weight": torch.ones(2)},
        lambda: {"quantile": []}, lambda: {"quantile": None},
    ),
    "optimizer": (
        lambda: torch.optim.Adam, lambda: torch.optim.LBFGS, lambda: torch.optim.SparseAdam, lambda: torch.optim.Rprop,
        lambda: torch.optim.Optimizer, lambda: torch.optim.ASGD, lambda: torch.optim.Adafactor,
        lambda: torch.optim.SGD([torch.zeros(1, requires_grad=True)]), lambda: torch.optim.RMSprop,
    ),
    "optimizer_params": (
        lambda: {"weight_decay": -1}, lambda: {"weight_decay": "a"}, lambda: {"weight_decay": float("nan")},
        lambda: {"betas": 1}, lambda: {"betas": (0.9,)}, lambda: {"lr": 0.1}, lambda: {"momentum": 0.9},
        lambda: {"eps": None}, lambda: {"foreach": True}, lambda: {"fused": True}, lambda: {"params": []},
        lambda: {"weight_decay": 1e300}, lambda: {"maximize": True}, lambda: {"amsgrad": True},
    ),
    "lr": (lambda: 1e30, lambda: 1e300, lambda: 1e-300, lambda: 10, lambda: np.float64(0.1), lambda: 10**400),
    "lr_schedule": (
        lambda: "constant", lambda: "one_cycle", lambda: "plateau", lambda: torch.optim.lr_scheduler.StepLR,
        lambda: torch.optim.lr_scheduler.ExponentialLR, lambda: torch.optim.lr_scheduler.LRScheduler,
    ),
    "lr_schedule_params": (
        lambda: {"warmup": 0.1}, lambda: {"warmup": 5}, lambda: {"warmup": "a"}, lambda: {"warmup": None},
        lambda: {"gamma": 0.1}, lambda: {"step_size": 0}, lambda: {"warmup": float("nan")},
    ),
    "max_epochs": (lambda: 2, lambda: 3, lambda: 2.0, lambda: "2", lambda: np.int64(2)),
    "batch_size": (lambda: 1, lambda: 3, lambda: 10**12, lambda: 10**400, lambda: 2.0),
    "max_time": (lambda: 1e-9, lambda: 1e300, lambda: 0.05, lambda: "1"),
    "early_stopping": (lambda: True, lambda: False),
    "validation_fraction": (lambda: 1e-9, lambda: 0.999999, lambda: 0.5, lambda: 5),
    "n_networks": (lambda: 2, lambda: 3, lambda: 2.0),
    "n_iter_no_change": (lambda: 1, lambda: 10**400, lambda: 1.0),
    "tol": (lambda: 1e300, lambda: 0.1),
    "scoring": (
        lambda: "accuracy", lambda: "r2", lambda: "roc_auc", lambda: "neg_log_loss", lambda: "loss", lambda: "f1",
        lambda: (lambda estimator, X, y: 1.0), lambda: (lambda estimator, X, y: "a"),
        lambda: (lambda estimator, X, y: None),
        lambda: "neg_mean_squared_log_error", lambda: (lambda estimator, X, y: float("nan")), lambda: ["accuracy"],
    ),
    "ema_decay": (lambda: 0.5, lambda: 1 - 1e-16, lambda: 1e-300),
    "gradient_clipping": (lambda: 1.0, lambda: 1e-300, lambda: 1e300, lambda: 10**400),
    "gradient_health": (lambda: "raise", lambda: "repair", lambda: None),
    "class_weight": (
        lambda: "balanced", lambda: {0: 1, 1: 2}, lambda: {0: -1, 1: 1}, lambda: {0: 0, 1: 1}, lambda: {0: "a", 1: 1},
        lambda: {0: float("nan"), 1: 1}, lambda: {"no": 1}, lambda: {0: None, 1: 1}, lambda: {0: 1e300, 1: 1e-300},
        lambda: [{0: 1}], lambda: {0: 10**400, 1: 1}, lambda: {0: [1], 1: 2}, lambda: {(0,): 1}, lambda: [1, 2],
    ),
    "preprocessing": (lambda: False, lambda: True, lambda: 0, lambda: "no"),
    "categorical_features": (
        lambda: [0], lambda: [0, 1], lambda: ["c0"], lambda: [True, False, True], lambda: [-1], lambda: [99],
        lambda: [0, 0],
        lambda: None, lambda: "c0", lambda: ["c0", 1], lambda: np.array([0]), lambda: np.array([[0]]), lambda: [[0]],
        lambda: pd.Series([True, False]), lambda: {"c0"}, lambda: [0.0], lambda: [None], lambda: pd.Index(["c0"]),
        lambda: (i for i in [0]), lambda: [10**400],
    ),
    "warm_start": (lambda: True,),
    "callbacks": (
        lambda: [EarlyStopping()], lambda: [GradientClipping(1.0)], lambda: [EarlyStopping],
        lambda: [("a", EarlyStopping())],
        lambda: [("a",)], lambda: [None], lambda: ["a"], lambda: EarlyStopping(), lambda: [1], lambda: [(1, 2)],
        lambda: [EarlyStopping(monitor="nothing")], lambda: [EarlyStopping(patience=-1)],
        lambda: [GradientClipping("a")],
    ),
    "device": (lambda: "cpu", lambda: "cuda", lambda: "cpu:7", lambda: "tpu", lambda: torch.device("cpu"),
    lambda: "meta"),
    "precision": (lambda: "float32", lambda: "bfloat16", lambda: "float16"),
    "compile": (lambda: False,),
    "random_state": (
        lambda: 2**32, lambda: 2**32 - 1, lambda: np.random.RandomState(0), lambda: np.random.default_rng(0),
        lambda: np.random, lambda: "a", lambda: 1.5, lambda: None,
    ),
    "verbose": (lambda: 0,),
    "checkpoint": (lambda: "net.ckpt", lambda: Path("net.ckpt"), lambda: "no/such/folder/net.ckpt", lambda: "."),
}  # fmt: skip

# What would print, compile for a minute, or train for as long as it is told to.
_LEFT_OUT = {"verbose": (1, 2, True, np.int8(1)), "compile": (True, 1, np.bool_(True))}


def draw_parameters(rng: Rng, classifier: bool, oddness: float) -> tuple[str, dict[str, Any]]:
    """What is odd about them, and parameters of a small network; none odd with probability 1 - `oddness`."""
    module = (MLP, MLP, MLP, MLP, TabM, TabM, ResNet, FTTransformer)[rng.integers(8)]
    small: dict[Any, dict[str, Any]] = {
        MLP: {"hidden_sizes": (8,)},
        TabM: {"width": 8, "n_blocks": 1, "n_members": 2},
        ResNet: {"width": 8, "n_blocks": 1},
        FTTransformer: {"token_size": 8, "n_blocks": 1, "n_heads": 2},
    }
    params: dict[str, Any] = {
        "module": module,
        "module_params": small[module],
        "max_epochs": int(rng.integers(1, 3)),
        "random_state": int(rng.integers(100)),
    }
    if rng.random() < 0.3:
        params["early_stopping"] = True
    if rng.random() < 0.1:
        params["preprocessing"] = False
    if rng.random() < 0.15:
        params["categorical_features"] = (None, [0], [True, False, True], ["c0"])[rng.integers(4)]
    if not classifier and rng.random() < 0.3:
        params["criterion"] = ("absolute_error", "huber", "poisson", "quantile")[rng.integers(4)]
    odd = []
    kind = NeuralClassifier if classifier else NeuralRegressor
    names = [name for name in PARAMETERS if name in kind().get_params(False)]
    for _ in range(int(rng.random() < oddness) + int(rng.random() < oddness / 3)):
        name = names[rng.integers(len(names))]
        own = _ODD.get(name, ())
        value = own[rng.integers(len(own))]() if own and rng.random() < 0.6 else _JUNK[rng.integers(len(_JUNK))]()
        if any(type(value) is type(other) and value == other for other in _LEFT_OUT.get(name, ())):
            continue
        if name == "max_epochs" and isinstance(value, str) and value == "auto":
            continue
        params[name] = value
        odd.append(name)
    if "module" in odd and "module_params" not in odd:
        params["module_params"] = None
    return ", ".join(odd), params
