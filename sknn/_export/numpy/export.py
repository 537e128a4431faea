"""A fitted estimator as a file of weights and a predictor in numpy beside it."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..._atomic import check_destination, replace_file
from ..._versions import __version__
from ..graph import node_as_json
from ..intervals import refuse_condition
from ..model import exported_model
from .archive import FORMAT
from .standalone import MARK, check_module, source

__all__ = ["export_numpy"]


def export_numpy(
    estimator: Any, path: str | os.PathLike[str], *, confidence_level: float | None = None, condition: Any = None
) -> Path:
    """Write a fitted estimator for machines that have numpy, but neither torch nor sknn.

    Two files are written: `path` with the weights, and a Python module of the same name beside it, which reads the
    weights and predicts from raw tables.

    Parameters
    ----------
    estimator : NeuralClassifier, NeuralRegressor or NeuralRanker
        A fitted estimator. Its module may use the operations that docs/export.md lists.
    path : path-like
        The file of weights; ``.npz`` is appended if it is missing. The name must be one that ``import`` accepts:
        letters, digits and underscores. Each file appears whole or not at all.
    confidence_level : float, default=None
        In (0, 1): the predictor has `predict_interval` or `predict_set` for this level. None: no intervals.
    condition : None
        Not possible in an export: a level for each value of a column, as in `predict_interval`, is refused.

    Returns
    -------
    path : Path
        The file of weights; the predictor is ``path.with_suffix(".py")``.

    Raises
    ------
    NotFittedError
        The estimator is not fitted.
    TypeError
        `estimator` is not an estimator of sknn. To export a pipeline, export its last step.
    ValueError
        The module uses an unknown operation, branches on the values of its input, or its prediction for a row depends
        on other rows; a category or label is neither a string, a number, a boolean nor a date; or the predictor's
        name is not a valid module name or would hide a module of Python. With a `confidence_level`: it is outside of
        (0, 1), or the fit held out too few rows; or a `condition` is given.
    FileNotFoundError
        The folder does not exist.
    FileExistsError
        A Python module of that name exists which sknn did not write.

    Notes
    -----
    The predictor of a ranker of tables takes the rows of one query.

    Probabilities differ from `predict_proba` by about 1e-6, because sums are rounded in another order. The files
    contain weights, statistics of the columns, and categories, but no row of the training table.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import load_iris
    >>> from sknn import NeuralClassifier, export_numpy
    >>> from sknn.modules import MLP
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = NeuralClassifier(MLP, max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_numpy(clf, Path(folder) / "iris.npz")
    ...     sorted(file.name for file in path.parent.iterdir())
    ['iris.npz', 'iris.py']
    """
    refuse_condition(condition, "sknn.export_numpy")
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
    predictor = path.with_suffix(".py")
    check_destination(path)
    check_module(predictor, MARK, ".npz", "sknn.export_numpy")
    model = exported_model(estimator, "sknn.export_numpy", confidence_level)
    description = {
        "format": FORMAT,
        "sknn": __version__,
        **{name: value for name, value in vars(model).items() if name not in ("graph", "texts")},
        "widest": model.graph.widest,
        "nodes": [node_as_json(node) for node in model.graph.nodes],
        "output": model.graph.output,
    }
    text = json.dumps(description, ensure_ascii=True, separators=(",", ":"))
    file = io.BytesIO()
    arrays: dict[str, Any] = {f"value_{name}": array for name, array in model.graph.constants.items()}
    for position, features in model.texts.items():
        arrays |= {f"text_{position}_{name}": array for name, array in vars(features).items()}
    np.savez(file, model=np.frombuffer(text.encode("ascii"), dtype=np.uint8), **arrays)
    replace_file(predictor, source().encode())
    replace_file(path, file.getvalue())
    return path
