"""JSON of a file is strict."""

from __future__ import annotations

import pytest

from sknn._file.parts import read_json, write_json
from sknn.exceptions import DamagedFileError, UntrustedFileError


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        "1e999",
        '{"a":1,"a":2}',
        '{"a":',
        "",
        "[1,]",
        "'a'",
        '"\\x"',
        "01",
        '{"a" 1}',
        "\ufeff1",
        "9" * 5000,
    ],
)
def test_invalid_json(text):
    with pytest.raises(DamagedFileError, match="is not valid JSON"):
        read_json(text.encode(), "m")


def test_depth_counts_brackets_outside_of_strings():
    assert read_json(write_json(["[" * 500, '\\"[' * 200, {"{": "}"}]), "m")[0] == "[" * 500
    deep = b"[" * 100 + b"]" * 100
    read_json(deep, "m")
    with pytest.raises(UntrustedFileError, match="deeper than the 100"):
        read_json(b"[" + deep + b"]", "m")
    with pytest.raises(UntrustedFileError, match="deeper"):
        read_json(b'{"\\\\":' * 101, "m")
