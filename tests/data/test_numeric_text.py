"""Texts that spell numbers, in every format that is read."""

import math

import numpy as np
import pytest

from sknn._data.numeric_text import numbers_of_texts, split_text, written_number


@pytest.mark.parametrize(
    ("text", "decimal", "unit", "number"),
    [
        ("12", ".", "", 12),
        ("-2.5", ".", "", -2.5),
        ("+3", ".", "", 3),
        (" 7.25\n", ".", "", 7.25),
        (".5", ".", "", 0.5),
        ("5.", ".", "", 5),
        ("1e-3", ".", "", 0.001),
        ("\u22123.5", ".", "", -3.5),  # the minus sign of typesetters
        (b"2.5", ".", "", 2.5),
        ("12,5", ",", "", 12.5),
        (",5", ",", "", 0.5),
        ("1,234.5", ".", "", 1234.5),
        ("1,234,567", ".", "", 1234567),
        ("1.234,5", ",", "", 1234.5),
        ("1.234.567", ",", "", 1234567),
        ("1 234.5", ".", "", 1234.5),
        ("1\u202f234,5", ",", "", 1234.5),
        ("1'234.5", ".", "", 1234.5),
        ("12 %", ".", "%", 12),
        ("12,5%", ",", "%", 12.5),
        ("$1,234", ".", "$", 1234),
        ("12,34,567", ".", "", 1234567),  # lakh
        ("(1,234.5)", ".", "", -1234.5),
        ("-$3", ".", "$", -3),
        ("$-3", ".", "$", -3),
        ("3 €", ".", "€", 3),
        ("€ 3", ".", "€", 3),
        ("12.5 kg", ".", "kg", 12.5),
    ],
)
def test_numbers_of_every_format(text, decimal, unit, number):
    assert written_number(text, decimal, unit) == number


@pytest.mark.parametrize(
    "text",
    [
        "1,23",
        "12,34,56",
        "1,234 567",
        "1_000",
        "--3",
        "+-3",
        "1.2.3",
        "2024-01-31",
        "12:30",
        "A12",
        "inf",
        "1e999",
        "12%",
        "$",
    ],
)
def test_other_texts_are_no_numbers(text):
    assert written_number(text, ".", "") is None


@pytest.mark.parametrize("text", ["", " ", "?", "-", "NA", "n/a", "NaN", "null", "None", "<NA>", "Unknown", b"?"])
def test_texts_that_stand_for_a_missing_value(text):
    assert math.isnan(written_number(text, ".", ""))


def test_a_number_of_another_unit_is_none():
    assert split_text("12 %") == ("12", "%")
    assert written_number("12 %", ".", "€") is None
    assert written_number("12", ".", "%") is None


def test_what_is_not_a_number_is_missing_and_returned():
    numbers, other = numbers_of_texts(["1.5", "garbage", 2, "?", "more"], ".", "")
    assert other == "garbage"
    np.testing.assert_array_equal(numbers, [1.5, np.nan, 2, np.nan, np.nan])
    numbers, other = numbers_of_texts(["?", "1"], ".", "")
    assert other is None
    assert numbers[1] == 1
