"""Reading an X as a fit with a module of the user's does."""

from __future__ import annotations

from typing import Any

from torch import nn

from sknn._data.inputs import RawRows
from sknn._data.kinds import kind_of


def read_first(X: Any, preprocessing: bool, categorical_features: Any) -> RawRows:
    kind = kind_of(X, nn.Linear, preprocessing)
    options = {"preprocessing": preprocessing, "categorical_features": categorical_features}
    return kind.read_first(kind.prepare(X), **{name: options[name] for name in kind.options if name in options})
