"""Columns that the predictor refuses."""

from __future__ import annotations

import datetime

import pytest

from sknn._data.cells import PLURALS
from sknn._export.numpy.columns import numbers_of

DAY = datetime.date(2024, 2, 29)


@pytest.mark.parametrize("quantity", PLURALS)
@pytest.mark.parametrize("value", ["x", "1_000", b"x", [1]], ids=str)
def test_what_is_no_number_is_refused_in_the_words_of_the_column(quantity, value):
    description = {"quantity": quantity, "format": None, "all_missing": False, "is_iso_text": False}
    with pytest.raises(ValueError, match=rf"X: column 'c' contains .*, but {PLURALS[quantity]} were expected, as in"):
        numbers_of([value], "column 'c'", description)


def test_numbers_among_dates():
    description = {"quantity": "date", "format": None, "all_missing": False, "is_iso_text": False}
    with pytest.raises(ValueError, match="contains numbers, but dates were expected"):
        numbers_of([DAY, 3.0], "column 'c'", description)
