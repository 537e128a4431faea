"""Drawings of what the parts of an image, a sequence, a text or a sound contribute to a prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data.word_contributions import WordContributions
from .._plotting import pyplot

__all__ = ["plot_image", "plot_sequence", "plot_sound", "plot_text"]

_COLOURS = "RdBu_r"  # red raises the output, blue lowers it
_LINE = 74  # characters of a line of text, about


def plot_image(image: Any, values: Any, ax: Any = None) -> Any:
    """Draw an image in grey, and over it what each pixel contributes: red raises the output, blue lowers it.

    Parameters
    ----------
    image : array-like of shape (height, width), (height, width, channels) or (channels, height, width)
        Or an image of PIL.
    values : ndarray of the shape of the image
        Of one image and one output, as ``explain`` returns them. Channels are added up.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a figure.

    Returns
    -------
    ax : matplotlib Axes

    Raises
    ------
    ValueError
        Image and values have different shapes.
    ImportError
        matplotlib is missing: ``pip install "sknn[plot]"``.
    """
    plt = pyplot("plot_image")
    values, image = _one("values", values, (2, 3)), np.asarray(image)
    if image.shape[: values.ndim] != values.shape:
        raise ValueError(f"image has the shape {image.shape}, but values have {values.shape}; expected the same.")
    axis = int(np.argmin(values.shape)) if values.ndim == 3 else None
    pixels = image.mean(axis=axis) if axis is not None else image
    pixels, shares = pixels.astype(float), values if axis is None else values.sum(axis=axis)
    ax = _axes(plt, ax, (4, 4))
    ax.imshow(pixels, cmap="Greys", vmin=pixels.min(), vmax=pixels.min() + 1.6 * (np.ptp(pixels) or 1.0))
    limit = _limit(shares)
    drawn = ax.imshow(shares, cmap=_COLOURS, vmin=-limit, vmax=limit, alpha=0.85 * np.sqrt(np.abs(shares) / limit))
    ax.set(xticks=[], yticks=[])
    ax.figure.colorbar(_opaque(plt, drawn), ax=ax, label="contribution", shrink=0.8)
    return ax


def plot_sequence(x: Any, values: Any, ax: Any = None) -> Any:
    """Draw the channels of a sequence above each other, and behind them what each step contributes.

    Parameters
    ----------
    x : array-like of shape (n_channels, n_timepoints)
        A sequence, as in ``X[0]``.
    values : ndarray of shape (n_channels, n_timepoints)
        Of one sequence and one output, as ``explain`` returns them.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a figure.

    Returns
    -------
    ax : matplotlib Axes

    Raises
    ------
    ValueError
        Sequence and values have different shapes.
    ImportError
        matplotlib is missing: ``pip install "sknn[plot]"``.
    """
    plt = pyplot("plot_sequence")
    x, values = np.atleast_2d(np.asarray(x, dtype=float)), np.atleast_2d(_one("values", values, (1, 2)))
    if x.shape != values.shape:
        raise ValueError(f"x has the shape {x.shape}, but values have {values.shape}; expected the same.")
    n_channels, n_steps = x.shape
    ax, limit = _axes(plt, ax, (7, 1.5 + n_channels)), _limit(values)
    drawn = ax.imshow(
        values, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest",
        extent=(-0.5, n_steps - 0.5, n_channels, 0),
    )  # fmt: skip
    for channel, row in enumerate(x):
        low, spread = np.nanmin(row), np.nanmax(row) - np.nanmin(row)
        ax.plot(np.arange(n_steps), channel + 0.9 - 0.8 * (row - low) / (spread or 1.0), color="black", linewidth=1)
    ax.set_yticks(np.arange(n_channels) + 0.5, np.arange(n_channels))
    ax.set(xlabel="step", ylabel="channel", ylim=(n_channels, 0))
    ax.figure.colorbar(drawn, ax=ax, label="contribution")
    return ax


def plot_sound(values: Any, hop_ms: float = 10.0, ax: Any = None) -> Any:
    """Draw what each band and frame of a log-mel spectrogram contributes, over time.

    Parameters
    ----------
    values : ndarray of shape (n_mels, n_frames)
        Of one recording and one output, as ``explain`` returns them.
    hop_ms : float, default=10.0
        Milliseconds from one frame to the next; that of the ``AudioNet``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a figure.

    Returns
    -------
    ax : matplotlib Axes

    Raises
    ------
    ImportError
        matplotlib is missing: ``pip install "sknn[plot]"``.
    """
    plt = pyplot("plot_sound")
    values = _one("values", values, (2,))
    ax, limit = _axes(plt, ax, (7, 3)), _limit(values)
    drawn = ax.imshow(
        values, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto", origin="lower",
        extent=(0, values.shape[1] * hop_ms / 1000, -0.5, len(values) - 0.5),
    )  # fmt: skip
    ax.set(xlabel="seconds", ylabel="band, low to high")
    ax.figure.colorbar(drawn, ax=ax, label="contribution")
    return ax


def plot_text(words: WordContributions, ax: Any = None) -> Any:
    """Draw the words of a text in order, coloured by what they contribute: red raises the output, blue lowers it.

    In a notebook the object itself is shown in the same way.

    Parameters
    ----------
    words : WordContributions
        Of one text and one output, as ``explain`` returns them; of several outputs, ``words.of_output(i)``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a figure.

    Returns
    -------
    ax : matplotlib Axes

    Raises
    ------
    ImportError
        matplotlib is missing: ``pip install "sknn[plot]"``.
    """
    plt = pyplot("plot_text")
    values = _one("words.values", words.values, (1,))
    lines: list[list[int]] = [[]]
    length = 0
    for i, word in enumerate(words.words):
        if lines[-1] and length + len(word) > _LINE:
            lines.append([])
            length = 0
        lines[-1].append(i)
        length += len(word) + 1
    ax = _axes(plt, ax, (8, 0.35 * len(lines) + 0.3))
    ax.set(xlim=(0, _LINE + 12), ylim=(len(lines) - 0.4, -0.6))
    ax.axis("off")
    colours, limit = plt.get_cmap(_COLOURS), _limit(values)
    for row, line in enumerate(lines):
        x = 0.0
        for i in line:
            colour = colours(0.5 + 0.4 * values[i] / limit)
            box = {"facecolor": colour, "edgecolor": "none", "pad": 1.5}
            ax.text(x, row, words.words[i], family="monospace", va="center", bbox=box)
            x += len(words.words[i]) + 1
    return ax


def _one(name: str, values: Any, axes: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if array.ndim not in axes:
        raise ValueError(
            f"{name} has the shape {array.shape}, but {' or '.join(map(str, axes))} axes were expected: pass those of "
            "one row, and of several outputs those of one, as by values[0, ..., 1]."
        )
    return array


def _limit(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0.0)) or 1.0


def _axes(plt: Any, ax: Any, size: tuple[float, float]) -> Any:
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def _opaque(plt: Any, drawn: Any) -> Any:
    """The colours of a drawing without its transparency, for a colour bar."""
    return plt.matplotlib.cm.ScalarMappable(norm=drawn.norm, cmap=drawn.cmap)
