"""scikit-learn's own estimator checks, with nothing expected to fail."""

from __future__ import annotations

import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import NeuralClassifier, NeuralRegressor
from sknn.modules import MLP, ResNet

# The checks fit noise, a few rows, and columns far from zero without preprocessing, and the estimators say so.
pytestmark = pytest.mark.filterwarnings("ignore::sknn.exceptions.GradientHealthWarning")


class OwnNetwork(torch.nn.Module):
    """As a tutorial would write it."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.hidden = torch.nn.Linear(input_size, hidden_size)
        self.out = torch.nn.Linear(hidden_size, output_size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Raw scores."""
        return self.out(torch.relu(self.hidden(x)))


# All other checks are about contracts, which need no learned network.
ASK_FOR_A_SCORE = {"check_classifiers_train", "check_regressors_train", "check_class_weight_classifiers"}
# The defaults once; the other settings on small networks.
SHARED = [
    {},
    {"module": OwnNetwork, "module_params": {"hidden_size": 16}},
    {"module": ResNet, "max_epochs": 20},
    {
        "module": MLP,
        "optimizer": torch.optim.SGD,
        "optimizer_params": {"momentum": 0.9, "nesterov": True},
        "lr": 0.05,
        "early_stopping": True,
        "n_iter_no_change": 30,
    },
    {
        "module": MLP,
        "module_params": {"hidden_sizes": (32,), "norm": torch.nn.BatchNorm1d, "activation": torch.nn.SiLU},
        "early_stopping": False,
        "gradient_clipping": None,
        "lr_schedule": "plateau",
        "batch_size": 64,
    },
    {"module": MLP, "preprocessing": False, "lr": 0.01, "lr_schedule": "one_cycle"},
]
CLASSIFIERS = [
    *SHARED,
    # Not warm_start: one check fits an instance three times and expects the same predictions.
    {
        "module": MLP,
        "criterion": torch.nn.CrossEntropyLoss,
        "criterion_params": {"label_smoothing": 0.05},
        "optimizer": torch.optim.NAdam,
        "categorical_features": None,
    },
]
REGRESSORS = [
    *SHARED,
    {"module": MLP, "criterion": "quantile"},
    {"module": MLP, "criterion": "poisson"},
    {"module": MLP, "criterion": torch.nn.L1Loss, "lr_schedule": torch.optim.lr_scheduler.OneCycleLR},
]


@parametrize_with_checks(
    [NeuralClassifier(**params) for params in CLASSIFIERS] + [NeuralRegressor(**params) for params in REGRESSORS]
)
def test_scikit_learn_check(estimator, check):
    short = {} if check.func.__name__ in ASK_FOR_A_SCORE else {"max_epochs": 2}
    check(clone(estimator).set_params(**short))


@pytest.mark.parametrize("estimator", [NeuralClassifier(), NeuralRegressor()], ids=["classifier", "regressor"])
def test_the_checks_are_collected(estimator):
    from sklearn.utils.estimator_checks import estimator_checks_generator

    assert len(list(estimator_checks_generator(estimator))) > 45
