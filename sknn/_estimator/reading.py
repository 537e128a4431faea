"""As what the X of a fit is read, and by which module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._data.array_inputs import ArrayInputs
from .._data.containers import is_plain
from .._data.inputs import Inputs
from .._data.kinds import kind_of, module_for
from .._data.table_inputs import TableInputs
from .._data.tagged import untagged
from .._network.build import begins_with_embedding
from .._network.signature import constructor_values
from ..modules import ARCHITECTURES

__all__ = ["Reading", "check_axes", "prepared_again", "reading_of"]


@dataclass(frozen=True)
class Reading:
    """Kind and module of a fit."""

    kind: type[Inputs]
    module: Any  # the parameter, or what "auto" stands for
    X: Any  # prepared for its kind
    options: dict[str, Any]  # arguments of `read_first`


def reading_of(X: Any, params: Mapping[str, Any], fitted: Inputs | None) -> Reading:
    """The reading of X, without tags, for these parameters, or as the rows that `fitted` has learned from.

    Raises
    ------
    ValueError, TypeError
        X is none of the kinds of data, or may be of several.
    """
    X = untagged(X)
    if fitted is not None:
        kind = type(fitted)
        return Reading(kind, module_for(params["module"], kind), prepared_again(X, fitted), {})
    kind = kind_of(X, params["module"], params["preprocessing"])
    module, module_params = module_for(params["module"], kind), dict(params["module_params"] or {})
    X = kind.prepare(X)
    options = {name: params[name] for name in kind.options if name in params}
    if kind in (TableInputs, ArrayInputs) and _are_codes(X, module, module_params, params):
        kind, options = ArrayInputs, {"preprocessing": params["preprocessing"], "codes": True}
    return Reading(kind, module, X, {**constructor_values(module, module_params, kind.options), **options})


def prepared_again(X: Any, fitted: Inputs) -> Any:
    """A later X, prepared for the kind of that of fit, or an error that says which kind that was."""
    X = X if fitted.reads_tags else untagged(X)
    if fitted.reads_tags or not (fitted.has_columns and is_plain(X)):
        try:
            X = fitted.prepare(X)
        except (ValueError, TypeError) as error:
            refused = TypeError if isinstance(error, TypeError) else ValueError  # subclasses may take other arguments
            raise refused(f"{error} This estimator was fitted on {fitted.what}.") from error
    if fitted.has_columns:
        check_axes(X, 1 + len(fitted.given_shape), fitted.what)
    return X


def check_axes(X: Any, n_axes: int, what: str) -> None:
    """Refuse an X of another number of dimensions than that of fit, which was of the kind `what`."""
    if len(X.shape) != n_axes:
        raise ValueError(
            f"X: Found array with dim {len(X.shape)}, shape {tuple(X.shape)}, expected {n_axes} as in fit: this "
            f"estimator was fitted on {what}."
        )


def _are_codes(X: Any, module: Any, module_params: dict[str, Any], params: Mapping[str, Any]) -> bool:
    """Whether X holds integers for a module that begins with an embedding."""
    is_integer = isinstance(X, np.ndarray) and X.dtype.kind in "iu" and X.ndim > 1
    if not is_integer or module in ARCHITECTURES or params["categorical_features"] not in ("from_dtype", None):
        return False
    return begins_with_embedding(module, module_params, X.shape[1])
