"""Scalars with restricted parts."""

from __future__ import annotations

import pytest

from sknn._file.values.scalars import read_scalar
from sknn.exceptions import DamagedFileError


def test_fractions_have_two_whole_numbers():

    assert read_scalar({"$": "fraction", "parts": [1, 3]}, lambda part: part, "here") * 3 == 1
    for parts in (["1e9"], [1.5, 2], [True, 2], [1 << 50_000, 3]):
        with pytest.raises((TypeError, ValueError, DamagedFileError)):
            read_scalar({"$": "fraction", "parts": parts}, lambda part: part, "here")
