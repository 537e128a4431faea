"""Scalars with restricted parts."""

from __future__ import annotations

import pytest

from sknn._file.values.arrays import read_array
from sknn._file.values.scalars import read_scalar
from sknn.exceptions import DamagedFileError, UntrustedFileError


def test_fractions_have_two_whole_numbers():

    assert read_scalar({"$": "fraction", "parts": [1, 3]}, lambda part: part, "here") * 3 == 1
    for parts in (["1e9"], [1.5, 2], [True, 2], [1 << 50_000, 3]):
        with pytest.raises((TypeError, ValueError, DamagedFileError)):
            read_scalar({"$": "fraction", "parts": parts}, lambda part: part, "here")


@pytest.mark.parametrize(
    "key",
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "Europe/../../x",
        "dateutil//etc/passwd",
        "tzlocal()",
        "",
        "Nowhere/No",
        ".",
    ],
)
def test_only_keys_of_time_zones_are_zones(key):
    """Other names would be opened as files."""
    for value in ({"$": "timezone", "parts": [key]}, {"$": "pandas.Timestamp", "parts": ["2020-01-01", key, "ns"]}):
        with pytest.raises((ValueError, DamagedFileError), match="is not the key of a time zone"):
            read_scalar(value, lambda part: part, "here")


@pytest.mark.parametrize("key", ["Europe/Paris", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+5"])
def test_keys_of_time_zones(key):
    assert str(read_scalar({"$": "timezone", "parts": [key]}, lambda part: part, "here")) == key
    moment = read_scalar({"$": "pandas.Timestamp", "parts": ["2020-01-01", key, "ns"]}, lambda part: part, "here")
    assert str(moment.tzinfo) == key


def test_offsets_are_zones():
    value = {"$": "pandas.Timestamp", "parts": ["2020-01-01", "UTC+01:00", "ns"]}
    assert read_scalar(value, lambda part: part, "here").utcoffset().total_seconds() == 3600


@pytest.mark.parametrize(
    "value",
    [
        {"$": "pandas.Timestamp", "parts": ["1" * 10**6, None, "ns"]},
        {"$": "pandas.Timedelta", "parts": ["P" + "1" * 10**6 + "D", "ns"]},
        {"$": "pandas.Period", "parts": ["2020", "1" * 10**6 + "D"]},
        {"$": "uuid", "parts": ["1" * 10**6]},
        {"$": "device", "parts": ["cpu:" + "1" * 10**6]},
    ],
    ids=lambda value: value["$"],
)
def test_long_texts_are_refused_before_they_are_parsed(value):
    with pytest.raises(UntrustedFileError, match="longer than 100 characters"):
        read_scalar(value, lambda part: part, "here")


@pytest.mark.parametrize("name", ["<M8", "<m8"])
def test_dates_need_a_unit(name):
    for form, shape, items in (("dtype", [], None), ("array", [1], "AAAAAAAAAAA=")):
        value = {"$": "array", "form": form, "dtype": name, "shape": shape, "items": items}
        with pytest.raises(DamagedFileError, match="has no unit"):
            read_array(value, lambda part: part, "here")
