"""When a call that was refused, served or warned of is as it should be.

A refusal is clear if

1. it is a ValueError or a TypeError (of any subclass);
2. it was raised on purpose: the innermost frame is a ``raise`` of sknn or of scikit-learn's validation, not a failure
   inside numpy, torch, pandas, or inside an object that was passed;
3. its message has at least four words, of which one is the name of an argument of the call (`X`, `y`, `sample_weight`,
   ...) or of a parameter, or says what part of the table is meant (column, feature, row, sample, class, label);
4. words of other libraries' internals ("could not broadcast", "expected Tensor") do not begin it, and
   it is no longer than a page.

A prediction is right if it is an array of one row for each row of X, finite, and, of probabilities, in [0, 1] with a
sum of one. Warnings are those of sknn, of scikit-learn about the shape or kind of y, and of nothing else.
"""

from __future__ import annotations

import linecache
import re
import traceback
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

from sknn.exceptions import GradientHealthWarning

from ._fuzz_parameters import PARAMETERS

# How warnings of sknn begin that have no class of their own; they name the caller's line.
_OF_DATA = ("The first call of partial_fit has", "These rows are on another scale", "X: column")

__all__ = ["unclear_refusal", "unexpected_warnings", "wrong_prediction"]

_ARGUMENTS = ("X", "y", "sample_weight", "X_val", "y_val", "sample_weight_val", "groups", "classes", "classes_")
_PARTS = (
    "array",
    "column",
    "columns",
    "feature",
    "features",
    "row",
    "rows",
    "sample",
    "samples",
    "sample(s)",
    "feature(s)",
)
_PARTS += ("class", "label", "labels", "sparse", "dataframe", "input", "estimator", "n_samples")
_CALLBACKS = ("EarlyStopping", "GradientClipping", "GradientHealth")  # their parameters are the user's, too
_NAMES = frozenset((*_ARGUMENTS, *_PARTS, *PARAMETERS, *_CALLBACKS))

_INTERNAL = re.compile(
    r"could not broadcast|out of (range|bounds)|expected Tensor|object has no attribute|not supported between"
    r"|unhashable|size mismatch|mat1 and mat2|positional argument|unexpected keyword|not subscriptable|cannot reshape"
    r"|object is not iterable|sequence of length|must be real number|invalid literal|inhomogeneous|ambiguous|hostile"
    r"|cannot be interpreted|too large to convert|cannot convert float|not callable|'NoneType' object|[Uu]func"
)
# What may raise on purpose: a statement in one of these packages.
_DELIBERATE = ("/sknn/", "/sklearn/")


def unclear_refusal(error: BaseException) -> str | None:
    """Why a refusal is not clear, or None."""
    if not isinstance(error, ValueError | TypeError):
        return f"raised {type(error).__name__}"
    try:
        message = str(error)
    except Exception as failure:
        return f"its message cannot be read: {failure!r}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    statement = (linecache.getline(frame.filename, frame.lineno or 0)).strip()
    if not any(package in frame.filename for package in _DELIBERATE):
        return f"raised by {frame.filename.rpartition('/')[2]}:{frame.lineno}, not on purpose"
    if not statement.startswith("raise"):
        return f"not raised on purpose: {frame.filename.rpartition('/')[2]}:{frame.lineno} {statement}"
    words = re.findall(r"[\w()]+", message)
    if len(words) < 4:
        return "a message of fewer than four words"
    if not _NAMES.intersection(words) and not any(name in message for name in PARAMETERS if len(name) > 4):
        return "a message that names no argument, parameter or part of the table"
    first_sentence = re.split(r"[.:;(\n]", message)[0]
    internal = _INTERNAL.search(first_sentence)
    if internal:
        return f"a message that begins with {internal[0]!r}"
    if len(message) > 5_000:
        return f"a message of {len(message)} characters"
    return None


def unexpected_warnings(caught: Iterable[warnings.WarningMessage]) -> list[str]:
    """Warnings that are neither sknn's own nor scikit-learn's about y."""
    odd = []
    for warning in caught:
        text = str(warning.message)
        # An array of many classes for its rows, a column for a vector: scikit-learn's, meant for the user.
        own = issubclass(warning.category, GradientHealthWarning | DataConversionWarning)
        of_y = "The number of unique classes" in text or "least populated class" in text
        names = "feature names" in text  # X has names where fit saw none, or the other way round
        of_time = issubclass(warning.category, ConvergenceWarning) and text.startswith("max_time ended training")
        of_data = warning.category is UserWarning and text.startswith(_OF_DATA)
        if not (own or of_y or names or of_time or of_data):
            odd.append(
                f"{warning.category.__name__} at {warning.filename.rpartition('/')[2]}:{warning.lineno}: {text[:200]}"
            )
    return odd


def wrong_prediction(values: Any, n_rows: int, *, probabilities: bool) -> str | None:
    """What is wrong with a prediction of so many rows, or None."""
    if not isinstance(values, np.ndarray):
        return f"a prediction of type {type(values).__name__}"
    if values.ndim not in (1, 2) or len(values) != n_rows:
        return f"a prediction of shape {values.shape} for {n_rows} rows"
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return "a prediction that is not finite"
    if probabilities and not ((values >= 0) & (values <= 1)).all():
        return "probabilities outside [0, 1]"
    return None
