"""Units of the last hidden layer, of every kind of data and network."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import Tensor, nn

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn.exceptions import GradientHealthWarning
from sknn.modules import MLP, FTTransformer, ResNet, SequenceNet, TabM, TextNet
from tests.contract.kinds import KINDS, N_ROWS, NAMES, Kind, rows_of

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 4)).astype(np.float32)
Y = X[:, 0] - X[:, 1]
ONE_EPOCH = {"max_epochs": 1, "random_state": 0}


@pytest.fixture(autouse=True)
def no_advice():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientHealthWarning)
        yield


fitted_models: dict[str, NeuralClassifier] = {}


def fitted(kind: Kind) -> NeuralClassifier:
    if kind.name not in fitted_models:
        params = {**kind.params, **ONE_EPOCH}
        fitted_models[kind.name] = NeuralClassifier(**params).fit(kind.X, NAMES)
    return fitted_models[kind.name]


def layer_of(hidden: np.ndarray, weight: Tensor, bias: Tensor) -> np.ndarray:
    return hidden @ weight.detach().numpy().T + bias.detach().numpy()


# ------------------------------------------------------------------ every kind of data


@each_kind
def test_rows_of_every_kind_have_an_embedding(kind):
    model = fitted(kind)
    units = model.embed(kind.X)
    assert units.dtype == np.float32
    assert units.shape[0] == N_ROWS
    assert units.shape[1] > 1
    assert np.isfinite(units).all()
    assert np.ptp(units, axis=0).max() > 0
    np.testing.assert_array_equal(units, model.embed(kind.X))


@each_kind
def test_an_embedding_does_not_depend_on_the_other_rows(kind):
    model = fitted(kind)
    together = model.embed(kind.X)
    alone = np.concatenate([model.embed(rows_of(kind.X, [i])) for i in (0, 7, 35)])
    np.testing.assert_allclose(alone, together[[0, 7, 35]], atol=1e-5)
    turned = model.embed(rows_of(kind.X, np.arange(N_ROWS)[::-1]))
    np.testing.assert_allclose(turned[::-1], together, atol=1e-5)


@each_kind
def test_another_kind_and_no_rows_are_refused(kind):
    with pytest.raises((ValueError, TypeError), match=r"fitted on|as in fit|expected an? "):
        fitted(kind).embed(kind.other)
    with pytest.raises(ValueError, match="0 sample|no row|is empty|at least one"):
        fitted(kind).embed(rows_of(kind.X, slice(0, 0)))


@each_kind
def test_a_loaded_model_gives_the_same_embedding(kind, tmp_path):
    model = fitted(kind)
    sknn.save(model, tmp_path / "model.sknn")
    loaded = sknn.load(tmp_path / "model.sknn", trusted=kind.classes, max_memory=None, max_seconds=None)
    np.testing.assert_array_equal(loaded.embed(kind.X), model.embed(kind.X))


# ------------------------------------------------------------------ what it is


def test_the_output_layer_reads_it():
    """Of one network without members: embedding times the output layer is the raw prediction."""
    for module in (MLP, ResNet, FTTransformer):
        model = NeuralRegressor(module, **ONE_EPOCH).fit(X, Y)
        head = (model.module_.layers if module is MLP else model.module_.head)[-1]
        expected = model._output(X, linked=False)
        np.testing.assert_allclose(layer_of(model.embed(X), head.weight, head.bias), expected, atol=1e-5)


def test_networks_and_members_stand_side_by_side():
    params = {"n_members": 3, "width": 8, "n_bins": 4}
    model = NeuralRegressor(TabM, module_params=params, n_networks=2, **ONE_EPOCH).fit(X, Y)
    units = model.embed(X)
    assert units.shape == (len(X), 2 * 3 * 8)
    second = model.module_.networks[1]
    encoded = model._inputs.encode(X).tensors()["x"]
    with torch.no_grad():
        hidden = second.forward_hidden(encoded)
        scores = torch.einsum("bmw,mwo->bmo", hidden, second.head_weight) + second.head_bias.transpose(0, 1)
        np.testing.assert_allclose(scores + second.linear(encoded)[:, None], second(encoded), atol=1e-5)
    np.testing.assert_allclose(units[:, 24:], hidden.flatten(1), atol=1e-5)


@pytest.mark.parametrize(("n_rows", "width"), [(60, 448), (120, 512)])
def test_the_width_of_the_default_is_the_documented_one(n_rows, width):
    X = RANDOM.normal(size=(n_rows, 2))
    assert NeuralRegressor(**ONE_EPOCH).fit(X, X[:, 0]).embed(X).shape == (n_rows, width)


def test_both_parts_of_a_network_for_sequences_are_in_its_embedding():
    network = SequenceNet(12, 3, width=16, n_components=8).eval()
    x = torch.randn(5, 12)
    hidden = network.forward_hidden(x)
    parts = network.of_components.forward_hidden(x[:, :8]), network.of_values.forward_hidden(x[:, 8:])
    torch.testing.assert_close(hidden, torch.cat([part.flatten(1) for part in parts], dim=1))


def test_rows_that_the_target_does_not_tell_apart_are_near_each_other():
    X = RANDOM.normal(size=(300, 2))
    label = X[:, 0] > 0  # the second column means nothing
    model = NeuralClassifier(random_state=0).fit(X, label)
    left, other, right = model.embed(np.array([[-1.0, -0.5], [-1.0, 0.5], [1.0, -0.5]]))
    assert np.linalg.norm(left - other) < 0.5 * np.linalg.norm(left - right)


def test_texts_are_told_apart_by_their_words_too():
    texts = ["a good film", "a bad film", "good music", "bad music"] * 12
    label = np.arange(48) % 2
    model = NeuralClassifier(random_state=0, max_epochs=2).fit(texts, label)
    units = model.embed(texts)
    assert units.shape == (48, 2 * 2 + 256)
    film, music = units[0], units[2]
    scores = model.module_(*(t[:4] for t in model._inputs.encode(np.array(texts, object)).tensors().values()))
    biases = torch.stack([model.module_.bias, model.module_.factor_bias])
    np.testing.assert_allclose(units[:4, :4], (scores - biases).detach().flatten(1), atol=1e-4)
    assert np.abs(film[4:] - music[4:]).max() > 1e-3


def test_the_deep_part_of_a_text_network_is_in_its_embedding():
    network = TextNet(30, 3, embedding_size=4, hidden_size=5).eval()
    codes, weights = torch.tensor([[3, 7, 9], [5, 0, 0]]), torch.tensor([[0.5, 0.5, 0.7], [1.0, 0.0, 0.0]])
    units = network.forward_hidden(codes, weights)
    assert units.shape == (2, 2 * 3 + 256 + 5)
    wider = network.forward_hidden(*(nn.functional.pad(values, (0, 2)) for values in (codes, weights)))
    torch.testing.assert_close(wider, units)


# ------------------------------------------------------------------ modules of the user


class TwoLayers(nn.Module):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(in_features, 5), nn.Linear(5, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.hidden(x).relu())


class Product(nn.Module):
    """Its output layer is no linear layer."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(in_features, 3))
        self.out = nn.Parameter(torch.randn(3, out_features))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.weight).tanh() @ self.out


class WithMethod(Product):
    def forward_hidden(self, x: Tensor) -> Tensor:
        return (x @ self.weight).tanh()


class WrongMethod(Product):
    def forward_hidden(self, x: Tensor) -> Tensor:
        return x.sum()


class ByToken(nn.Module):
    """Its last linear layer reads several vectors of a row."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.out = nn.Linear(3, out_features)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(x.unsqueeze(2).expand(-1, -1, 3)).mean(1)


def test_a_module_of_the_user_gives_what_its_last_linear_layer_reads():
    model = NeuralRegressor(TwoLayers, **ONE_EPOCH).fit(X, Y)
    units = model.embed(X)
    assert units.shape == (60, 5)
    assert (units >= 0).all()
    out = model.module_.out
    np.testing.assert_allclose(layer_of(units, out.weight, out.bias), model._output(X, linked=False), atol=1e-5)


def test_a_module_of_the_user_may_say_what_its_hidden_layer_is():
    assert NeuralRegressor(WithMethod, **ONE_EPOCH).fit(X, Y).embed(X).shape == (60, 3)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Product, "Product calls no linear layer.*Give it a method forward_hidden"),
        (
            ByToken,
            r"ByToken has a last linear layer that reads a tensor \(60, 4, 3\) for a batch of 60.*forward_hidden",
        ),
        (WrongMethod, r"forward_hidden of WrongMethod returned a tensor \(\); expected a tensor \(batch, width\)"),
    ],
)
def test_an_unknown_hidden_layer_is_refused(module, message):
    model = NeuralRegressor(module, **ONE_EPOCH).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.embed(X)


def test_nothing_is_left_in_a_network_that_threads_share():
    model = NeuralRegressor(TwoLayers, **ONE_EPOCH).fit(X, Y)
    expected, found, predicted = model.embed(X), {}, model.predict(X)

    def work(i: int) -> None:
        for _ in range(20):
            found.setdefault(i, []).append(model.embed(X) if i % 2 else model.predict(X))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, answers in found.items():
        for answer in answers:
            np.testing.assert_array_equal(answer, expected if i % 2 else predicted)
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.module_.modules())


def test_the_number_of_threads_changes_no_bit():
    model = NeuralRegressor(**ONE_EPOCH).fit(X, Y)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = model.embed(X)
        torch.set_num_threads(2)
        np.testing.assert_array_equal(model.embed(X), one)
    finally:
        torch.set_num_threads(before)


def test_before_fit_there_is_no_embedding():
    with pytest.raises(NotFittedError):
        NeuralRegressor().embed(X)
