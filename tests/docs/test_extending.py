"""The examples of the page on extending sknn run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"


@pytest.mark.skipif(not PAGE.exists(), reason="installed without the repository")
def test_the_examples_run():
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL):
        exec(block, names)
    assert names["model"].score(names["X"], names["y"]) > 0
