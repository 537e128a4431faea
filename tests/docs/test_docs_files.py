"""docs/files.md explains every error and every part of a file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from sknn import exceptions
from sknn.modules import MLP

PAGE = Path(__file__).parents[2] / "docs" / "files.md"


@pytest.fixture(scope="module")
def text() -> str:
    if not PAGE.exists():
        pytest.skip("installed without the repository")
    return PAGE.read_text(encoding="utf-8")


def test_every_error_is_explained(text):
    kinds = [name for name in exceptions.__all__ if issubclass(getattr(exceptions, name), exceptions.FileError)]
    assert len(kinds) > 4
    for name in kinds:
        assert f"`{name}`" in text or f"`sknn.exceptions.{name}`" in text, name


def test_every_part_is_listed(text, tmp_path):
    X, y = load_iris(return_X_y=True)
    sknn.save(make_pipeline(StandardScaler(), sknn.NeuralClassifier(MLP, max_epochs=1)).fit(X, y), tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as archive:
        for name in archive.namelist():
            assert f"| `{name}` |" in text
