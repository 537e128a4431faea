"""Why an estimator predicts what it predicts: drawings, and what other packages need to show it."""

from .._data.word_contributions import WordContributions
from ._maps import plot_image, plot_sequence, plot_sound, plot_text
from ._shap import to_shap

__all__ = ["WordContributions", "plot_image", "plot_sequence", "plot_sound", "plot_text", "to_shap"]
