"""Dependencies point one way, and what is public is documented as it is."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest
from skorch.callbacks import Callback

import sknn
from sknn import (
    NeuralClassifier,
    NeuralEmbedding,
    NeuralGenerator,
    NeuralImputer,
    NeuralRanker,
    NeuralRegressor,
    callbacks,
    losses,
    metrics,
    modules,
    optim,
)

PACKAGE = Path(sknn.__file__).parent
ROOT = PACKAGE.parent

# Each part imports only parts of an earlier line.
LEVELS = [
    {
        "_optional",
        "_atomic",
        "_device",
        "_errors",
        "_hyperparameters",
        "_threads",
        "_versions",
        "exceptions",
    },
    {"_random", "_settings"},
    {"_digest", "_plotting", "modules"},
    {"losses", "optim", "_data", "_health"},
    {"_network", "callbacks"},
    {"_backprop", "_checkpoint", "_conformal"},
    {"_training", "_explain"},
    {"_estimator", "metrics"},
    {"_classifier", "_embedding", "_generation", "_imputation", "_ranking", "_regressor"},
    {"_baselines", "_export", "_file", "inspection"},
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
    document = inspect.getdoc(cls)
    if not inspect.signature(cls).parameters:
        return {}
    section = document.split("Parameters\n----------\n")[1].split("\n\n")[0]
    heads = [line for line in section.splitlines() if line and not line.startswith(" ")]
    documented = {}
    for head in heads:
        names, _, kind = head.partition(" : ")
        # "lr, batch_size : as for NeuralRegressor" refers to the parameters of another class.
        default = kind if kind.startswith("as for ") else kind.rpartition("default=")[2] if "default=" in kind else ""
        documented |= dict.fromkeys(names.split(", "), default)
    return documented


PUBLIC = [
    NeuralClassifier,
    NeuralEmbedding,
    NeuralGenerator,
    NeuralImputer,
    NeuralRanker,
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
        if documented[name].startswith("as for "):
            other = getattr(sknn, documented[name].removeprefix("as for "))
            assert default == inspect.signature(other).parameters[name].default, name
            continue
        shown = documented[name].strip('"`').removeprefix("torch.").removeprefix("nn.").removeprefix("optim.")
        assert shown == getattr(default, "__name__", str(default)), name


@pytest.mark.parametrize(
    "module", [sknn, callbacks, losses, metrics, modules, optim], ids=lambda module: module.__name__
)
def test_public_names_exist_and_have_docstrings(module):
    for name in module.__all__:
        assert name == "__version__" or inspect.getdoc(getattr(module, name))


# What sknn asks an object whether it has: objects of the user and of other libraries only, never its own.
# `python -m tests.test_layout` prints this table as the sources are now; new files stand below "NEW".
QUESTIONS = {
    "tables, columns, cells and open files of any library": {
        "_data/categories.py": ["hasattr(spec, '__iter__')"],
        "_data/cells.py": ["hasattr(value, 'to_datetime64')"],
        "_data/columns.py": ["getattr(dtype, 'time_unit', 'ms')"],
        "_data/containers.py": ["hasattr(X, 'columns')", "hasattr(X, 'to_pylist')"],
        "_data/filled.py": [
            "getattr(cell, 'tzinfo', None)",
            "getattr(column, 'dtype', None)",
            "getattr(dtype, 'kind', 'f')",
        ],
        "_data/labelled_rows.py": ["hasattr(groups, 'to_numpy')", "hasattr(self.y, 'shape')", "hasattr(y, 'to_numpy')"],
        "_data/ranking_targets.py": ["hasattr(qid, 'to_numpy')"],
        "_data/real_targets.py": ["getattr(getattr(y, 'dtype', None), 'kind', 'f')", "getattr(y, 'dtype', None)"],
        "_data/recognition.py": ["hasattr(X, 'to_pylist')"],
        "_data/targets.py": ["hasattr(y, 'to_numpy')", "hasattr(y, 'toarray')"],
        "_digest/tables.py": [
            "hasattr(column, 'cat')",
            "hasattr(table, 'index')",
            "hasattr(type(value), 'shape')",
            "hasattr(type(value), 'to_pylist')",
        ],
        "_export/numpy/archive.py": ["hasattr(path, 'read')"],
        "_export/numpy/columns.py": ["hasattr(column, method)", "hasattr(value, 'to_timestamp')"],
        "_export/numpy/tables.py": [
            "getattr(column, 'ndim', 1)",
            "hasattr(X, 'column_names')",
            "hasattr(X, 'columns')",
            "hasattr(X, 'iloc')",
            "hasattr(X, 'toarray')",
            "hasattr(column, '__len__')",
        ],
        "_file/foreign/consistency.py": [
            "getattr(type(estimator), '_parameter_constraints', {})",
            "hasattr(value, '__dict__')",
        ],
        "_file/foreign/placeholders.py": [
            "getattr(thing, 'dist', None)",
            "getattr(value, 'ndim', 1)",
            "hasattr(value, 'item')",
        ],
        "_file/foreign/skops_parts.py": ["hasattr(matrix, 'check_format')"],
        "_health/sampling.py": ["hasattr(dataset, '__len__')"],
    },
    "modules of the user, their hooks and parameters": {
        "_backprop/chain.py": ["getattr(parameter, '_post_accumulate_grad_hooks', None)"],
        "_data/kinds.py": ["getattr(module, 'reads', None)"],
        "_file/values/instances.py": [
            "getattr(instance, '_parameters', ())",
            "getattr(instance, name, parameter.empty)",
        ],
        "_network/build.py": ["hasattr(inside, 'fit_knots')"],
        "_network/hidden.py": ["hasattr(network, 'forward_hidden')"],
        "_network/start_rows.py": ["hasattr(one, 'fit_start')"],
        "_network/parametrized.py": ["getattr(hook, '__module__', '')", "getattr(hook, 'hook', hook)"],
        "_network/signature.py": [
            "getattr(module, '__name__', repr(module))",
            "getattr(module, 'forward', None)",
            "getattr(module, 'keywords', {})",
            "hasattr(module, name)",
        ],
        "_health/reference.py": ["getattr(net.criterion_, 'has_constant_guess', True)"],
        "_network/table_network.py": ["getattr(network, 'multiplications', None)"],
        "losses/_make.py": ["hasattr(loss, 'reduction')"],
        "losses/_module.py": ["getattr(module, 'reduction', None)", "hasattr(module, 'reduction')"],
        "modules/_recipe.py": ["getattr(module, 'recipe', None)"],
        "modules/committee.py": ["getattr(network, 'n_members', None)", "hasattr(network, 'fit_knots')"],
        "optim/_flat_parameters.py": ["getattr(parameter, '_post_accumulate_grad_hooks', None)"],
    },
    "optimizers, schedules, callbacks and estimators of the user": {
        "_embedding/neural_embedding.py": ["hasattr(self.estimator, 'embed')"],
        "_export/model.py": ["getattr(estimator, 'best_estimator_', None)", "getattr(estimator, 'steps', None)"],
        "_file/save.py": ["hasattr(estimator, 'get_params')"],
        "_training/make_net.py": ["getattr(component, '__name__', type(component).__name__)"],
        "_training/state.py": ["getattr(type(cb), event, None)"],
        "optim/_build.py": [
            "getattr(optimizer, '__name__', type(optimizer).__name__)",
            "getattr(part, 'sparse', False)",
        ],
        "optim/_schedule.py": [
            "getattr(cls, '__name__', type(cls).__name__)",
            "getattr(self.scheduler, 'step', None)",
            "getattr(self.scheduler, 'total_steps', math.inf)",
        ],
    },
    "any object that is known by its name": {
        "_digest/code.py": [
            "getattr(value, '__module__', None)",
            "getattr(value, '__qualname__', type(value).__qualname__)",
            "hasattr(type(value), '__next__')",
        ],
        "_digest/objects.py": ["getattr(value, '__module__', None)", "getattr(value, '_type', None)"],
        "_digest/packages.py": [
            "getattr(found, name, None)",
            "getattr(sys.modules.get(module) or sys.modules.get(top), '__file__', None)",
            "getattr(sys.modules.get(top), '__version__', None)",
            "getattr(value, '__module__', None)",
            "getattr(value, '__qualname__', '')",
        ],
        "_file/names.py": [
            "getattr(found, name, None)",
            "getattr(thing, '__module__', None)",
            "getattr(thing, '__qualname__', '<lambda>')",
        ],
    },
    "functions that torch has recorded": {
        "_export/capture.py": ["getattr(node.target, '__name__', '')", "getattr(node.target, '_schema', None)"],
        "_health/recorder.py": ["getattr(func, '__name__', '')"],
    },
    "what a version of Python or torch, or an operating system, may lack": {
        "_backprop/precision.py": ["getattr(torch.cpu, check, bool)"],
        "_export/decompositions.py": ["getattr(aten, packet, None)"],
        "_settings.py": ["hasattr(torch.backends, 'fp32_precision')"],
        "_threads.py": ["hasattr(os, 'register_at_fork')"],
        "callbacks/_state.py": ["getattr(signal.getsignal(signal.SIGINT), '__code__', None)"],
    },
}


def questions(path: Path) -> list[str]:
    """Calls of hasattr, and of getattr with a default, in a file."""
    calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    asked = {("hasattr", 2), ("getattr", 3)}
    return sorted({ast.unparse(call) for call in calls if (ast.unparse(call.func), len(call.args)) in asked})


def all_questions() -> dict[str, list[str]]:
    found = {str(path.relative_to(PACKAGE)): questions(path) for path in SOURCES}
    return {name: asked for name, asked in found.items() if asked}


def test_only_objects_of_others_are_asked_what_they_have():
    listed = {name: sorted(asked) for files in QUESTIONS.values() for name, asked in files.items()}
    assert all_questions() == listed


def print_questions() -> None:
    """QUESTIONS with the calls that the sources hold now."""
    found = all_questions()
    grouped = {
        reason: {name: found.pop(name) for name in files if name in found} for reason, files in QUESTIONS.items()
    }
    print("QUESTIONS = {")
    for reason, files in [*grouped.items(), *([("NEW", found)] if found else [])]:
        print(f"    {reason!r}: {{")
        for name, asked in sorted(files.items()):
            print(f"        {name!r}: {asked!r},")
        print("    },")
    print("}")


def test_layers_of_torch_are_recognised_by_public_classes():
    private = re.compile(r"\b_(BatchNorm|NormBase|ConvNd|ConvTransposeNd)\b")
    assert [path.name for path in SOURCES if private.search(path.read_text())] == []


if __name__ == "__main__":
    print_questions()
