"""Dates of ISO 8601."""

import math

import pandas as pd
import pytest

from sknn._data.iso_dates import iso_seconds, seconds_of_texts


@pytest.mark.parametrize(
    "text",
    ["2024-02-29", "2024-02", "1969-12-31T23:59", "2024-02-29 12:30:05", "2024-02-29T12:30:05.25", "2024-02-29T12:30Z",
     "2024-02-29t12:30:05z", "2024-02-29T12:30:05+02:00", "2024-02-29 12:30:05-0530", "2024-02-29T12:30:05,5+02", "0001-01-01"],
)  # fmt: skip
def test_dates_are_seconds_as_pandas_says(text):
    expected = pd.Timestamp(text.replace(",", ".")).timestamp()
    assert iso_seconds(f" {text} ") == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "text", ["", "2024", "2024-13", "2023-02-29", "2024-2-9", "2024-02-29T25:00", "2024-02-29T12", "2024-02-29 noon",
             "29-02-2024", "0000-01-01", "2024-02-29T12:30:60", "\u0662\u0660\u0662\u0664-02-29"],
)  # fmt: skip
def test_other_texts_are_no_dates(text):
    assert iso_seconds(text) is None


def test_missing_and_other_values():
    seconds, other = seconds_of_texts(["1970-01-01", "?", "n/a", "later", 3, pd.Timestamp("1970-01-02")])
    assert other == "later"
    assert seconds[[0, 5]].tolist() == [0, 86_400]
    assert all(math.isnan(value) for value in seconds[1:3])
    assert all(math.isinf(value) for value in seconds[3:5])
