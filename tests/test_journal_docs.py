"""The examples of docs/journal.md run as they stand."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "journal.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def test_the_examples_print_what_the_page_says(tmp_path, monkeypatch):
    if not PAGE.exists():
        pytest.skip("installed without the repository")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    parser, runner, printed = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=FLAGS), []
    names = {"__name__": "journal"}
    for block in FENCE.finditer(text):
        test = parser.get_doctest(block[1], names, PAGE.name, str(PAGE), text.count("\n", 0, block.start(1)))
        assert test.examples
        runner.run(test, out=printed.append, clear_globs=False)
        names = test.globs  # blocks go on from those before
    assert not runner.failures, "".join(printed)
    assert runner.tries > 15
