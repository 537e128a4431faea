"""Relevances of rows within queries."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._errors import refused_as, shown
from .cells import is_missing
from .real_targets import RealTargets

__all__ = ["RankingTargets", "checked_relevance", "query_codes"]

# float32 tells all smaller whole numbers apart.
_MOST_QUERIES = 2**24
# Their squares are finite in float32.
_LARGEST = 1e18


class RankingTargets:
    """Relevances and queries, (n_samples, 2) -> relevance, query and standardized relevance, (n_samples, 3)."""

    kind = "ranking"
    ndim = 1
    n_targets = 1
    is_constant = False

    def __init__(self, mean: float, scale: float, longest: int) -> None:
        self.mean, self.scale, self.longest = mean, scale, longest

    @classmethod
    def learn(cls, y: np.ndarray, weight: np.ndarray | None) -> RankingTargets:
        """Learn mean and spread of the relevances, and the rows of the longest query."""
        relevance = y[:, 0]
        mean = float(np.average(relevance, weights=weight))
        spread = float(np.sqrt(np.average((relevance - mean) ** 2, weights=weight)))
        return cls(mean, spread or 1.0, int(np.unique(y[:, 1], return_counts=True)[1].max()))

    def for_further(self, y: Any) -> RankingTargets:
        """These targets for training that continues."""
        return self

    def encode(self, y: Any) -> np.ndarray:
        """(n_samples, 2) -> float32 (n_samples, 3)."""
        return np.column_stack([y, (y[:, 0] - self.mean) / self.scale]).astype(np.float32)

    def to_state(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return {"mean": self.mean, "scale": self.scale, "longest": self.longest}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RankingTargets:
        """The same from a file that may be damaged."""
        mean, scale = (float(state[name]) for name in ("mean", "scale"))
        longest = state["longest"]
        if not (np.isfinite(mean) and np.isfinite(scale) and scale > 0 and isinstance(longest, int) and longest > 0):
            raise ValueError(f"mean {mean} and scale {scale} of the relevances, {longest} rows of the longest query")
        return cls(mean, scale, longest)


def checked_relevance(y: Any, name: str = "y") -> np.ndarray:
    """Relevances as float64 (n_samples,); whole or real numbers, none of them negative."""
    with refused_as(name, "one relevance >= 0 for each row"):
        y = RealTargets.check(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.ravel()
    if y.ndim != 1:
        raise ValueError(f"{name}: expected one relevance for each row, shape (n_samples,), got {y.shape}.")
    if len(y) and y.min() < 0:
        raise ValueError(
            f"{name} holds {y.min():g}, but a relevance is >= 0: 0 for rows that do not answer the query, more for "
            "better ones. Shift or clip it."
        )
    if len(y) and y.max() > _LARGEST:
        raise ValueError(f"{name} holds {y.max():g}, but relevances are at most {_LARGEST:g}. Divide it, or rank it.")
    return y


def query_codes(qid: Any, n_samples: int, name: str = "qid") -> np.ndarray:
    """Queries as codes int64 (n_samples,), in the order of the queries.

    Raises
    ------
    ValueError, TypeError
        It is missing, of another length, or holds missing values or numbers that are not whole.
    """
    if qid is None:
        raise ValueError(
            f"{name} is missing: pass the query of each row, as fit(X, y, qid=...), or name the column of X that holds "
            "it, NeuralRanker(qid_column=...). Of groups of consecutive rows it is np.repeat(np.arange(len(sizes)), "
            "sizes)."
        )
    with refused_as(name, "the query of each row: whole numbers or strings"):
        values = np.asarray(qid.to_numpy() if hasattr(qid, "to_numpy") else qid)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values.ravel()
    if values.ndim != 1 or len(values) != n_samples:
        raise ValueError(
            f"{name} has the shape {values.shape}, but X has {n_samples} rows. Pass the query of each row; sizes of "
            "groups of consecutive rows are no qid: np.repeat(np.arange(len(sizes)), sizes)."
        )
    if (values.dtype.kind == "O" and any(map(is_missing, values))) or (
        values.dtype.kind in "Mm" and np.isnat(values).any()
    ):
        raise ValueError(f"{name} has missing values. Each row needs a query: drop the others.")
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds NaN or infinity. Each row needs a query: drop the others.")
        odd = values[values != np.round(values)]
        if len(odd):
            raise ValueError(f"{name} holds {odd[0]:g}; a query is a whole number or a string. Is it another column?")
    if values.dtype.kind not in "iufbOUSTMm":
        raise TypeError(f"{name} is of {values.dtype}, expected whole numbers or strings: the query of each row.")
    try:
        different, codes = np.unique(values, return_inverse=True)
    except TypeError as error:
        raise TypeError(f"{name} mixes types that cannot be ordered, such as {shown(values[0])}: {error}.") from error
    if len(different) >= _MOST_QUERIES:
        raise ValueError(f"{name} has {len(different)} queries; expected fewer than {_MOST_QUERIES}.")
    return codes.astype(np.int64)
