"""The predictor is one file that needs numpy alone."""

from __future__ import annotations

import ast
import subprocess
import sys

import numpy as np

from sknn._export.numpy import standalone


def test_names_of_the_joined_files_are_distinct():
    names = []
    for file in standalone.FILES:
        tree = ast.parse(file.read_text())
        names += [node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        targets = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
        names += [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    assert len(names) == len(set(names))


def test_the_predictor_imports_numpy_and_the_standard_library_only():
    nodes = [
        node for node in ast.walk(ast.parse(standalone.source())) if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    packages = {name.partition(".")[0] for name in imported}
    assert packages - set(sys.stdlib_module_names) == {"numpy"}


def test_the_predictor_needs_numpy_alone(raw, tmp_path):
    exported, table, clf = raw
    for file in (exported.path, exported.path.with_suffix(".py")):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    np.save(tmp_path / "expected.npy", clf.predict_proba(table))
    table.astype(object).to_pickle(tmp_path / "table.pkl")
    code = """
import sys
for name in ("torch", "sknn", "sklearn", "scipy", "skorch", "narwhals"):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import pickle, numpy as np
from model import load
before = set(sys.modules)
model = load(sys.argv[1] + "/model.npz")
assert not any(name.partition(".")[0] in ("pandas", "onnx") for name in before)
import pandas as pd
expected, table = np.load(sys.argv[1] + "/expected.npy"), pd.read_pickle(sys.argv[1] + "/table.pkl")
assert np.abs(model.predict_proba(table) - expected).max() <= 1e-5
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path)], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 0, done.stderr
