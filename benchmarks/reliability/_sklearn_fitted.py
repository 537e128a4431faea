"""Every estimator of scikit-learn, fitted on a small table that it accepts."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

__all__ = ["N_COLUMNS", "fitted", "kinds"]

_N, N_COLUMNS = 40, 5
_STEPS = [("scale", StandardScaler()), ("last", LogisticRegression())]
# Arguments without which a class cannot be created; other classes are made without arguments.
_NEEDED: dict[str, dict[str, Any]] = {
    "ClassifierChain": {"estimator": LogisticRegression()},
    "ColumnTransformer": {"transformers": [("a", StandardScaler(), [0, 1]), ("b", "passthrough", [2])]},
    "GaussianRandomProjection": {"n_components": 2},
    "SparseRandomProjection": {"n_components": 2},
    "FeatureUnion": {"transformer_list": [("a", StandardScaler())]},
    "FixedThresholdClassifier": {"estimator": LogisticRegression()},
    "FrozenEstimator": {"estimator": LogisticRegression().fit([[0.0] * N_COLUMNS, [1.0] * N_COLUMNS], [0, 1])},
    "GridSearchCV": {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}, "cv": 2},
    "HalvingGridSearchCV": {"estimator": Ridge(), "param_grid": {"alpha": [0.1, 1.0]}, "cv": 2},
    "HalvingRandomSearchCV": {"estimator": Ridge(), "param_distributions": {"alpha": [0.1, 1.0]}, "cv": 2},
    "MultiOutputClassifier": {"estimator": LogisticRegression()},
    "MultiOutputRegressor": {"estimator": Ridge()},
    "OneVsOneClassifier": {"estimator": LogisticRegression()},
    "OneVsRestClassifier": {"estimator": LogisticRegression()},
    "OutputCodeClassifier": {"estimator": LogisticRegression()},
    "Pipeline": {"steps": _STEPS},
    "RFE": {"estimator": LogisticRegression()},
    "RFECV": {"estimator": LogisticRegression(), "cv": 2},
    "RandomizedSearchCV": {"estimator": Ridge(), "param_distributions": {"alpha": [0.1, 1.0]}, "n_iter": 2, "cv": 2},
    "RegressorChain": {"estimator": Ridge()},
    "SelectFromModel": {"estimator": LogisticRegression()},
    "SelfTrainingClassifier": {"estimator": LogisticRegression()},
    "SequentialFeatureSelector": {"estimator": LogisticRegression(), "n_features_to_select": 2, "cv": 2},
    "SparseCoder": {"dictionary": np.eye(N_COLUMNS)},
    "StackingClassifier": {"estimators": [("a", LogisticRegression())], "cv": 2},
    "StackingRegressor": {"estimators": [("a", Ridge())], "cv": 2},
    "TunedThresholdClassifierCV": {"estimator": LogisticRegression(), "cv": 2},
    "VotingClassifier": {"estimators": [("a", LogisticRegression())]},
    "VotingRegressor": {"estimators": [("a", Ridge())]},
}
_SMALL = {"n_estimators": 3, "max_iter": 20, "n_init": 1}  # a file of a few kilobytes
# Other code is used if these are set.
_VARIANTS: dict[str, list[dict[str, Any]]] = {
    "AdaBoostClassifier": [{"estimator": LogisticRegression()}],
    "AdaBoostRegressor": [{"estimator": Ridge()}],
    "BaggingClassifier": [{"estimator": LogisticRegression(), "n_estimators": 2}],
    "BaggingRegressor": [{"estimator": Ridge(), "n_estimators": 2}],
    "CalibratedClassifierCV": [{"estimator": LogisticRegression(), "cv": 2}, {"method": "isotonic", "cv": 2,
                                                                             "estimator": LogisticRegression()}],
    "RANSACRegressor": [{"estimator": LinearRegression()}],
    "TransformedTargetRegressor": [{"regressor": Ridge(), "transformer": StandardScaler()}],
    "SimpleImputer": [{"add_indicator": True}, {"strategy": "most_frequent"}],
    **{f"{kind}Neighbors{task}": [{"algorithm": "brute"}] for kind in ("K", "Radius")
       for task in ("Classifier", "Regressor", "Transformer")},
    "NearestNeighbors": [{"algorithm": "brute"}],
    "LocalOutlierFactor": [{"algorithm": "brute"}, {"novelty": True}],
    "KNNImputer": [{"add_indicator": True}],
    "IterativeImputer": [{"add_indicator": True}],
    "OneHotEncoder": [{"sparse_output": False}, {"min_frequency": 3, "handle_unknown": "infrequent_if_exist"},
                      {"drop": "first"}],
    "OrdinalEncoder": [{"min_frequency": 3}, {"handle_unknown": "use_encoded_value", "unknown_value": -1}],
    "KBinsDiscretizer": [{"encode": "ordinal"}],
    "PolynomialFeatures": [{"degree": 3, "interaction_only": True}],
    "LabelBinarizer": [{"sparse_output": True}],
    "MultiLabelBinarizer": [{"sparse_output": True}],
    "GaussianProcessRegressor": [{"normalize_y": True}],
    "Nystroem": [{"kernel": "chi2"}, {"kernel": "laplacian"}],
    "KernelRidge": [{"kernel": "chi2"}, {"kernel": "rbf"}, {"kernel": "laplacian"}],
    "KernelPCA": [{"kernel": "rbf", "fit_inverse_transform": True}],
    "MLPClassifier": [{"early_stopping": True, "max_iter": 5}],
    "SGDClassifier": [{"loss": "modified_huber", "average": True}],
    "StackingRegressor": [{"estimators": [("a", StackingRegressor([("b", Ridge())], cv=2))], "cv": 2}],
    "LogisticRegression": [{"C": 0.5, "solver": "liblinear"}],
    "TfidfVectorizer": [{"ngram_range": (1, 2), "sublinear_tf": True}],
    "FunctionTransformer": [{"func": np.clip, "kw_args": {"a_min": 0.0, "a_max": 1.0}}],
}  # fmt: skip


def _variants(kind: type) -> list[Any]:
    """Unfitted estimators of a class, at least one, if it is known how to create one."""
    name = kind.__name__
    choices = [_NEEDED.get(name, {}), *({**_NEEDED.get(name, {}), **more} for more in _VARIANTS.get(name, []))]
    made = []
    for arguments in choices:
        try:
            model: Any = kind(**arguments)
        except TypeError:
            continue
        smaller = {name: size for name, size in _SMALL.items() if name in model.get_params() and name not in arguments}
        made.append(model.set_params(**smaller))
    return made


def _tables() -> list[tuple[Any, Any]]:
    """Pairs of X and y; the first that an estimator can be fitted on is used."""
    draw = np.random.RandomState(0)
    X = np.abs(draw.normal(size=(_N, N_COLUMNS))) + np.arange(_N)[:, None] % 2
    y = np.arange(_N) % 2
    words = [f"some words and {i % 7} more of them {i % 3}" for i in range(_N)]
    two = np.stack([y, 1 - y], axis=1)
    return [
        (X, y), (X, two), (words, y), ([{"a": 1.0 * i, f"b{i % 3}": 2.0} for i in range(_N)], y),
        (X, X[:, :2]), (X, X[:, 0] + 1.0), (y, y), (X[:, 0], X[:, 1]), ([("a", "b"), ("b",)] * 20, y),
        (sparse.csr_matrix(X), y),
        ([[("a", 1), ("b", 2)]] * _N, y), (np.exp(-((X[:, None] - X) ** 2).sum(2)), y), (np.array(words)[:, None], y),
    ]  # fmt: skip


def fitted(kind: type) -> Iterator[tuple[str, Any, Any, Any]]:
    """Name, fitted estimator, X and y of each variant of a class; nothing if no table suits it."""
    labels = "y" in list(inspect.signature(kind.fit).parameters)[1:2]  # LabelEncoder and others
    for i, made in enumerate(_variants(kind)):
        for X, y in _tables():
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    made.fit(X) if labels else made.fit(X, y)
            except Exception:  # not every table suits every estimator
                continue
            yield f"{kind.__name__} {i}", made, X, y
            break


def kinds() -> list[type]:
    """The classes of all estimators."""
    return [kind for _, kind in all_estimators()]
