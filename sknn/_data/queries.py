"""Which rows belong to which query."""

from __future__ import annotations

import numpy as np

__all__ = ["Queries", "whole_queries"]

_FEW_ROWS = 256  # of a long query, where some rows serve as well


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
        """Positions of rows of queries from all over the table, about `n_rows`, but of one query at least.

        Of a long query they are a few hundred, since losses compare all rows of a query with one another.
        """
        n_queries = max(1, min(len(self), round(n_rows / max(1.0, self.mean_rows(_FEW_ROWS)))))
        found = []
        for query in np.linspace(0, len(self) - 1, n_queries).astype(np.int64).tolist():
            rows = self.rows_of(query)
            found.append(rows[np.linspace(0, len(rows) - 1, min(len(rows), _FEW_ROWS)).astype(np.int64)])
        return np.concatenate(found)


def whole_queries(codes: np.ndarray, most: int) -> list[np.ndarray]:
    """Positions of the rows of whole queries, in parts of at most `most` rows, or of one query."""
    queries = Queries(codes)
    parts, first = [], 0
    for last in range(1, len(queries) + 1):
        if last == len(queries) or queries.bounds[last + 1] - queries.bounds[first] > most:
            parts.append(queries.order[queries.bounds[first] : queries.bounds[last]])
            first = last
    return parts
