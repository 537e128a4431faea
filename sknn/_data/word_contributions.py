"""What the words of a text contribute to a prediction."""

from __future__ import annotations

import html
from typing import NamedTuple

import numpy as np

__all__ = ["WordContributions"]


class WordContributions(NamedTuple):
    """The words of a text in order, as the network reads them, and what each contributes to the raw prediction.

    Attributes
    ----------
    words : list of str, (n_words,)
        In lower case; punctuation is words of its own. Of a `TextTransformer`, pieces of rare words.
    values : ndarray of shape (n_words,) or (n_words, n_outputs), float64
    """

    words: list[str]
    values: np.ndarray

    def of_output(self, output: int) -> WordContributions:
        """The same of one of several outputs."""
        return WordContributions(self.words, self.values[:, output])

    def _repr_html_(self) -> str:
        """The words on red where they raise the output, on blue where they lower it."""
        if self.values.ndim > 1:
            return "<br>".join(self.of_output(i)._repr_html_() for i in range(self.values.shape[1]))
        limit = float(np.abs(self.values).max(initial=0.0)) or 1.0
        spans = []
        for word, value in zip(self.words, self.values, strict=True):
            colour = "214, 96, 77" if value > 0 else "67, 147, 195"
            style = f"background: rgba({colour}, {0.9 * abs(value) / limit:.2f}); padding: 0.1em"
            spans.append(f'<span title="{value:.4g}" style="{style}">{html.escape(word)}</span>')
        return f'<p style="line-height: 1.8">{" ".join(spans)}</p>'
