"""Tables with texts and dates: numpy serves all of it, ONNX dates; it refuses texts by the names of their columns."""

from __future__ import annotations

import io
import json
import warnings

import numpy as np
import pandas as pd
import pytest

from sknn import NeuralClassifier, export_numpy, export_onnx
from sknn._export.numpy.predictor import load
from sknn.modules import MLP

from .exported import QUICK, SMALL, TOLERANCE, Exported, assert_same, predictor_module

N = 240
WORDS = [
    "red",
    "green",
    "blue",
    "small",
    "large",
    "round",
    "square",
    "paper",
    "steel",
    "glass",
    "lamp",
    "chair",
    "table",
    "shelf",
    "box",
]
DAYS = pd.date_range("2021-12-20", periods=N, freq="31h")


def text_table():
    random = np.random.default_rng(0)
    notes = np.array([" ".join(random.choice(WORDS, 4)) + f" {i}" for i in range(N)], dtype=object)
    notes[::9] = None
    return pd.DataFrame({
        "note": notes,
        "amount": random.normal(size=N),
        "job": [f"{random.choice(WORDS)} worker {i if i % 3 else 7}" for i in range(N)],
        "day": DAYS.strftime("%Y-%m-%d"),
        "at": pd.Series(DAYS).mask(np.arange(N) % 7 == 0),
        "kind": random.choice(["a", "b"], N),
    })  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    table = text_table()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK)
    with pytest.warns(UserWarning, match="column 'day' .* read as dates"):
        clf.fit(table, np.arange(N) % 3)
    path = export_numpy(clf, tmp_path_factory.mktemp("texts") / "model.npz")
    return clf, path, predictor_module(path).load(path)


def test_the_kinds_are_those_that_this_file_is_about(served):
    kinds = [(column.kind, column.is_worded, column.is_iso_text) for column in served[0]._inputs.reader.columns]
    assert kinds == [
        ("text", False, False), ("numeric", False, False), ("categorical", True, False), ("numeric", False, True),
        ("numeric", False, False), ("categorical", False, False),
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["pandas", "polars", "records", "dict", "objects"])
def test_numpy_serves_texts_and_dates(served, form):
    clf, _, predictor = served
    table = text_table().iloc[:40]
    table.loc[[3, 5], "note"] = ["", "日本 Lamp"]
    table.loc[4, ["job", "day"]] = ["lamp maker", "2030-06-01T12:00+02:00"]
    given = {
        "pandas": lambda: table,
        "polars": lambda: pytest.importorskip("polars").from_pandas(table),
        "records": lambda: table.astype(object).where(table.notna(), None).to_dict("records"),
        "dict": lambda: {name: list(table[name]) for name in table},
        "objects": lambda: table.astype(object).to_numpy(),
    }[form]()
    np.testing.assert_allclose(predictor.predict_proba(given), clf.predict_proba(table), atol=TOLERANCE)


def test_one_row_is_served_as_among_others(served):
    clf, _, predictor = served
    table = text_table()
    together = predictor.predict_proba(table)
    for i in (0, 9, 100):
        np.testing.assert_allclose(predictor.predict_proba(table.iloc[[i]])[0], together[i], atol=1e-6)


def test_what_is_no_text_or_date_is_refused_or_named(served):
    predictor = served[2]
    table = text_table().iloc[:5].astype(object)
    with pytest.raises(ValueError, match="column 'note' contains 3, but texts were expected"):
        predictor.predict(table.assign(note=[3, "a", "b", "c", "d"]))
    with pytest.raises(ValueError, match="column 'day' contains 3, but dates were expected"):
        predictor.predict(table.assign(day=[3, "2024-01-01", None, None, None]))
    with pytest.warns(UserWarning, match="column 'day' was read as dates in fit, but holds text such as 'soon'"):
        soon = predictor.predict_proba(table.assign(day=["soon", *["?"] * 4]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(soon, predictor.predict_proba(table.assign(day=None)))


def test_onnx_refuses_texts_by_the_names_of_their_columns(served, tmp_path):
    with pytest.raises(ValueError, match=r"the columns \['note', 'job'\] are read as text.*sknn.export_numpy"):
        export_onnx(served[0], tmp_path / "model.onnx")
    assert not any(tmp_path.iterdir())


def test_both_serve_dates(tmp_path):
    table = text_table()[["amount", "day", "at", "kind"]]
    with pytest.warns(UserWarning, match="read as dates"):
        clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(table, np.arange(N) % 2)
    assert len(clf._inputs.encoder.date_features) > 10
    assert_same(clf, table, Exported(clf, tmp_path))


def damaged(path, edit):
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    description = json.loads(arrays["model"].tobytes())
    edit(arrays, description)
    arrays["model"] = np.frombuffer(json.dumps(description).encode(), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    return file


def _set(name, change):
    return lambda arrays, description: arrays.update({name: change(arrays[name])})


@pytest.mark.parametrize(
    "edit",
    [
        lambda arrays, description: arrays.pop("text_0_idf"),
        _set("text_0_vocabulary", lambda a: a[::-1]),
        _set("text_0_vocabulary", lambda a: a[:-1]),
        _set("text_0_vocabulary", lambda a: a.astype(np.int64)),
        _set("text_2_directions", lambda a: np.zeros((len(a), 2000), dtype=np.float32)),
        _set("text_2_directions", lambda a: a.astype(np.float64)),
        _set("text_2_idf", lambda a: a[:, None]),
        lambda arrays, description: description["columns"][3].pop("is_iso_text"),
        lambda arrays, description: description["columns"][2].pop("is_worded"),
    ],
)
def test_damaged_texts_are_refused(served, edit):
    load(damaged(served[1], lambda arrays, description: None))
    with pytest.raises(ValueError, match="is damaged"):
        load(damaged(served[1], edit))
