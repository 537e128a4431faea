"""Which rows belong to which query."""

from __future__ import annotations

import numpy as np

__all__ = ["Queries", "whole_queries"]


class Queries:
    """Which rows belong to which query.

    Parameters
    ----------
    codes : ndarray (n_rows,)
        Query of each row; rows of a query need not follow one another.
    """

    def __init__(self, codes: np.ndarray) -> None:
        self.order = np.argsort(codes, kind="stable")  # the rows of the first query, then those of the second, ...
        self.codes, starts = np.unique(codes[self.order], return_index=True)
        self.bounds = np.append(starts, len(codes))

    def __len__(self) -> int:
        return len(self.codes)

    def rows(self, queries: np.ndarray) -> np.ndarray:
        """Positions of the rows of these queries, given by their places among the codes; of one after the other."""
        return np.concatenate([np.empty(0, dtype=np.int64), *map(self.rows_of, queries.tolist())])

    def rows_of(self, query: int) -> np.ndarray:
        """Positions of the rows of one query, given by its place among the codes."""
        return self.order[self.bounds[query] : self.bounds[query + 1]]

    def mean_rows(self, most_rows: int) -> float:
        """Rows of a query in the mean, where one of more rows counts as one of `most_rows`."""
        return float(np.minimum(np.diff(self.bounds), most_rows).mean())

    def some(self, n_rows: int) -> np.ndarray:
        """Positions of the rows of queries from all over the table, about `n_rows` or one query."""
        n_queries = max(1, round(n_rows * len(self) / max(1, len(self.order))))
        return self.rows(np.linspace(0, len(self) - 1, min(n_queries, len(self))).astype(np.int64))


def whole_queries(codes: np.ndarray, most: int) -> list[np.ndarray]:
    """Positions of the rows of whole queries, in parts of at most `most` rows, or of one query."""
    queries = Queries(codes)
    parts, first = [], 0
    for last in range(1, len(queries) + 1):
        if last == len(queries) or queries.bounds[last + 1] - queries.bounds[first] > most:
            parts.append(queries.order[queries.bounds[first] : queries.bounds[last]])
            first = last
    return parts
