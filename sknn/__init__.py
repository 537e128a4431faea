"""Neural networks that behave like any other scikit-learn estimator."""

from ._classifier import NeuralClassifier
from ._file import load, save
from ._journal import journal
from ._regressor import NeuralRegressor

__version__ = "0.1.0"

__all__ = ["NeuralClassifier", "NeuralRegressor", "__version__", "journal", "load", "save"]
