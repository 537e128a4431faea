"""Plots of a fit; matplotlib is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._optional import optional_import

__all__ = ["draw_gradient_flow", "draw_history", "pyplot"]

_MOST_LABELS = 24
_NO_GRADIENT = "0.85"
_BELOW_LABEL = 0.5  # inches from the axes to the legend, below the label of the epochs


def pyplot(asked_by: str) -> Any:
    """matplotlib.pyplot, or an ImportError that names the extra."""
    return optional_import("matplotlib.pyplot", asked_by=asked_by, extra="plot")


def draw_history(history: Any, best_epoch: int, ax: Any = None) -> Any:
    """Training and validation loss over epochs, with the best epoch, from 1, marked."""
    plt = pyplot("plot_history")
    from matplotlib.ticker import MaxNLocator

    if ax is None:
        _, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
    epochs = range(1, len(history) + 1)
    marker = "o" if len(history) == 1 else None
    ax.plot(epochs, [record["train_loss"] for record in history], label="training", marker=marker)
    best = history[best_epoch - 1]
    curve = "train_loss"
    if all("valid_loss" in record for record in history):
        curve = "valid_loss"
        ax.plot(epochs, [record["valid_loss"] for record in history], label="validation", marker=marker)
    ax.axvline(best_epoch, color="0.6", linestyle=":", linewidth=1)
    ax.plot([best_epoch], [best[curve]], "o", color="black", label=f"best epoch {best_epoch}: {best[curve]:.4g}")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel="loss", title="Learning curve")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def draw_gradient_flow(
    flow: Mapping[str, Sequence[float]],
    epochs: Sequence[int],
    title: str,
    changes: Sequence[int],
    best_epoch: int,
    ax: Any = None,
) -> Any:
    """A column for each epoch, a row for each layer, and the relative gradient as colour.

    `flow` holds |gradient| / |weights| of each layer in each of the `epochs`; `changes` are the epochs of repairs;
    `best_epoch` is the one whose weights are kept, 0 if it is unknown.
    """
    plt = pyplot("TrainingHealth.plot")
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import MaxNLocator

    layers, values = list(flow), np.array(list(flow.values()))
    shown = values[np.isfinite(values) & (values > 0)]
    high = float(shown.max()) if shown.size else 1.0
    low = min(float(shown.min()) if shown.size else high / 10, high / 10)
    if ax is None:
        _, ax = plt.subplots(figsize=(7, min(2.4 + 0.28 * len(layers), 10)), layout="constrained")
    image = ax.pcolormesh(
        np.append(epochs, epochs[-1] + 1) - 0.5,
        np.arange(len(layers) + 1) - 0.5,
        np.where(values > 0, values, np.nan),
        norm=LogNorm(max(low, high * 1e-12), high),
        cmap=plt.get_cmap("viridis").with_extremes(under=_NO_GRADIENT, bad=_NO_GRADIENT),
    )
    every = -(-len(layers) // _MOST_LABELS)
    ax.set_yticks(range(0, len(layers), every), layers[::every])
    ax.invert_yaxis()
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    ax.set(xlabel="epoch", ylabel="layers, input at the top", title=title)
    ax.figure.colorbar(image, ax=ax, label="norm of the gradient / norm of the weights")
    _mark_epochs(ax, best_epoch if best_epoch in epochs else 0, changes, has_gaps=shown.size < values.size)
    return ax


def _mark_epochs(ax: Any, best_epoch: int, changes: Sequence[int], *, has_gaps: bool) -> None:
    """Lines at the best epoch and after those in which a repair was made, with a legend below the axes."""
    from matplotlib.patches import Patch
    from matplotlib.patheffects import withStroke
    from matplotlib.transforms import ScaledTranslation

    outlined = [withStroke(linewidth=3, foreground="black")]  # visible on every colour
    handles = []
    if best_epoch:
        label = f"best epoch {best_epoch} (kept)"
        handles.append(ax.axvline(best_epoch, color="white", linewidth=1.5, path_effects=outlined, label=label))
    for i, epoch in enumerate(changes):
        line = ax.axvline(epoch + 0.5, color="white", linestyle=":", linewidth=1.5, path_effects=outlined)
        if i == 0:
            line.set_label("repair")
            handles.append(line)
    if has_gaps:
        handles.append(Patch(color=_NO_GRADIENT, label="no gradient"))
    if handles:
        below = ax.transAxes + ScaledTranslation(0, -_BELOW_LABEL, ax.figure.dpi_scale_trans)
        place = {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "bbox_transform": below, "borderaxespad": 0}
        ax.legend(handles=handles, frameon=False, fontsize="small", ncols=len(handles), **place)
