"""Tables whose rows are compared within queries: each number also relative to those of its query."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .containers import as_table
from .inputs import Inputs, RawRows
from .queries import Queries, whole_queries
from .stores import Dense
from .table_inputs import TableInputs, TableRows
from .tagged import Tagged

__all__ = ["TIE", "RankingInputs", "RankingRows", "relative_to_query"]

# Encoded numbers, which are in units of their spread, count as equal up to this difference: those of equal cells may
# differ by rounding, such as the times of day of two days.
TIE = 1e-6


class RankingRows(RawRows):
    """Rows of a table, and the query of each, int64 (n_samples,)."""

    def __init__(self, rows: TableRows, queries: np.ndarray) -> None:
        self.rows, self.queries = rows, queries

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> RankingRows:
        return RankingRows(self.rows.take(rows), self.queries[rows])

    def keys(self) -> None:
        return None

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> RankingInputs:
        return RankingInputs(self.rows.learn(rows, weight, leaves_out_idle))


class RankingInputs(Inputs):
    """A table as :class:`TableInputs`, whose encoded numbers are given relative to their query, too.

    X is `Tagged` with the queries of its rows; rows without tags are those of one query.
    """

    kind = "ranking"
    content = None
    what = "rows of a table"
    default_module = TableInputs.default_module
    options = TableInputs.options
    n_parts = 3  # the numbers themselves, their z-scores and their ranks
    reads_tags = True
    has_columns = True

    def __init__(self, table: TableInputs) -> None:
        self.table = table
        self.row_shape = (self.n_parts * table.row_shape[0],)
        self.given_shape = table.given_shape
        self.cardinalities = table.cardinalities

    @classmethod
    def prepare(cls, X: Any) -> Tagged:
        if isinstance(X, Tagged):
            return Tagged(as_table(X.X), X.tags)
        X = as_table(X)
        return Tagged(X, np.zeros(X.shape[0], dtype=np.int64))

    @classmethod
    def read_first(cls, X: Tagged, **options: Any) -> RankingRows:
        return RankingRows(TableInputs.read_first(X.X, **options), X.tags)

    def read(self, X: Tagged) -> RankingRows:
        return RankingRows(self.table.read(X.X), X.tags)

    def encode_rows(self, raw: RankingRows, rows: np.ndarray | None = None) -> Dense:
        """Numbers float32 (n_rows, 3 * n_numbers), and codes. The rows are those of whole queries."""
        store = self.table.encode_rows(raw.rows, rows)
        queries = raw.queries if rows is None else raw.queries[rows]
        return Dense(relative_to_query(store.x.numpy(), queries), store.x_cat)

    def chunks(self, X: Tagged, most: int) -> list[np.ndarray]:
        return whole_queries(X.tags, most)

    @property
    def categories(self) -> dict[int, tuple[Hashable, tuple[Hashable, ...]]]:
        return self.table.categories

    def columns_of_inputs(self) -> dict[str, np.ndarray]:
        columns = self.table.columns_of_inputs()
        return {**columns, "x": np.tile(columns["x"], self.n_parts)}

    def scale_changes(self, raw: RankingRows) -> dict[str, str]:
        return self.table.scale_changes(raw.rows)

    def ignored_changes(self, X: Tagged) -> dict[str, str]:
        return self.table.ignored_changes(X.X)


def relative_to_query(x: np.ndarray, queries: np.ndarray) -> Tensor:
    """Numbers float32 (n, d) -> (n, 3 * d): themselves, their z-scores within the query, and their ranks in it.

    A z-score is 0 where the numbers of a query are equal, up to `TIE`. A rank is the share of the other rows
    of the query that are below, ties counted half, minus the share of those above: from -1 to 1, and 0 for a query of
    one row.
    """
    n, d = x.shape
    found = np.zeros((n, RankingInputs.n_parts * d), dtype=np.float32)
    found[:, :d] = x
    of = Queries(queries)
    lengths = np.diff(of.bounds)
    starts, place = of.bounds[:-1], np.repeat(np.arange(len(of)), lengths)
    for i in range(d):  # a column at a time, since the table is large
        values = x[of.order, i].astype(np.float64)
        centered = values - (np.add.reduceat(values, starts) / lengths)[place]
        spread = np.sqrt(np.add.reduceat(centered**2, starts) / lengths)[place]
        varies = spread > TIE * np.maximum(1.0, np.abs(values))
        found[of.order, d + i] = np.where(varies, centered / np.where(varies, spread, 1.0), 0.0)
        found[of.order, 2 * d + i] = _ranks(values, place, starts, lengths)
    return torch.from_numpy(found)


def _ranks(values: np.ndarray, place: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Ranks from -1 to 1 of values (n,) within their queries, which stand one after the other."""
    order = np.lexsort((values, place))
    ranked, of_query = values[order], place[order]
    is_above = np.diff(ranked) > TIE * np.maximum(1.0, np.abs(ranked[1:]))
    is_new = np.append(True, is_above | (of_query[1:] != of_query[:-1]))
    first = np.flatnonzero(is_new)
    last = np.append(first[1:], len(values)) - 1
    tie = np.cumsum(is_new) - 1
    middle = (first[tie] + last[tie]) / 2 - starts[of_query]  # mean position of equal values in the query
    others = np.maximum(lengths[of_query] - 1, 1)
    ranks = np.empty(len(values))
    ranks[order] = np.where(lengths[of_query] > 1, 2 * middle / others - 1, 0.0)
    return ranks
