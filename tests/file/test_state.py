"""What was learned about the columns and targets comes back, and edits of it are refused."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import sknn
from benchmarks.reliability import _file_faults_content as of_content
from benchmarks.reliability._file_parts import Parts

from .subjects import check_refused, classifier, fitted, saved


def test_wrong_types_and_values(files, tmp_path, canary):
    check_refused(of_content.values(Parts(files["table"]), random.Random(0), 40), tmp_path, 50)


def test_unseen_and_missing_categories_after_loading(tmp_path):
    model, table, _ = fitted("mixed table")
    (tmp_path / "m").write_bytes(saved("mixed table"))
    again = sknn.load(tmp_path / "m")
    other = table.iloc[:4].copy()
    other["word"] = ["violet", None, "red", "blue"]
    other["gap"] = np.nan
    np.testing.assert_array_equal(again.predict_proba(other), model.predict_proba(other))
    with pytest.raises(ValueError, match="feature names"):
        again.predict(table.rename(columns={"word": "words"}))


CATEGORIES = {
    "timestamps": [pd.Timestamp("2020-01-01 00:00:00.000000001"), pd.Timestamp("2021-06-01")],
    "zoned": [pd.Timestamp("2020-01-01", tz="Europe/Berlin"), pd.Timestamp("2021-06-01", tz="Europe/Berlin")],
    "datetimes": [datetime.datetime(2020, 1, 1, 3), datetime.datetime(2021, 1, 1, tzinfo=None)],
    "dates": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)],
    "decimals": [Decimal("1.10"), Decimal("2.5")],
    "bytes": [b"\x00a", b"b"],
    "mixed": ["a", 1],
    "floats": [0.1, -2.5],
    "large integers": [2**60, 2**60 + 1],
}


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_of_any_type(name, tmp_path):
    values = CATEGORIES[name]
    column = np.empty(60, dtype=object)
    column[:] = [values[i % 2] for i in range(60)]
    frame = pd.DataFrame({"c": pd.Series(column, dtype=object), "x": np.arange(60) % 7})
    model = classifier(categorical_features=["c"]).fit(frame, np.arange(60) % 2)
    sknn.save(model, tmp_path / "m")
    again = sknn.load(tmp_path / "m")
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    known = [reader._inputs.reader.columns[0].categories for reader in (model, again)]
    assert known[0] == known[1]
    assert [type(value) for value in known[0]] == [type(value) for value in known[1]]
