"""Labels keep their dtype and their values in both exports, or the error names the dtype."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sknn import NeuralClassifier, export_numpy, export_onnx
from sknn.modules import MLP

from .exported import N_ROWS, QUICK, SMALL, Exported, numbers, predictor_module

PLACES = np.arange(N_ROWS) % 3
LABELS = {
    "int8": np.array([-128, 0, 127], dtype=np.int8),
    "uint64 beyond 2**63": np.uint64(2**63) + np.arange(3, dtype=np.uint64),
    "big-endian": np.array([1, 2, 3], dtype=">i4"),
    "int64 beyond 2**53": 2**62 + np.arange(3),
    "float16": np.array([1, 2, 3], dtype=np.float16),
    "bool": np.array([True, False, True]),
    "text of several lengths": np.array(["", "bbb", "é日"]),
    "objects": np.array(["a", "bbb", "cc"], dtype=object),
    "strings of pandas": pd.array(["a", "bbb", "cc"], dtype="string"),
    "categories of pandas": pd.Categorical([7, 8, 9]),
}


def fitted(labels):
    return NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(numbers(), labels[PLACES])


@pytest.mark.parametrize("case", LABELS)
def test_labels_keep_their_dtype(case, tmp_path):
    clf, X = fitted(LABELS[case]), numbers()
    exported, expected = Exported(clf, tmp_path), clf.predict(X)
    assert len(clf.classes_) == len(set(LABELS[case].tolist()))
    assert exported.numpy.classes_.dtype == clf.classes_.dtype
    assert exported.numpy.classes_.tolist() == clf.classes_.tolist()
    assert exported.numpy.predict(X).dtype == expected.dtype
    assert exported.numpy.predict(X).tolist() == expected.tolist()
    by_onnx = exported.onnx(X)["label"]
    assert by_onnx.tolist() == expected.tolist()
    assert by_onnx.dtype == (expected.dtype.newbyteorder("=") if expected.dtype.kind in "biuf" else object)


DATES = [*(f"datetime64[{unit}]" for unit in ("Y", "D", "us", "ns", "25s")), "timedelta64[ns]", "timedelta64[M]"]


@pytest.mark.parametrize("dtype", DATES)
def test_dates_as_labels_are_dates_in_numpy_and_refused_by_onnx(dtype, tmp_path):
    clf, X = fitted(np.array([1, 2, 3]).astype(dtype)), numbers()
    path = export_numpy(clf, tmp_path / "model.npz")
    model = predictor_module(path).load(path)
    assert model.classes_.dtype == clf.classes_.dtype == np.dtype(dtype)
    assert (model.predict(X) == clf.predict(X)).all()
    with pytest.raises(ValueError, match=rf"classes_ have the dtype {dtype[:10]}.*astype\(str\)"):
        export_onnx(clf, tmp_path / "model.onnx")


def test_labels_that_a_file_cannot_hold_are_refused_by_their_dtype(tmp_path):
    clf = fitted(np.array([1, 2, 3], dtype=np.longdouble))
    for export in (export_numpy, export_onnx):
        with pytest.raises(ValueError, match=r"classes_ have the dtype float128"):
            export(clf, tmp_path / "model.npz")
    for text in ("a\0", "\udc80"):
        clf = fitted(np.array(["a", "b", text], dtype=object))
        path = export_numpy(clf, tmp_path / "texts.npz")
        assert predictor_module(path).load(path).classes_.tolist() == clf.classes_.tolist()
        with pytest.raises(ValueError, match=r"classes_ contain .*valid UTF-8 without NUL"):
            export_onnx(clf, tmp_path / "model.onnx")


def test_texts_of_columns_that_onnx_cannot_hold_are_refused_by_their_column(tmp_path):
    table = pd.DataFrame({"city": np.array(["a", "a\0", "b"], dtype=object)[PLACES]})
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(table, PLACES)
    with pytest.raises(ValueError, match=r"column 'city' has the category 'a\\x00'"):
        export_onnx(clf, tmp_path / "model.onnx")


@pytest.mark.parametrize("container", [list, lambda y: np.array(y, dtype=object)], ids=["list", "objects"])
def test_integers_on_both_sides_of_two_to_the_63_are_labels_of_their_own(container):
    labels = [5, 2**63, 2**63 + 1]
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(numbers(), container(labels * (N_ROWS // 3)))
    assert clf.classes_.tolist() == labels
