"""sknn.baselines: a dict of simple pipelines of scikit-learn for any X and y."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import narwhals.stable.v1 as nw
import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_consistent_length
from torch import Tensor

from .._data.containers import as_table, without_tensor
from .._data.real_targets import RealTargets
from .._data.recognition import Content, content_of
from .._data.table import TableReader
from .._data.targets import MultilabelTargets, class_targets
from .._errors import refused_as, shown
from .features import Cells, Flat, Pixels, SequenceStatistics, Strings, WithoutEmptyColumns

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["baselines"]

Task = Literal["auto", "classification", "regression"]

_MOST_WHOLE_NUMBERS = 20  # different ones that are taken for classes
_MOST_CATEGORIES = 100  # of a column, with a coefficient each; rarer ones share one
_WIDEST_DENSE = 256  # columns of one-hot categories; models fit few of them faster as a dense array
_MOST_CODES = 250  # HistGradientBoosting takes 255
_TEXT_NUMBERS = 30  # of a column of texts, for trees
# Of texts a smaller penalty is usual: accuracy on 4,868 sentences of scikit-learn's documentation, 6 subpackages,
# threefold, is 0.719 with C=10 and 0.697 with C=1.
_C_OF_TEXTS = 10.0


class _Aim(NamedTuple):
    """What is predicted."""

    classify: bool
    several: bool  # labels, or numbers
    random_state: Any


def baselines(X: Any, y: Any, *, task: Task = "auto", random_state: Any = None) -> dict[str, Pipeline]:
    """Simple models of scikit-learn to compare a network with, on the same raw X.

    A network that is not better than these is not worth its cost.

    ========  ==========================================================================================
    "dummy"   the frequencies of the classes, or the mean of y, whatever X is
    "linear"  logistic regression, or ridge regression whose penalty is chosen by leaving out single rows
    "trees"   histogram gradient boosting with its defaults
    ========  ==========================================================================================

    What the models are given depends on what X is:

    ==============================  ============================================================================
    table                           numbers; dates in seconds and by calendar; categories one-hot (for trees as
                                    categories); texts as tf-idf of n-grams of characters (for trees 30 numbers
                                    of these). For "linear", numbers are imputed and scaled
    sparse matrix                   as it is, scaled; no trees
    texts                           tf-idf of n-grams of characters; no trees
    images                          pixels in a size of at most 16 x 16; no trees
    sequences, sounds of unequal    mean, spread, extremes, ends and mean absolute step of each channel
    length
    other arrays                    all values; no trees
    ==============================  ============================================================================

    Parameters
    ----------
    X : table, texts, images, sequences or sounds, of n_samples rows
        As for :class:`NeuralClassifier`. The pipelines are fitted to these rows, or to others of the same columns: what
        a column is (number, date, category or text) and how categories are numbered is learned here, all else in fit.
    y : array-like of shape (n_samples,), (n_samples, n_outputs) or (n_samples, n_labels)
        Labels, numbers, several numbers, or label indicators.
    task : {"auto", "classification", "regression"}, default="auto"
        What y is. "auto": strings, booleans, categories and label indicators are classes, and whole numbers where there
        are at most 20 different ones.
    random_state : int, RandomState or None, default=None
        Of the models that use random numbers.

    Returns
    -------
    models : dict of str to Pipeline
        Unfitted pipelines, in this order; the last step of each is called "model".

    Raises
    ------
    ValueError, TypeError
        X or y cannot be read, they differ in length, or `task` is unknown. The message names what was expected.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sknn import baselines
    >>> X, y = load_iris(return_X_y=True)
    >>> for name, model in baselines(X, y, random_state=0).items():
    ...     print(name, cross_val_score(model, X, y).mean().round(2))
    dummy 0.33
    linear 0.96
    trees 0.95
    """
    if task not in ("auto", "classification", "regression"):
        raise ValueError(f"task={shown(task)} is invalid; expected 'auto', 'classification' or 'regression'.")
    with refused_as("y", "one value for each row of X"):
        y = without_tensor(y, "y")
        check_consistent_length(X, y)
    aim = _aim(y, task, random_state)
    # Arrays of more dimensions than an image are for a module of the user's, not a mistake.
    n_axes = X.ndim if isinstance(X, np.ndarray | Tensor) else 0
    content = "sequence" if _are_sounds(X) else content_of(X, keeps_arrays=n_axes > 3)
    models = {"dummy": _dummy(aim)}
    if content == "table":
        return models | _of_table(TableReader.learn(as_table(X), "from_dtype")[0], aim)
    return models | _of_other_data(content, aim)


def _are_sounds(X: Any) -> bool:
    """Whether X holds arrays of one dimension and of several lengths."""
    rows = X if isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object) else []
    are_arrays = len(rows) > 0 and all(isinstance(row, np.ndarray | Tensor) and row.ndim == 1 for row in rows)
    return are_arrays and len({len(row) for row in rows}) > 1


# ------------------------------------------------------------------ y


def _aim(y: Any, task: Task, random_state: Any) -> _Aim:
    """What y asks for; y is checked."""
    if task == "classification" or (task == "auto" and _are_classes(y)):
        targets, _ = class_targets(y)
        return _Aim(True, isinstance(targets, MultilabelTargets), random_state)
    values = RealTargets.check(y)
    return _Aim(False, values.ndim == 2 and values.shape[1] > 1, random_state)


def _are_classes(y: Any) -> bool:
    """Whether y holds labels rather than numbers."""
    if nw.dependencies.is_into_series(y):
        dtype = nw.from_native(y, series_only=True).dtype
        if isinstance(dtype, nw.Categorical | nw.Enum | nw.Boolean | nw.String):
            return True
    if issparse(y):
        return True
    values = np.asarray(y)
    if values.dtype == object:
        try:
            values = values.astype(np.float64)  # decimals, and nullable numbers
        except (TypeError, ValueError):
            return True
    if values.dtype.kind not in "iuf":
        return True
    if values.ndim > 1 and values.shape[-1] > 1:
        return bool(np.isin(values, (0, 1)).all())
    different = np.unique(values)
    return len(different) <= _MOST_WHOLE_NUMBERS and bool((different == np.floor(different)).all())


# ------------------------------------------------------------------ models


def _dummy(aim: _Aim) -> Pipeline:
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.pipeline import Pipeline

    return Pipeline([("model", DummyClassifier(strategy="prior") if aim.classify else DummyRegressor())])


def _linear(aim: _Aim, C: float = 1.0) -> Any:
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.multiclass import OneVsRestClassifier

    if not aim.classify:
        return RidgeCV(alphas=np.logspace(-2, 4, 13))
    model = LogisticRegression(C=C, max_iter=1000)
    return OneVsRestClassifier(model) if aim.several else model


def _trees(aim: _Aim, n_categorical: int = 0) -> Any:
    """The first columns are categories."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import MultiOutputRegressor

    params = {"categorical_features": list(range(n_categorical)) or None, "random_state": aim.random_state}
    if aim.classify:
        model = HistGradientBoostingClassifier(**params)
        return OneVsRestClassifier(model) if aim.several else model
    model = HistGradientBoostingRegressor(**params)
    return MultiOutputRegressor(model) if aim.several else model


# ------------------------------------------------------------------ kinds of data


def _of_table(reader: TableReader, aim: _Aim) -> dict[str, Pipeline]:
    """Pipelines whose first step joins the kinds of columns that there are; codes of categories come first."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    linear, trees = [], []
    if reader.categorical:
        codes = Cells(reader.columns, "categories")
        width = sum(min(cardinality, _MOST_CATEGORIES) for cardinality in reader.cardinalities)
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=_MOST_CATEGORIES, sparse_output=width > _WIDEST_DENSE
        )
        ordinal = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=_MOST_CODES, dtype=np.float64
        )
        linear.append(("categories", make_pipeline(codes, one_hot)))
        trees.append(("categories", make_pipeline(codes, ordinal)))
    parts: list[Any] = ["numbers"] if reader.numeric else []
    parts += ["calendar"] if any(column.quantity == "date" for column in reader.columns) else []
    for part in parts:
        numbers = Cells(reader.columns, part)
        imputer = SimpleImputer(add_indicator=part == "numbers", keep_empty_features=True)
        linear.append((part, make_pipeline(numbers, imputer, StandardScaler())))
        trees.append((part, make_pipeline(numbers, WithoutEmptyColumns())))
    for position in reader.texts:
        texts = Cells(reader.columns, position)
        numbers_of_texts = TruncatedSVD(_TEXT_NUMBERS, random_state=aim.random_state)
        linear.append((f"text {position}", make_pipeline(texts, _tf_idf(aim))))
        trees.append((f"text {position}", make_pipeline(texts, _tf_idf(aim), numbers_of_texts)))
    C = _C_OF_TEXTS if reader.texts else 1.0
    return {
        "linear": Pipeline([("features", FeatureUnion(linear)), ("model", _linear(aim, C))]),
        "trees": Pipeline([("features", FeatureUnion(trees)), ("model", _trees(aim, len(reader.categorical)))]),
    }


def _tf_idf(aim: _Aim) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Ridge regression decomposes a matrix of the smaller of rows and features: a second for 2,000.
    most = 20_000 if aim.classify else 2_000
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), sublinear_tf=True, max_features=most)


def _of_other_data(content: Content, aim: _Aim) -> dict[str, Pipeline]:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, StandardScaler

    features: dict[Content, list[Any]] = {
        "sparse": [MaxAbsScaler()],
        "text": [Strings(), _tf_idf(aim)],
        "image": [Pixels(), StandardScaler()],
        "sequence": [SequenceStatistics(), SimpleImputer(keep_empty_features=True), StandardScaler()],
        "array": [Flat(), StandardScaler()],
    }
    C = _C_OF_TEXTS if content == "text" else 1.0
    models = {"linear": Pipeline([("features", make_pipeline(*features[content])), ("model", _linear(aim, C))])}
    if content == "sequence":
        models["trees"] = Pipeline([
            ("features", make_pipeline(SequenceStatistics(), WithoutEmptyColumns())),
            ("model", _trees(aim)),
        ])  # fmt: skip
    return models
