"""Parameters of any value: an error that names the parameter, and an estimator that stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from sknn import NeuralClassifier
from sknn.callbacks import EarlyStopping
from sknn.modules import MLP

X = np.random.default_rng(0).normal(size=(30, 3))
Y = np.arange(30) % 2
SMALL = {"module": MLP, "module_params": {"hidden_sizes": (8,)}, "max_epochs": 1, "random_state": 0}


class Unshowable:
    """Its repr fails."""

    def __repr__(self) -> str:
        raise KeyError("no repr")


class Endless:
    """Its repr is long."""

    def __repr__(self) -> str:
        return "a" * 10**6


class Unmade(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        raise KeyError("no such part")


def no_optimizer(parameters, lr):
    return None


def failing_schedule(optimizer):
    raise KeyError("no such schedule")


@pytest.mark.parametrize(
    ("params", "beginning"),
    [
        ({"module": Unmade, "module_params": None}, "module: Unmade: KeyError"),
        ({"module_params": {"activation": nn.Linear}}, "module: MLP: "),
        ({"module_params": {"hidden_sizes": (8, None)}}, r"module: MLP: hidden_sizes\[1\]=None"),
        ({"module": int, "module_params": None}, "module: "),
        ({"optimizer": no_optimizer}, "optimizer: .*no_optimizer.* made None"),
        ({"optimizer": torch.optim.SparseAdam}, "optimizer: SparseAdam needs sparse gradients"),
        ({"optimizer": torch.optim.Optimizer}, "optimizer: Optimizer refuses"),
        ({"optimizer": torch.optim.SGD, "optimizer_params": {"momentum": "a"}}, "optimizer: SGD refuses"),
        ({"lr_schedule": failing_schedule}, "lr_schedule: failing_schedule refuses .*no such schedule"),
        ({"lr_schedule": len}, "lr_schedule"),
        ({"lr_schedule": dict}, "lr_schedule"),
        ({"criterion": MLP}, "criterion"),
        ({"device": "meta"}, "device='meta' holds no numbers"),
        ({"lr": 10**400}, "The 'lr' parameter .* too large"),
        ({"batch_size": 10**400}, "The 'batch_size' parameter .* too large"),
        ({"gradient_clipping": Unshowable()}, "The 'gradient_clipping' parameter .*whose repr fails"),
        ({"lr": Endless()}, "The 'lr' parameter"),
        ({"categorical_features": (i for i in [0])}, "The 'categorical_features' parameter"),
        ({"categorical_features": [Unshowable()]}, "categorical_features"),
        ({"callbacks": [("a",)]}, "callbacks contains"),
        ({"callbacks": [()]}, "callbacks contains"),
        ({"callbacks": [(EarlyStopping(),)]}, "callbacks contains"),
        ({"class_weight": {0: "a", 1: 1}}, "class_weight"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_parameters_that_fail_are_refused_by_name(params, beginning):
    model = NeuralClassifier(**{**SMALL, **params})
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError), match=f"^(?s:{beginning})") as caught:
        model.fit(X, Y)
    assert len(str(caught.value)) < 3000
    assert vars(model) == before
