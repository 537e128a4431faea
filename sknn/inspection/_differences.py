"""How far made rows differ from real ones: distances of columns and of pairs of columns, AUC, nearest rows."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

from ._compared_rows import ComparedColumn, ComparedRows

__all__ = ["associations", "marginal_distance", "nearest_distances", "nearest_of_others", "two_sample_auc"]

_N_FOLDS = 5
_MOST_CATEGORIES = 50  # of a column in a pair: a table of more cells has few rows in each


def two_sample_auc(rows: ComparedRows, real: np.ndarray, made: np.ndarray, random: np.random.RandomState) -> float:
    """Cross-validated area under the ROC curve of boosted trees that tell `made` rows from `real` ones."""
    some = np.concatenate([real, made])
    X, are_categories = rows.features(some, random)
    y = np.repeat([0, 1], [len(real), len(made)])
    trees = HistGradientBoostingClassifier(categorical_features=are_categories, random_state=random.randint(2**31 - 1))
    folds = StratifiedKFold(_N_FOLDS, shuffle=True, random_state=random.randint(2**31 - 1))
    return float(roc_auc_score(y, cross_val_predict(trees, X, y, cv=folds, method="predict_proba")[:, 1]))


def marginal_distance(column: ComparedColumn, first: np.ndarray, second: np.ndarray) -> float:
    """Largest difference of the distribution functions of numbers, or half the sum of those of shares of categories.

    The statistic of Kolmogorov and Smirnov, or the total variation distance; 0 for equal distributions, at most 1. Gaps
    are a category of their own, and below all numbers.
    """
    one, other = column.values[first], column.values[second]
    if column.kind == "category":
        shares = [np.bincount(codes + 1, minlength=column.n_categories + 1) / len(codes) for codes in (one, other)]
        return float(np.abs(shares[0] - shares[1]).sum() / 2)
    one, other = (np.sort(np.nan_to_num(numbers, nan=-np.inf)) for numbers in (one, other))
    both = np.concatenate([one, other])
    below = [np.searchsorted(numbers, both, side="right") / len(numbers) for numbers in (one, other)]
    return float(np.abs(below[0] - below[1]).max())


def associations(columns: list[ComparedColumn], rows: np.ndarray) -> np.ndarray:
    """How strongly each two columns depend on each other in these rows, float64 (n_columns, n_columns).

    Of two numbers the rank correlation of Spearman, -1 to 1; of two categories Cramér's V, and of a category and a
    number the correlation ratio of its ranks, both 0 to 1. Gaps are a category, or have the mean rank.
    """
    blocks = [_block(column, rows) for column in columns]
    starts = np.cumsum([0, *(block.shape[1] for block in blocks)])
    joint = np.concatenate(blocks, axis=1)
    products = joint.T @ joint / len(rows)
    found = np.zeros((len(columns), len(columns)))
    for i, one in enumerate(columns):
        for j, other in enumerate(columns[:i]):
            part = products[starts[i] : starts[i + 1], starts[j] : starts[j + 1]]
            if one.kind == other.kind == "number":
                value = part[0, 0]
            elif one.kind == other.kind:
                value = _cramers_v(part)
            else:
                k = i if one.kind == "category" else j
                shares = np.diag(products)[starts[k] : starts[k + 1]]
                means = part.reshape(-1)[shares > 0] / shares[shares > 0]
                value = np.sqrt(np.clip((shares[shares > 0] * means**2).sum(), 0, 1))
            found[i, j] = found[j, i] = value
    return found


def _block(column: ComparedColumn, rows: np.ndarray) -> np.ndarray:
    """Standardised ranks (n_rows, 1), zero where all are equal, or indicators of categories (n_rows, n_categories)."""
    if column.kind == "category":
        codes = np.minimum(column.values[rows] + 1, _MOST_CATEGORIES)
        return np.eye(min(column.n_categories, _MOST_CATEGORIES) + 1)[codes]
    numbers = column.values[rows]
    known = ~np.isnan(numbers)
    ranks = np.zeros(len(rows))
    if known.any():
        of_known = rankdata(numbers[known])
        ranks[known] = of_known - of_known.mean()
    return (ranks / (ranks.std() or 1.0))[:, None]


def _cramers_v(joint: np.ndarray) -> float:
    """Of the joint shares of two columns of categories."""
    joint = joint[joint.sum(axis=1) > 0][:, joint.sum(axis=0) > 0]
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    degrees = min(joint.shape) - 1
    return float(np.sqrt(((joint - expected) ** 2 / expected).sum() / degrees)) if degrees else 0.0


def nearest_distances(points: np.ndarray, rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Distance of each of the `rows` of `points` to the nearest of the `reference` rows, float64 (n_rows,)."""
    search = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(points[reference])
    return _exact(points, rows, reference[search.kneighbors(points[rows], return_distance=False)[:, 0]])


def nearest_of_others(points: np.ndarray, rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The same for `rows` that are among the `reference` rows, to the nearest of the others."""
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(points[reference])
    found = reference[search.kneighbors(points[rows], return_distance=False)]
    return _exact(points, rows, np.where(found[:, 0] == rows, found[:, 1], found[:, 0]))


def _exact(points: np.ndarray, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distances without the rounding of those by inner products, so that equal rows have none."""
    return np.sqrt(np.square(points[rows].astype(np.float64) - points[others]).sum(axis=1))
