"""Losses against sklearn.metrics, gradients against finite differences, and the contract of every loss."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor, losses
from sknn.losses import (
    LOSSES,
    AbsoluteError,
    Huber,
    LogLoss,
    Loss,
    ModuleLoss,
    MultilabelLogLoss,
    Poisson,
    Quantile,
    SquaredError,
    make_loss,
)
from sknn.modules import MLP

N_ROWS = 12


class ScalarLoss(nn.Module):
    """A user's loss with nothing but a mean."""

    def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        return (raw_prediction - y).pow(4).mean()


class RowLoss(nn.Module):
    """A user's loss with a reduction."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
        losses = (raw_prediction - y).pow(4)
        return losses if self.reduction == "none" else losses.mean()


# id -> (loss, target, number of classes, labels or outputs, width of the raw prediction)
CASES: dict[str, tuple[Callable[[], Loss], str, int, int]] = {
    "log_loss": (LogLoss, "classes", 3, 3),
    "log_loss_binary": (LogLoss, "classes", 2, 2),
    "log_loss_one_score": (LogLoss, "classes", 2, 1),
    "log_loss_smoothed": (lambda: LogLoss(0.2), "classes", 3, 3),
    "log_loss_one_score_smoothed": (lambda: LogLoss(0.2), "classes", 2, 1),
    "multilabel": (MultilabelLogLoss, "multilabel", 4, 4),
    "multilabel_smoothed": (lambda: MultilabelLogLoss(0.2), "multilabel", 4, 4),
    "squared_error": (SquaredError, "real", 2, 2),
    "absolute_error": (AbsoluteError, "real", 2, 2),
    "huber": (lambda: Huber(0.7), "real", 2, 2),
    "poisson": (Poisson, "real", 2, 2),
    "quantile": (lambda: Quantile(0.3), "real", 1, 1),
    "quantile_two_outputs": (lambda: Quantile(0.3), "real", 2, 2),
    "quantile_levels": (lambda: Quantile([0.9, 0.1, 0.5]), "real", 1, 3),
    "cross_entropy": (
        lambda: ModuleLoss(
            nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]), label_smoothing=0.1).double(), "classes"
        ),
        "classes",
        3,
        3,
    ),
    "bce_with_logits": (lambda: ModuleLoss(nn.BCEWithLogitsLoss(), "classes"), "classes", 2, 1),
    "bce_with_logits_multilabel": (
        lambda: ModuleLoss(nn.BCEWithLogitsLoss(), "multilabel"), "multilabel", 4, 4
    ),
    "smooth_l1": (lambda: ModuleLoss(nn.SmoothL1Loss(), "real"), "real", 2, 2),
    "poisson_nll": (lambda: ModuleLoss(nn.PoissonNLLLoss(), "real"), "real", 2, 2),
    "own_with_reduction": (lambda: ModuleLoss(RowLoss(), "real"), "real", 2, 2),
    "own_scalar": (lambda: ModuleLoss(ScalarLoss(), "real"), "real", 2, 2),
}  # fmt: skip


def make_batch(case: str, n_rows: int = N_ROWS) -> tuple[Loss, Tensor, Tensor]:
    """The loss, a raw prediction in float64 and y."""
    make, target, n_targets, width = CASES[case]
    generator = torch.Generator().manual_seed(3)
    raw_prediction = torch.randn(n_rows, width, dtype=torch.float64, generator=generator)
    if target == "classes":
        y = torch.arange(n_rows) % n_targets
    elif target == "multilabel":
        y = torch.randint(0, 2, (n_rows, n_targets), generator=generator).double()
    else:
        y = torch.rand(n_rows, n_targets, dtype=torch.float64, generator=generator) * 3
    return make(), raw_prediction, y


# ------------------------------------------------------------------ values


def test_log_loss_equals_sklearn() -> None:
    for case, labels in (
        ("log_loss", [0, 1, 2]),
        ("log_loss_binary", [0, 1]),
        ("log_loss_one_score", [0, 1]),
    ):
        loss, raw_prediction, y = make_batch(case)
        probabilities = loss.inverse_link(raw_prediction).numpy()
        expected = metrics.log_loss(y.numpy(), probabilities, labels=labels)
        assert loss(raw_prediction, y).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_log_loss_of_one_score_equals_that_of_two_scores(smoothing: float) -> None:
    loss, raw_prediction, y = make_batch("log_loss_one_score")
    loss = LogLoss(smoothing)
    two_scores = torch.cat([torch.zeros_like(raw_prediction), raw_prediction], dim=1)
    torch.testing.assert_close(loss.pointwise(raw_prediction, y), loss.pointwise(two_scores, y))
    torch.testing.assert_close(loss.inverse_link(raw_prediction), loss.inverse_link(two_scores))


def test_log_loss_one_score_keeps_small_probabilities() -> None:
    probabilities = LogLoss().inverse_link(torch.tensor([[80.0], [-80.0]]))
    assert (probabilities > 0).all()


def test_label_smoothing_equals_soft_labels() -> None:
    loss, raw_prediction, y = make_batch("log_loss_smoothed")
    soft = nn.functional.one_hot(y, 3).double() * 0.8 + 0.2 / 3
    expected = -(soft * raw_prediction.log_softmax(dim=1)).sum(dim=1)
    torch.testing.assert_close(loss.pointwise(raw_prediction, y), expected)


def test_multilabel_log_loss_is_mean_of_sklearn_over_labels() -> None:
    loss, raw_prediction, y = make_batch("multilabel")
    probabilities = loss.inverse_link(raw_prediction).numpy()
    expected = [metrics.log_loss(y[:, i].numpy(), probabilities[:, i], labels=[0, 1]) for i in range(4)]
    assert loss(raw_prediction, y).item() == pytest.approx(np.mean(expected), rel=1e-12)


def test_multilabel_smoothing_equals_soft_labels() -> None:
    loss, raw_prediction, y = make_batch("multilabel_smoothed")
    expected = MultilabelLogLoss().pointwise(raw_prediction, y * 0.8 + 0.1)
    torch.testing.assert_close(loss.pointwise(raw_prediction, y), expected)


@pytest.mark.parametrize(
    ("case", "metric"),
    [
        ("squared_error", metrics.mean_squared_error),
        ("absolute_error", metrics.mean_absolute_error),
        ("quantile", lambda y, value: metrics.mean_pinball_loss(y, value, alpha=0.3)),
        ("quantile_two_outputs", lambda y, value: metrics.mean_pinball_loss(y, value, alpha=0.3)),
    ],
)
def test_regression_loss_equals_sklearn(case: str, metric: Callable[..., float]) -> None:
    loss, raw_prediction, y = make_batch(case)
    # The levels of Quantile are float32.
    assert loss(raw_prediction, y).item() == pytest.approx(metric(y.numpy(), raw_prediction.numpy()), rel=1e-7)


def test_quantile_levels_are_mean_of_sklearn_over_levels() -> None:
    loss, raw_prediction, y = make_batch("quantile_levels")
    expected = [
        metrics.mean_pinball_loss(y[:, 0].numpy(), raw_prediction[:, i].numpy(), alpha=level)
        for i, level in enumerate([0.9, 0.1, 0.5])
    ]
    assert loss(raw_prediction, y).item() == pytest.approx(np.mean(expected), rel=1e-7)


def test_huber_equals_formula() -> None:
    loss, raw_prediction, y = make_batch("huber")
    distance = (raw_prediction - y).abs()
    expected = torch.where(distance <= 0.7, distance**2 / 2, 0.7 * (distance - 0.35)).mean(dim=1)
    torch.testing.assert_close(loss.pointwise(raw_prediction, y), expected)


def test_poisson_is_half_the_deviance_up_to_a_constant() -> None:
    loss, raw_prediction, y = make_batch("poisson")
    other = raw_prediction.flip(0) * 0.5

    def half_deviance(raw: Tensor) -> float:
        return metrics.mean_poisson_deviance(y.ravel().numpy(), loss.inverse_link(raw).ravel().numpy()) / 2

    difference = (loss(raw_prediction, y) - loss(other, y)).item()
    assert difference == pytest.approx(half_deviance(raw_prediction) - half_deviance(other), rel=1e-10)


def test_poisson_stays_finite_and_pulls_back_after_a_wild_step() -> None:
    raw_prediction = torch.tensor([[500.0], [39.0], [-500.0]], requires_grad=True)
    loss = Poisson()
    values = loss.pointwise(raw_prediction, torch.ones(3, 1))
    values.sum().backward()
    assert values.isfinite().all()
    assert loss.inverse_link(raw_prediction).isfinite().all()
    assert raw_prediction.grad is not None
    assert raw_prediction.grad.norm().isfinite()
    assert raw_prediction.grad[0] >= raw_prediction.grad[1] > 0


def test_quantile_predictions_never_cross_and_follow_the_order_of_the_levels() -> None:
    raw_prediction = torch.tensor([[1.0, 3.0, 2.0], [5.0, 4.0, 6.0]])
    values = Quantile([0.9, 0.1, 0.5]).inverse_link(raw_prediction)
    assert values.tolist() == [[3.0, 1.0, 2.0], [6.0, 4.0, 5.0]]


def test_quantile_minimiser_is_the_quantile() -> None:
    y = torch.arange(101.0).unsqueeze(1)
    candidates = torch.arange(101.0)
    loss = Quantile(0.2)
    values = torch.stack([loss(torch.full_like(y, float(value)), y) for value in candidates])
    assert candidates[values.argmin()] == pytest.approx(20, abs=1)


# ------------------------------------------------------------------ the contract


@pytest.mark.parametrize("case", CASES)
def test_gradient_equals_finite_differences(case: str) -> None:
    loss, raw_prediction, y = make_batch(case)
    raw_prediction.requires_grad_()
    assert torch.autograd.gradcheck(lambda raw: loss(raw, y), raw_prediction)


@pytest.mark.parametrize("case", CASES)
def test_pointwise_has_one_value_for_each_row_and_forward_is_their_mean(case: str) -> None:
    loss, raw_prediction, y = make_batch(case)
    values = loss.pointwise(raw_prediction, y)
    assert values.shape == (N_ROWS,)
    torch.testing.assert_close(loss(raw_prediction, y), values.mean())
    assert loss(raw_prediction[:1], y[:1]).shape == ()


@pytest.mark.parametrize("case", [case for case in CASES if case != "own_scalar"])
def test_weight_equals_repetition(case: str) -> None:
    loss, raw_prediction, y = make_batch(case)
    counts = torch.arange(N_ROWS) % 4
    weighted = loss(raw_prediction, y, counts.double())
    repeated = loss(raw_prediction.repeat_interleave(counts, 0), y.repeat_interleave(counts, 0))
    # The mean over the batch divides by its rows; weights are of mean 1 over the table only.
    torch.testing.assert_close(weighted * N_ROWS, repeated * counts.sum())


@pytest.mark.parametrize("case", CASES)
def test_broadcasting_is_refused(case: str) -> None:
    loss, raw_prediction, y = make_batch(case)
    with pytest.raises(ValueError, match="shape"):
        loss(raw_prediction, y.unsqueeze(-1) if y.ndim == 1 else y[:, 0])
    with pytest.raises(ValueError, match="shape"):
        loss(raw_prediction[:, 0], y)
    with pytest.raises(ValueError, match="shape"):
        loss(raw_prediction[:1], y)
    if loss.supports_sample_weight:
        with pytest.raises(ValueError, match=r"sample_weight has shape \(12, 1\); expected \(12,\)"):
            loss(raw_prediction, y, torch.ones(N_ROWS, 1))


@pytest.mark.parametrize("case", CASES)
def test_inverse_link_gives_probabilities_or_values(case: str) -> None:
    loss, raw_prediction, _ = make_batch(case)
    _, target, n_targets, width = CASES[case]
    values = loss.inverse_link(raw_prediction)
    if target == "classes":
        assert values.shape == (N_ROWS, n_targets)
        torch.testing.assert_close(values.sum(dim=1), torch.ones(N_ROWS, dtype=torch.float64))
        if width == 1:  # the score speaks for the second class
            assert torch.equal(values[:, 1] > 0.5, raw_prediction[:, 0] > 0)
    else:
        assert values.shape == raw_prediction.shape
    if target == "multilabel":
        assert ((values > 0) & (values < 1)).all()


@pytest.mark.parametrize("case", CASES)
def test_out_features_is_the_width_of_the_raw_prediction(case: str) -> None:
    make, _, n_targets, width = CASES[case]
    if case.startswith("log_loss_one_score"):
        width = 2  # one score is accepted, two are asked for
    assert make().out_features(n_targets) == width


@pytest.mark.parametrize("case", CASES)
def test_loss_survives_deepcopy_and_pickle(case: str) -> None:
    loss, raw_prediction, y = make_batch(case)
    expected = loss(raw_prediction, y)
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert torch.equal(other(raw_prediction, y), expected)
        assert torch.equal(other.inverse_link(raw_prediction), loss.inverse_link(raw_prediction))


@pytest.mark.parametrize("kind", [SquaredError, AbsoluteError, Huber, Poisson, Quantile])
def test_target_scaling_leaves_the_order_of_predictions(kind: type[Loss]) -> None:
    loss = kind()
    shift = {"standard": 100.0, "robust": 100.0, "scale": 0.0}[str(loss.target_scaling)]
    generator = torch.Generator().manual_seed(0)
    y, first, second = (torch.rand(3, 50, 1, generator=generator, dtype=torch.float64) + 0.1).unbind()
    factor = 5.0
    link = torch.log if loss.target_scaling == "scale" else torch.Tensor.clone
    if isinstance(loss, Huber):  # its delta is in the unit of the target
        factor = 1.0

    def difference(scale: float, move: float) -> Tensor:
        scaled = (link(value * scale + move) for value in (first, second))
        one, other = (loss(raw, y * scale + move) for raw in scaled)
        return one - other

    exponent = 2 if isinstance(loss, SquaredError) else 1
    torch.testing.assert_close(difference(factor, shift), difference(1.0, 0.0) * factor**exponent)


@pytest.mark.parametrize("loss", [AbsoluteError(), Huber(), Quantile(0.3), Quantile([0.1, 0.9])], ids=repr)
def test_validation_of_a_robust_loss_sees_small_changes_beside_a_wild_target(loss: Loss) -> None:
    y = torch.zeros(100, 1)
    y[0] = 1e9
    near, far = (loss.validation_loss(torch.full((100, loss.out_features(1)), value), y) for value in (0.01, 0.02))
    assert float(near) != float(far)
    assert float((near - far).abs()) < 0.1


def test_every_named_loss_is_public_and_keyed_by_its_name() -> None:
    for name, kinds in LOSSES.items():
        for kind in kinds:
            assert kind.name == name
            assert kind.__name__ in losses.__all__


# ------------------------------------------------------------------ modules as losses


@pytest.mark.parametrize(
    ("module", "target", "named"),
    [
        (nn.CrossEntropyLoss(label_smoothing=0.1), "classes", LogLoss(0.1)),
        (nn.BCEWithLogitsLoss(), "multilabel", MultilabelLogLoss()),
        (nn.MSELoss(), "real", SquaredError()),
        (nn.L1Loss(), "real", AbsoluteError()),
        (nn.HuberLoss(delta=0.5), "real", Huber(0.5)),
        (nn.PoissonNLLLoss(), "real", Poisson()),
    ],
)
def test_module_loss_equals_named_loss(module: nn.Module, target: Any, named: Loss) -> None:
    case = {"classes": "log_loss", "multilabel": "multilabel", "real": "squared_error"}[target]
    _, raw_prediction, y = make_batch(case)
    loss = ModuleLoss(module, target)
    weight = torch.linspace(0, 2, N_ROWS)
    torch.testing.assert_close(loss(raw_prediction, y, weight), named(raw_prediction, y, weight))
    torch.testing.assert_close(loss.inverse_link(raw_prediction), named.inverse_link(raw_prediction))
    assert loss.target_scaling == named.target_scaling


@pytest.mark.parametrize(
    ("module", "target", "link"),
    [
        (nn.NLLLoss(), "classes", torch.exp),
        (nn.MultiMarginLoss(), "classes", lambda raw: raw.softmax(dim=1)),
        (nn.BCELoss(), "multilabel", lambda raw: raw),
        (nn.MultiLabelSoftMarginLoss(), "multilabel", torch.sigmoid),
        (nn.PoissonNLLLoss(log_input=False), "real", lambda raw: raw),
        (nn.SmoothL1Loss(), "real", lambda raw: raw),
        (RowLoss(), "classes", lambda raw: raw.softmax(dim=1)),
        (RowLoss(), "multilabel", torch.sigmoid),
        (RowLoss(), "real", lambda raw: raw),
    ],
)
def test_module_loss_inverse_link(module: nn.Module, target: Any, link: Callable[[Tensor], Tensor]) -> None:
    raw_prediction = -torch.rand(5, 3)
    torch.testing.assert_close(ModuleLoss(module, target).inverse_link(raw_prediction), link(raw_prediction))


def test_bce_loss_on_probabilities_gives_both_columns() -> None:
    loss = ModuleLoss(nn.BCELoss(), "classes")
    probability = torch.tensor([[0.25], [0.75]])
    assert loss.inverse_link(probability).tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert loss(probability, torch.tensor([0, 1])).item() == pytest.approx(-np.log(0.75))


def test_one_score_of_own_module_gets_float_targets_of_its_shape() -> None:
    seen: list[Tensor] = []

    class Spy(RowLoss):
        def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
            seen.append(y)
            return super().forward(raw_prediction, y)

    loss = ModuleLoss(Spy(), "classes")
    loss(torch.zeros(2, 1), torch.tensor([0, 1]))
    assert seen[0].tolist() == [[0.0], [1.0]]
    assert seen[0].dtype == torch.float32


def test_module_loss_leaves_the_users_module_alone() -> None:
    module = nn.MSELoss()
    ModuleLoss(module, "real")
    assert module.reduction == "mean"


def test_module_loss_class_weights_multiply_the_loss_of_a_row() -> None:
    loss = ModuleLoss(nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0])), "classes")
    values = loss.pointwise(torch.zeros(2, 2), torch.tensor([0, 1]))
    torch.testing.assert_close(values, np.log(2) * torch.tensor([1.0, 3.0]))


def test_scalar_module_refuses_sample_weight_and_says_what_to_do() -> None:
    loss, raw_prediction, y = make_batch("own_scalar")
    assert not loss.supports_sample_weight
    torch.testing.assert_close(loss(raw_prediction, y), ScalarLoss()(raw_prediction, y))
    with pytest.raises(ValueError, match=r"ScalarLoss .*`reduction` argument .*sknn\.losses\.Loss"):
        loss(raw_prediction, y, torch.ones(N_ROWS))


def test_module_that_breaks_its_reduction_is_refused() -> None:
    class IgnoresReduction(RowLoss):
        def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
            return (raw_prediction - y).mean()

    class NoReduction(nn.Module):
        def forward(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
            return raw_prediction - y

    for module, expected in ((IgnoresReduction(), "a loss for each row"), (NoReduction(), "a scalar")):
        with pytest.raises(ValueError, match=expected):
            ModuleLoss(module, "real")(torch.zeros(3, 1), torch.zeros(3, 1))


def test_module_loss_refuses_a_width_that_its_loss_cannot_use() -> None:
    y = torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"expected \(batch, n_classes\) and \(batch,\) for CrossEntropyLoss"):
        ModuleLoss(nn.CrossEntropyLoss(), "classes")(torch.zeros(2, 1), y)
    with pytest.raises(ValueError, match=r"expected \(batch, 1\) and \(batch,\) for BCEWithLogitsLoss"):
        ModuleLoss(nn.BCEWithLogitsLoss(), "classes")(torch.zeros(2, 2), y)
    with pytest.raises(ValueError, match="BCEWithLogitsLoss distinguishes two classes, but y has 3"):
        ModuleLoss(nn.BCEWithLogitsLoss(), "classes").out_features(3)


def test_own_loss_that_broadcasts_is_refused() -> None:
    class Careless(Loss):
        name = "careless"
        targets = frozenset({"real"})

        def pointwise(self, raw_prediction: Tensor, y: Tensor) -> Tensor:
            return (raw_prediction - y[:, 0]).abs()

    with pytest.raises(ValueError, match=r"Careless\.pointwise returned shape \(3, 3\)"):
        Careless()(torch.zeros(3, 1), torch.zeros(3, 1))


# ------------------------------------------------------------------ make_loss


@pytest.mark.parametrize(
    ("criterion", "params", "target", "kind"),
    [
        ("log_loss", {"label_smoothing": 0.1}, "classes", LogLoss),
        ("log_loss", {"label_smoothing": 0.1}, "multilabel", MultilabelLogLoss),
        ("squared_error", {}, "real", SquaredError),
        ("absolute_error", {}, "real", AbsoluteError),
        ("huber", {"delta": 2}, "real", Huber),
        ("poisson", {}, "real", Poisson),
        ("quantile", {"quantile": np.float32(0.25)}, "real", Quantile),
        ("quantile", {"quantile": np.array([0.25, 0.75])}, "real", Quantile),
        (Huber, {"delta": 2.0}, "real", Huber),
        (Quantile(0.1), {}, "real", Quantile),
        (nn.MSELoss, {}, "real", ModuleLoss),
        (nn.HuberLoss, {"delta": 2.0}, "real", ModuleLoss),
        (nn.CrossEntropyLoss(), {}, "classes", ModuleLoss),
        (RowLoss, {}, "real", ModuleLoss),
    ],
)
def test_make_loss_from_name_class_or_instance(criterion: Any, params: dict, target: Any, kind: type) -> None:
    loss = make_loss(criterion, params, target)
    assert type(loss) is kind
    assert target in loss.targets


def test_make_loss_copies_an_instance() -> None:
    instance = Huber(2.0)
    assert make_loss(instance, {}, "real") is not instance


@pytest.mark.parametrize(
    ("criterion", "params", "target", "message"),
    [
        ("mse", {}, "real", r"criterion='mse' is unknown; expected one of \['absolute_error', 'approx_ndcg'"),
        ("squared_error", {}, "classes", r"criterion='squared_error' does not fit .*\['log_loss'\]"),
        ("log_loss", {}, "real", r"criterion='log_loss' does not fit .*'squared_error'"),
        (LogLoss, {}, "multilabel", "criterion=LogLoss does not fit"),
        (Quantile(0.5), {}, "classes", "criterion=Quantile does not fit"),
        (nn.MSELoss, {}, "classes", r"criterion=MSELoss does not fit .*nn\.CrossEntropyLoss"),
        ("huber", {"epsilon": 1.0}, "real", r"'epsilon': 1.0.*valid names are \['delta'\]"),
        ("squared_error", {"delta": 1.0}, "real", r"valid names are \[\]"),
        (ScalarLoss, {"epsilon": 1.0}, "real", r"criterion=ScalarLoss.*valid names are \[\]"),
        (nn.HuberLoss, {"epsilon": 1.0}, "real", r"criterion=HuberLoss.*'delta'"),
        (nn.MSELoss(), {"reduction": "mean"}, "real", "criterion_params=.* instance"),
        (nn.MSELoss, {"reduction": "sum"}, "real", "MSELoss has reduction='sum'"),
        ("log_loss", {"label_smoothing": 1.0}, "classes", r"label_smoothing=1.0 .*\[0, 1\)"),
        ("log_loss", {"label_smoothing": -0.1}, "multilabel", r"label_smoothing=-0.1 .*\[0, 1\)"),
        ("log_loss", {"label_smoothing": "0.1"}, "classes", r"label_smoothing='0.1' .*\[0, 1\)"),
        ("huber", {"delta": 0}, "real", "delta=0 .*> 0"),
        ("huber", {"delta": float("nan")}, "real", "delta=nan .*> 0"),
        ("quantile", {"quantile": 1.0}, "real", r"quantile=1.0 .*\(0, 1\)"),
        ("quantile", {"quantile": [0.5, 0.0]}, "real", r"quantile=\[0.5, 0.0\] .*\(0, 1\)"),
        ("quantile", {"quantile": [0.5, 0.5]}, "real", "different"),
        ("quantile", {"quantile": []}, "real", r"quantile=\[\]"),
        ("quantile", {"quantile": "0.5"}, "real", r"quantile='0.5'"),
    ],
)
def test_make_loss_refuses(criterion: Any, params: dict, target: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_loss(criterion, params, target)


@pytest.mark.parametrize("criterion", [None, 3, metrics.log_loss, dict])
def test_make_loss_refuses_other_types(criterion: Any) -> None:
    with pytest.raises(TypeError, match=r"criterion=.*expected one of"):
        make_loss(criterion, {}, "real")


def test_out_features_refuses_targets_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="3 levels and y 2 outputs"):
        Quantile([0.1, 0.5, 0.9]).out_features(2)
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class"):
        LogLoss().out_features(1)


@pytest.mark.parametrize("loss", [Poisson(), ModuleLoss(nn.PoissonNLLLoss(), "real")])
def test_log_link_refuses_negative_and_all_zero_targets(loss: Loss) -> None:
    loss.check_target(torch.tensor([[0.0], [2.0]]))
    for y in ([[-1.0], [2.0]], [[0.0], [0.0]]):
        with pytest.raises(ValueError, match=r"log link, so y must be >= 0"):
            loss.check_target(torch.tensor(y))
    SquaredError().check_target(torch.tensor([[-1.0]]))


# ------------------------------------------------------------------ score


def test_scores_are_those_of_scikit_learn() -> None:
    y, weight = np.array([0.0, 1.0, 3.0, 2.0]), np.array([1.0, 2.0, 1.0, 3.0])
    prediction = np.array([0.5, 1.0, 2.5, 2.5])
    for loss in (SquaredError(), Poisson(), AbsoluteError()):
        assert loss.score(y, prediction, weight, target="real") == metrics.r2_score(y, prediction, sample_weight=weight)
    labels, predicted = np.array(["a", "b", "a"]), np.array(["a", "a", "a"])
    for loss in (LogLoss(), ModuleLoss(nn.CrossEntropyLoss(), "classes")):
        assert loss.score(labels, predicted, target="classes") == metrics.accuracy_score(labels, predicted)


def test_several_quantiles_are_scored_by_their_mean() -> None:
    y, prediction = np.array([0.0, 1.0, 3.0]), np.array([[2.0, 0.0], [2.5, 0.5], [3.5, 1.0]])
    expected = [metrics.d2_pinball_score(y, prediction[:, i], alpha=level) for i, level in enumerate([0.75, 0.25])]
    assert Quantile([0.75, 0.25]).score(y, prediction, target="real") == pytest.approx(np.mean(expected))
    # One level, of one target or of several.
    for level, values in ((0.05, prediction[:, 0]), ([0.05], prediction[:, 0])):
        assert Quantile(level).score(y, values, target="real") == metrics.d2_pinball_score(y, values, alpha=0.05)
    two, weight = np.c_[y, 2 * y], np.arange(len(y)) + 1.0
    expected = metrics.d2_pinball_score(two, prediction, alpha=0.3, sample_weight=weight)
    assert Quantile(0.3).score(two, prediction, weight, target="real") == expected


def test_the_true_quantile_has_the_best_score() -> None:
    y = np.random.default_rng(0).exponential(size=2000)
    constants = np.quantile(y, [0.05, 0.5, 0.95])
    for level, best in zip((0.05, 0.5, 0.95), constants, strict=True):
        scores = [Quantile(level).score(y, np.full(2000, c), target="real") for c in constants]
        assert constants[np.argmax(scores)] == best
        assert max(scores) == pytest.approx(0.0, abs=1e-3)


def test_a_loss_of_the_user_brings_its_score_and_its_targets() -> None:
    class Own(Poisson):
        def score(self, y, prediction, sample_weight=None, *, target):  # type: ignore[no-untyped-def]
            return 42.0

    X = np.arange(20.0)[:, None]
    model = NeuralRegressor(MLP, criterion=Own, max_epochs=1).fit(X, X[:, 0])
    assert model.score(X, X[:, 0]) == 42.0
    tags = model.__sklearn_tags__().target_tags
    assert (tags.positive_only, tags.multi_output) == (True, False)


# ------------------------------------------------------------------ what the estimators tell a loss


def test_a_loss_is_told_the_number_of_training_rows() -> None:
    told: list[float] = []

    class Told(LogLoss):
        def set_n_rows(self, n_rows: float) -> None:
            super().set_n_rows(n_rows)
            told.append(n_rows)
            told.append(self.smoothing)

    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(95, 2)), np.arange(95) % 2
    NeuralClassifier(MLP, criterion=Told, max_epochs=1, early_stopping=False, random_state=0).fit(X, y)
    NeuralClassifier(MLP, criterion=Told, random_state=0).partial_fit(X, y, classes=[0, 1])
    assert told == [95, 0.05, np.inf, 0.0]
