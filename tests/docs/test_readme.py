"""The README's examples run as they stand, with a shorter training of the default network for tables."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from sknn.modules import TabM

README = Path(__file__).parents[2] / "README.md"


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # they write files
    monkeypatch.setattr(TabM, "recipe", dataclasses.replace(TabM.recipe, epochs=5, min_steps=100))
    if not README.exists():
        pytest.skip("installed without the repository")
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 2
    names: dict = {}
    printed = []
    for block in blocks:
        exec(block, names)
        printed.append(capsys.readouterr().out)
    assert names["search"].score(names["X_test"], names["y_test"]) > 0.9
    every_kind = printed[1].split()
    assert len(every_kind) == 5
    assert min(map(float, every_kind)) > 0.8
