"""docs/training_health.md explains every symptom, with an example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sknn.callbacks._report import WARNINGS as SYMPTOMS

PAGE = Path(__file__).parents[2] / "docs" / "training_health.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def text() -> str:
    if not PAGE.exists():
        pytest.skip("installed without the repository")
    return PAGE.read_text(encoding="utf-8")


def section_of(text: str, symptom: str) -> str:
    _, found, rest = text.partition(f"\n### `{symptom}`\n")
    assert found, f"no section ### `{symptom}`"
    return re.split(r"^##", rest, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("symptom", sorted(SYMPTOMS))
def test_every_symptom_is_explained_with_an_example(text, symptom):
    section = section_of(text, symptom)
    for part in ("**Reported if**", "**Why it happens:**", "**Fix:**"):
        assert part in section
    (example,) = FENCE.findall(section)
    assert f"'{symptom}'" in example
