"""The code blocks of docs/export.md run in their order."""

from __future__ import annotations

import re
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for module in ("model", "feeds"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    names: dict = {"__name__": "page"}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 8
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert "name='city'" in capsys.readouterr().out
    for module in ("model", "feeds"):
        sys.modules.pop(module, None)
