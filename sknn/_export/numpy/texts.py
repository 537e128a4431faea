"""Columns of texts as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._data.cells import is_missing
from ..._data.text_features import TextFeatures
from .columns import python_values

MOST_FEATURES = 1000  # of a text; sknn writes 30


def features_of_texts(columns, arrays):
    """Return what was learned about the columns of texts by their positions, and take it out of the arrays."""
    found = {}
    for position, column in enumerate(columns):
        if column["kind"] == "text" or column.get("is_worded"):
            parts = [arrays.pop(f"text_{position}_{name}") for name in ("vocabulary", "idf", "directions")]
            vocabulary, idf, directions = parts
            n = len(vocabulary)
            fits = [part.dtype.str[1:] for part in parts] == ["u8", "f8", "f4"] and directions.ndim == 2
            if not fits or vocabulary.shape != (n,) or idf.shape != (n,) or len(directions) != n:
                raise ValueError(f"what was learned about the texts of column {position} does not match")
            if not 1 <= directions.shape[1] <= MOST_FEATURES or (vocabulary[:-1] >= vocabulary[1:]).any():
                raise ValueError(f"what was learned about the texts of column {position} is invalid")
            found[position] = TextFeatures(*parts)
    return found


def numbers_of_texts_in(column: Any, features: TextFeatures, description: dict, label: str) -> np.ndarray:
    """Return the features of a column of texts, float64 (n, n_features); zeros for missing."""
    different = {}
    positions = np.empty(len(column), dtype=np.int64)
    for row, value in enumerate(python_values(column)):
        text = "" if is_missing(value) else value
        if not isinstance(text, str):
            if description["kind"] == "text":
                raise ValueError(f"X: {label} contains {value!r}, but texts were expected, as in training.")
            text = str(text)  # a category
        positions[row] = different.setdefault(text, len(different))
    return features.of(list(different))[positions]
