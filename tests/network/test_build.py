"""From a user's module, of whatever kind, to a network of the right widths."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_classification
from torch import Tensor, nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._network.build import IN_FEATURES, OUT_FEATURES, build_network
from sknn._network.checks import check_batch_norm, check_network
from sknn._network.table_network import TableNetwork

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(60, 5)).astype(np.float32)
Y = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]


def build(module: Any, params: dict[str, Any] | None = None, **shape: Any) -> nn.Module:
    shape = {"input_shape": (5,), "cat_cardinalities": (), "out_features": 3, **shape}
    return build_network(module, params or {}, **shape)


class SimpleNN(nn.Module):
    """The tutorials' two-layer network."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(input_size, hidden_size)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden_size, output_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.relu(self.fc1(x)))


def test_the_tutorial_network() -> None:
    X, y = make_classification(300, 10, n_informative=6, n_classes=3, random_state=0)
    model = NeuralClassifier(
        SimpleNN,
        module_params={"hidden_size": 5},
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=0.001,
        max_epochs=20,
        batch_size=32,
        random_state=0,
    )
    model.fit(X, y)
    assert type(model.module_) is SimpleNN
    assert (model.module_.fc1.in_features, model.module_.fc1.out_features) == (10, 5)
    assert model.module_.fc2.out_features == 3
    assert model.n_iter_ == 20
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    probabilities = model.predict_proba(X)
    assert probabilities.shape == (300, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


def test_the_tutorial_network_by_its_own_parameter_names() -> None:
    model = NeuralClassifier(SimpleNN).set_params(module__hidden_size=7, max_epochs=1).fit(X, Y)
    assert model.module_.fc1.out_features == 7


# ------------------------------------------------------------------ classes


@pytest.mark.parametrize("out_name", OUT_FEATURES)
@pytest.mark.parametrize("in_name", IN_FEATURES)
def test_widths_are_filled_in_under_every_alias(in_name: str, out_name: str) -> None:
    made: dict[str, Any] = {}
    namespace: dict[str, Any] = {"made": made, "nn": nn}
    exec(f"def make({in_name}, {out_name}):\n    return nn.Linear({in_name}, {out_name})", namespace)
    linear = build(namespace["make"])
    assert (linear.in_features, linear.out_features) == (5, 3)


def test_widths_are_filled_in_behind_the_keyword_arguments_of_a_subclass() -> None:
    class Scaled(SimpleNN):
        def __init__(self, *args: Any, scale: float = 1.0, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.scale = scale

    network = build(Scaled, {"hidden_size": 7, "scale": 2.0})
    assert isinstance(network, Scaled)
    assert network.fc1.weight.shape == (7, 5)
    with pytest.raises(ValueError, match=r"Scaled needs \['hidden_size'\]"):
        build(Scaled)


def test_a_class_that_names_a_width_hands_on_what_it_likes() -> None:
    class Renamed(SimpleNN):
        def __init__(self, n_features: int, n_classes: int, **kwargs: Any) -> None:
            super().__init__(n_features, 4, n_classes, **kwargs)

    class Fixed(SimpleNN):
        def __init__(self, input_size: int, **kwargs: Any) -> None:
            super().__init__(input_size, 4, 3, **kwargs)

    for module in (Renamed, Fixed):
        assert build(module).fc2.weight.shape == (3, 4)


def test_a_width_of_the_users_is_kept() -> None:
    assert build(SimpleNN, {"hidden_size": 2, "output_size": 4}).fc2.out_features == 4
    assert build(partial(SimpleNN, hidden_size=2, output_size=4)).fc2.out_features == 4


def test_a_default_width_gives_way_to_the_tables() -> None:
    class Defaults(SimpleNN):
        def __init__(self, input_size: int = 99, hidden_size: int = 4, output_size: int = 99) -> None:
            super().__init__(input_size, hidden_size, output_size)

    assert build(Defaults).fc1.in_features == 5


def test_missing_arguments_are_named_with_the_way_to_give_them() -> None:
    message = r"module: SimpleNN needs \['hidden_size'\].*module_params=\{'hidden_size': \.\.\.\}"
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(SimpleNN).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        build(partial(SimpleNN))


def test_what_makes_no_module_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"module: make_nothing returned a str, expected a torch\.nn\.Module"):
        build(make_nothing)


def make_nothing(in_features: int) -> str:
    return "nothing"


def make_net(in_features: int, out_features: int, width: int = 6) -> nn.Module:
    return nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), nn.Linear(width, out_features))


@pytest.mark.parametrize(
    ("module", "params"),
    [
        (make_net, None),
        (make_net, {"width": 9}),
        (partial(make_net, width=9), None),
        (partial(SimpleNN, hidden_size=9), None),
        (partial(partial(SimpleNN, hidden_size=3), hidden_size=9), None),
    ],
    ids=["function", "function with parameters", "partial function", "partial class", "partial partial"],
)
def test_functions_and_partials_are_built(module: Any, params: dict[str, Any] | None) -> None:
    model = NeuralClassifier(module, module_params=params, max_epochs=1, random_state=0).fit(X, Y)
    width = next(model.module_.parameters()).shape[0]
    assert width == (6 if module is make_net and params is None else 9)
    assert model.predict(X).shape == (60,)


def test_lazy_modules_learn_their_width_from_the_table() -> None:
    class Lazy(nn.Module):
        def __init__(self, out_features: int) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(out_features))

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    model = NeuralClassifier(Lazy, max_epochs=3, random_state=0).fit(X, Y)
    assert type(model.module_.layers[0]) is nn.Linear
    assert model.module_.layers[0].in_features == 5
    again = NeuralClassifier(Lazy, max_epochs=3, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), again.predict_proba(X))


# ------------------------------------------------------------------ instances


def test_an_instance_is_copied_and_never_changed() -> None:
    network = make_net(5, 3)
    before = copy.deepcopy(network.state_dict())
    model = NeuralClassifier(network, max_epochs=2, lr=0.1, random_state=0).fit(X, Y)
    model.fit(X, Y)
    assert model.module is network
    assert model.module_ is not network
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not torch.equal(model.module_[0].weight, before["0.weight"])


def test_training_starts_from_the_instances_weights() -> None:
    network = make_net(5, 3)
    model = NeuralClassifier(network, max_epochs=1, lr=1e-12, preprocessing=False).fit(X, Y)
    torch.testing.assert_close(model.module_[0].weight, network[0].weight, atol=1e-6, rtol=0)


def test_a_lazy_instance_is_copied_too() -> None:
    network = nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(3))
    NeuralClassifier(network, max_epochs=1).fit(X, Y)
    assert isinstance(network[0], nn.LazyLinear)


# ------------------------------------------------------------------ categories

TABLE = pd.DataFrame({"number": X[:, 0], "colour": list("rgb") * 20, "size": ["small", "large"] * 30})


class Embeds(nn.Module):
    def __init__(self, in_features: int, out_features: int, cat_cardinalities: list[int]) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList([nn.Embedding(size, 2) for size in cat_cardinalities])
        self.last = nn.Linear(in_features + 2 * len(cat_cardinalities), out_features)

    def forward(self, x_num: Tensor, x_cat: Tensor) -> Tensor:
        assert x_num.dtype == torch.float32
        assert x_cat.dtype == torch.int64
        columns = [embed(x_cat[:, i]) for i, embed in enumerate(self.embeddings)]
        return self.last(torch.cat([x_num, *columns], dim=1))


def make_embeds(in_features: int, out_features: int, cat_cardinalities: list[int]) -> nn.Module:
    return Embeds(in_features, out_features, cat_cardinalities)


@pytest.mark.parametrize(
    "module",
    [Embeds, partial(Embeds), make_embeds, partial(make_embeds), Embeds(1, 3, [5, 4])],
    ids=["class", "partial", "function", "partial function", "instance"],
)
def test_a_module_that_names_x_cat_gets_codes(module: Any) -> None:
    model = NeuralClassifier(module, max_epochs=1).fit(TABLE, Y)
    assert [e.num_embeddings for e in model.module_.embeddings] == [5, 4]  # known, unknown and missing
    assert model.module_.last.in_features == 1 + 4
    assert model.predict(TABLE).shape == (60,)


@pytest.mark.parametrize("module", [partial(SimpleNN, hidden_size=2), nn.LazyLinear(3)], ids=["class", "lazy instance"])
def test_any_other_module_gets_one_tensor_with_one_hot_columns(module: Any) -> None:
    model = NeuralClassifier(module, max_epochs=1).fit(TABLE, Y)
    weight = next(model.module_.parameters())
    assert weight.shape[1] == 1 + 5 + 4
    assert isinstance(model.net_.module_, TableNetwork)


# ------------------------------------------------------------------ wrong widths


@pytest.mark.parametrize("estimator", [NeuralClassifier, NeuralRegressor])
def test_a_wrong_output_width_is_named(estimator: Any) -> None:
    y, expected = (Y, r"\(batch, 3\)") if estimator is NeuralClassifier else (X[:, 0], r"\(batch, 1\)")
    with pytest.raises(
        ValueError, match=rf"Linear returned shape \(\d+, 7\) for \d+ rows, expected {expected}.*out_features"
    ):
        estimator(nn.Linear(5, 7)).fit(X, y)


def test_a_wrong_input_width_is_named_with_the_shape() -> None:
    with pytest.raises(ValueError, match=r"Linear failed on an input of shape \(\d+, 5\).*first layer needs the width"):
        NeuralClassifier(nn.Linear(4, 3)).fit(X, Y)


def test_an_output_that_is_no_tensor_is_named() -> None:
    class Dictionary(nn.Linear):
        def forward(self, x: Tensor) -> Any:
            return {"scores": super().forward(x)}

    with pytest.raises(ValueError, match="Dictionary returned a dict, expected a tensor"):
        NeuralClassifier(Dictionary(5, 3)).fit(X, Y)


def test_two_classes_may_be_one_score_or_two() -> None:
    y = X[:, 0] > 0
    for width in (1, 2):
        model = NeuralClassifier(nn.Linear(5, width), lr=0.1, max_epochs=30, random_state=0).fit(X, y)
        assert model.predict_proba(X).shape == (60, 2)
        assert model.score(X, y) > 0.9


def test_checking_leaves_mode_buffers_and_gradients_alone() -> None:
    network = nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3))
    assert check_network(network, {"x_num": torch.randn(2, 5)}, (3,), "net").shape == (2, 3)
    assert network.training
    assert torch.equal(network[0].running_mean, torch.zeros(5))
    assert network[1].weight.grad is None


def test_batch_norm_with_one_row_is_refused() -> None:
    with pytest.raises(ValueError, match=r"n_samples=1: batch norm needs .*LayerNorm"):
        check_batch_norm(nn.Sequential(nn.BatchNorm1d(2)), 1)
    check_batch_norm(nn.Sequential(nn.BatchNorm1d(2)), 2)
    check_batch_norm(nn.LayerNorm(2), 1)


# ------------------------------------------------------------------ more dimensions


class ConvNet(nn.Module):
    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_features, 4, 3, padding=1)
        self.last = nn.Linear(4, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(torch.relu(self.conv(images)).mean(dim=(2, 3)))


class LSTMNet(nn.Module):
    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, 8, batch_first=True)
        self.last = nn.Linear(8, output_size)

    def forward(self, sequences: Tensor) -> Tensor:
        return self.last(self.lstm(sequences)[0][:, -1])


def test_images_go_through_a_conv2d_network() -> None:
    images = GENERATOR.normal(size=(60, 3, 6, 5))
    y = np.repeat(["dark", "bright"], 30)
    images[30:] += 1.0
    model = NeuralClassifier(ConvNet, lr=0.03, max_epochs=15, random_state=0).fit(images, y)
    assert model.module_.conv.in_channels == 3
    assert model.score(images, y) > 0.9
    with pytest.raises(ValueError, match=r"expected rows of shape \(3, 6, 5\) as in fit, got \(3, 6, 4\)"):
        model.predict(images[..., :4])


def test_sequences_go_through_an_lstm() -> None:
    sequences = GENERATOR.normal(size=(80, 7, 2))
    y = sequences[:, -2:, 0].sum(axis=1)
    model = NeuralRegressor(LSTMNet, lr=0.03, max_epochs=30, random_state=0).fit(sequences, y)
    assert model.module_.lstm.input_size == 2
    assert model.score(sequences, y) > 0.7


def test_a_sequential_with_flatten_takes_images() -> None:
    images = GENERATOR.normal(size=(60, 1, 4, 4)).astype(np.uint8)
    model = NeuralClassifier(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), max_epochs=1).fit(images, Y)
    assert model.predict_proba(images).shape == (60, 3)
