"""Settings of the process or the caller change neither bits nor outcome of anything that sknn computes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sknn"

# Functions of torch that take the default dtype of the process, or the dtype of Python's numbers, unless they are told.
FACTORIES = {
    "arange", "as_tensor", "asarray", "complex", "empty", "empty_permuted", "empty_strided", "eye", "full", "linspace",
    "logspace", "normal", "ones", "rand", "randint", "randn", "randperm", "range", "scalar_tensor", "tensor", "zeros",
    "tril_indices", "triu_indices", "bartlett_window", "blackman_window", "hamming_window", "hann_window",
}  # fmt: skip


def without_dtype(source: str, *, of_modules: bool) -> list[str]:
    """Calls of factories without a dtype, as ``line: call``.

    Parameters and buffers of `sknn.modules` are left out: these take the default dtype and device, as every layer of
    torch does, and a fit builds them under `default_settings`.
    """
    tree = ast.parse(source)
    state = {part for call in calls(tree) if of_modules and registers(call) for part in ast.walk(call)}
    imported = [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "torch" and {n.name for n in node.names} & FACTORIES
    ]
    return imported + [
        f"{call.lineno}: {ast.unparse(call)}"
        for call in calls(tree)
        if is_factory(call.func) and call not in state and "dtype" not in {keyword.arg for keyword in call.keywords}
    ]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def is_factory(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(value=ast.Name(id="torch"), attr=name):
            return name in FACTORIES
    return False


def registers(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("Parameter", "register_buffer")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_tensor_is_made_with_its_dtype(path):
    found = without_dtype(path.read_text(encoding="utf-8"), of_modules=path.parent.name == "modules")
    assert found == [], "Say dtype=, since the default dtype belongs to the caller."


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("torch.zeros(3)", 1),
        ("torch.zeros(3, dtype=torch.float32)", 0),
        ("torch.zeros_like(x) + x.new_zeros(3)", 0),
        ("f(torch.tensor([1.0]).to(x))", 1),
        ("from torch import zeros", 1),
        ("self.weight = nn.Parameter(torch.empty(3))", 0),
    ],
)
def test_scan_finds_factories_without_dtype(source, n_found):
    assert len(without_dtype(source, of_modules=True)) == n_found


def test_state_of_a_module_has_a_dtype_outside_of_the_modules():
    assert without_dtype("self.register_buffer('one', torch.ones(()))", of_modules=False)
