"""Tables whose columns are numbers, categories, dates and texts."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import scipy.sparse
import torch

from ..modules import TabM
from .cells import codes_of_numbers
from .columns import Labels, Texts, column_label, float64_numbers, named_columns, read_column
from .containers import as_table, take_rows
from .drift import scale_changes
from .encoder import Encoder
from .inputs import Inputs, RawRows, rows_for_statistics
from .stores import Dense
from .table import Content, TableReader, check_finite
from .text_features import TextFeatures
from .text_learning import learn_text_features

__all__ = ["TableInputs"]

# Rows are converted and encoded in chunks of about this many float64 bytes, so that a fit holds the table once.
_CHUNK_BYTES = 4 * 2**20


class TableRows(RawRows):
    """Cells of a table as `TableReader` has parsed them, converted to float64 only when some rows are read."""

    def __init__(self, reader: TableReader, contents: list[Content] | Any) -> None:
        self.reader = reader
        self.contents = contents

    def __len__(self) -> int:
        if not isinstance(self.contents, list):
            return self.contents.shape[0]
        return next(len(content) for content in self.contents if content is not None)

    def take(self, rows: np.ndarray) -> TableRows:
        return TableRows(self.reader, self._of(rows))

    def keys(self) -> list[np.ndarray]:
        texts: Any = [self.contents[i] for i in self.reader.texts]
        return [block for block in self.read() if block.size] + [text.positions for text in texts]

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> TableInputs:
        """Learn what the rows decide: scales, gaps, idle columns, and the features of dates and texts."""
        inputs = self._learn_columns(rows, weight, leaves_out_idle)
        reader, encoder = inputs.reader, inputs.encoder
        is_date = [reader.columns[position].quantity == "date" for position in reader.numeric]
        dates = np.flatnonzero(is_date)
        if not reader.texts and not dates.size:
            return inputs
        some = rows_for_statistics(len(self), rows)
        if weight is not None and some is not None:
            weight = weight[some]
        reader = reader.with_features({i: _learn_texts(self.contents[i], some, weight) for i in reader.texts})
        numeric, _ = TableRows(reader, self.contents).read(some)
        if reader.texts:
            encoder = encoder.with_columns(numeric[:, len(reader.numeric) :], weight)
        if dates.size:
            encoder = encoder.with_dates(numeric, weight, dates)
        return TableInputs(reader, encoder, inputs.never_missing)

    def _learn_columns(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool) -> TableInputs:
        """The same without features of dates and texts."""
        some = rows_for_statistics(len(self), rows)
        numeric, codes = self.read(some)
        encoder = Encoder().fit(numeric, weight if weight is None or some is None else weight[some])
        missing_codes = np.array(self.reader.cardinalities, dtype=np.int64) - 1
        never_missing = ~(codes == missing_codes).any(axis=0)
        idle_numbers = self._idle_numbers(encoder, numeric)
        idle_codes = (missing_codes == 1) | ((missing_codes == 2) & never_missing)  # never one whose texts are features
        as_numbers, as_codes = self.reader.both
        idle_codes[as_codes] = idle_numbers[as_numbers]
        if some is not rows:  # a column may vary between these rows only
            rare_numbers, rare_codes = self._varying(rows, idle_numbers, idle_codes)
            idle_numbers[rare_numbers] = idle_codes[rare_codes] = never_missing[rare_codes] = False
            if rare_numbers.size:
                numeric, _ = self._with_columns(rare_numbers, np.empty(0, dtype=np.int64)).read(rows)
                learned = Encoder().fit(numeric, weight if weight is None or rows is None else weight[rows])
                encoder = encoder.learned_again(rare_numbers, learned)
        if not leaves_out_idle:
            return TableInputs(self.reader, encoder, never_missing)
        if idle_numbers.all() and idle_codes.all() and not self.reader.texts:  # a network needs an input
            (idle_numbers if len(idle_numbers) else idle_codes)[0] = False
            idle_codes[as_codes] = idle_numbers[as_numbers]
        if not idle_numbers.any() and not idle_codes.any():
            return TableInputs(self.reader, encoder, never_missing)
        encoder = encoder.of_columns(np.flatnonzero(~idle_numbers))
        reader = self._with_columns(np.flatnonzero(~idle_numbers), np.flatnonzero(~idle_codes)).reader
        return TableInputs(reader, encoder, never_missing[~idle_codes])

    def _with_columns(self, numbers: np.ndarray, codes: np.ndarray) -> TableRows:
        """The same rows with some columns only, given as positions among the numeric and the categorical ones."""
        kept = {*(self.reader.numeric[i] for i in numbers), *(self.reader.categorical[i] for i in codes)}
        kept |= {*self.reader.texts}
        idle = [i for i in range(len(self.reader.columns)) if i not in kept]
        return TableRows(self.reader.without(idle), self.contents)

    def _varying(
        self, rows: np.ndarray | None, idle_numbers: np.ndarray, idle_codes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions of those of the idle columns, bool (d,) each, that hold more than one value in these many rows."""
        if not idle_numbers.any() and not idle_codes.any():
            return np.flatnonzero(idle_numbers), np.flatnonzero(idle_codes)
        varies = [np.zeros(int(idle.sum()), dtype=bool) for idle in (idle_numbers, idle_codes)]
        some = self._with_columns(np.flatnonzero(idle_numbers), np.flatnonzero(idle_codes))
        n_rows = len(self) if rows is None else len(rows)
        chunk = self.chunk_size()
        first = some.read(slice(0, 1) if rows is None else rows[:1])
        for start in range(0, n_rows, chunk):
            part = slice(start, start + chunk)
            for found, values, one in zip(varies, some.read(part if rows is None else rows[part]), first, strict=True):
                found |= ~((values == one) | ((values != values) & (one != one))).all(axis=0)
        return np.flatnonzero(idle_numbers)[varies[0]], np.flatnonzero(idle_codes)[varies[1]]

    def chunk_size(self) -> int:
        """Rows that are converted at once."""
        return max(256, _CHUNK_BYTES // (8 * (len(self.reader.columns) + self.reader.n_text_features)))

    @staticmethod
    def _idle_numbers(encoder: Encoder, numeric: np.ndarray) -> np.ndarray:
        """Which columns (n, d) hold one value in every row, or none at all, bool (d,)."""
        is_idle = encoder.scale.numpy() == 0
        candidates = numeric[:, is_idle]
        is_idle[is_idle] = (candidates == candidates[:1]).all(axis=0) | np.isnan(candidates).all(axis=0)
        return is_idle

    def read(self, rows: slice | np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Numbers float64 (n_rows, n_numbers), NaN for missing, and codes int64 (n_rows, n_categorical).

        The numbers are the numeric columns and then the features of the texts, if they have been learned. They may
        share memory with the caller's table, so do not write to them.
        """
        contents = self.contents if rows is None else self._of(rows)
        with np.errstate(over="ignore"):  # an overflow is infinity, which is reported below
            if isinstance(contents, list):
                numeric, codes = self._columns(contents)
            else:
                numeric, codes = _float64(contents), np.empty((contents.shape[0], 0), dtype=np.int64)
                if numeric.shape[1] > len(self.reader.numeric):
                    numeric = numeric[:, self.reader.numeric]
        check_finite(numeric, self.reader.columns)
        return numeric, codes

    def _of(self, rows: slice | np.ndarray) -> Any:
        """The contents of these rows."""
        if isinstance(self.contents, list):
            return [None if content is None else content[rows] for content in self.contents]
        return take_rows(self.contents, rows)

    def _columns(self, contents: list[Content]) -> tuple[np.ndarray, np.ndarray]:
        n_rows = next(len(content) for content in contents if content is not None)
        end = len(self.reader.numeric)
        numeric = np.empty((n_rows, end + self.reader.n_text_features))
        codes = np.empty((n_rows, len(self.reader.categorical)), dtype=np.int64)
        for i, position in enumerate(self.reader.numeric):
            numeric[:, i] = float64_numbers(contents[position])  # pyright: ignore[reportArgumentType]
        for i, position in enumerate(self.reader.categorical):
            content: Any = contents[position]
            column = self.reader.columns[position]
            if column.kind == "numeric":
                numbers = numeric[:, self.reader.numeric.index(position)]
                content = codes_of_numbers(numbers, column.known_numbers, len(column.categories) + 1)
            codes[:, i] = content.codes if isinstance(content, Texts) else content  # pyright: ignore[reportCallIssue, reportArgumentType]
        for position in self.reader.texts:
            features = self.reader.columns[position].features
            if features is not None:
                numeric[:, end : end + features.n_features] = _numbers_of_texts(contents[position], features)
                end += features.n_features
        return numeric, codes


def _learn_texts(texts: Any, rows: np.ndarray | None, weight: np.ndarray | None) -> TextFeatures:
    """The features of a column of texts, learned from these rows of it, with the weights of the rows."""
    positions = texts.positions if rows is None else texts.positions[rows]
    is_present = positions >= 0
    different, first = np.unique(positions[is_present], return_inverse=True)
    weights = np.bincount(first, None if weight is None else weight[is_present], minlength=len(different))
    is_used = weights > 0
    return learn_text_features([texts.values[i] for i in different[is_used]], weights[is_used].astype(np.float64))


def _numbers_of_texts(texts: Any, features: TextFeatures) -> np.ndarray:
    """The features of a column of texts, float64 (n, n_features); zeros for missing. Equal texts are computed once."""
    different, first = np.unique(texts.positions, return_inverse=True)
    return features.of(["" if i < 0 else texts.values[i] for i in different])[first]


def _float64(block: Any) -> np.ndarray:
    """All of a table for which `plain_block` is not None, as float64."""
    if isinstance(block, np.ndarray):
        return block.astype(np.float64, copy=False)
    if scipy.sparse.issparse(block):
        return block.toarray().astype(np.float64, copy=False)
    return block.to_numpy(dtype=np.float64)


def _varies(column: Any, label: str) -> bool:
    """Whether a column of any table has more than one value; a gap counts as one, what cannot be read as others."""
    try:
        labels = read_column(column, label, as_labels=True)
    except (TypeError, ValueError):
        return True
    return isinstance(labels, Labels) and len(labels.values) + bool((labels.positions < 0).any()) > 1


class TableInputs(Inputs):
    """Tables with columns of any type: scales of the numbers, categories, and features of dates and texts.

    `never_missing` bool (n_categorical,) says which categorical columns had no gap in training. A "missing" that
    training never saw would meet weights that never learned, so it is read as unknown instead.
    """

    kind = content = "table"
    what = "rows of a table"
    default_module = TabM
    options = ("categorical_features", "text_features")
    has_columns = True
    encoder: Encoder

    def __init__(self, reader: TableReader, encoder: Encoder, never_missing: np.ndarray) -> None:
        self.reader = reader
        self.encoder = encoder
        self.never_missing = never_missing
        self.row_shape = (encoder.out_features,)
        self.given_shape = (encoder.in_features,)
        self.cardinalities = list(reader.cardinalities)
        self.missing_codes = np.array(self.cardinalities, dtype=np.int64) - 1

    @classmethod
    def prepare(cls, X: Any) -> Any:
        return as_table(X)

    @classmethod
    def read_first(cls, X: Any, categorical_features: Any = "from_dtype", text_features: Any = "auto") -> TableRows:
        return TableRows(*TableReader.learn(X, categorical_features, text_features))

    def read(self, X: Any) -> TableRows:
        if scipy.sparse.issparse(X) and not self.reader.reads_plain_numbers:
            raise ValueError(
                "X is sparse, but was a table with categories, dates or texts in fit. Pass a table of the same columns."
            )
        if len(X.shape) != 2:  # polars frames have no ndim
            raise ValueError(f"Found array with dim {len(X.shape)}, expected 2 as in fit.")
        return TableRows(self.reader, self.reader.parse(X))

    def encode_rows(self, raw: TableRows, rows: np.ndarray | None = None) -> Dense:
        """Numbers float32 (n_rows, encoded columns), and codes int64 (n_rows, n_categorical) or None."""
        raw = TableRows(self.reader, raw.contents)  # without the columns that are idle
        n_rows = len(raw) if rows is None else len(rows)
        chunk = raw.chunk_size()
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
        return Dense(torch.from_numpy(x_num), torch.from_numpy(x_cat) if self.cardinalities else None)

    @property
    def categories(self) -> dict[int, tuple[Hashable, tuple[Hashable, ...]]]:
        columns = [self.reader.columns[position] for position in self.reader.categorical]
        return {i: (column.name, column.categories) for i, column in enumerate(columns)}

    def columns_of_inputs(self) -> dict[str, np.ndarray]:
        reader, (dates, date_features) = self.reader, self.encoder.date_positions()
        numeric = np.array(reader.numeric, dtype=np.int64)
        sizes = [0 if features is None else features.n_features for features in self._text_features()]
        texts = np.repeat(np.array(reader.texts, dtype=np.int64), sizes)
        calendar = numeric[dates[date_features]]
        gaps = numeric[self.encoder.gap_columns.cpu().numpy()]
        columns = {"x": np.concatenate([numeric, texts, calendar, gaps])}
        return {**columns, "x_cat": np.array(reader.categorical, dtype=np.int64)} if self.cardinalities else columns

    def _text_features(self) -> list[TextFeatures | None]:
        return [self.reader.columns[position].features for position in self.reader.texts]

    def scale_changes(self, raw: TableRows) -> dict[str, str]:
        names = [f"X: {column_label(self.reader.columns[i].name, i)}" for i in self.reader.numeric]
        numeric, _ = TableRows(self.reader.without(self.reader.texts), raw.contents).read()
        center, scale = (values.numpy()[: len(names)] for values in (self.encoder.center, self.encoder.scale))
        return scale_changes(numeric, names, center, scale)

    def ignored_changes(self, X: Any) -> dict[str, str]:
        idle = [i for i, column in enumerate(self.reader.columns) if column.kind == "idle"]
        some = rows_for_statistics(X.shape[0], None)
        columns = named_columns(X if some is None else take_rows(X, some)) if idle else []
        labels = {i: column_label(self.reader.columns[i].name, i) for i in idle}
        return {
            f"X: {label}": "several values, where the first call had one or none, so it is ignored"
            for i, label in labels.items()
            if _varies(columns[i][1], label)
        }

    def _trained_codes(self, codes: np.ndarray) -> np.ndarray:
        """Codes without a "missing" that training never saw."""
        if codes.shape[1] and self.never_missing.any():
            codes[(codes == self.missing_codes) & self.never_missing] = 0
        return codes
