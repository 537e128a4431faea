"""Embeddings of numbers, against slow references."""

from __future__ import annotations

import copy
import math
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sknn import NeuralRegressor
from sknn.modules import MLP, PeriodicEmbeddings, PiecewiseLinearEmbeddings
from sknn.modules.numeric_embeddings import quantile_knots

EMBEDDINGS = [PeriodicEmbeddings, PiecewiseLinearEmbeddings]


@pytest.mark.parametrize("embeddings", EMBEDDINGS)
class TestEmbeddings:
    def test_numbers_of_a_feature_lie_together_itself_first(self, embeddings: Any) -> None:
        x = torch.randn(7, 3)
        module = embeddings(3, embedding_size=5)
        output = module(x)
        assert output.shape == (7, module.out_features) == (7, 15)
        torch.testing.assert_close(output[:, ::5], x, rtol=0, atol=0)
        changed = x.clone()
        changed[:, 1] += 1.0
        difference = (module(changed) != output).any(dim=0)
        assert difference[5:10].all()
        assert not difference[:5].any()
        assert not difference[10:].any()

    def test_a_row_does_not_depend_on_the_others(self, embeddings: Any) -> None:
        x = torch.randn(8, 3)
        module = embeddings(3)
        torch.testing.assert_close(module(x)[2:3], module(x[2:3]))
        assert module(x[:0]).shape == (0, module.out_features)

    def test_every_parameter_and_the_input_have_gradients(self, embeddings: Any) -> None:
        x = torch.randn(50, 3, requires_grad=True)
        module = embeddings(3)
        module(x).square().sum().backward()
        assert x.grad is not None
        assert x.grad.abs().sum() > 0
        assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())

    def test_gradients_are_right(self, embeddings: Any) -> None:
        module = embeddings(2, embedding_size=3).double()
        x = torch.tensor([[0.31, -1.27], [0.77, 0.05]], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(module, x)

    def test_pickles_copies_and_loads(self, embeddings: Any) -> None:
        x = torch.randn(40, 3)
        module = embeddings(3)
        if hasattr(module, "fit_knots"):
            module.fit_knots(x)
        loaded = embeddings(3)
        loaded.load_state_dict(module.state_dict())
        for other in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module), loaded):
            assert torch.equal(other(x), module(x))

    def test_outputs_start_on_the_scale_of_the_inputs(self, embeddings: Any) -> None:
        module = embeddings(50, embedding_size=9)
        embedded = module(torch.randn(500, 50)).reshape(500, 50, 9)[:, :, 1:]
        assert 0.3 < embedded.std() < 3

    @pytest.mark.parametrize("shape", [(4, 1), (4, 2), (4,), (2, 4, 3)])
    def test_another_number_of_columns_is_refused_and_not_broadcast(self, embeddings: Any, shape: Any) -> None:
        with pytest.raises(ValueError, match=r"expected \(batch, 3\)"):
            embeddings(3)(torch.zeros(shape))

    @pytest.mark.parametrize(
        ("params", "error"),
        [
            ({"n_features": 0}, ValueError),
            ({"n_features": 2.0}, TypeError),
            ({"n_features": 2, "embedding_size": 1}, ValueError),
            ({"n_features": 2, "embedding_size": True}, TypeError),
        ],
    )
    def test_bad_sizes_are_named(self, embeddings: Any, params: dict[str, Any], error: type[Exception]) -> None:
        with pytest.raises(error, match=list(params)[-1]):
            embeddings(**params)

    def test_serves_in_front_of_a_users_network(self, embeddings: Any) -> None:
        class Waves(nn.Module):
            def __init__(self, in_features: int, out_features: int) -> None:
                super().__init__()
                self.embeddings = embeddings(in_features)
                self.network = MLP(self.embeddings.out_features, out_features, hidden_sizes=(64,))

            def forward(self, x: Tensor) -> Tensor:
                return self.network(self.embeddings(x))

        rng = np.random.default_rng(0)
        X = rng.uniform(-2, 2, (200, 2))
        y = np.sign(np.sin(3 * X[:, 0])) + 0.1 * rng.standard_normal(200)
        fast = {"lr": 0.02, "max_epochs": 30, "batch_size": 32, "early_stopping": False, "random_state": 0}
        assert NeuralRegressor(Waves, gradient_health=None, **fast).fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"n_frequencies": 0}, ValueError),
        ({"frequency_scale": 0.0}, ValueError),
        ({"frequency_scale": math.inf}, ValueError),
        ({"frequency_scale": math.nan}, ValueError),
        ({"frequency_scale": "1"}, TypeError),
    ],
)
def test_bad_periodic_parameters_are_named(params: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(params))):
        PeriodicEmbeddings(2, **params)


def test_periodic_equals_its_formula() -> None:
    module = PeriodicEmbeddings(2, embedding_size=3, n_frequencies=5, frequency_scale=1.0)
    nn.init.normal_(module.bias)
    x = torch.randn(4, 2)
    expected = []
    for row in x:
        for j in range(2):
            waves = torch.cos(2 * math.pi * (module.frequency[j] * row[j] + module.phase[j]))
            expected += [row[j], *(waves @ module.weight[j] + module.bias[j, 0])]
    torch.testing.assert_close(module(x).flatten(), torch.stack(expected), rtol=1e-4, atol=1e-5)


def reference_encoding(x: float, knots: list[float]) -> list[float]:
    """One number, piece by piece."""
    pieces = []
    for left, right in pairwise(knots):
        pieces.append(0.0 if right == left else min(1.0, max(0.0, (x - left) / (right - left))))
    return pieces


@pytest.mark.parametrize("column", ["normal", "spike", "counts", "constant", "two values"])
def test_piecewise_linear_equals_a_slow_reference(column: str) -> None:
    generator = torch.Generator().manual_seed(1)
    normal = torch.randn(300, generator=generator)
    x = {
        "normal": normal,
        "spike": normal * (normal > 0.5),
        "counts": normal.abs().mul(2).floor(),
        "constant": torch.zeros(300),
        "two values": (normal > 0).float(),
    }[column][:, None]
    module = PiecewiseLinearEmbeddings(1, n_bins=6).fit_knots(x)
    knots = module.knots[0].tolist()
    assert knots == sorted(knots)
    assert knots[0] == pytest.approx(float(x.min()), abs=grid_of(x))
    assert knots[-1] == pytest.approx(float(x.max()), abs=grid_of(x))
    asked = torch.cat([x[:20], torch.tensor([[-9.0], [9.0]])])
    expected = torch.tensor([[reference_encoding(value, knots) for value in asked[:, 0].tolist()]])
    torch.testing.assert_close(module.encode(asked), expected, rtol=1e-4, atol=1e-5)
    projected = (expected[0] @ module.weight[0] + module.bias[0]).detach()
    torch.testing.assert_close(module(asked).detach()[:, 1:], projected, rtol=1e-4, atol=1e-5)


def test_knots_lie_at_quantiles_and_not_at_equal_distances() -> None:
    x = torch.exp(torch.linspace(0, 6, 1001))[:, None]
    module = PiecewiseLinearEmbeddings(1, n_bins=4).fit_knots(x)
    torch.testing.assert_close(module.knots[0], x[[0, 250, 500, 750, 1000], 0], rtol=0, atol=grid_of(x))


def grid_of(x: torch.Tensor) -> float:
    """Largest distance of a knot from the value that it stands for."""
    return float(x.max() - x.min()) / 4096 / 2


@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1.0, 1e9, 3e38])
def test_knots_are_near_values_of_the_table_and_none_of_them(scale: float) -> None:
    x = torch.randn(500, 1, generator=torch.Generator().manual_seed(0)).clamp(-1.1, 1.1) * scale
    knots = quantile_knots(x, 20)
    assert torch.isfinite(knots).all()
    assert len(set(knots[0].tolist()) & set(x[:, 0].tolist())) <= (21 if scale < 1e-37 else 1)
    assert (knots[0].double() - x.double()).abs().amin(0).max() <= 1.01 * (x.double().max() - x.double().min()) / 8192


def test_few_values_stay_apart_on_the_grid() -> None:
    x = torch.tensor([[0.0], [0.1], [0.2], [0.3], [7.0]])
    knots = quantile_knots(x, 10)[0]
    assert len(torch.unique(knots)) == 5
    torch.testing.assert_close(knots[:5], x[:, 0], rtol=0, atol=1e-3)


def test_knots_follow_the_rows_they_are_fitted_to_again() -> None:
    x = torch.randn(100, 2)
    module = PiecewiseLinearEmbeddings(2).fit_knots(torch.exp(x)).fit_knots(x)
    assert torch.equal(module.encode(x), PiecewiseLinearEmbeddings(2).fit_knots(x).encode(x))


def test_values_closer_than_float32_can_divide_stay_finite() -> None:
    module = PiecewiseLinearEmbeddings(1, n_bins=2).fit_knots(torch.tensor([[0.0], [1e-42], [1.0]]))
    assert torch.isfinite(module(torch.tensor([[0.0], [1e-42], [0.5], [1.0]]))).all()


def test_knots_of_nothing_of_gaps_or_of_infinity_are_refused() -> None:
    module = PiecewiseLinearEmbeddings(2)
    with pytest.raises(ValueError, match="no row"):
        module.fit_knots(torch.zeros(0, 2))
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="NaN or infinity"):
            module.fit_knots(torch.tensor([[0.0, value], [1.0, 2.0]]))
    with pytest.raises(ValueError, match="expected"):
        module.fit_knots(torch.zeros(5, 1))


def test_knots_are_in_the_state_and_not_trained() -> None:
    module = PiecewiseLinearEmbeddings(2)
    assert "knots" in module.state_dict()
    assert "knots" not in dict(module.named_parameters())
    with pytest.raises(ValueError, match="n_bins"):
        PiecewiseLinearEmbeddings(2, n_bins=0)
