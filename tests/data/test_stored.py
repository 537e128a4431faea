"""Checks of the values from which a kind of data is restored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sknn._data.stored import check_names, stored_array, stored_int
from sknn.exceptions import DamagedFileError


def test_values_that_fit_are_returned() -> None:
    state = {"n": 3, "x": np.ones((2, 4), np.float32)}
    check_names("texts", state, ["x", "n"])
    assert stored_int("texts", state, "n", 3, 3) == 3
    assert stored_array("texts", state, "x", np.float32, (2, None)) is state["x"]


@pytest.mark.parametrize("state", [{}, {"n": 1, "m": 1}, {1: 1}, None, ["n"]])
def test_other_names_are_refused(state: Any) -> None:
    with pytest.raises(DamagedFileError, match=r"^texts: expected \['n'\] in the file, found"):
        check_names("texts", state, {"n"})


@pytest.mark.parametrize("value", [True, 1.0, "1", None, 0, 8, [1]])
def test_what_is_no_int_of_the_range_is_refused(value: Any) -> None:
    with pytest.raises(DamagedFileError, match=r"^texts: n is .*; expected an int from 1 to 7\.$"):
        stored_int("texts", {"n": value}, "n", 1, 7)


@pytest.mark.parametrize(
    "value", [None, [1.0, 2.0], np.ones(3), np.ones(2, np.float32), np.ones((2, 1)), np.array([1.0, np.nan])]
)
def test_what_is_no_array_of_the_dtype_and_shape_is_refused(value: Any) -> None:
    with pytest.raises(DamagedFileError, match="^texts: x "):
        stored_array("texts", {"x": value}, "x", np.float64, (2,))
