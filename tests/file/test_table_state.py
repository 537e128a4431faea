"""What was learned about texts and dates comes back, and edits of it are refused."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

import sknn
from benchmarks.reliability._file_parts import Parts
from sknn import NeuralClassifier
from sknn._file.probe import _raw_rows as predicted_rows
from sknn._file.probe import make_rows
from sknn.exceptions import DamagedFileError

from .subjects import SMALL_TABM, fitted, saved

_TENSORS, _JSON = "estimators/0.safetensors", "estimators/0.json"
V, D, W = (f"text.2.{name}" for name in ("vocabulary", "directions", "idf"))


def test_texts_and_dates_after_loading(tmp_path):
    model, table, _ = fitted("texts and dates")
    (tmp_path / "m").write_bytes(saved("texts and dates"))
    again = sknn.load(tmp_path / "m")
    other = table.iloc[:5].assign(
        note=["a new fox", "", None, "THE FOX", "日本 dog"], gap=table["when"].iloc[50:55].to_numpy()
    )
    np.testing.assert_array_equal(again.predict_proba(other), model.predict_proba(other))
    with pytest.raises(ValueError, match="column 'note' .* holds 3"):
        again.predict(other.assign(note=[3, 4, 5, 6, 7]))


def _wide(tensors):
    n = len(tensors[V])
    tensors[D] = torch.zeros(n, 31)


CASES = {
    "a shorter vocabulary": (lambda t: t.update({V: t[V][:-1]}), "column 2: vocabulary, weights and directions"),
    "no directions": (lambda t: t.update({D: t[D][:, :0]}), "column 2: vocabulary, weights and directions"),
    "more directions": (_wide, "column 2: vocabulary, weights and directions"),
    "fewer directions": (lambda t: t.update({D: t[D][:, :-1].clone()}), "do not belong together"),
    "a vocabulary of nothing": (
        lambda t: t.update({V: t[V][:0], W: t[W][:0], D: torch.zeros(0, 2**40)}),
        "column 2: vocabulary, weights and directions"),
    "unsorted": (lambda t: t.update({V: t[V].flip(0)}), "column 2: the vocabulary of its texts must be increasing"),
    "other dtypes": (lambda t: t.update({W: t[W].float()}), "column 2: .* other dtypes"),
    "vectors": (lambda t: t.update({D: t[D][:, 0].clone()}), "column 2: .* other dtypes"),
    "infinite": (lambda t: t[D].fill_(float("inf")), "column 2: .* must be finite"),
    "no weight": (lambda t: t[W].zero_(), "column 2: .* weights positive"),
    "missing": (lambda t: t.pop(W), "text.2.idf"),
    "a tensor too many": (lambda t: t.update({"text.1.idf": t[W].clone()}), "tensors that nothing uses"),
    "date columns": (lambda t: t.update({"encoder.date_columns": torch.tensor([0, 1])}), "do not belong together"),
    "date columns beyond": (lambda t: t.update({"encoder.date_columns": torch.tensor([1, 40])}), "date_columns must be increasing"),
    "date features twice": (lambda t: t["encoder.date_features"].zero_(), "date_features must be increasing"),
    "date features beyond": (lambda t: t["encoder.date_features"].add_(90), "date_features must be increasing"),
    "fewer date features": (
        lambda t: t.update({"encoder.date_features": t["encoder.date_features"][1:].clone()}), "do not belong together"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_tensors_that_do_not_match(name, tmp_path):
    edit, message = CASES[name]
    parts = Parts(saved("texts and dates"))
    tensors = safetensors.torch.load(parts.parts[_TENSORS])
    edit(tensors)
    (tmp_path / "m").write_bytes(parts.replaced(_TENSORS, safetensors.torch.save(tensors)))
    with pytest.raises(DamagedFileError, match=message):
        sknn.load(tmp_path / "m")


COLUMNS = {
    "a text with categories": (2, {"categories": ["a"]}, "column 2 is 'text' with 1 categories"),
    "a text of dates": (2, {"quantity": "date"}, "column 2: 'date' is not what its numbers can be"),
    "a text of ISO dates": (2, {"is_iso_text": True}, "column 2: 'number' is not what its numbers can be"),
    "a number as text": (0, {"kind": "text"}, "text.0.vocabulary"),
    "a text as number": (2, {"kind": "numeric"}, "do not belong together|nothing uses"),
    "numbers of ISO dates": (0, {"is_iso_text": True}, "column 0: 'number' is not what its numbers can be"),
    "dates as numbers": (1, {"quantity": "number"}, "do not belong together"),
    "a number for a flag": (1, {"is_iso_text": 1}, "column 1"),
}


@functools.cache
def coded():
    """A model of numbers that are categories too, its table, and its file."""
    zones = [str(i % 25) for i in range(150)]
    table = pd.DataFrame({"x": np.linspace(0, 1, 150), "zone": [*zones[:-1], None]})
    with pytest.warns(UserWarning, match="'zone' .* as categories, too"):
        model = NeuralClassifier(**{**SMALL_TABM, "max_epochs": 20}).fit(table, [int(zone) % 2 for zone in zones])
    with tempfile.TemporaryDirectory() as folder:
        sknn.save(model, Path(folder) / "m")
        return model, table, (Path(folder) / "m").read_bytes()


def test_numbers_that_are_categories_too_after_loading(tmp_path):
    model, table, file = coded()
    (tmp_path / "m").write_bytes(file)
    again = sknn.load(tmp_path / "m")
    other = table[:5].assign(zone=["0", "24.0", "-7", None, "3"])
    for X in (table, other, other.assign(zone=[0, 24, -7, np.nan, 3])):
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert len(set(model.predict_proba(other.assign(x=0.0))[:, 0])) == 5
    assert again._inputs.reader.columns == model._inputs.reader.columns


CODED = {
    "descending": {"categories": [*map(float, range(24, -1, -1))]},
    "twice": {"categories": [0.0, *map(float, range(24))]},
    "integers": {"categories": [*range(25)]},
    "texts": {"categories": [*map(str, range(25))]},
    "infinite": {"categories": [*map(float, range(24)), {"$": "float", "value": "inf"}]},
    "all missing": {"all_missing": True},
    "no text": {"number_format": None},
    "dates": {"quantity": "date", "number_format": None},
    "fewer": {"categories": [*map(float, range(24))]},
    "none": {"categories": []},
    "idle": {"kind": "idle"},
    "text": {"kind": "text"},
    "categories only": {"kind": "categorical"},
    "worded": {"is_worded": True},
}


@pytest.mark.parametrize("name", CODED)
def test_categories_of_numbers_that_do_not_match(name, tmp_path):
    def change(value):
        value["fitted"]["inputs"]["table"]["columns"][1].update(CODED[name])

    (tmp_path / "m").write_bytes(Parts(coded()[2]).changed(_JSON, change))
    with pytest.raises(DamagedFileError, match=r"column 1|belong together|has .* where|network|weights"):
        sknn.load(tmp_path / "m")


def test_probe_rows_hold_known_unknown_and_missing_numbers():
    inputs = coded()[0]._inputs
    (rows,) = make_rows(inputs)
    codes = inputs.encode(pd.DataFrame(rows["probe.numbers"].numpy(), columns=["x", "zone"])).x_cat
    assert len(set(codes[:, 0].tolist())) > 8
    numbers, known = predicted_rows(inputs, rows).read()
    np.testing.assert_array_equal(numbers, rows["probe.numbers"])
    np.testing.assert_array_equal(known, rows["probe.codes"])


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_that_do_not_match(name, tmp_path):
    position, edit, message = COLUMNS[name]

    def change(value):
        value["fitted"]["inputs"]["table"]["columns"][position].update(edit)

    (tmp_path / "m").write_bytes(Parts(saved("texts and dates")).changed(_JSON, change))
    with pytest.raises(DamagedFileError, match=message):
        sknn.load(tmp_path / "m")
