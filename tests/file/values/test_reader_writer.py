"""Values that are invalid, never end, or crash later are refused."""

from __future__ import annotations

import pytest

from benchmarks.reliability import _file_faults_work as of_work
from benchmarks.reliability._file_parts import Parts
from sknn._file.names import Trust
from sknn._file.values.reader_writer import ValueReader
from sknn.exceptions import DamagedFileError

from ..subjects import check_refused


@pytest.mark.parametrize(
    "value",
    [{"$": "dict", "items": [["a", 1], ["a", 2]]}, {"$": "array", "form": "array", "dtype": "|b1", "shape": [1], "items": "Ag=="},
     {"$": "array", "form": "array", "dtype": "<U1", "shape": [1], "items": "/////w=="}, {"$": "float", "parts": ["1.0"]}, {"a": 1}],
)  # fmt: skip
def test_invalid_values(value):
    with pytest.raises(DamagedFileError, match="here"):
        ValueReader({}, Trust()).read(value, "here")


def test_values_that_never_end_or_crash_later(files, tmp_path):
    check_refused(of_work.values(Parts(files["table"])), tmp_path, 20)
