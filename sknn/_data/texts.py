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

__all__ = ["WHAT", "as_texts", "checked_texts"]

WHAT = "texts"


def as_texts(X: Any) -> np.ndarray:
    """X as an object array (n_texts,), not yet checked; tables are refused.

    Raises
    ------
    ValueError, TypeError
        X is no list, array or series of at least one row.
    """
    is_column = isinstance(X, np.ndarray) and X.ndim != 1
    if is_frame(X) or sparse.issparse(X) or is_column:
        name = next(iter(X.columns), "text") if is_frame(X) else None
        fix = f"Pass one column, as X[{shown(name)}]" if is_frame(X) else "Pass X[:, 0] if a column holds the texts"
        raise TypeError(
            f"X is a table of the shape {tuple(X.shape)}, but a list, array or series of texts was expected. {fix}."
        )
    return as_rows(X, WHAT)


def checked_texts(X: np.ndarray) -> list[str]:
    """The texts; what is missing (None, NaN) is an empty text.

    Raises
    ------
    TypeError
        A row is neither a text nor missing.
    """
    texts = []
    for i, text in enumerate(X):
        if isinstance(text, str):
            texts.append(str(text))
        elif not isinstance(text, list | tuple | np.ndarray | Tensor) and is_missing(text):
            texts.append("")
        else:
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
