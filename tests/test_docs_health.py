"""The examples of docs/training_health.md run as they stand, and every symptom is explained there."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from sknn._health.record import SYMPTOMS

PAGE = Path(__file__).parents[1] / "docs" / "training_health.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.fixture(scope="module")
def text() -> str:
    if not PAGE.exists():
        pytest.skip("installed without the repository")
    return PAGE.read_text(encoding="utf-8")


def section_of(text: str, symptom: str) -> str:
    _, found, rest = text.partition(f"\n### `{symptom}`\n")
    assert found, f"no section ### `{symptom}`"
    return re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]


def test_the_examples_print_what_the_page_says(text):
    plt.switch_backend("Agg")
    parser, runner, printed = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=FLAGS), []
    names = {"__name__": "training_health"}
    for block in FENCE.finditer(text):
        line = text.count("\n", 0, block.start(1))
        test = parser.get_doctest(block[1], names, PAGE.name, str(PAGE), line)
        assert test.examples, f"{PAGE.name}, line {line + 1}: a block without >>>"
        runner.run(test, out=printed.append, clear_globs=False)
        names = test.globs  # blocks go on from those before
    plt.close("all")
    assert runner.tries > 3 * len(SYMPTOMS)
    assert not runner.failures, "".join(printed)


@pytest.mark.parametrize("symptom", sorted(SYMPTOMS))
def test_every_symptom_is_explained_with_an_example(text, symptom):
    section = section_of(text, symptom)
    for part in ("**Seen:**", "**Why it happens:**", "**Fix:**"):
        assert part in section
    (example,) = FENCE.findall(section)
    assert f"'{symptom}'" in example
