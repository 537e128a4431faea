"""Texts as callers pass them: lists, arrays and series of str."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from scipy import sparse
from torch import Tensor

from .._errors import shown
from .cells import is_missing
from .containers import as_rows, is_frame

__all__ = ["WHAT", "as_texts", "checked_size", "checked_texts"]

WHAT = "texts"


def as_texts(X: Any) -> np.ndarray:
    """X as an object array (n_texts,), not yet checked; tables are refused.

    Raises
    ------
    ValueError, TypeError
        X is no list, array or series of at least one row.
    """
    table: Any = X
    is_array = isinstance(X, np.ndarray | Tensor) and X.ndim != 1
    if is_frame(X) or sparse.issparse(X) or is_array:
        name = next(iter(table.columns), "text") if is_frame(X) else None
        what = "a table" if len(table.shape) == 2 else "an array"
        fix = "Pass X[:, 0] if a column holds the texts" if name is None else f"Pass one column, as X[{shown(name)}]"
        fix = f" {fix}." if len(table.shape) == 2 else ""
        raise TypeError(
            f"X is {what} of the shape {tuple(table.shape)}, but a list, array or series of texts was expected.{fix}"
        )
    return as_rows(X, WHAT)


def checked_texts(X: np.ndarray) -> np.ndarray:
    """The texts, object (n_texts,); what is missing (None, NaN) is an empty text.

    Raises
    ------
    TypeError
        A row is neither a text nor missing.
    """
    texts = np.full(len(X), "", dtype=object)
    for i, text in enumerate(X):
        if isinstance(text, str):
            texts[i] = str(text)
        elif isinstance(text, list | tuple | np.ndarray | Tensor) or not is_missing(text):
            raise _no_text(text, i)
    return texts


def _no_text(value: Any, row: int) -> TypeError:
    if isinstance(value, bytes | bytearray):
        fix = "Decode it first, as by [x.decode() for x in X]"
    elif isinstance(value, numbers.Number):
        fix = "Pass [str(x) for x in X] if numbers stand for texts"
    else:
        fix = "Join words into one text, as by ' '.join(words), and pass None for what is missing"
    return TypeError(
        f"X[{row}] is {shown(value)} of type {type(value).__name__}, but texts (str) were expected. {fix}."
    )


def checked_size(name: str, value: Any, most: int) -> int:
    """An option of a reader of texts, an int from 1 to `most`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}={shown(value)} is invalid; expected an int from 1 to {most}.")
    if not 1 <= int(value) <= most:
        raise ValueError(f"{name}={shown(value)} is out of range; expected an int from 1 to {most}.")
    return int(value)
