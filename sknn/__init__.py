"""Neural networks that behave like any other scikit-learn estimator."""

import sys as _sys

try:
    import skorch as _skorch  # noqa: F401 - first, to say why it fails
except AttributeError as error:  # up to 1.4 it composes its docstrings from others, which are None
    if _sys.flags.optimize < 2:
        raise
    raise ImportError(
        f"skorch, which sknn is built on, cannot be imported here ({error}). Under `python -OO` or PYTHONOPTIMIZE=2 "
        "there are no docstrings, and it needs its own: use `python -O` or PYTHONOPTIMIZE=1."
    ) from error

from ._baselines import baselines
from ._classifier import NeuralClassifier
from ._data.windows import windows
from ._embedding.neural_embedding import NeuralEmbedding
from ._export import export_numpy, export_onnx
from ._file import load, save
from ._generation.neural_generator import NeuralGenerator
from ._imputation.neural_imputer import NeuralImputer
from ._ranking.neural_ranker import NeuralRanker
from ._regressor import NeuralRegressor
from ._versions import __version__

__all__ = [
    "NeuralClassifier",
    "NeuralEmbedding",
    "NeuralGenerator",
    "NeuralImputer",
    "NeuralRanker",
    "NeuralRegressor",
    "__version__",
    "baselines",
    "export_numpy",
    "export_onnx",
    "load",
    "save",
    "windows",
]
