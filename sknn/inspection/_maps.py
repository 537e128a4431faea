"""Drawings of what the parts of an image, a sequence, a text or a sound contribute to a prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._data.word_contributions import WordContributions
from .._plotting import pyplot

__all__ = ["plot_image", "plot_sequence", "plot_sound", "plot_text"]

_COLOURS = "RdBu_r"  # red raises the output, blue lowers it
# Points of a text: size of the letters, width of one as a share of it, and distance of lines.
_SIZE, _LETTER, _LINE = 10, 0.602, 18
_WIDTH = 8 * 72  # of a figure that is made for it


def plot_image(image: Any, values: Any, ax: Any = None) -> Any:
    """Draw an image in grey, and over it what each pixel contributes: red raises the output, blue lowers it.

    Parameters
    ----------
    image : array-like of shape (height, width), (height, width, channels) or (channels, height, width)
        Or an image of PIL.
    values : ndarray of the shape of the image
        Of one image and one output, as ``explain`` returns them. Channels are added up.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a figure, with a colour bar.

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
    axes = _axes(plt, ax, (4, 4))
    axes.imshow(pixels, cmap="Greys", vmin=pixels.min(), vmax=pixels.min() + 1.6 * (np.ptp(pixels) or 1.0))
    limit = _limit(shares)
    alpha = 0.85 * np.sqrt(np.abs(shares) / limit)
    drawn = axes.imshow(shares, cmap=_COLOURS, vmin=-limit, vmax=limit, alpha=alpha)
    axes.set(xticks=[], yticks=[])
    if ax is None:
        opaque = plt.matplotlib.cm.ScalarMappable(norm=drawn.norm, cmap=drawn.cmap)
        axes.figure.colorbar(opaque, ax=axes, label="contribution", shrink=0.8)
    return axes


def plot_sequence(x: Any, values: Any, ax: Any = None) -> Any:
    """Draw the channels of a sequence above each other, and behind them what each step contributes.

    Parameters
    ----------
    x : array-like of shape (n_channels, n_timepoints)
        A sequence, as in ``X[0]``.
    values : ndarray of shape (n_channels, n_timepoints)
        Of one sequence and one output, as ``explain`` returns them.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a figure, with a colour bar.

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
    axes, limit = _axes(plt, ax, (7, 1.5 + n_channels)), _limit(values)
    drawn = axes.imshow(
        values, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest",
        extent=(-0.5, n_steps - 0.5, n_channels, 0),
    )  # fmt: skip
    for channel, row in enumerate(x):
        low, spread = np.nanmin(row), np.nanmax(row) - np.nanmin(row)
        axes.plot(np.arange(n_steps), channel + 0.9 - 0.8 * (row - low) / (spread or 1.0), color="black", linewidth=1)
    axes.set_yticks(np.arange(n_channels) + 0.5, np.arange(n_channels))
    axes.set(xlabel="step", ylabel="channel", ylim=(n_channels, 0))
    if ax is None:
        axes.figure.colorbar(drawn, ax=axes, label="contribution")
    return axes


def plot_sound(values: Any, hop_ms: float = 10.0, ax: Any = None) -> Any:
    """Draw what each band and frame of a log-mel spectrogram contributes, over time.

    Parameters
    ----------
    values : ndarray of shape (n_mels, n_frames)
        Of one recording and one output, as ``explain`` returns them.
    hop_ms : float, default=10.0
        Milliseconds from one frame to the next; that of the ``AudioNet``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a figure, with a colour bar.

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
    axes, limit = _axes(plt, ax, (7, 3)), _limit(values)
    drawn = axes.imshow(
        values, cmap=_COLOURS, vmin=-limit, vmax=limit, aspect="auto", origin="lower",
        extent=(0, values.shape[1] * hop_ms / 1000, -0.5, len(values) - 0.5),
    )  # fmt: skip
    axes.set(xlabel="seconds", ylabel="band, low to high")
    if ax is None:
        axes.figure.colorbar(drawn, ax=axes, label="contribution")
    return axes


def plot_text(words: WordContributions, ax: Any = None) -> Any:
    """Draw the words of a text in order, coloured by what they contribute: red raises the output, blue lowers it.

    In a notebook the object itself is shown in the same way.

    Parameters
    ----------
    words : WordContributions
        Of one text and one output, as ``explain`` returns them; of several outputs, ``words.of_output(i)``.
    ax : matplotlib Axes, default=None
        Where to draw; None makes a figure, with a colour bar.

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
    width = _WIDTH if ax is None else ax.get_window_extent().width * 72 / ax.figure.dpi
    places = _places(words.words, int(width / (_LETTER * _SIZE)))
    if ax is None:
        n_lines = 1 + max((line for line, _ in places), default=0)
        ax = plt.figure(figsize=(_WIDTH / 72, n_lines * _LINE / 72)).add_axes((0, 0, 1, 1))
    ax.axis("off")
    colours, limit = plt.get_cmap(_COLOURS), _limit(values)
    for word, value, (line, column) in zip(words.words, values, places, strict=True):
        ax.annotate(
            word, (0, 1), (column * _LETTER * _SIZE, -(line + 0.5) * _LINE), "axes fraction", "offset points",
            family="monospace", size=_SIZE, va="center",
            bbox={"facecolor": colours(0.5 + 0.35 * value / limit), "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    return ax


def _places(words: list[str], width: int) -> list[tuple[int, int]]:
    """Line and column of each word, in lines of `width` letters."""
    places, line, column = [], 0, 0
    for word in words:
        if column and column + len(word) > width:
            line, column = line + 1, 0
        places.append((line, column))
        column += len(word) + 1
    return places


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
