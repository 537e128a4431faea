"""Plots of a fit; matplotlib is imported when one is asked for."""

from __future__ import annotations

from typing import Any

from ._optional import optional_import

__all__ = ["draw_history", "pyplot"]


def pyplot(asked_by: str) -> Any:
    """matplotlib.pyplot, or an ImportError that names the extra."""
    return optional_import("matplotlib.pyplot", asked_by=asked_by, extra="plot")


def draw_history(history: Any, best_epoch: int, ax: Any = None) -> Any:
    """Training and validation loss over epochs, with the best epoch marked."""
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
