"""Dependencies point one way, and what is public is documented as it is."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from skorch.callbacks import Callback

import sknn
from sknn import NeuralClassifier, NeuralRegressor, callbacks, losses, modules, optim

PACKAGE = Path(sknn.__file__).parent

# Each room imports only from rooms on a lower floor.
FLOORS = [
    {"_optional", "_refusals", "_atomic", "_digest", "_parametrized"},
    {"exceptions", "_table_scalars", "_random", "_split", "_sample_weight", "_progress", "_plotting",
     "_sklearn_callbacks", "_quiet_steps", "_threads", "_device", "_precision", "_plan", "_parameters",
     "_links", "_pickling",
     "modules"},
    {"_health"},
    {"_quantiles", "callbacks", "losses", "optim", "_batches", "_table_columns"},
    {"_encoder", "_table_categories", "_component_params", "_targets", "_scoring_face", "_between_fits", "_resuming", "_checkpoint"},
    {"_table", "_scoring", "_build", "_defaults"},
    {"_chain"},
    {"_stack"},
    {"_steps"},
    {"_epochs"},
    {"_net"},
    {"_training"},
    {"_inputs"},
    {"_data", "_prediction", "_make_net", "_choices"},
    {"_fitted"},
    {"_base"},
    {"_classifier", "_regressor"},
    {"_file", "_export", "_journal"},
    {"__init__"},
]  # fmt: skip


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    inside = len(path.relative_to(PACKAGE).parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == inside:
            found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sknn."):
            found.add(node.module.split(".")[1])
    return found


SOURCES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    floor_of = {name: floor for floor, names in enumerate(FLOORS) for name in names}
    assert room(path) in floor_of, f"{path.name} has no floor in this test"
    for other in imported_rooms(path) - {room(path)}:
        assert floor_of[other] < floor_of[room(path)], f"{room(path)} imports {other}, which is not below it"


def test_only_the_net_knows_skorchs_net():
    for path in SOURCES:
        if path.name != "_net.py":
            assert "NeuralNet(" not in path.read_text().replace("skorch.NeuralNet(", "")


def documented_defaults(cls) -> dict[str, str]:
    section = inspect.getdoc(cls).split("Parameters\n----------\n")[1].split("\n\n")[0]
    heads = [line for line in section.splitlines() if line and not line.startswith(" ")]
    return {head.split(" : ")[0]: head.rpartition("default=")[2] if "default=" in head else "" for head in heads}


PUBLIC = [
    NeuralClassifier,
    NeuralRegressor,
    *(getattr(callbacks, name) for name in callbacks.__all__ if issubclass(getattr(callbacks, name), Callback)),
    *(getattr(modules, name) for name in modules.__all__),
]


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_docstring_lists_the_parameters_of_the_signature(cls):
    documented = documented_defaults(cls)
    parameters = inspect.signature(cls).parameters
    assert list(documented) == list(parameters)
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty:
            assert documented[name] == ""
            continue
        default = parameter.default
        shown = documented[name].strip('"`').removeprefix("torch.").removeprefix("nn.").removeprefix("optim.")
        assert shown == getattr(default, "__name__", str(default)), name


@pytest.mark.parametrize("module", [sknn, callbacks, losses, modules, optim], ids=lambda module: module.__name__)
def test_public_names_exist_and_have_docstrings(module):
    for name in module.__all__:
        assert name == "__version__" or inspect.getdoc(getattr(module, name))
