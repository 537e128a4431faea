"""Drawings of attributions, and words in a notebook."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from sknn.inspection import WordContributions, plot_image, plot_sequence, plot_sound, plot_text

mpl.use("agg")
from matplotlib import pyplot as plt

RANDOM = np.random.default_rng(0)
WORDS = WordContributions(["a", "good", "<film>"], np.array([0.1, 2.0, -1.0]))


@pytest.fixture(autouse=True)
def _close_figures() -> Any:
    yield
    plt.close("all")


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 3), (3, 6, 8), (6, 8, 1)])
def test_an_image_is_drawn_with_the_sum_over_its_channels(shape):
    image, values = RANDOM.integers(0, 255, size=shape).astype(np.uint8), RANDOM.normal(size=shape)
    ax = plot_image(image, values)
    axis = {3: shape.index(min(shape))}.get(len(shape))
    shown = ax.images[1].get_array()
    np.testing.assert_allclose(shown, values if axis is None else values.sum(axis=axis))
    assert ax.images[1].norm.vmin == -ax.images[1].norm.vmax == -np.abs(shown).max()
    ax.figure.canvas.draw()


def test_an_image_of_pillow_is_drawn():
    ax = plot_image(Image.fromarray(np.zeros((5, 4, 3), dtype=np.uint8)), np.zeros((5, 4, 3)))
    ax.figure.canvas.draw()


def test_channels_of_a_sequence_are_drawn_above_each_other():
    x, values = RANDOM.normal(size=(2, 30)), RANDOM.normal(size=(2, 30))
    x[0, 3], x[1] = np.nan, 7.0  # a gap, and a constant channel
    ax = plot_sequence(x, values)
    np.testing.assert_array_equal(ax.images[0].get_array(), values)
    assert len(ax.lines) == 2
    assert ax.get_xlabel() == "step"
    ax.figure.canvas.draw()
    assert len(plot_sequence(x[0], values[0]).lines) == 1


def test_a_sound_is_drawn_over_seconds():
    ax = plot_sound(RANDOM.normal(size=(40, 100)), hop_ms=20)
    assert ax.get_xlim() == (0, 2.0)
    ax.figure.canvas.draw()


def test_the_words_of_a_text_are_drawn_in_lines():
    many = WordContributions([f"word{i}" for i in range(60)], RANDOM.normal(size=60))
    ax = plot_text(many)
    assert [text.get_text() for text in ax.texts] == many.words
    assert len({text.get_position()[1] for text in ax.texts}) > 3
    ax.figure.canvas.draw()
    plot_text(WordContributions([], np.empty(0))).figure.canvas.draw()


@pytest.mark.parametrize("draw", [
    lambda ax: plot_image(np.zeros((4, 4)), np.ones((4, 4)), ax),
    lambda ax: plot_sequence(np.zeros((1, 4)), np.ones((1, 4)), ax),
    lambda ax: plot_sound(np.ones((4, 4)), ax=ax),
    lambda ax: plot_text(WORDS, ax),
])  # fmt: skip
def test_it_draws_into_the_axes_given(draw):
    _, mine = plt.subplots()
    assert draw(mine) is mine
    assert len(plt.get_fignums()) == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"image has the shape \(4, 4\), but values have \(4, 5\)"):
        plot_image(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r"x has the shape \(1, 4\), but values have \(2, 4\)"):
        plot_sequence(np.zeros((1, 4)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"values has the shape \(2, 4, 4, 3\).*of several outputs those of one"):
        plot_image(np.zeros((2, 4, 4)), np.zeros((2, 4, 4, 3)))
    several = WordContributions(["a"], np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"words.values has the shape \(1, 3\)"):
        plot_text(several)
    plot_text(several.of_output(1))


def test_words_are_shown_in_a_notebook():
    html = WORDS._repr_html_()
    assert "&lt;film&gt;" in html
    assert "<film>" not in html
    assert html.index("a</span>") < html.index("good</span>")
    assert 'title="2"' in html
    assert "214, 96, 77, 0.90" in html  # the largest is red
    several = WordContributions(WORDS.words, np.stack([WORDS.values, -WORDS.values], axis=1))
    assert several._repr_html_().count("good") == 2
