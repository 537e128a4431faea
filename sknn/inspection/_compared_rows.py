"""Rows that were made and real ones, tables or images, in one form in which they can be compared."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.decomposition import PCA

from .._data.columns import Labels, column_label, float64_numbers, named_columns, read_column
from .._data.containers import as_table
from .._data.images import Form, as_images, form_of, pixels_of
from .._data.recognition import content_of
from .._errors import refused_as, shown

__all__ = ["ComparedColumn", "ComparedRows", "read_compared"]

# A classifier on trees takes so many categories; rarer ones count as one.
_MOST_CATEGORIES = 254
# Trees on more principal components of images take longer and find no more.
_N_COMPONENTS = 50


@dataclass(frozen=True)
class ComparedColumn:
    """A column of all rows: numbers float64 (n,), missing as NaN, or codes int64 (n,), missing as -1."""

    name: Hashable
    kind: Literal["number", "category"]
    values: np.ndarray

    @property
    def is_missing(self) -> np.ndarray:
        """Where a cell is missing, bool (n,)."""
        return np.isnan(self.values) if self.kind == "number" else self.values < 0

    @property
    def n_categories(self) -> int:
        """Number of codes."""
        return 1 + int(self.values.max(initial=-1))


@dataclass(frozen=True)
class ComparedRows:
    """The rows of several tables, or sets of images, below each other.

    Attributes
    ----------
    parts : dict of str to ndarray
        Positions int64 of the rows of each.
    columns : list of ComparedColumn
        Of images: what describes an image as a whole.
    pixels : ndarray (n, n_pixels), float32, or None
        Of images.
    what : str
        "rows" or "images".
    """

    parts: dict[str, np.ndarray]
    columns: list[ComparedColumn]
    pixels: np.ndarray | None
    what: Literal["rows", "images"]

    def points(self, reference: np.ndarray) -> np.ndarray:
        """All rows as float32 (n, width): their squared distance is the sum of those of the columns.

        Numbers are divided by their standard deviation in the `reference` rows; a gap has the mean, and 1 in a column
        of its own. Two different categories have the squared distance 1. Images are their pixels.
        """
        if self.pixels is not None:
            return self.pixels
        blocks = []
        for column in self.columns:
            missing = column.is_missing
            if column.kind == "category":
                blocks.append(np.eye(column.n_categories + 1, dtype=np.float32)[column.values] / np.sqrt(2))
                continue
            known = column.values[reference][~missing[reference]]
            mean, spread = (known.mean(), known.std()) if known.size else (0.0, 0.0)
            numbers = np.where(missing, 0.0, (column.values - mean) / (spread or 1.0))
            blocks.append(numbers[:, None].astype(np.float32))
            if missing.any():
                blocks.append(missing[:, None].astype(np.float32))
        return np.concatenate(blocks, axis=1)

    def features(self, rows: np.ndarray, random: np.random.RandomState) -> tuple[np.ndarray, list[bool]]:
        """What a classifier is given of these rows, float64 (n_rows, width), and which of it are categories."""
        values = np.column_stack([column.values[rows].astype(np.float64) for column in self.columns])
        are_categories = [column.kind == "category" for column in self.columns]
        values[:, are_categories] = np.where(values[:, are_categories] < 0, np.nan, values[:, are_categories])
        if self.pixels is None:
            return values, are_categories
        n_components = min(_N_COMPONENTS, len(rows), self.pixels.shape[1])
        reduction = PCA(n_components, svd_solver="randomized", random_state=random)
        components = reduction.fit_transform(self.pixels[rows]).astype(np.float64)
        return np.column_stack([values, components]), are_categories + [False] * n_components


def read_compared(tables: dict[str, Any]) -> ComparedRows:
    """Read tables, or sets of images, by the name of the argument; the first says what the others must be.

    Raises
    ------
    ValueError, TypeError
        They are neither tables nor images, or differ in columns or shape.
    """
    first = next(iter(tables))
    contents = {}
    for name, X in tables.items():
        with refused_as(name, "a table or images", instead_of="X"):
            contents[name] = content_of(X, keeps_arrays=False)
    for name, content in contents.items():
        if content not in ("table", "sparse", "image"):
            raise TypeError(f"{name} is read as {content}s; compare takes tables and images.")
        if (content == "image") != (contents[first] == "image"):
            raise TypeError(f"{first} is read as {contents[first]}, but {name} as {content}; expected the same.")
    return _read_images(tables) if contents[first] == "image" else _read_tables(tables)


# ---------------------------------------------------------------------- tables


def _read_tables(tables: dict[str, Any]) -> ComparedRows:
    read, first = {}, next(iter(tables))
    for name, X in tables.items():
        with refused_as(name, "a table", instead_of="X"):
            read[name] = named_columns(as_table(X))
        read[name] = _in_order(read[first], read[name], first, name)
    n_rows = [len(columns[0][1]) for columns in read.values()]
    columns = []
    for i, (label, _) in enumerate(read[first]):
        cells = {name: columns[i][1] for name, columns in read.items()}
        columns.append(_joined(label, column_label(label, i), cells))
    return ComparedRows(_parts(list(tables), n_rows), columns, None, "rows")


def _parts(names: list[str], n_rows: list[int]) -> dict[str, np.ndarray]:
    ends = np.cumsum(n_rows)
    return {name: np.arange(end - n, end) for name, n, end in zip(names, n_rows, ends, strict=True)}


def _in_order(
    expected: list[tuple[Hashable, Any]], given: list[tuple[Hashable, Any]], first: str, name: str
) -> list[tuple[Hashable, Any]]:
    """The `given` columns in the order of the expected ones."""
    names, found = [label for label, _ in expected], [label for label, _ in given]
    if names == found:
        return given
    by_name = dict(given)
    if len(by_name) == len(given) == len(expected) and set(by_name) == set(names):
        return [(label, by_name[label]) for label in names]
    missing = [label for label in names if label not in by_name]
    further = [label for label in found if label not in names]
    parts = [f"lacks {shown(missing[:5])}"] if missing else []
    parts += [f"has {shown(further[:5])} beside them"] if further else []
    raise ValueError(
        f"{name} has {len(found)} columns, {first} has {len(names)}, and the same columns were expected: {name} "
        f"{' and '.join(parts) or 'repeats some of them'}. Pass the tables as the generator returns and was given them."
    )


def _joined(name: Hashable, label: str, cells: dict[str, Any]) -> ComparedColumn:
    """The column of all tables as numbers, or as codes in the order of their frequency."""
    contents = {part: read_column(column, label, as_labels=False) for part, column in cells.items()}
    are_labels = {part: isinstance(content, Labels) for part, content in contents.items()}
    if not any(are_labels.values()):
        numbers = [float64_numbers(content.numbers) for content in contents.values() if not isinstance(content, Labels)]
        values = np.concatenate(numbers)
        if np.isinf(values).any():
            raise ValueError(f"{label} holds infinity; expected finite numbers or gaps.")
        return ComparedColumn(name, "number", values)
    texts = []
    for part, content in contents.items():
        if isinstance(content, Labels):
            texts.append(np.array([*map(str, content.values), None], dtype=object)[content.positions])
            continue
        numbers = float64_numbers(content.numbers)
        if not np.isnan(numbers).all():
            other = next(part for part, is_label in are_labels.items() if is_label)
            raise ValueError(f"{label} holds categories in {other}, but numbers in {part}; expected the same.")
        texts.append(np.full(len(numbers), None, dtype=object))
    return ComparedColumn(name, "category", _codes(np.concatenate(texts)))


def _codes(labels: np.ndarray) -> np.ndarray:
    """Codes int64 (n,) of labels (n,), from the most frequent one; all rare ones share the last; None is -1."""
    known = np.array([label is not None for label in labels])
    values, positions, counts = np.unique(labels[known].astype(str), return_inverse=True, return_counts=True)
    rank = np.empty(len(values), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(values))
    codes = np.full(len(labels), -1, dtype=np.int64)
    codes[known] = np.minimum(rank[positions], _MOST_CATEGORIES - 1)
    return codes


# ---------------------------------------------------------------------- images


def _read_images(tables: dict[str, Any]) -> ComparedRows:
    pixels, form, first = [], None, next(iter(tables))
    for name, X in tables.items():
        with refused_as(name, "images", instead_of="X"):
            images = as_images(X)
            found = form_of(images, form)
            form = _same_form(form, found, first, name)
            assert found.size is not None
            pixels.append(pixels_of(images, found, found.size))
    n_rows = [len(some) for some in pixels]
    joined = np.concatenate(pixels).astype(np.float32)
    columns = [ComparedColumn(name, "number", values.astype(np.float64)) for name, values in _of_images(joined).items()]
    return ComparedRows(_parts(list(tables), n_rows), columns, joined.reshape(len(joined), -1), "images")


def _same_form(expected: Form | None, found: Form, first: str, name: str) -> Form:
    if found.size is None:
        raise ValueError(f"{name} holds images of several sizes; expected images of one size, as a generator makes.")
    if expected is not None and (found.size, found.channels) != (expected.size, expected.channels):
        raise ValueError(
            f"{name} holds images of {found.size} pixels and {found.channels} channels, but {first} of {expected.size} "
            f"and {expected.channels}; expected the same."
        )
    return found


def _of_images(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """What describes images (n, height, width, channels) as a whole, each (n,).

    Brightness is the mean of the pixels, contrast their standard deviation, roughness the mean difference of
    neighbours; of several channels, brightness is that of each.
    """
    n_channels = pixels.shape[3]
    brightness = pixels.mean(axis=(1, 2))
    names = ["brightness"] if n_channels == 1 else [f"brightness of channel {i}" for i in range(n_channels)]
    differences = [np.abs(np.diff(pixels, axis=axis)).mean(axis=(1, 2, 3)) for axis in (1, 2) if pixels.shape[axis] > 1]
    return {
        **dict(zip(names, brightness.T, strict=True)),
        "contrast": pixels.std(axis=(1, 2, 3)),
        "roughness": sum(differences, np.zeros(len(pixels))) / 2,
    }
