"""The interface of a kind of data: X -> what a network receives, learned in fit and applied by fit and predict alike.

A kind is one file of this package with two classes: how its rows are read (`RawRows`), and what a fit has learned about
them (`Inputs`). It is added to the list in ``kinds.py``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..exceptions import DamagedFileError
from .encoder import Encoder
from .recognition import Content
from .rows import Rows
from .stores import Store

__all__ = ["Inputs", "RawRows", "rows_for_statistics"]

# Quantiles of more rows are no different for our purpose. A column whose gaps are so rare that none occurs among these
# rows needs no indicator of them.
_MAX_ROWS_FOR_STATISTICS = 100_000


class RawRows(ABC):
    """X after it has been read, and before anything is scaled. A fit reads X once, and holds this instead."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> RawRows:
        """The rows at these positions."""

    @abstractmethod
    def keys(self) -> list[np.ndarray] | None:
        """Arrays of shape (n_samples, ...) that are equal for equal rows; None if the rows are too wide to compare."""

    @abstractmethod
    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> Inputs:
        """Learn what the training rows decide, such as the scales of numbers.

        Parameters
        ----------
        rows : ndarray int64 or None
            Positions of the training rows; None for all.
        weight : ndarray (n_samples,) or None
            Weight of each row, training row or not.
        leaves_out_idle : bool
            Whether columns of a table are kept from the network if they hold one value, or none, in the training rows.
        """


class Inputs(ABC):
    """What a fit has learned about X, and how X becomes tensors by it."""

    kind: ClassVar[str]  # name of the kind of data, which a module class may ask for by its attribute `reads`
    content: ClassVar[Content | None]  # what X of this kind is; None if only a module says so
    what: ClassVar[str]  # the same in words, in the plural, for messages
    default_module: ClassVar[type[nn.Module]]  # of ``module="auto"``
    # Names of the arguments of `read_first` beside X: parameters of the estimator, or of the module's constructor.
    options: ClassVar[tuple[str, ...]] = ()
    reads_tags: ClassVar[bool] = False  # whether X is `Tagged`
    has_columns: ClassVar[bool] = False  # whether X has columns with names or a number, as scikit-learn checks them
    # Of the numbers of one encoded row; of rows of several lengths all axes but the last, that of the steps.
    row_shape: tuple[int, ...]
    given_shape: tuple[int, ...]  # of the numbers of one row before they are encoded, idle columns of a table excepted
    cardinalities: Sequence[int] = ()  # number of codes of each categorical column
    # Arguments of the module's constructor, beside the widths, that what was learned decides.
    network_params: Mapping[str, Any] = MappingProxyType({})
    n_inputs: ClassVar[int] = 1  # tensors that a network is given, categories excepted
    used: np.ndarray | None = None  # positions of the given columns that the network gets, int64 (n_used,); None: all
    encoder: Encoder | None = None  # scales the numbers; None if they reach the network untouched
    # Centre and spread by which a repair of training scales numbers that reached the network untouched before.
    rescaling: tuple[Tensor, Tensor] | None = None
    # Columns of which a warning has said that their scale has changed since the first call.
    named_changes: frozenset[str] = frozenset()

    @classmethod
    @abstractmethod
    def prepare(cls, X: Any) -> Any:
        """X as a container with ``shape[0]`` rows, of which ``take_rows`` takes some; cheap.

        Raises
        ------
        ValueError, TypeError
            X is no container of such rows; the message says what it is, and how to bring it into shape.
        """

    @classmethod
    @abstractmethod
    def read_first(cls, X: Any, **options: Any) -> RawRows:
        """Read the X of a new fit, and learn what all its rows decide, such as columns and categories.

        Parameters
        ----------
        X : as returned by `prepare`
        **options
            Values of some or all of `options`; each has a default.

        Raises
        ------
        ValueError, TypeError
            X holds what cannot be read; the message names the column.
        """

    @abstractmethod
    def read(self, X: Any) -> RawRows:
        """Read an X of the kind and the shape of rows that were fitted.

        Raises
        ------
        ValueError, TypeError
            It is of another kind or shape, or it holds what cannot be read.
        """

    @abstractmethod
    def encode_rows(self, raw: RawRows, rows: np.ndarray | None = None) -> Store:
        """These rows as they stay in memory, from which the network receives batches.

        Parameters
        ----------
        raw : RawRows
            As `read` or `read_first` of the same class returned it.
        rows : ndarray int64 or None
            Positions of the rows; None for all.

        Raises
        ------
        ValueError
            The network would receive NaN or infinity; the message names the column.
        """

    def chunks(self, X: Any, most: int) -> list[Any]:
        """Which rows of X, as returned by `prepare`, are predicted together: slices, or positions; `most` rows each."""
        return [slice(start, start + most) for start in range(0, X.shape[0], most)]

    def encode(self, X: Any) -> Store:
        """Read all rows of X, as returned by `prepare`, and encode them."""
        return self.encode_rows(self.read(X))

    @property
    def in_features(self) -> int:
        """Width that a network is built for: columns of a table, channels, or codes."""
        return self.row_shape[-1] if self.row_shape else 1

    @property
    def categories(self) -> dict[int, tuple[Hashable, tuple[Hashable, ...]]]:
        """Of each categorical column, by its position among these: its name, and its values in the order of codes."""
        return {}

    @property
    def row_size(self) -> int:
        """Numbers that a network receives for one row, about."""
        return math.prod(self.row_shape) + sum(self.cardinalities)

    def columns_of_inputs(self) -> dict[str, np.ndarray] | None:
        """Which given column each number and each code of an encoded row belongs to; None if X has no columns.

        Of each tensor that a network receives, by its name, positions int64 (width,). A column may have several numbers
        and a code, such as a date or a number with gaps.
        """
        return None

    def scale_changes(self, raw: RawRows) -> dict[str, str]:
        """Name of a column -> how far its values in a further call of fit are from those that were learned from."""
        return {}

    def ignored_changes(self, X: Any) -> dict[str, str]:
        """The same for columns of X that the network is not given: they held one value or none in the first call."""
        return {}

    # ------------------------------------------------------------------ repairs of training

    @property
    def can_be_scaled(self) -> bool:
        """Whether numbers reach the network untouched, so that a repair may scale them."""
        return False

    @property
    def scaling(self) -> tuple[Any, Any]:
        """All that `scale_from_now_on` changes."""
        return self.rescaling, self.encoder

    @scaling.setter
    def scaling(self, value: tuple[Any, Any]) -> None:
        self.rescaling, self.encoder = value

    def scale_from_now_on(self, resident: Sequence[Rows]) -> Callable[[], None]:
        """Scale the numbers of the `resident` rows, and those of every later X; returns what puts back the old state.

        Centre and spread are those of the first of `resident`.
        """
        before, previous = [(rows, rows.store) for rows in resident], self.scaling
        scale = self._learn_scaling(before[0][1])
        scaled: dict[int, Store] = {}  # the networks of a committee share their numbers
        for rows, store in before:
            if id(store) not in scaled:
                scaled[id(store)] = scale(store)
            rows.store = scaled[id(store)]

        def undo() -> None:
            self.scaling = previous
            for rows, store in before:
                rows.store = store

        return undo

    def _learn_scaling(self, store: Any) -> Callable[[Any], Store]:
        """Change `scaling` by these numbers, and return the function that scales such numbers."""
        raise NotImplementedError(f"Inputs of the kind {self.kind!r} are scaled from the start.")

    # ------------------------------------------------------------------ explanations

    def absent(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """What stands for rows of which nothing is known, in the shapes of `tensors`: zeros in place of numbers."""
        return {
            name: torch.zeros_like(values) if values.is_floating_point() else values for name, values in tensors.items()
        }

    def contributions(self, X: Any, found: list[dict[str, np.ndarray]]) -> Any:
        """What the parts of each row of X, as returned by `prepare`, contribute, in a form that belongs to X.

        `found` holds for each row, by the name of a tensor, the contributions float64 of its numbers, (*shape,) or
        (*shape, n_outputs), and under "codes" the codes int64 (n,) if it has some.
        """
        return np.stack([row["x"] for row in found])

    # ------------------------------------------------------------------ files

    def to_state(self) -> dict[str, Any]:
        """What was learned, as plain values, arrays of numpy and tensors under names, for a file."""
        raise TypeError(f"Inputs of the kind {self.kind!r} cannot be stored in a file.")

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Inputs:
        """The same from a file that may be damaged; a DamagedFileError says what does not fit."""
        raise DamagedFileError(f"inputs: sknn writes no inputs of the kind {cls.kind!r}.")

    def probe_rows(self, random: np.random.RandomState) -> Any:
        """A few artificial rows, as for `prepare`, for which a file stores what the network predicts."""
        raise NotImplementedError(f"Inputs of the kind {self.kind!r} make no rows.")


def rows_for_statistics(n_samples: int, rows: np.ndarray | None) -> np.ndarray | None:
    """The training rows, or evenly spaced ones of them where they are many; None for all of `n_samples`."""
    n_rows = n_samples if rows is None else len(rows)
    if n_rows <= _MAX_ROWS_FOR_STATISTICS:
        return rows
    spaced = np.linspace(0, n_rows - 1, _MAX_ROWS_FOR_STATISTICS).astype(np.int64)
    return spaced if rows is None else rows[spaced]
