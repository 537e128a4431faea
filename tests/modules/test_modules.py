"""Contract of every architecture in ``modules.__all__``, and the layers that they are made of."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sknn import modules
from sknn.modules import MLP, CategoricalEmbeddings, FTTransformer, OneHot, ResNet, TabM, UnknownMasking
from sknn.modules.activations import initialize_linear_, make_dropout
from sknn.modules.embeddings import mask_unknown

ARCHITECTURES = [
    module
    for module in (getattr(modules, name) for name in modules.__all__)
    if {"in_features", "out_features"} <= set(inspect.signature(module).parameters)
]
ACTIVATIONS = [nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Mish, nn.SELU, nn.Tanh, nn.Sigmoid]
# One-hot encoded, embedded, embedded, one-hot encoded; 10 codes are the most that are one-hot encoded.
CARDINALITIES = (4, 11, 30, 10)
TABLES = {
    "numeric": {"in_features": 5},
    "mixed": {"in_features": 5, "cat_cardinalities": CARDINALITIES},
    "categorical": {"in_features": 0, "cat_cardinalities": CARDINALITIES},
}


def make_table(table: str, n_rows: int = 7, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """Positional arguments of ``forward``: x_num, and x_cat if the table has categories."""
    generator = torch.Generator().manual_seed(0)
    x_num = torch.randn(n_rows, TABLES[table]["in_features"], generator=generator, dtype=dtype)
    cardinalities = TABLES[table].get("cat_cardinalities", ())
    columns = [torch.randint(0, size, (n_rows,), generator=generator) for size in cardinalities]
    return (x_num, torch.stack(columns, dim=1)) if columns else (x_num,)


def members(network: nn.Module) -> tuple[int, ...]:
    """What stands between rows and raw scores in an output: a network with an attribute n_members returns members."""
    return (network.n_members,) if hasattr(network, "n_members") else ()


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


# ------------------------------------------------------------------ architectures


def test_the_contract_tests_find_the_architectures() -> None:
    assert {MLP, ResNet, FTTransformer, TabM} <= set(ARCHITECTURES)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
class TestArchitecture:
    def test_output_has_one_row_of_raw_scores_for_each_row(self, architecture: Any, table: str) -> None:
        network = architecture(out_features=3, **TABLES[table])
        for n_rows in (1, 7):
            output = network(*make_table(table, n_rows))
            assert output.shape == (n_rows, *members(network), 3)
            assert output.dtype == torch.float32

    def test_raw_scores_start_small(self, architecture: Any, table: str) -> None:
        output = architecture(out_features=3, **TABLES[table])(*make_table(table, 200))
        assert 0 < output.abs().mean() < 0.5

    def test_gradients_reach_every_parameter(self, architecture: Any, table: str) -> None:
        network = architecture(out_features=3, **TABLES[table])
        network(*make_table(table, 50)).square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 1e-8, name

    def test_eval_is_deterministic_and_rows_do_not_meet(self, architecture: Any, table: str) -> None:
        network = architecture(out_features=2, dropout=0.5, **TABLES[table])
        inputs = make_table(table)
        assert not torch.equal(network(*inputs), network(*inputs))
        network.eval()
        assert torch.equal(network(*inputs), network(*inputs))
        alone = torch.cat([network(*(tensor[[i]] for tensor in inputs)) for i in range(7)])
        torch.testing.assert_close(network(*inputs), alone)

    def test_state_dict_deepcopy_and_pickle_keep_the_function(self, architecture: Any, table: str) -> None:
        network = architecture(out_features=2, **TABLES[table])
        network.eval()
        inputs = make_table(table)
        loaded = architecture(out_features=2, **TABLES[table]).eval()
        assert not torch.equal(loaded(*inputs), network(*inputs))
        loaded.load_state_dict(network.state_dict())
        for other in (loaded, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            assert torch.equal(other(*inputs), network(*inputs))

    def test_double_computes_in_float64(self, architecture: Any, table: str) -> None:
        network = architecture(out_features=2, **TABLES[table]).double().eval()
        x_num, *x_cat = make_table(table, dtype=torch.float64)
        output = network(x_num, *x_cat)
        assert output.dtype == torch.float64
        single = network.float()(x_num.float(), *x_cat)
        torch.testing.assert_close(output.float(), single, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("norm", [None, nn.LayerNorm, nn.BatchNorm1d])
    def test_every_norm_trains(self, architecture: Any, table: str, norm: Any) -> None:
        if "norm" not in inspect.signature(architecture).parameters:
            pytest.skip("has a norm of its own")
        network = architecture(out_features=1, norm=norm, **TABLES[table])
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        inputs = make_table(table, 20)
        y = torch.linspace(-1, 1, 20).unsqueeze(1)
        for _ in range(200):
            loss = (network(*inputs) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert loss.item() < 0.05

    @pytest.mark.parametrize(
        ("parameter", "value", "error", "message"),
        [
            ("in_features", -1, ValueError, "in_features=-1 .*int >= 0"),
            ("in_features", 3.0, TypeError, "in_features=3.0 is a float; expected an int"),
            ("out_features", 0, ValueError, "out_features=0 .*int >= 1"),
            ("dropout", 1.0, ValueError, r"dropout=1.0 .*\[0, 1\)"),
            ("dropout", "0.1", TypeError, r"dropout='0.1' .*\[0, 1\)"),
            ("activation", "relu", TypeError, r"activation='relu' .*class .*nn\.ReLU"),
            ("activation", nn.ReLU(), TypeError, r"activation=ReLU\(\) .*class"),
            ("norm", "batch", TypeError, r"norm='batch' .*nn\.LayerNorm"),
            ("cat_cardinalities", [3, 0], ValueError, r"cat_cardinalities\[1\]=0 .*int >= 1"),
            ("cat_cardinalities", 3, TypeError, "cat_cardinalities=3 .*sequence"),
            ("embedding_size", 0, ValueError, "embedding_size=0 .*int >= 1"),
        ],
    )
    def test_constructor_refuses_before_it_allocates(
        self, architecture: Any, table: str, parameter: str, value: Any, error: type, message: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        if parameter not in inspect.signature(architecture).parameters:
            pytest.skip(f"has no {parameter}")

        def no_allocation(*args: Any, **kwargs: Any) -> None:
            raise AssertionError("a layer was made before the arguments were checked")

        for layer in ("Linear", "Embedding"):
            monkeypatch.setattr(nn, layer, no_allocation)
        arguments = {"out_features": 2, **TABLES[table], parameter: value}
        with pytest.raises(error, match=message):
            architecture(**arguments)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_no_input_at_all_is_refused(architecture: Any) -> None:
    with pytest.raises(ValueError, match="in_features=0 leaves no input"):
        architecture(0, 1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_missing_or_unexpected_categories_are_refused(architecture: Any) -> None:
    with pytest.raises(ValueError, match=r"x_cat is missing; expected codes of 2"):
        architecture(3, 1, cat_cardinalities=(3, 3))(torch.zeros(2, 3))
    network = architecture(3, 1)
    with pytest.raises(ValueError, match="x_cat has 2 columns"):
        network(torch.zeros(2, 3), torch.zeros(2, 2, dtype=torch.int64))
    assert network(torch.zeros(2, 3), torch.zeros(2, 0, dtype=torch.int64)).shape == (2, *members(network), 1)


# ------------------------------------------------------------------ MLP, ResNet


def test_mlp_without_hidden_layers_is_linear() -> None:
    mlp = MLP(4, 2, hidden_sizes=())
    x = torch.randn(3, 4)
    linear = mlp.layers[0]
    assert len(mlp.layers) == 1
    torch.testing.assert_close(mlp(x), x @ linear.weight.T + linear.bias)


def test_mlp_layers_come_in_order() -> None:
    mlp = MLP(4, 2, hidden_sizes=(8, 6), activation=nn.Tanh, dropout=0.1, norm=nn.LayerNorm)
    kinds = [nn.Linear, nn.LayerNorm, nn.Tanh, nn.Dropout] * 2 + [nn.Linear]
    assert [type(layer) for layer in mlp.layers] == kinds
    assert [layer.out_features for layer in mlp.layers if isinstance(layer, nn.Linear)] == [8, 6, 2]


def test_mlp_refuses_hidden_sizes_that_are_no_sizes() -> None:
    with pytest.raises(TypeError, match="hidden_sizes=64 is a int; expected a sequence of ints"):
        MLP(4, 2, hidden_sizes=64)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"hidden_sizes\[1\]=0 "):
        MLP(4, 2, hidden_sizes=(8, 0))


def test_mlp_has_no_bias_that_batch_norm_would_cancel() -> None:
    mlp = MLP(4, 2, hidden_sizes=(8,), norm=nn.BatchNorm1d)
    assert mlp.layers[0].bias is None


def test_selu_goes_with_alpha_dropout() -> None:
    for network in (
        MLP(4, 2, activation=nn.SELU, dropout=0.1),
        ResNet(4, 2, activation=nn.SELU, dropout=0.1),
    ):
        kinds = {type(module) for module in network.modules()}
        assert nn.AlphaDropout in kinds
        assert nn.Dropout not in kinds
    assert type(make_dropout(nn.ReLU, 0.1)) is nn.Dropout


def test_resnet_equals_its_formula() -> None:
    resnet = ResNet(4, 2, n_blocks=2, width=6, hidden_size=5, activation=nn.Tanh)
    x = torch.randn(3, 4)
    stream = resnet.projection(x)
    for block in resnet.blocks:
        norm, first, _, second = block.branch
        stream = stream + second(torch.tanh(first(norm(stream))))
    norm, _, output = resnet.head
    torch.testing.assert_close(resnet(x), output(torch.tanh(norm(stream))))


def test_resnet_hidden_size_is_twice_the_width_by_default() -> None:
    assert ResNet(4, 2, width=6).blocks[0].branch[1].out_features == 12
    with pytest.raises(ValueError, match=r"n_blocks=-1 .*int >= 0"):
        ResNet(4, 2, n_blocks=-1)


def test_resnet_stream_keeps_its_variance_at_any_depth() -> None:
    resnet = ResNet(50, 1, n_blocks=30)
    with torch.no_grad():
        stream = resnet.projection(torch.randn(100, 50))
        ratio = resnet.blocks(stream).var() / stream.var()
    assert 0.8 < ratio < 1.5


# ------------------------------------------------------------------ initialisation


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_variance_survives_ten_layers(activation: type[nn.Module]) -> None:
    mlp = MLP(256, 1, hidden_sizes=(256,) * 10, activation=activation)
    hidden, variances = torch.randn(256, 256), []
    with torch.no_grad():
        for layer in mlp.layers[:-1]:
            hidden = layer(hidden)
            if not isinstance(layer, nn.Linear):
                variances.append(hidden.var().item())
    assert len(variances) == 10
    # SiLU's fixed point is the least stable; 10 is what its random growth may add up to.
    assert 0.1 < variances[-1] / variances[0] < 10
    assert 0.02 < variances[-1] < 10


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_survives_ten_layers(activation: type[nn.Module]) -> None:
    mlp = MLP(256, 1, hidden_sizes=(256,) * 10, activation=activation)
    hidden = mlp.layers[:-1](torch.randn(64, 256))
    (hidden * torch.randn_like(hidden)).sum().backward()
    first, last = mlp.layers[0].weight.grad.norm(), mlp.layers[-3].weight.grad.norm()
    # With Xavier's gain of 1, a sigmoid's ratio would be 4e-6.
    assert (0.005 if activation is nn.Sigmoid else 0.2) < first / last < 10


@pytest.mark.parametrize("activation", [nn.ReLU, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Mish, nn.SELU])
def test_gain_keeps_the_second_moment_of_a_normal(activation: type[nn.Module]) -> None:
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    gain = float((density * activation()(z).square()).sum()) ** -0.5
    linear = initialize_linear_(nn.Linear(1000, 1000), activation)
    assert linear.weight.std().item() * math.sqrt(1000) == pytest.approx(gain, rel=5e-3)
    assert not linear.bias.any()


@pytest.mark.parametrize(("activation", "gain"), [(nn.Tanh, 5 / 3), (nn.Sigmoid, 4.0)])
def test_xavier_is_uniform_with_its_gain(activation: type[nn.Module], gain: float) -> None:
    linear = initialize_linear_(nn.Linear(300, 100), activation)
    assert linear.weight.abs().max().item() == pytest.approx(gain * math.sqrt(6 / 400), rel=1e-2)


def test_unknown_activation_keeps_the_default_of_pytorch() -> None:
    linear = nn.Linear(4, 3)
    before = copy.deepcopy(linear.state_dict())
    initialize_linear_(linear, nn.Softsign)
    for name, value in linear.state_dict().items():
        assert torch.equal(value, before[name])


def test_initialisation_obeys_its_generator_and_a_layer_without_bias() -> None:
    weights = [
        initialize_linear_(nn.Linear(4, 3, bias=False), kind, torch.Generator().manual_seed(1)).weight
        for kind in (nn.ReLU, nn.ReLU, nn.Tanh, nn.Tanh)
    ]
    assert torch.equal(weights[0], weights[1])
    assert torch.equal(weights[2], weights[3])


def test_initialisation_names_the_activation_that_is_no_class() -> None:
    with pytest.raises(TypeError, match="activation='relu' is not a class"):
        initialize_linear_(nn.Linear(4, 3), "relu")  # type: ignore[arg-type]


# ------------------------------------------------------------------ categories


def reference_columns(embeddings: CategoricalEmbeddings, codes: Tensor) -> Tensor:
    """Column by column and row by row: one-hot columns, then embeddings."""
    table = None if embeddings.embedding is None else embeddings.embedding.weight
    one_hot, embedded, offset = [], [], 0
    for column, size in enumerate(CARDINALITIES):
        if size <= 10:
            one_hot.append(nn.functional.one_hot(codes[:, column], size).float())
        else:
            embedded.append(torch.stack([table[offset + code] for code in codes[:, column].tolist()]))
            offset += size
    return torch.cat([*one_hot, *embedded], dim=1)


def test_embeddings_equal_a_slow_reference() -> None:
    embeddings = CategoricalEmbeddings(CARDINALITIES, embedding_size=3)
    _, codes = make_table("mixed", 200)
    output = embeddings(codes)
    assert output.shape == (200, embeddings.out_features) == (200, 4 + 10 + 2 * 3)
    assert torch.equal(output, reference_columns(embeddings, codes))


@pytest.mark.parametrize(("cardinalities", "width"), [((3, 4), 7), ((20, 30), 10), ((11,), 5), ((), 0)])
def test_embeddings_of_one_kind_only(cardinalities: tuple[int, ...], width: int) -> None:
    embeddings = CategoricalEmbeddings(cardinalities, embedding_size=5)
    assert embeddings(torch.ones(2, len(cardinalities), dtype=torch.int64)).shape == (2, width)
    assert embeddings.out_features == width


def test_embeddings_of_unknown_and_missing_start_at_zero_and_others_at_length_one() -> None:
    embeddings = CategoricalEmbeddings([5000, 3000], embedding_size=8)
    unknown = torch.zeros(1, 2, dtype=torch.int64)
    missing = torch.tensor([[4999, 2999]])
    assert not embeddings(unknown).any()
    assert not embeddings(missing).any()
    assert embeddings.embedding is not None
    assert embeddings.embedding.weight.square().sum(dim=1).mean().item() == pytest.approx(1, rel=0.05)
    embeddings(torch.cat([unknown, missing])).sum().backward()  # zero, but trained
    assert (embeddings.embedding.weight.grad[[0, 4999, 5000, 7999]] == 1).all()


@pytest.mark.parametrize("make", [OneHot, CategoricalEmbeddings])
@pytest.mark.parametrize("cardinalities", [(3, 4), ()])
def test_one_hot_columns_follow_the_dtype_of_the_module(make: Any, cardinalities: tuple[int, ...]) -> None:
    codes = torch.zeros(2, len(cardinalities), dtype=torch.int64)
    assert make(cardinalities)(codes).dtype == torch.float32
    assert make(cardinalities).double()(codes).dtype == torch.float64


def test_one_hot_equals_torch() -> None:
    _, codes = make_table("mixed", 100)
    expected = [nn.functional.one_hot(codes[:, i], size) for i, size in enumerate(CARDINALITIES)]
    one_hot = OneHot(CARDINALITIES)
    assert torch.equal(one_hot(codes), torch.cat(expected, dim=1).float())
    assert one_hot(codes).dtype == torch.float32
    assert one_hot.out_features == sum(CARDINALITIES)
    assert OneHot(())(torch.zeros(3, 0, dtype=torch.int64)).shape == (3, 0)


@pytest.mark.parametrize("layer", [OneHot([3, 4]), CategoricalEmbeddings([3, 4]), CategoricalEmbeddings([20, 30])])
def test_another_number_of_columns_is_refused_and_not_broadcast(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"codes have shape \(5, 1\); expected \(batch, 2\)"):
        layer(torch.zeros(5, 1, dtype=torch.int64))


def test_unknown_masking_replaces_its_share_while_training_only() -> None:
    codes = torch.randint(1, 50, (20_000, 3))
    masking = UnknownMasking(probability=0.1)
    masked = masking(codes)
    replaced = masked != codes
    assert (masked[replaced] == 0).all()
    torch.testing.assert_close(replaced.double().mean(dim=0), torch.full((3,), 0.1).double(), atol=0.01, rtol=0)
    # Cells are drawn one by one, not whole rows.
    assert (replaced.all(dim=1)).double().mean() < 0.01
    assert (codes > 0).all()
    assert masking.eval()(codes) is codes
    assert UnknownMasking(0.0)(codes) is codes


def test_mask_unknown_obeys_its_generator() -> None:
    codes = torch.ones(100, 2, dtype=torch.int64)
    first, second = (mask_unknown(codes, 0.5, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_unknown_masking_refuses_what_is_no_probability(probability: float) -> None:
    with pytest.raises(ValueError, match=r"probability=.*\[0, 1\]"):
        UnknownMasking(probability)


# ------------------------------------------------------------------ the package


def test_modules_import_torch_only() -> None:
    for name in modules.__all__:
        source = inspect.getsource(inspect.getmodule(getattr(modules, name)))  # type: ignore[arg-type]
        lines = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
        allowed = (
            "from __future__",
            "from collections",
            "from contextlib",
            "from itertools",
            "import math",
            "import torch",
            "from torch",
            "from .",
        )
        assert all(line.startswith(allowed) for line in lines), lines
        assert "from .." not in source
