"""Files of small models, and a mark that code of a file would leave."""

from __future__ import annotations

import sys

import pytest

from benchmarks.reliability.files import models


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    return models(tmp_path_factory.mktemp("files"), seed=0)


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A file that a hostile command, or the import of `canary_module`, would create."""
    mark = tmp_path / "mark"
    (tmp_path / "canary_module.py").write_text(f"open({str(mark)!r}, 'w').close()\nclass Payload: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield mark
    assert not mark.exists(), "code of a file was run"
    assert "canary_module" not in sys.modules
