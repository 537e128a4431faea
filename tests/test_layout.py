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
ROOT = PACKAGE.parent

# Each part imports only parts of an earlier line.
LEVELS = [
    {"_optional", "_atomic", "_device", "_errors", "_random", "_threads", "_versions", "exceptions"},
    {"_digest", "_plotting", "modules"},
    {"losses", "optim", "_data", "_health"},
    {"_network", "callbacks"},
    {"_backprop", "_checkpoint"},
    {"_training"},
    {"_estimator"},
    {"_classifier", "_regressor"},
    {"_export", "_file"},
    {"__init__"},
]
SOURCES = sorted(PACKAGE.rglob("*.py"))


def module_of(path: Path) -> tuple[str, ...]:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


MODULES = {module_of(path): path for path in SOURCES}


def imported(path: Path) -> set[tuple[str, ...]]:
    """Modules of sknn that a file imports, in functions and for type hints too."""
    folder = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = folder[: len(folder) - node.level + 1]
        elif (node.module or "").split(".")[0] == "sknn":
            base = ()
        else:
            continue
        rest = tuple(node.module.split(".")) if node.module else ()
        target = base + (rest if node.level else rest[1:])
        for alias in node.names:
            inside = (*target, alias.name)
            found.add(inside if inside in MODULES else target or ("__init__",))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    level_of = {name: level for level, names in enumerate(LEVELS) for name in names}
    part = module_of(path)[0]
    assert part in level_of, f"{part} has no level in this test"
    for other in {module[0] for module in imported(path)} - {part}:
        assert level_of[other] < level_of[part], f"{part} imports {other}, which is not below it"


def test_no_circle_of_imports():
    imports = {module: imported(path) & set(MODULES) - {module} for module, path in MODULES.items()}
    done, open_ = set(), []

    def visit(module):
        if module in done:
            return
        assert module not in open_, " -> ".join(".".join(m) for m in [*open_[open_.index(module) :], module])
        open_.append(module)
        for other in sorted(imports[module]):
            visit(other)
        done.add(open_.pop())

    for module in imports:
        visit(module)


def test_few_files_at_the_top():
    assert len(list(PACKAGE.glob("*.py"))) <= 14
    assert len(LEVELS) <= 11


def test_benchmarks_import_the_public_api_only():
    for path in (ROOT / "benchmarks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                private = name.startswith("sknn.") and any(part.startswith("_") for part in name.split(".")[1:])
                assert not private or name == "sknn.__version__", f"{path.relative_to(ROOT)} imports {name}"


def test_only_the_net_knows_skorchs_net():
    for path in SOURCES:
        if path != PACKAGE / "_training" / "net.py":
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
