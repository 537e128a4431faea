"""Why an estimator predicts what it predicts, and how far generated rows differ from real ones."""

from .._data.word_contributions import WordContributions
from ._compare import compare
from ._generation_report import ColumnDifference, GenerationReport, PairDifference
from ._maps import plot_image, plot_sequence, plot_sound, plot_text
from ._shap import to_shap

__all__ = [
    "ColumnDifference",
    "GenerationReport",
    "PairDifference",
    "WordContributions",
    "compare",
    "plot_image",
    "plot_sequence",
    "plot_sound",
    "plot_text",
    "to_shap",
]
