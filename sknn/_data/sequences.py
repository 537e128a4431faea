"""Sequences of several channels: X as given -> all values one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np

from .._errors import level_of_caller, shown
from ..exceptions import DamagedFileError
from .containers import as_rows, is_frame, without_tensor
from .inputs import Inputs, RawRows
from .stored import stored_array

__all__ = ["SequenceRows", "SequenceScale", "as_sequences", "check_orientation", "read_sequences"]

_EXPECTED = "sequences: an array (n, channels, time), or a list of arrays (channels, length)"
# Equal rows are merged in small tables only; longer sequences are not compared.
_MOST_VALUES_OF_KEYS = 10_000_000
_MOST_CHANNELS_PER_STEP = 2  # more look like time steps
_LARGEST = 1e100  # scale, and multiple of it
_ROWS_OF_SCALE, _STEPS_OF_SCALE = 2000, 500_000  # of which center and scale are learned


class SequenceRows(RawRows):
    """Sequences that have been read; `inputs` makes from training rows what a fit learns about them.

    Values (n_values, n_channels), float32 or float64, where NaN is a gap; those of a row lie at `starts` (n_rows,) and
    the following `lengths` (n_rows,) steps.
    """

    def __init__(
        self, values: np.ndarray, starts: np.ndarray, lengths: np.ndarray, inputs: Callable[[SequenceRows], Inputs]
    ) -> None:
        self.values, self.starts, self.lengths, self.inputs = values, starts, lengths, inputs

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def n_channels(self) -> int:
        """Number of channels of each row."""
        return self.values.shape[1]

    def take(self, rows: np.ndarray) -> SequenceRows:
        return SequenceRows(self.values, self.starts[rows], self.lengths[rows], self.inputs)

    def keys(self) -> list[np.ndarray] | None:
        longest = int(self.lengths.max(initial=0))
        if len(self) * longest * self.n_channels > _MOST_VALUES_OF_KEYS:
            return None
        padded = np.zeros((len(self), self.n_channels, longest), self.values.dtype)
        for positions, x in self.by_length(len(self)):
            padded[positions, :, : x.shape[2]] = x
        return [padded, self.lengths]

    def learn(self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False) -> Inputs:
        return self.inputs(self if rows is None else self.take(rows))

    @property
    def length(self) -> int | None:
        """The length that all rows have, or None."""
        return int(self.lengths[0]) if len(self) and (self.lengths == self.lengths[0]).all() else None

    def by_length(self, most_rows: int, most_steps: int = 2**24) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows of equal length together: positions (n,), and values (n, n_channels, length).

        At most `most_rows` at a time, of at most `most_steps` steps together, but one at least. Without padding, no row
        depends on those beside it.
        """
        order = np.argsort(self.lengths, kind="stable")
        for positions in np.split(order, np.flatnonzero(np.diff(self.lengths[order])) + 1) if len(self) else ():
            length = int(self.lengths[positions[0]])
            size = max(1, min(most_rows, most_steps // length))
            steps = np.arange(length)
            for start in range(0, len(positions), size):
                part = positions[start : start + size]
                yield part, self.values[self.starts[part, None] + steps].transpose(0, 2, 1)


def as_sequences(X: Any) -> np.ndarray:
    """X as an array (n, channels, time), or as an object array (n,) of arrays (channels, length)."""
    if is_frame(X):
        raise TypeError(
            f"X is a table of shape {tuple(X.shape)}, but the module reads {_EXPECTED}. Stack the columns of a nested "
            "frame, as by [np.stack([np.asarray(cell) for cell in row]) for row in frame.itertuples(index=False)]; cut "
            "the rows of a table of measurements into windows with sknn.windows."
        )
    X = without_tensor(X, "X")
    if isinstance(X, np.ndarray) and X.ndim > 1:
        if X.ndim == 2:
            raise ValueError(
                f"X has the shape {X.shape}, but the module reads {_EXPECTED}. Pass series of one channel as "
                "X[:, None]."
            )
        if X.ndim > 3 or X.dtype == object:
            hint = " Pass numbers, as by X.astype(float)." if X.ndim == 3 else ""
            raise ValueError(f"X has the shape {X.shape} and the dtype {X.dtype}; expected {_EXPECTED}.{hint}")
        if not len(X):
            raise ValueError("X: Found array with 0 sample(s), expected at least one sequence.")
        return X
    return as_rows(X, "arrays (channels, length)")


def read_sequences(X: np.ndarray, inputs: Callable[[SequenceRows], Inputs]) -> SequenceRows:
    """Read X as returned by `as_sequences`. ValueErrors and TypeErrors name the row."""
    if X.dtype != object:
        _check_numbers("X", X, X)
        if X.ndim != 3 or 0 in X.shape[1:]:
            raise ValueError(f"X has the shape {X.shape}; expected {_EXPECTED}, with a channel and a step at least.")
        n, n_channels, length = X.shape
        values = np.ascontiguousarray(_floats(X).transpose(0, 2, 1)).reshape(-1, n_channels)
        lengths = np.full(n, length, np.int64)
    else:
        rows = [_row(i, row) for i, row in enumerate(X)]
        _check_channels([row.shape for row in rows])
        values = np.concatenate([row.T for row in rows])
        lengths = np.array([row.shape[1] for row in rows], np.int64)
    rows = SequenceRows(values, np.cumsum(lengths) - lengths, lengths, inputs)
    _check_finite(rows)
    return rows


def check_orientation(rows: SequenceRows, is_list: bool) -> None:
    """Raise or warn where time seems to come before the channels; rows of several lengths show which axis is time."""
    n_rows, n_channels, length = len(rows), rows.n_channels, rows.length
    if length is None or n_channels == 1:
        return
    found = f"X holds {n_rows} sequences (channels, time) of the shape ({n_channels}, {length})"
    transposed = "[x.T for x in X]" if is_list else "X.transpose(0, 2, 1)"
    if length == 1:
        table = "np.stack([x[:, 0] for x in X])" if is_list else "X[:, :, 0]"
        raise ValueError(
            f"{found}: {n_channels} channels of a single time step. If these are {n_channels} time steps of one "
            f"channel, pass {transposed}. Rows of a single step are a table: pass {table}."
        )
    if n_channels > _MOST_CHANNELS_PER_STEP * length:
        warnings.warn(
            f"{found}: many more channels than time steps. The order is that of aeon, (n_cases, n_channels, "
            f"n_timepoints). Pass {transposed} if time comes first.",
            UserWarning,
            stacklevel=level_of_caller(),
        )


class SequenceScale:
    """Center and scale of each channel, from training rows, and how gaps are filled."""

    NAMES: ClassVar[tuple[str, ...]] = ("center", "scale")

    def __init__(self, center: np.ndarray, scale: np.ndarray) -> None:
        self.center, self.scale = center, scale  # float64 (n_channels,), scale > 0

    @classmethod
    def learn(cls, rows: SequenceRows) -> SequenceScale:
        """Median and distance of the quartiles of each channel."""
        few = np.unique(np.linspace(0, len(rows) - 1, _ROWS_OF_SCALE).astype(np.int64))
        ends = np.cumsum(rows.lengths[few])
        steps = np.arange(0, ends[-1], max(1, ends[-1] // _STEPS_OF_SCALE))  # of all steps of these rows in a line
        row = np.searchsorted(ends, steps, side="right")
        values = rows.values[steps + (rows.starts + rows.lengths)[few][row] - ends[row]].astype(np.float64)
        center, scale = np.zeros(rows.n_channels), np.ones(rows.n_channels)
        for i, channel in enumerate(values.T):
            known = channel[~np.isnan(channel)]
            if not len(known):
                continue
            low, center[i], high = np.quantile(known, (0.25, 0.5, 0.75))
            # Halves, since the difference of two finite numbers may be infinite.
            spread = 2 * min(high / 2 - low / 2 or np.abs(known / 2 - center[i] / 2).mean(), _LARGEST)
            # What differs by rounding errors only is constant.
            scale[i] = spread if spread > 1e-9 * abs(center[i]) else abs(center[i]) or 1.0
        return cls(center, np.maximum(scale, 1 / _LARGEST))

    def filled(self, x: np.ndarray) -> np.ndarray:
        """Sequences (n, n_channels, length) in float64, gaps filled linearly, and at the ends by the nearest value.

        A channel without any value gets the center.
        """
        x = x.astype(np.float64)
        missing = np.isnan(x)
        steps = np.arange(x.shape[2])
        for i, channel in np.argwhere(missing.any(axis=2)):
            gaps = missing[i, channel]
            known = steps[~gaps]
            value = np.interp(steps[gaps], known, x[i, channel, known]) if len(known) else self.center[channel]
            x[i, channel, gaps] = value
        return x

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """``asinh((x - center) / scale)`` of numbers (n, n_channels, ...): amplitudes of any size stay distinct."""
        shape = (-1, *[1] * (x.ndim - 2))
        with np.errstate(over="ignore"):
            z = (x - self.center.reshape(shape)) / self.scale.reshape(shape)
        return np.arcsinh(np.clip(z, -_LARGEST, _LARGEST, out=z), out=z)

    def to_state(self) -> dict[str, Any]:
        """For a file."""
        return {"center": self.center, "scale": self.scale}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SequenceScale:
        """From a file that may be damaged."""
        center = stored_array("sequences", state, "center", np.float64, (None,))
        scale = stored_array("sequences", state, "scale", np.float64, center.shape)
        if not len(center) or not (np.isfinite(center) & np.isfinite(scale) & (scale > 0)).all():
            raise DamagedFileError("sequences: center and scale must be finite for each channel, scale positive.")
        return cls(center, scale)

    def probe_rows(self, random: np.random.RandomState, length: int | None) -> np.ndarray:
        """A few artificial sequences, as `as_sequences` returns them: of one length, or of several if it is None."""
        rows = np.empty(4, dtype=object)
        for i in range(len(rows)):
            steps = length or (9, 1, 40, 20)[i]
            rows[i] = self.center[:, None] + self.scale[:, None] * random.normal(size=(len(self.center), steps))
        return np.stack(list(rows)) if length else rows


def _row(i: int, row: Any) -> np.ndarray:
    """A row of a list as an array (n_channels, length); a series is one channel."""
    try:
        array = np.asarray(row)
    except ValueError as error:
        raise ValueError(f"X[{i}]: its channels differ in length; expected an array (channels, length).") from error
    if array.dtype == object and array.ndim == 1 and all(np.ndim(channel) == 1 for channel in array):
        raise ValueError(f"X[{i}]: its channels differ in length; expected an array (channels, length).")
    _check_numbers(f"X[{i}]", array, row)
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"X[{i}] has the shape {np.shape(row)}; expected an array (channels, length) with a channel and a step at "
            "least."
        )
    return _floats(array)


def _check_numbers(name: str, array: np.ndarray, given: Any) -> None:
    if array.dtype.kind not in "biuf":
        kind = f"dtype {array.dtype}" if given is array else f"type {type(given).__name__}"
        raise TypeError(f"{name} is {shown(given)} of {kind}; expected numbers, NaN for gaps.")


def _floats(array: np.ndarray) -> np.ndarray:
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def _check_channels(shapes: list[tuple[int, ...]]) -> None:
    first = shapes[0]
    other = next((i for i, shape in enumerate(shapes) if shape[0] != first[0]), None)
    if other is None:
        return
    hint = "Give all rows the same channels, NaN where one was not recorded."
    if len({shape[1] for shape in shapes}) == 1:
        hint = "Time seems to come first: transpose the rows, as by [x.T for x in X]."
    raise ValueError(
        f"X[0] has the shape {first} and X[{other}] {shapes[other]}: as sequences (channels, length) they have "
        f"{first[0]} and {shapes[other][0]} channels. {hint}"
    )


def _check_finite(rows: SequenceRows) -> None:
    if not np.isinf(rows.values).any():
        return
    step, channel = np.argwhere(np.isinf(rows.values))[0]
    row = int(np.searchsorted(rows.starts, step, side="right")) - 1
    raise ValueError(
        f"X[{row}] has an infinite value in channel {channel} at step {step - rows.starts[row]}; expected finite "
        "numbers, NaN for gaps."
    )
