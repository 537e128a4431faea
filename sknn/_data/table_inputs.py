"""Tables whose columns are numbers, categories and dates."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from .columns import Numbers, float64_numbers
from .containers import take_rows
from .encoder import Encoder
from .inputs import Inputs, RawRows, rows_for_statistics
from .table import TableReader, check_finite

__all__ = ["TableInputs"]

# Rows are converted and encoded in chunks of about this many float64 bytes, so that a fit holds the table once.
_CHUNK_BYTES = 4 * 2**20


class TableRows(RawRows):
    """Cells of a table as `TableReader` has parsed them, converted to float64 only when some rows are read."""

    def __init__(self, reader: TableReader, contents: list[Numbers] | Any) -> None:
        self.reader = reader
        self.contents = contents

    def __len__(self) -> int:
        return len(self.contents[0]) if isinstance(self.contents, list) else self.contents.shape[0]

    def take(self, rows: np.ndarray) -> TableRows:
        return TableRows(self.reader, self._of(rows))

    def keys(self) -> list[np.ndarray]:
        return [block for block in self.read() if block.size]

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None) -> TableInputs:
        """Learn centre and spread of the numbers, and which columns have gaps."""
        rows = rows_for_statistics(len(self), rows)
        numeric, codes = self.read(rows)
        encoder = Encoder().fit(numeric, weight if weight is None or rows is None else weight[rows])
        missing_codes = np.array(self.reader.cardinalities, dtype=np.int64) - 1
        return TableInputs(self.reader, encoder, ~(codes == missing_codes).any(axis=0))

    def read(self, rows: slice | np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Numbers float64 (n_rows, n_numeric), NaN for missing, and codes int64 (n_rows, n_categorical).

        The numbers may share memory with the caller's table, so do not write to them.
        """
        contents = self.contents if rows is None else self._of(rows)
        with np.errstate(over="ignore"):  # an overflow is infinity, which is reported below
            if isinstance(contents, list):
                numeric, codes = self._columns(contents)
            else:
                numeric, codes = _float64(contents), np.empty((contents.shape[0], 0), dtype=np.int64)
        check_finite(numeric, self.reader.columns)
        return numeric, codes

    def _of(self, rows: slice | np.ndarray) -> Any:
        """The contents of these rows."""
        if isinstance(self.contents, list):
            return [content[rows] for content in self.contents]
        return take_rows(self.contents, rows)

    def _columns(self, contents: list[Numbers]) -> tuple[np.ndarray, np.ndarray]:
        numeric = np.empty((len(contents[0]), len(self.reader.numeric)))
        codes = np.empty((len(contents[0]), len(self.reader.categorical)), dtype=np.int64)
        for i, position in enumerate(self.reader.numeric):
            numeric[:, i] = float64_numbers(contents[position])
        for i, position in enumerate(self.reader.categorical):
            codes[:, i] = contents[position]
        return numeric, codes


def _float64(block: Any) -> np.ndarray:
    """All of a table for which `plain_block` is not None, as float64."""
    if isinstance(block, np.ndarray):
        return block.astype(np.float64, copy=False)
    if scipy.sparse.issparse(block):
        return block.toarray().astype(np.float64, copy=False)
    return block.to_numpy(dtype=np.float64)


class TableInputs(Inputs):
    """Tables with columns of any type: scales of the numbers, and the categories of each column.

    `never_missing` bool (n_categorical,) says which categorical columns had no gap in training. A "missing" that
    training never saw would meet weights that never learned, so it is read as unknown instead.
    """

    kind = "table"
    encoder: Encoder

    def __init__(self, reader: TableReader, encoder: Encoder, never_missing: np.ndarray) -> None:
        self.reader = reader
        self.encoder = encoder
        self.never_missing = never_missing
        self.row_shape = (encoder.out_features,)
        self.cardinalities = list(reader.cardinalities)
        self.missing_codes = np.array(self.cardinalities, dtype=np.int64) - 1

    @classmethod
    def reads(cls, X: Any, preprocessing: bool) -> bool:
        return len(X.shape) == 2

    @classmethod
    def read_first(cls, X: Any, preprocessing: bool, categorical_features: Any) -> TableRows:
        return TableRows(*TableReader.learn(X, categorical_features))

    def read(self, X: Any) -> TableRows:
        if scipy.sparse.issparse(X) and self.cardinalities:
            raise ValueError("X is sparse, but was a table with categories in fit. Pass a table of the same columns.")
        if len(X.shape) != 2:  # polars frames have no ndim
            raise ValueError(f"Found array with dim {len(X.shape)}, expected 2 as in fit.")
        return TableRows(self.reader, self.reader.parse(X))

    def encode_rows(self, raw: TableRows, rows: np.ndarray | None = None) -> tuple[Tensor, Tensor | None]:
        """Numbers float32 (n_rows, encoded columns), and codes int64 (n_rows, n_categorical) or None."""
        n_rows = len(raw) if rows is None else len(rows)
        chunk = max(256, _CHUNK_BYTES // (8 * len(self.reader.columns)))
        if n_rows <= chunk:
            numeric, codes = raw.read(rows)
            x_num, x_cat = self.encoder.encode(numeric), self._trained_codes(codes)
        else:
            x_num = np.empty((n_rows, self.encoder.out_features), dtype=np.float32)
            x_cat = np.empty((n_rows, len(self.cardinalities)), dtype=np.int64)
            for start in range(0, n_rows, chunk):
                part = slice(start, start + chunk)
                numeric, codes = raw.read(part if rows is None else rows[part])
                self.encoder.encode(numeric, out=x_num[part])
                x_cat[part] = self._trained_codes(codes)
        return torch.from_numpy(x_num), torch.from_numpy(x_cat) if self.cardinalities else None

    def _trained_codes(self, codes: np.ndarray) -> np.ndarray:
        """Codes without a "missing" that training never saw."""
        if codes.shape[1] and self.never_missing.any():
            codes[(codes == self.missing_codes) & self.never_missing] = 0
        return codes
