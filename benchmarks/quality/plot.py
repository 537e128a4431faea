"""Skill against seconds, and who is best at each price."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality.summary import BASE, Summary

__all__ = ["pareto_front", "plot_pareto"]

_OWN, _PEER, _FRONT = "#c1440e", "#33506b", "#9aa5b1"
# Where a label may stand, in points from its marker, with the side of it that faces the marker; the first is preferred.
_PLACES = [
    *[(9, 0, "left", "center"), (-9, 0, "right", "center"), (0, 8, "center", "bottom"), (0, -8, "center", "top")],
    *[(8, 7, "left", "bottom"), (-8, 7, "right", "bottom"), (8, -7, "left", "top"), (-8, -7, "right", "top")],
    *[(18, 18, "left", "bottom"), (-18, 18, "right", "bottom"), (18, -18, "left", "top"), (-18, -18, "right", "top")],
]


def pareto_front(summaries: Iterable[Summary]) -> list[Summary]:
    """Models that no other beats in both seconds and skill, the fastest first."""
    front: list[Summary] = []
    for summary in sorted(summaries, key=lambda summary: (summary.fit_s, -summary.mean_skill)):
        if not front or summary.mean_skill > front[-1].mean_skill:
            front.append(summary)
    return front


def _obstacles(ax: Any, summaries: list[Summary], corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Pixels that no label should cover: the markers, and the front every few pixels of its steps."""
    pixels = [tuple(ax.transData.transform((summary.fit_s, summary.mean_skill))) for summary in summaries]
    steps = ax.transData.transform(corners)
    for (x0, y0), (x1, y1) in itertools.pairwise(steps):
        pixels += [(x, y0) for x in np.arange(x0, x1, 4)] + [(x1, y) for y in np.arange(y0, y1, 4)]
    return pixels


def _place_labels(ax: Any, summaries: list[Summary], obstacles: list[tuple[float, float]], legend: Any) -> None:
    """One label a point, at the first of the places where it covers least and stays inside."""
    from matplotlib.text import Text

    renderer = ax.figure.canvas.get_renderer()
    frame = ax.get_window_extent(renderer)
    placed = [legend.get_window_extent(renderer)]

    def cost(box: Any) -> int:
        covered = sum(box.x0 < x < box.x1 and box.y0 < y < box.y1 for x, y in obstacles)
        crossed = sum(box.overlaps(other) for other in placed)
        outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
        return covered + 50 * crossed + 100 * outside

    for summary in sorted(summaries, key=lambda summary: not summary.model.startswith(BASE)):
        own = summary.model.startswith(BASE)
        labels = [
            ax.annotate(
                summary.model,
                (summary.fit_s, summary.mean_skill),
                xytext=(dx, dy),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=10,
                fontweight="bold" if own else "normal",
                color=_OWN if own else "0.15",
                arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6} if abs(dx) > 10 else None,
            )
            for dx, dy, horizontal, vertical in _PLACES
        ]
        for label in labels:
            label.update_positions(renderer)
        # Of the text alone: with its line, a label would cover its own point.
        boxes = [Text.get_window_extent(label, renderer).padded(2) for label in labels]
        best = min(range(len(boxes)), key=lambda i: cost(boxes[i]))
        placed.append(boxes[best])
        for label in labels[:best] + labels[best + 1 :]:
            label.remove()


def _draw(ax: Any, shown: list[Summary]) -> list[tuple[float, float]]:
    """The front and the points; the corners of the front."""
    # A step: between two models nobody offers a mixture of them.
    corners = [(summary.fit_s, summary.mean_skill) for summary in pareto_front(shown)]
    ax.plot(*zip(*corners, strict=True), drawstyle="steps-post", color=_FRONT, label="Pareto front", zorder=1)
    for recorded, label in ((False, "run"), (True, "recorded")):
        points = [summary for summary in shown if summary.recorded == recorded]
        if not points:
            continue
        colors = [_OWN if summary.model.startswith(BASE) else _PEER for summary in points]
        ax.scatter(
            [summary.fit_s for summary in points],
            [summary.mean_skill for summary in points],
            s=46,
            facecolors="white" if recorded else colors,
            edgecolors=colors,
            linewidths=1.4,
            label=label,
            zorder=2,
        )
    return corners


def plot_pareto(summaries: dict[str, Summary], path: Path) -> None:
    """Mean skill over total fit seconds, a point a model, with the Pareto front.

    Models that lack some of the tables are left out: their means and totals are of other tables.

    Parameters
    ----------
    summaries : dict of str to Summary
        At least one.
    path : Path
        Of the image; its ending says the format.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogLocator, NullLocator
    except ImportError as error:
        raise ImportError('--plot needs matplotlib: pip install "sknn[bench]"') from error
    n_tables = max(len(summary.tables) for summary in summaries.values())
    shown = [summary for summary in summaries.values() if len(summary.tables) == n_tables]
    left_out = [summary.model for summary in summaries.values() if summary not in shown]
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)  # measures the labels, whatever the format
    ax = figure.add_subplot()
    ax.set_xscale("log")
    corners = _draw(ax, shown)
    ax.margins(x=0.14, y=0.1)
    title = f"Skill and price, {n_tables} tables" + (f" (not on all: {', '.join(left_out)})" if left_out else "")
    ax.set(xlabel="fit seconds in total", ylabel="mean skill", title=title)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(color="0.93", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    legend = ax.legend(frameon=False, loc="best")
    figure.draw_without_rendering()  # the layout, by which pixels are counted
    _place_labels(ax, shown, _obstacles(ax, shown, corners), legend)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
