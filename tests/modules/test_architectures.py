"""Contract of every architecture in ``modules.__all__``."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sknn import modules
from sknn.modules import MLP, Committee, FTTransformer, ResNet, TabM

ARCHITECTURES = [
    module
    for module in (getattr(modules, name) for name in modules.__all__)
    if {"in_features", "out_features"} <= set(inspect.signature(module).parameters) and not hasattr(module, "reads")
]


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


def test_the_contract_tests_find_the_architectures() -> None:
    assert {MLP, ResNet, FTTransformer, TabM} <= set(ARCHITECTURES)
    assert set(modules.ARCHITECTURES) == set(ARCHITECTURES) - {Committee}


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
            if loss < 0.05:
                break
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


def test_modules_import_torch_only() -> None:
    for name in modules.__all__:
        source = inspect.getsource(inspect.getmodule(getattr(modules, name)))  # type: ignore[arg-type]
        lines = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
        allowed = (
            "from __future__",
            "from abc",
            "from collections",
            "from contextlib",
            "from itertools",
            "import math",
            "from typing",
            "import torch",
            "from torch",
            "from .",
        )
        assert all(line.startswith(allowed) for line in lines), lines
        assert "from .." not in source
