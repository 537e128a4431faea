"""What `fit` learned about the columns of a table, as JSON and tensors, and back."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch

from .._data.categories import Column
from .._data.cells import PLURALS
from .._data.dates import DATE_FEATURES
from .._data.encoder import Encoder
from .._data.table import TableReader
from .._data.table_inputs import TableInputs
from .._data.text_columns import NumberFormat
from .._data.text_features import TextFeatures
from .._data.text_learning import N_FEATURES
from ..exceptions import DamagedFileError
from .checks import check_keys, count_distinct, expect
from .values.reader_writer import ValueReader, ValueWriter

__all__ = ["read_encoder", "read_table", "write_table"]

_KINDS: dict[str, Any] = {kind: kind for kind in ("numeric", "categorical", "text", "idle")}
_KEYS = {"name", "kind", "categories", "all_missing", "quantity", "number_format", "is_iso_text", "is_worded"}
_ENCODER = {name: buffer.dtype for name, buffer in Encoder().named_buffers()}


def write_table(inputs: TableInputs, writer: ValueWriter) -> dict[str, Any]:
    """JSON for the columns; the writer keeps what was learned about texts."""
    for position in inputs.reader.texts:
        features = inputs.reader.columns[position].features
        assert features is not None
        writer.tensors |= {
            f"text.{position}.vocabulary": torch.from_numpy(features.vocabulary.view(np.int64)),
            f"text.{position}.idf": torch.from_numpy(features.idf),
            f"text.{position}.directions": torch.from_numpy(features.directions),
        }
    columns = [
        {
            "name": writer.write(column.name, f"the name of column {i}"),
            "kind": column.kind,
            "categories": [writer.write(c, f"a category of column {column.name!r}") for c in column.categories],
            "all_missing": column.all_missing,
            "quantity": column.quantity,
            "number_format": None if column.number_format is None else list(column.number_format),
            "is_iso_text": column.is_iso_text,
            "is_worded": column.is_worded,
        }
        for i, column in enumerate(inputs.reader.columns)
    ]
    return {"columns": columns, "never_missing": [bool(flag) for flag in inputs.never_missing]}


def read_encoder(reader: ValueReader) -> Encoder:
    """The encoder, if its tensors match."""
    center, scale, _, dates, features = found = [reader.tensor(f"encoder.{name}", "encoder") for name in _ENCODER]
    if [t.dtype for t in found] != [*_ENCODER.values()] or any(t.ndim != 1 for t in found) or len(center) != len(scale):
        raise DamagedFileError("encoder: tensors with other shapes or dtypes than expected.")
    d = len(center) - len(features)
    limits = (d, d, len(dates) * len(DATE_FEATURES))
    for name, tensor, limit in zip(tuple(_ENCODER)[2:], found[2:], limits, strict=True):
        positions = tensor.tolist()
        if positions != sorted(set(positions)) or (positions and not 0 <= positions[0] <= positions[-1] < limit):
            raise DamagedFileError(f"encoder: {name} must be increasing positions below {limit}.")
    if not (torch.isfinite(center).all() and torch.isfinite(scale).all() and (scale >= 0).all()):
        raise DamagedFileError("encoder: centers and scales must be finite, scales not negative.")
    encoder = Encoder()
    encoder._set(*(tensor.numpy() for tensor in found))
    return encoder


def read_table(value: Any, encoder: Encoder, row_shape: tuple[int, ...], reader: ValueReader) -> TableInputs:
    """The columns, if they match the encoder."""
    check_keys(value, {"columns", "never_missing"}, "table")
    columns = expect(value["columns"], list, "columns")
    table = TableReader([_read_column(column, i, reader) for i, column in enumerate(columns)])
    never = [expect(flag, bool, "never_missing") for flag in expect(value["never_missing"], list, "never_missing")]
    fits = len(table.numeric) + table.n_text_features == encoder.in_features and len(never) == len(table.categorical)
    is_date = [table.columns[position].quantity == "date" for position in table.numeric]
    fits = fits and all(i < len(is_date) and is_date[i] for i in encoder.date_columns.tolist())
    if not fits or row_shape != (encoder.out_features,):
        raise DamagedFileError("inputs: columns, encoder and width of a row do not belong together.")
    return TableInputs(table, encoder, np.array(never, dtype=bool))


def _read_column(value: Any, position: int, reader: ValueReader) -> Column:
    where = f"column {position}"
    check_keys(value, _KEYS, where)
    name = reader.read(value["name"], f"the name of {where}")
    categories = tuple(reader.read(c, where) for c in expect(value["categories"], list, where))
    kind, all_missing = expect(value["kind"], str, where), expect(value["all_missing"], bool, where)
    may_have = kind == "categorical" or (kind == "numeric" and not all_missing)
    if kind not in _KINDS or (categories and not may_have) or (kind == "categorical" and all_missing):
        raise DamagedFileError(f"{where} is {kind[:40]!r} with {len(categories)} categories, as no column is.")
    quantity, number_format = value["quantity"], _read_format(value["number_format"], where)
    is_iso_text = expect(value["is_iso_text"], bool, where)
    is_plain = quantity == "number" and number_format is None
    is_other = (kind in ("categorical", "text") and not is_plain) or (is_iso_text and quantity != "date")
    if quantity not in PLURALS or (quantity != "number" and number_format) or is_other:
        raise DamagedFileError(f"{where}: {str(quantity)[:40]!r} is not what its numbers can be.")
    count_distinct([name], where)
    if count_distinct(categories, where) != len(categories):
        raise DamagedFileError(f"{where}: a category occurs twice.")
    if kind == "numeric" and categories:
        _check_known_numbers(categories, quantity == "number" and number_format is not None, where)
    is_worded = expect(value["is_worded"], bool, where)
    if is_worded and kind != "categorical":
        raise DamagedFileError(f"{where} is {kind!r}; only texts of categories are features, too.")
    features = _read_features(position, reader) if is_worded or kind == "text" else None
    return Column(
        name, _KINDS[kind], categories, all_missing, quantity, number_format, is_iso_text, is_worded, features
    )


def _check_known_numbers(categories: tuple[Any, ...], was_text: bool, where: str) -> None:
    """Refuse categories of a numeric column that no text of whole numbers has."""
    is_number = all(type(c) is float and math.isfinite(c) for c in categories)
    if not was_text or not is_number or any(a >= b for a, b in itertools.pairwise(categories)):
        raise DamagedFileError(f"{where}: the categories of numbers as text must be finite, increasing numbers.")


def _read_features(position: int, reader: ValueReader) -> TextFeatures:
    """What was learned about a column of texts, if its pieces match."""
    where = f"column {position}"
    names = ("vocabulary", "idf", "directions")
    vocabulary, idf, directions = found = [reader.tensor(f"text.{position}.{name}", where) for name in names]
    if [t.dtype for t in found] != [torch.int64, torch.float64, torch.float32] or directions.ndim != 2:
        raise DamagedFileError(f"{where}: what was learned about its texts has other dtypes than expected.")
    n, n_features = directions.shape
    if vocabulary.shape != (n,) or idf.shape != (n,) or not 1 <= n_features <= N_FEATURES:
        raise DamagedFileError(f"{where}: vocabulary, weights and directions of its texts do not belong together.")
    hashes = vocabulary.numpy().view(np.uint64)
    if not (hashes[:-1] < hashes[1:]).all():  # they are found by bisection
        raise DamagedFileError(f"{where}: the vocabulary of its texts must be increasing.")
    if not (torch.isfinite(idf).all() and (idf > 0).all() and torch.isfinite(directions).all()):
        raise DamagedFileError(f"{where}: weights and directions of its texts must be finite, weights positive.")
    return TextFeatures(hashes, idf.numpy(), directions.numpy())


def _read_format(value: Any, where: str) -> NumberFormat | None:
    if value is None:
        return None
    parts = expect(value, list, where)
    if len(parts) != 2 or parts[0] not in (".", ",") or len(expect(parts[1], str, where)) > 20:
        raise DamagedFileError(f"{where}: its numbers have no format that sknn writes.")
    return NumberFormat(*parts)
