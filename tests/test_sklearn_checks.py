"""scikit-learn's own estimator checks, with nothing expected to fail."""

from __future__ import annotations

import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn import NeuralClassifier, NeuralGenerator, NeuralImputer, NeuralRegressor
from sknn.modules import MLP

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
SMALL = {"module": MLP, "module_params": {"hidden_sizes": (16,)}, "max_epochs": 20, "lr": 0.03}
# The defaults once; the other settings on small networks.
SHARED = [
    {},
    {**SMALL, "module": OwnNetwork, "module_params": {"hidden_size": 16}},
    {
        **SMALL,
        "optimizer": torch.optim.SGD,
        "optimizer_params": {"momentum": 0.9, "nesterov": True},
        "early_stopping": True,
    },
    {
        **SMALL,
        "module_params": {"hidden_sizes": (16,), "norm": torch.nn.BatchNorm1d, "activation": torch.nn.SiLU},
        "early_stopping": False,
        "gradient_clipping": None,
        "lr_schedule": "plateau",
        "batch_size": 64,
    },
    {**SMALL, "preprocessing": False, "lr_schedule": "one_cycle"},
]
CLASSIFIERS = [
    *SHARED,
    # Not warm_start: one check fits an instance three times and expects the same predictions.
    {
        **SMALL,
        "criterion": torch.nn.CrossEntropyLoss,
        "criterion_params": {"label_smoothing": 0.05},
        "optimizer": torch.optim.NAdam,
        "categorical_features": None,
    },
]
REGRESSORS = [
    *SHARED,
    # A check asks for a score above 0.5, here of D2.
    {**SMALL, "criterion": "quantile", "max_epochs": 60, "early_stopping": False},
    {**SMALL, "criterion": "poisson"},
    {**SMALL, "criterion": torch.nn.L1Loss, "lr_schedule": torch.optim.lr_scheduler.OneCycleLR},
]


@parametrize_with_checks(
    [NeuralClassifier(**params) for params in CLASSIFIERS] + [NeuralRegressor(**params) for params in REGRESSORS]
)
def test_scikit_learn_check(estimator, check):
    if check.func.__name__ not in ASK_FOR_A_SCORE:
        estimator = clone(estimator).set_params(max_epochs=2)
    elif check.keywords:  # the same check again, on read-only memory
        estimator = clone(estimator).set_params(max_epochs=10)
    check(clone(estimator))


@parametrize_with_checks([
    estimator(module_params={"width": 8, "n_blocks": 1}, max_epochs=2) for estimator in (NeuralGenerator, NeuralImputer)
])  # fmt: skip
def test_scikit_learn_check_without_targets(estimator, check):
    check(clone(estimator))


@pytest.mark.parametrize("estimator", [NeuralClassifier(), NeuralRegressor()], ids=["classifier", "regressor"])
def test_the_checks_are_collected(estimator):
    from sklearn.utils.estimator_checks import estimator_checks_generator

    assert len(list(estimator_checks_generator(estimator))) > 45
