"""Neural networks that behave like any other scikit-learn estimator."""

from ._classifier import NeuralClassifier
from ._export import export_numpy, export_onnx
from ._file import load, save
from ._regressor import NeuralRegressor
from ._versions import __version__

__all__ = [
    "NeuralClassifier",
    "NeuralRegressor",
    "__version__",
    "export_numpy",
    "export_onnx",
    "load",
    "save",
]
