"""The examples of the pages run as they stand, and print what the pages say."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PAGES = [
    "audio.md",
    "checkpoints.md",
    "columns.md",
    "embeddings.md",
    "explanations.md",
    "files.md",
    "fitting.md",
    "generating.md",
    "imputing.md",
    "images.md",
    "intervals.md",
    "measures.md",
    "ranking.md",
    "searches_that_survive.md",
    "sequences.md",
    "texts.md",
    "training_health.md",
]


@pytest.mark.skipif(not DOCS.exists(), reason="installed without the repository")
@pytest.mark.parametrize("name", PAGES)
def test_the_examples_print_what_the_page_says(name, tmp_path, monkeypatch):
    if name == "measures.md":
        pytest.importorskip("skore")
    monkeypatch.chdir(tmp_path)  # they write files
    plt.switch_backend("Agg")
    text = (DOCS / name).read_text(encoding="utf-8")
    parser, runner, printed = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=FLAGS), []
    names = {"__name__": name.removesuffix(".md")}
    for block in FENCE.finditer(text):
        line = text.count("\n", 0, block.start(1))
        test = parser.get_doctest(block[1], names, name, name, line)
        assert test.examples, f"{name}, line {line + 1}: a block without >>>"
        runner.run(test, out=printed.append, clear_globs=False)
        names = test.globs  # blocks go on from those before
    plt.close("all")
    assert runner.tries > 15
    assert not runner.failures, "".join(printed)
