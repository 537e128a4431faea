"""Gradient flow drawn; matplotlib is imported when a picture is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._plotting import pyplot

if TYPE_CHECKING:
    from .record import TrainingHealth

__all__ = ["draw_gradient_flow"]

_MOST_LABELS = 24


def draw_gradient_flow(health: TrainingHealth, ax: Any = None) -> Any:
    """Norm of the gradient relative to that of the weights: a column for each epoch, a row for each layer."""
    plt = pyplot("TrainingHealth.plot")
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import MaxNLocator

    epochs = [epoch for epoch in health.epochs if epoch.layers]
    if not epochs:
        raise ValueError("No epoch was recorded, so there is no gradient flow to draw. Fit for an epoch first.")
    layers = list(epochs[-1].layers)
    flow = np.array([[epoch.layers[name].relative_gradient for epoch in epochs] for name in layers])
    shown = flow[np.isfinite(flow) & (flow > 0)]
    high = float(shown.max()) if shown.size else 1.0
    low = min(float(shown.min()) if shown.size else high / 10, high / 10)
    if ax is None:
        _, ax = plt.subplots(figsize=(7, min(2.0 + 0.28 * len(layers), 10)), layout="constrained")
    colours = plt.get_cmap("viridis").with_extremes(under="0.85", bad="0.85")
    numbers = np.array([epoch.epoch for epoch in epochs])
    image = ax.pcolormesh(
        np.append(numbers, numbers[-1] + 1) - 0.5,
        np.arange(len(layers) + 1) - 0.5,
        np.where(flow > 0, flow, np.nan),
        norm=LogNorm(max(low, high * 1e-12), high),
        cmap=colours,
    )
    every = -(-len(layers) // _MOST_LABELS)
    ax.set_yticks(range(0, len(layers), every), layers[::every])
    ax.invert_yaxis()
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))
    found = ", ".join(dict.fromkeys(finding.symptom for finding in health.findings))
    fate = ", repaired" if health.status == "repaired" else ""
    ax.set_xlabel("epoch" + (" (dotted: after it something was changed)" if health.repairs else ""))
    ax.set_title(f"Gradient flow: {found or health.status}{fate}")
    ax.set_ylabel("input at the top")
    for repair in health.repairs:
        ax.axvline(repair.epoch + 0.5, color="white", linestyle=":", linewidth=1)
    ax.figure.colorbar(image, ax=ax, label="|gradient| / |weights|")
    return ax
