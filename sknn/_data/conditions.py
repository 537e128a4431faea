"""What rows to be generated are conditioned on: labels or numbers, as tensors for a network."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .._errors import level_of_caller, refused_as, shown
from ..exceptions import DamagedFileError
from .cells import is_missing
from .containers import without_tensor
from .stored import check_names

__all__ = ["Condition", "condition_values"]

# Whole numbers of more different values are numbers: a class that is seen once in a while teaches nothing.
_MOST_LABELS = 100
# Quantiles from which numbers are drawn where none are given.
_N_QUANTILES = 1001


def condition_values(y: Any, n_rows: int, name: str = "y") -> np.ndarray:
    """The y of a generator as an array (n_rows,) of numbers or an object array of labels, none of them missing."""
    with refused_as(name, "a label or a number for each row"):
        values = np.asarray(without_tensor(y, name))
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            raise ValueError(f"{name} has the shape {values.shape}; expected one label or number for each row.")
        if len(values) != n_rows:
            raise ValueError(f"{name} has {len(values)} values for {n_rows} rows; expected one for each row.")
    n_missing = sum(map(is_missing, values.tolist()))
    if n_missing:
        raise ValueError(
            f"{name} has {n_missing} missing values of {n_rows}; expected a label or a number for each row. Drop these "
            "rows, or give them a label of their own."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name} holds infinity; expected finite numbers.")
    return values if values.dtype.kind in "biuf" else values.astype(object)


class Condition:
    """Labels or numbers of the training rows, and how they become the `size` numbers that a network is given.

    Labels are indicators. Numbers are standardised; they are floats with a fraction, or whole numbers of more than 100
    different values.
    """

    def __init__(
        self, labels: np.ndarray | None, shares: np.ndarray, quantiles: np.ndarray, center: float, spread: float
    ) -> None:
        self.labels = labels  # (n_labels,), None for numbers
        self.shares = shares  # of the labels, float64 (n_labels,)
        self.quantiles = quantiles  # of the numbers, float64 (n_quantiles,)
        self.center, self.spread = center, spread

    @classmethod
    def learn(cls, y: np.ndarray) -> Condition:
        """Of the y of training rows, as `condition_values` returns them."""
        if y.dtype.kind == "O":
            by_text = {str(value): value for value in y}
            labels, counts = np.unique(y.astype(str), return_counts=True)
            labels = np.array([by_text[label] for label in labels], dtype=object)
        else:
            labels, counts = np.unique(y, return_counts=True)
            is_whole = y.dtype.kind != "f" or (y == np.floor(y)).all()
            if not is_whole or len(labels) > _MOST_LABELS:
                numbers = y.astype(np.float64)
                quantiles = np.quantile(numbers, np.linspace(0, 1, _N_QUANTILES))
                return cls(None, np.empty(0), quantiles, float(numbers.mean()), float(numbers.std()) or 1.0)
        return cls(labels, counts / counts.sum(), np.empty(0), 0.0, 1.0)

    @property
    def kind(self) -> Literal["label", "number"]:
        """What the values are."""
        return "number" if self.labels is None else "label"

    @property
    def size(self) -> int:
        """Numbers that a network is given for a row."""
        return 1 if self.labels is None else len(self.labels)

    def encode(self, y: np.ndarray, name: str = "y") -> Tensor:
        """Values (n,) as float32 (n, size).

        Raises
        ------
        ValueError
            A label is none of those of fit, or there are labels instead of numbers.
        """
        if self.labels is None:
            if y.dtype.kind not in "biuf":
                raise ValueError(f"{name} holds {shown(y[0])}, but numbers were expected as in fit.")
            low, high = self.quantiles[[0, -1]]
            outside = y[(y < low) | (y > high)]
            if len(outside):
                warnings.warn(
                    f"{name} holds {shown(outside[0].item())}, outside of the numbers of fit, from {low:g} to "
                    f"{high:g}: nothing was learned about such rows.",
                    UserWarning,
                    stacklevel=level_of_caller(),
                )
            return torch.from_numpy(((y.astype(np.float64) - self.center) / self.spread).astype(np.float32))[:, None]
        positions = {label: i for i, label in enumerate(self.labels.tolist())}
        codes = [positions.get(value) for value in y.tolist()]
        if None in codes:
            unknown, known = shown(y.tolist()[codes.index(None)]), shown(self.labels.tolist()[:20])
            raise ValueError(
                f"{name} holds {unknown}, which is none of the {len(self.labels)} labels of fit, such as {known}. Pass "
                "one of them."
            )
        return torch.eye(len(self.labels), dtype=torch.float32)[torch.tensor(codes, dtype=torch.int64)]

    def draw(self, n_rows: int, random: np.random.RandomState) -> np.ndarray:
        """Values (n_rows,) that are distributed as in the training rows."""
        if self.labels is None:
            places = random.uniform(0, len(self.quantiles) - 1, n_rows)
            return np.interp(places, np.arange(len(self.quantiles)), self.quantiles)
        return self.labels[random.choice(len(self.labels), n_rows, p=self.shares)]

    # ------------------------------------------------------------------ files

    def to_state(self) -> dict[str, Any]:
        """As plain values and arrays, for a file."""
        return {
            "labels": None if self.labels is None else self.labels.tolist(),
            "shares": self.shares, "quantiles": self.quantiles, "center": self.center, "spread": self.spread,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Any) -> Condition:
        """The same from a file that may be damaged."""
        check_names("condition", state, ("labels", "shares", "quantiles", "center", "spread"))
        labels = state["labels"]
        arrays = [state[name] for name in ("shares", "quantiles")]
        fits = all(isinstance(a, np.ndarray) and a.dtype == np.float64 and np.isfinite(a).all() for a in arrays)
        if labels is None:
            fits = fits and arrays[1].shape == (_N_QUANTILES,) and (np.diff(arrays[1]) >= 0).all()
        else:
            fits = fits and type(labels) is list and arrays[0].shape == (len(labels),) and (arrays[0] >= 0).all()
            fits = fits and abs(float(arrays[0].sum()) - 1) < 1e-6
        numbers = [state["center"], state["spread"]]
        if not fits or any(type(n) is not float or not np.isfinite(n) for n in numbers) or state["spread"] <= 0:
            raise DamagedFileError("condition: labels, shares and numbers do not belong together.")
        values = None if labels is None else _array_of(labels)
        return cls(values, *arrays, *numbers)


def _array_of(labels: list[Any]) -> np.ndarray:
    """Labels as an array of numbers, or of objects."""
    plain = np.asarray(labels)
    return plain if plain.dtype.kind in "biuf" else np.array(labels, dtype=object)
