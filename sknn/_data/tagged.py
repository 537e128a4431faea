"""Rows of X, each with a value beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Tagged", "tags_of", "untagged"]


class Tagged:
    """Rows of X, as a kind of data has prepared them, and a tag of each.

    A tag says something about a row that is no column of X: the query of a row to be ranked, or the label of a row to
    be generated. A kind of data that reads tags is given such rows in place of X.
    """

    def __init__(self, X: Any, tags: np.ndarray) -> None:
        self.X, self.tags = X, tags  # tags (n_samples, ...)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of X."""
        return tuple(self.X.shape)

    def __len__(self) -> int:
        return self.shape[0]


def untagged(X: Any) -> Any:
    """X without tags."""
    return X.X if isinstance(X, Tagged) else X


def tags_of(X: Any) -> np.ndarray | None:
    """The tags of the rows, or None."""
    return X.tags if isinstance(X, Tagged) else None
