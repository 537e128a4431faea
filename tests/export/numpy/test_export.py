"""Names and contents of the two files that export_numpy writes."""

from __future__ import annotations

import numpy as np
import pytest

from sknn import export_numpy, export_onnx
from sknn._export.numpy import export as _to_numpy
from sknn._export.onnx import export as _to_onnx

from ..exported import SECRET, Exported


def test_files_contain_no_rows_and_are_as_large_as_the_weights(raw):
    exported, table, clf = raw
    assert SECRET in set(table["amount"])
    weights = sum(p.numel() for p in clf.module_.parameters()) * 4
    assert weights > 80_000
    for suffix in (".npz", ".onnx"):
        content = exported.path.with_suffix(suffix).read_bytes()
        assert np.float64(SECRET).tobytes() not in content
        assert str(int(SECRET)).encode() not in content
        assert len(content) < weights + 40_000


def test_exporting_twice_gives_the_same_bytes(people, tmp_path):
    first, _, clf = people
    again = Exported(clf, tmp_path)
    for suffix in (".npz", ".py", ".onnx"):
        assert again.path.with_suffix(suffix).read_bytes() == first.path.with_suffix(suffix).read_bytes()


def test_a_predictor_does_not_replace_a_module_of_the_user(plain, tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n")
    with pytest.raises(FileExistsError, match=r"mine.py.*another name"):
        export_numpy(plain, tmp_path / "mine.npz")
    with pytest.raises(ValueError, match="json.py would hide"):
        export_numpy(plain, tmp_path / "json.npz")
    assert (tmp_path / "mine.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("my model.npz", "my_model"),
        ("x-1", "x_1"),
        ("1x.npz", "model_1x"),
        ("x.bin.npz", "x_bin"),
        ("class", "model_class"),
    ],
)
def test_a_predictor_that_import_cannot_name_is_refused(name, valid, plain, tmp_path):
    with pytest.raises(ValueError, match=rf"could not be imported.*such as {valid}\.npz"):
        export_numpy(plain, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", [export_numpy, export_onnx])
def test_a_missing_folder_is_an_error_before_anything_is_recorded(export, plain, tmp_path, monkeypatch):
    def record(*args):
        raise AssertionError("recorded")

    for module in (_to_numpy, _to_onnx):
        monkeypatch.setattr(module, "exported_model", record)
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist\. Create it first"):
        export(plain, tmp_path / "nowhere" / "model.npz")
    (tmp_path / "model.npz").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        export(plain, tmp_path / "model.npz")
