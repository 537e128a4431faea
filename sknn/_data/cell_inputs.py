"""Tables whose cells are learned themselves: where each number stands among those of its column, and categories."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri

from ..exceptions import DamagedFileError
from ..modules import MaskedAutoencoder
from .categories import Column
from .containers import as_table
from .filled import Filling, filled
from .inputs import Inputs, RawRows
from .quantile_grid import QuantileGrid
from .stores import Dense
from .table import TableReader
from .table_inputs import TableRows
from .text_columns import NumberFormat

__all__ = ["CellInputs", "CellRows", "column_from_state", "column_to_state", "plain_reader"]

_OF_COLUMN = ("name", "kind", "categories", "all_missing", "quantity", "is_iso_text")
_FAR = 10.0  # standard deviations; a cell beyond would decide the loss of a batch


class CellRows(RawRows):
    """Rows of a table after reading."""

    def __init__(self, rows: TableRows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> CellRows:
        return CellRows(self.rows.take(rows))

    def keys(self) -> None:
        return None

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> CellInputs:
        every_number, codes = self.rows.read()
        numbers = every_number if rows is None else every_number[rows]
        with np.errstate(all="ignore"):
            present = np.maximum(1, (~np.isnan(numbers)).sum(axis=0))
            mean = np.nansum(numbers, axis=0) / present
            spread = np.sqrt(np.nansum((numbers - mean) ** 2, axis=0) / present)
        reader = self.rows.reader
        missing = np.array([len(reader.columns[i].categories) + 1 for i in reader.categorical], dtype=np.int64)
        has_gaps = np.append(np.isnan(every_number).any(axis=0), (codes == missing).any(axis=0))
        gap_columns = np.sort(np.array([*reader.numeric, *reader.categorical], dtype=np.int64)[has_gaps])
        grid = QuantileGrid.learn(numbers)
        return CellInputs(reader, grid, mean, np.where(spread > 0, spread, 1.0), gap_columns)


class CellInputs(Inputs):
    """A table as the cells that a network hides and restores.

    ``x`` float32 (n_rows, 3 * n_numbers): normal scores of the numbers (0 where one is missing), the numbers in
    standard units, and 1 where there is one; ``x_cat`` codes of the categories, the last one of each column for
    missing. Columns of free text and columns without any value are not read. `gap_columns` int64 (n_gap_columns,) are
    the positions of the columns that had gaps in fit.
    """

    kind = "cells"
    content = None
    what = "rows of a table"
    default_module = MaskedAutoencoder
    options = ("categorical_features",)
    has_columns = True

    def __init__(
        self, reader: TableReader, grid: QuantileGrid, mean: np.ndarray, spread: np.ndarray, gap_columns: np.ndarray
    ) -> None:
        self.reader, self.grid, self.mean, self.spread, self.gap_columns = reader, grid, mean, spread, gap_columns
        self.row_shape = (3 * len(mean),)
        self.given_shape = (len(mean),)
        # Not `cardinalities`: the codes are the network's own business, and none is to be masked before it sees them.
        self.n_codes = [len(reader.columns[i].categories) + 2 for i in reader.categorical]
        self.network_params = {"n_codes": self.n_codes}

    @classmethod
    def prepare(cls, X: Any) -> Any:
        return as_table(X)

    @classmethod
    def read_first(cls, X: Any, categorical_features: Any = "from_dtype") -> CellRows:
        reader, _ = TableReader.learn(X, categorical_features)
        reader = plain_reader(reader)
        if not reader.numeric and not reader.categorical:
            raise ValueError(
                "X has no column of numbers or categories. Free text and columns without any value cannot be learned."
            )
        return CellRows(TableRows(reader, reader.parse(X)))

    def read(self, X: Any) -> CellRows:
        return CellRows(TableRows(self.reader, self.reader.parse(X)))

    def encode_rows(self, raw: CellRows, rows: np.ndarray | None = None) -> Dense:
        """The cells of these rows."""
        return self.encoded(*raw.rows.read(rows))

    def encoded(self, numbers: np.ndarray, codes: np.ndarray) -> Dense:
        """Of numbers float64 (n_rows, n_numbers), NaN for missing, and codes int64 (n_rows, n_categorical)."""
        missing = np.isnan(numbers)
        scores = np.where(missing, 0.0, ndtri(self.grid.positions(numbers)))
        units = np.where(missing, 0.0, np.clip((numbers - self.mean) / self.spread, -_FAR, _FAR))
        x = np.hstack([scores, units, ~missing]).astype(np.float32)
        return Dense(torch.from_numpy(x), torch.from_numpy(codes) if self.n_codes else None)

    @property
    def categories(self) -> dict[int, tuple[Hashable, tuple[Hashable, ...]]]:
        columns = [self.reader.columns[position] for position in self.reader.categorical]
        return {i: (column.name, column.categories) for i, column in enumerate(columns)}

    def to_state(self) -> dict[str, Any]:
        columns = [column_to_state(column) for column in self.reader.columns]
        arrays = {"mean": self.mean, "spread": self.spread, "gap_columns": self.gap_columns}
        return {"columns": columns, "grid": self.grid.grid, **arrays}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CellInputs:
        columns = [column_from_state(column) for column in state["columns"]]
        reader = TableReader(columns)
        grid, mean, spread, gap_columns = (state[name] for name in ("grid", "mean", "spread", "gap_columns"))
        d = len(reader.numeric)
        fits = grid.ndim == 2 and grid.shape[1] == d and mean.shape == spread.shape == (d,) and (spread > 0).all()
        if not fits or not set(gap_columns.tolist()) <= {*reader.numeric, *reader.categorical}:
            raise DamagedFileError("inputs: columns, quantiles and means do not belong together.")
        return cls(reader, QuantileGrid(grid), mean, spread, gap_columns)

    def probe_rows(self, random: np.random.RandomState) -> np.ndarray:
        n_rows, columns, fillings = 16, self.reader.columns, {}
        numbers = self.grid.numbers(random.random_sample((n_rows, len(self.mean))))
        for i, position in enumerate(self.reader.numeric):
            fillings[position] = Filling(np.arange(n_rows), numbers[:, i], columns[position])
        for position in self.reader.categorical:
            categories = np.empty(len(columns[position].categories), dtype=object)
            categories[:] = columns[position].categories
            chosen = categories[random.randint(0, len(categories), n_rows)]
            fillings[position] = Filling(np.arange(n_rows), chosen, columns[position])
        return filled(np.full((n_rows, len(columns)), None, dtype=object), fillings)


def column_to_state(column: Column) -> dict[str, Any]:
    """What is known of a column of numbers or categories, as plain values, for a file."""
    spelling = None if column.number_format is None else list(column.number_format)
    return {name: getattr(column, name) for name in _OF_COLUMN} | {"number_format": spelling}


def column_from_state(state: dict[str, Any]) -> Column:
    """The same from a file that may be damaged."""
    spelling = state["number_format"]
    number_format = None if spelling is None else NumberFormat(*map(str, spelling))
    return Column(**{name: state[name] for name in _OF_COLUMN}, number_format=number_format)


def plain_reader(reader: TableReader) -> TableReader:
    """A reader of numbers and categories alone: no free text, and each column as one of the two."""
    columns = []
    for column in reader.columns:
        is_empty = column.all_missing or (column.kind == "categorical" and not column.categories)
        kind = "idle" if column.kind == "text" or is_empty else column.kind
        categories = column.categories if kind == "categorical" else ()
        columns.append(dataclasses.replace(column, kind=kind, categories=categories, is_worded=False))
    return TableReader(columns)
