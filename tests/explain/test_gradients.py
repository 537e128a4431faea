"""The core: attributions of the inputs of any network, and secants beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sknn._explain import gradients
from sknn._explain.gradients import NotDifferentiableError, integrated_gradients
from sknn._explain.permutations import permutation_values
from sknn._explain.scores import Scores
from sknn._explain.secants import secant_attributions
from sknn.losses import LogLoss
from sknn.modules import Committee, HalfSine, TabM

GENERATOR = torch.Generator().manual_seed(0)


def scores_of(n: int) -> Scores:
    return Scores(LogLoss().combine, torch.eye(n), np.ones(n), np.zeros(n))


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR)


class Product(nn.Module):
    """The product of all numbers of a row."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).prod(1)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [(2,), (2, 1), (1, 2, 1)])
def test_attributions_have_the_shape_of_the_input(shape):
    x = numbers(7, *shape)
    found = integrated_gradients(Product(), scores_of(1), {"x": x}, [{"x": torch.zeros(1, *shape)}])
    assert found.inputs["x"].shape == (7, *shape, 1)
    half = x.flatten(1).prod(1, keepdim=True) / 2
    torch.testing.assert_close(found.inputs["x"].flatten(1), half.expand(7, 2), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.end[:, 0], x.flatten(1).prod(1))
    assert (found.start == 0).all()


def test_outputs_are_explained_one_by_one():
    network = nn.Linear(3, 4)
    x, baseline = numbers(5, 3), numbers(1, 3)
    found = integrated_gradients(network, scores_of(4), {"x": x}, [{"x": baseline}])
    expected = (x - baseline).unsqueeze(2) * network.weight.t()
    torch.testing.assert_close(found.inputs["x"], expected.detach(), rtol=1e-4, atol=1e-6)


def test_several_baselines_are_averaged():
    x, baselines = numbers(5, 3), [{"x": numbers(1, 3)} for _ in range(4)]
    network = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    found = integrated_gradients(network, scores_of(1), {"x": x}, baselines)
    each = [integrated_gradients(network, scores_of(1), {"x": x}, [one]) for one in baselines]
    mean = torch.stack([one.inputs["x"] for one in each]).mean(0)
    assert (found.inputs["x"] - mean).abs().max() < 0.02 * mean.abs().max()
    torch.testing.assert_close(found.start, torch.stack([one.start for one in each]).mean(0))


def test_rows_with_kinks_get_more_steps(monkeypatch):
    steps = []
    integral = gradients._Path.integral

    def counted(self, chosen, n_steps):
        steps.append((n_steps, None if chosen is None else len(chosen)))
        return integral(self, chosen, n_steps)

    monkeypatch.setattr(gradients._Path, "integral", counted)
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    x = numbers(40, 3) * 5
    found = integrated_gradients(network, scores_of(1), {"x": x}, [{"x": torch.zeros(1, 3)}])
    assert steps[0] == (8, None)
    assert steps[-1][0] > 8
    assert steps[-1][1] < 40
    torch.testing.assert_close(found.inputs["x"].sum(1), found.end - found.start, rtol=1e-4, atol=1e-5)


class Texts(nn.Module):
    """Tokens with an embedding, filled up to one length."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 6)
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        exists = (torch.arange(x.shape[1]) < lengths[:, None]).unsqueeze(2)
        return self.layers((self.embedding(x) * exists).sum(1) / lengths[:, None])


def test_codes_are_explained_behind_their_embedding():
    network = Texts()
    rows = {"x": torch.randint(2, 20, (6, 5), generator=GENERATOR), "lengths": torch.tensor([5, 4, 3, 5, 1, 2])}
    baseline = {"x": torch.ones(6, 5, dtype=torch.int64), "lengths": rows["lengths"]}
    found = integrated_gradients(network, scores_of(2), rows, [baseline])
    assert found.inputs["x"].shape == (6, 5, 2)
    torch.testing.assert_close(found.inputs["x"].sum(1), found.end - found.start, rtol=1e-4, atol=1e-5)
    exists = torch.arange(5) < rows["lengths"][:, None]
    assert (found.inputs["x"][~exists] == 0).all()
    assert (found.inputs["x"][exists] != 0).all()
    assert not network.embedding._forward_hooks
    assert network.embedding.weight.grad is None


def test_a_module_that_changes_its_input_is_explained():
    class InPlace(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mul_(2).sum(1)

    x = numbers(3, 2)
    before = x.clone()
    found = integrated_gradients(InPlace(), scores_of(1), {"x": x.clone()}, [{"x": torch.zeros(1, 2)}])
    torch.testing.assert_close(found.inputs["x"][..., 0], 2 * before, rtol=1e-4, atol=1e-6)


class _Step(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x.sum(1) > 0).float() + 0 * x.sum(1)


class _Detached(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1).detach()


@pytest.mark.parametrize(("network", "message"), [(_Step(), "threshold"), (_Detached(), "no gradient")])
def test_wrong_gradients_are_refused(network, message):
    with pytest.raises(NotDifferentiableError, match=message):
        integrated_gradients(network, scores_of(1), {"x": numbers(9, 2)}, [{"x": torch.zeros(1, 2)}])


def test_codes_beside_embeddings_are_refused():
    class Direct(Texts):
        def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
            return super().forward(x, lengths) + x.sum(1, keepdim=True)

    rows = {"x": torch.randint(2, 20, (6, 5), generator=GENERATOR), "lengths": torch.full((6,), 5)}
    baseline = {"x": torch.ones(1, 5, dtype=torch.int64), "lengths": torch.full((1,), 5)}
    with pytest.raises(NotDifferentiableError, match=r"otherwise than in layers of torch.nn.Embedding"):
        integrated_gradients(Direct(), scores_of(2), rows, [baseline])


@pytest.mark.parametrize("activation", [nn.ReLU, HalfSine, nn.SiLU, nn.Sigmoid])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_secants_agree_with_gradients_of_many_steps(activation, n_outputs, monkeypatch):
    networks = [
        TabM(4, n_outputs, n_bins=0, width=16, activation=activation, cat_cardinalities=[4, 30]) for _ in range(3)
    ]
    for network in networks:
        network.linear.weight[:4].normal_()  # those of codes are looked up without an embedding layer
        nn.init.normal_(network.gain, std=0.05)
        nn.init.normal_(network.embeddings.embedding.weight)
    committee = Committee(networks).eval()
    codes = torch.stack([torch.randint(0, n, (20,), generator=GENERATOR) for n in (4, 30)], 1)
    rows = {"x": numbers(20, 4), "x_cat": codes}
    baselines = [{"x": torch.zeros(1, 4), "x_cat": torch.zeros(1, 2, dtype=torch.int64)}]
    found = secant_attributions(committee, scores_of(n_outputs), rows, baselines)
    monkeypatch.setattr(gradients, "_STEPS", 256)
    slow = integrated_gradients(committee, scores_of(n_outputs), rows, baselines)
    torch.testing.assert_close(found.end, slow.end, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.start[:1], slow.start[:1], rtol=1e-4, atol=1e-4)
    total = slow.inputs["x"].abs().sum()
    assert (found.inputs["x"] - slow.inputs["x"]).abs().sum() < 0.01 * total
    sums = found.inputs["x"].sum(1) + found.inputs["x_cat"].sum(1)
    assert (sums - (found.end - found.start)).abs().max() < 1e-3 * found.end.std()


def test_secants_leave_other_networks_to_gradients():
    x, zero = {"x": numbers(3, 2)}, [{"x": torch.zeros(1, 2)}]
    assert secant_attributions(nn.Linear(2, 1), scores_of(1), x, zero) is None
    assert secant_attributions(TabM(2, 1, activation=nn.Softplus), scores_of(1), x, zero) is None
    hooked = TabM(2, 1).eval()
    hooked.blocks[0].register_forward_hook(lambda module, given, output: 2 * output)
    assert secant_attributions(hooked, scores_of(1), x, zero) is None

    class Own(TabM):
        pass

    assert secant_attributions(Own(2, 1), scores_of(1), x, zero) is None


def test_permutations_come_near_to_shapley_values_and_sum_exactly():
    def score(batch):
        x = batch["x"]
        return (x[:, :1] * x[:, 1:2] * x[:, 2:3] + 3 * x[:, 3:]).double()

    x = numbers(10, 4).double()
    column_of = {"x": torch.tensor([0, 1, 1, 3])}
    zero = {"x": torch.zeros(1, 4, dtype=torch.float64)}
    found = permutation_values(score, {"x": x}, [zero], column_of, 5, 50).inputs["columns"][..., 0]
    expected = torch.zeros(10, 5, dtype=torch.float64)
    expected[:, 0] = expected[:, 1] = x[:, 0] * x[:, 1] * x[:, 2] / 2
    expected[:, 3] = 3 * x[:, 3]
    torch.testing.assert_close(found, expected)
