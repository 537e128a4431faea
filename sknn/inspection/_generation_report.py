"""What `compare` found, as text, HTML, a frame and a plot."""

from __future__ import annotations

import html
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .._optional import optional_import
from .._plotting import pyplot

__all__ = ["ColumnDifference", "GenerationReport", "PairDifference"]

_N_NAMED = 3  # columns and pairs in the text
_N_DRAWN = 20  # columns in the plot


@dataclass(frozen=True)
class ColumnDifference:
    """How far the distribution of one column of made rows is from that of real rows.

    Attributes
    ----------
    name : hashable
        Name of the column, or its position; of images "brightness", "contrast" or "roughness".
    kind : "number" or "category"
    distance : float
        0 for equal distributions, 1 for disjoint ones. Numbers: the statistic of Kolmogorov and Smirnov; categories:
        the total variation distance.
    by_chance : float
        The mean distance of two random parts of all these rows, as large as the real and the made rows.
    gaps_real, gaps_made : float
        Shares of missing values.
    """

    name: Hashable
    kind: Literal["number", "category"]
    distance: float
    by_chance: float
    gaps_real: float
    gaps_made: float


@dataclass(frozen=True)
class PairDifference:
    """How far two columns depend on each other in real and in made rows.

    Attributes
    ----------
    first, second : hashable
        Names of the columns, or their positions.
    real, made : float
        Spearman's rank correlation of two numbers, Cramér's V of two categories, or the correlation ratio of a category
        and the ranks of a number.
    """

    first: Hashable
    second: Hashable
    real: float
    made: float

    @property
    def difference(self) -> float:
        """Absolute difference of both, 0 to 2."""
        return abs(self.real - self.made)


@dataclass(repr=False)
class GenerationReport:
    """How far made rows differ from real ones: printed as text, shown as tables in a notebook.

    Attributes
    ----------
    auc : float
        Two-sample AUC: 0.5 if boosted trees cannot tell made rows from real ones, 1 if they always can.
    near_copies : float
        Share of made rows that are nearer to a training row than the median real row is; about 0.5 for rows that are as
        new as real ones, more where training rows are copied.
    near_copies_real : float
        The same share of real rows: 0.5 unless distances are tied, as between many equal rows.
    exact_copies, exact_copies_real : float
        Shares of made and of real rows that equal a training row.
    columns : list of ColumnDifference
        Largest distance first.
    pairs : list of PairDifference
        Largest difference first.
    pairs_by_chance : float
        Mean difference of two random parts of all these rows; NaN without pairs.
    distances_made, distances_real : ndarray, float64
        Distance of made and of real rows to the nearest training row.
    n_real, n_made : int
        Rows given.
    what : "rows" or "images"
    """

    auc: float
    near_copies: float
    near_copies_real: float
    exact_copies: float
    exact_copies_real: float
    columns: list[ColumnDifference]
    pairs: list[PairDifference]
    pairs_by_chance: float
    distances_made: np.ndarray
    distances_real: np.ndarray
    n_real: int
    n_made: int
    what: Literal["rows", "images"] = "rows"

    def __repr__(self) -> str:
        return f"<GenerationReport: AUC {self.auc:.3f}, near copies {self.near_copies:.2f}>"

    def __str__(self) -> str:
        return "\n".join([f"{self.n_made} made {self.what} and {self.n_real} real ones", *self._lines()])

    def _lines(self) -> list[str]:
        distances = [column.distance for column in self.columns]
        chance = [column.by_chance for column in self.columns]
        furthest = ", ".join(
            f"{column.name!r} {column.distance:.3f} ({column.by_chance:.3f})" for column in self.columns[:_N_NAMED]
        )
        lines = [
            f"two-sample AUC {self.auc:.3f} (0.5: made {self.what} cannot be told from real ones; 1: they always can)",
            f"near copies of training {self.what} {self.near_copies:.2f} (real: {self.near_copies_real:.2f}), exact "
            f"copies {self.exact_copies:.3f} (real: {self.exact_copies_real:.3f})",
            f"columns: mean distance {np.mean(distances):.3f} (by chance: {np.mean(chance):.3f}); largest {furthest}",
        ]
        if self.pairs:
            largest = "; ".join(
                f"{pair.first!r} and {pair.second!r} {pair.made:.2f} (real: {pair.real:.2f})"
                for pair in self.pairs[:_N_NAMED]
            )
            mean = np.mean([pair.difference for pair in self.pairs])
            lines.append(
                f"pairs of columns: mean difference of association {mean:.3f} (by chance: {self.pairs_by_chance:.3f}); "
                f"largest {largest}"
            )
        return lines

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{html.escape(line)}</li>" for line in self._lines())
        heads = ("column", "kind", "distance", "by chance", "gaps, real", "gaps, made")
        head = "".join(f"<th>{name}</th>" for name in heads)
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(str(c.name))}</td><td>{c.kind}</td><td>{c.distance:.3f}</td>"
            f"<td>{c.by_chance:.3f}</td><td>{c.gaps_real:.3f}</td><td>{c.gaps_made:.3f}</td></tr>"
            for c in self.columns[:_N_DRAWN]
        )
        title = f"{self.n_made} made {self.what} and {self.n_real} real ones"
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return f"<div><b>{title}</b><ul>{items}</ul>{table}</div>"

    def to_frame(self) -> Any:
        """The differences of the columns as a pandas DataFrame with a row for each.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by ``column``; columns ``kind``, ``distance``, ``by_chance``, ``gaps_real``, ``gaps_made``, largest
            distance first.

        Raises
        ------
        ImportError
            pandas is missing: ``pip install "sknn[demo]"``.
        """
        pandas = optional_import("pandas", asked_by="GenerationReport.to_frame", extra="demo")
        fields = ("kind", "distance", "by_chance", "gaps_real", "gaps_made")
        index = pandas.Index([column.name for column in self.columns], name="column", dtype=object)
        return pandas.DataFrame({name: [getattr(c, name) for c in self.columns] for name in fields}, index=index)

    def plot(self, axes: Any = None) -> Any:
        """Draw the distances of the columns, the associations of pairs, and the distances to the nearest training row.

        Parameters
        ----------
        axes : array of three matplotlib Axes, default=None
            Axes to draw into; None makes a figure.

        Returns
        -------
        axes : ndarray of three matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is missing: ``pip install "sknn[plot]"``.
        """
        plt = pyplot("GenerationReport.plot")
        shown = self.columns[:_N_DRAWN]
        if axes is None:
            _, axes = plt.subplots(1, 3, figsize=(13, max(3.6, 1.2 + 0.22 * len(shown))), layout="constrained")
        axes = np.asarray(axes, dtype=object).reshape(-1)
        if len(axes) != 3:
            raise ValueError(f"axes holds {len(axes)} Axes; expected three, as of plt.subplots(1, 3).")
        self._draw_columns(axes[0], shown)
        self._draw_pairs(axes[1])
        self._draw_nearest(axes[2])
        for ax in axes:
            ax.spines[["top", "right"]].set_visible(False)
        return axes

    def _draw_columns(self, ax: Any, shown: list[ColumnDifference]) -> None:
        places = np.arange(len(shown))
        ax.barh(places, [column.distance for column in shown], color="C0", height=0.7)
        ax.plot([column.by_chance for column in shown], places, "|", color="black", markersize=10, label="by chance")
        ax.set_yticks(places, [_short(column.name) for column in shown])
        ax.invert_yaxis()
        left_out = len(self.columns) - len(shown)
        title = f"Columns: the {len(shown)} furthest of {len(self.columns)}" if left_out else "Columns"
        ax.set(xlabel="distance of distributions", title=title)
        ax.legend(frameon=False, loc="lower right")

    def _draw_pairs(self, ax: Any) -> None:
        real, made = ([getattr(pair, name) for pair in self.pairs] for name in ("real", "made"))
        low = min([0.0, *real, *made])
        ax.plot([low, 1], [low, 1], color="0.6", linewidth=1)
        ax.plot(real, made, "o", markersize=4, alpha=0.6)
        ax.set(xlabel="association of two columns, real", ylabel="made", title="Pairs of columns", aspect="equal")

    def _draw_nearest(self, ax: Any) -> None:
        for distances, label in ((self.distances_real, "real"), (self.distances_made, "made")):
            ax.plot(np.sort(distances), np.linspace(0, 1, len(distances)), label=label)
        median = float(np.median(self.distances_real))
        ax.axvline(median, color="0.6", linestyle=":", linewidth=1)
        title = f"Nearest: {self.near_copies:.2f} within the median of real {self.what}"
        ax.set(xlabel=f"distance to the nearest training {self.what[:-1]}", ylabel=f"share of {self.what}", title=title)
        ax.legend(frameon=False)


def _short(name: Hashable) -> str:
    text = str(name)
    return text if len(text) <= 24 else f"{text[:23]}…"
