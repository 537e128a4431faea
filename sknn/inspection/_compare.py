"""Made rows beside real ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._random import random_generator
from ._compared_rows import ComparedRows, read_compared
from ._differences import associations, marginal_distance, nearest_distances, nearest_of_others, two_sample_auc
from ._generation_report import ColumnDifference, GenerationReport, PairDifference

__all__ = ["compare"]

_FEWEST_ROWS = 10  # two of each in every fold of the classifier
_MOST_ROWS = 5_000  # of each part that are compared; the standard error of an AUC is 0.006 then
_MOST_COLUMNS = 100  # in pairs
_N_SHUFFLES = 5


def compare(real: Any, made: Any, *, train: Any = None, random_state: Any = None) -> GenerationReport:
    """Compare made rows, or images, with real ones.

    Four questions are answered: can a classifier tell made rows from real ones; are the columns distributed alike; do
    they depend on each other alike; and are made rows copies of training rows? A generator that returns its training
    rows does perfectly in the first three. No answer proves that nothing about a person in the training rows can be
    learned from made rows.

    Parameters
    ----------
    real : table, or images, of n_real rows
        Rows that the generator has not been trained on, if `train` is given; else its training rows.
    made : table, or images, of n_made rows
        With the same columns, in any order, or of the same shape.
    train : table, or images, default=None
        Training rows of the generator, to which distances are measured. None: they are `real`, and the distance of a
        real row is that to the nearest other one.
    random_state : int, RandomState instance or None, default=None
        For the folds of the classifier, and the choice of 5,000 rows where there are more.

    Returns
    -------
    report : GenerationReport

    Raises
    ------
    ValueError
        Columns or shapes differ, a column holds infinity, or a part has fewer than 10 rows.
    TypeError
        They are neither tables nor images.

    Notes
    -----
    The classifier is scikit-learn's `HistGradientBoostingClassifier`, cross-validated in five folds on as many real as
    made rows. Of images it is given brightness, contrast, roughness and 50 principal components; these three stand in
    place of columns. Distances to the nearest row are Euclidean: of columns of numbers divided by their standard
    deviation and categories, of which two different ones have the distance 1, or of pixels. Near copies are made
    rows nearer to a training row than the median real row is; ties count by half.

    References
    ----------
    .. [1] D. Lopez-Paz, M. Oquab. Revisiting Classifier Two-Sample Tests. ICLR 2017. arXiv:1610.06545.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn.inspection import compare
    >>> random = np.random.default_rng(0)
    >>> real, made = random.normal(size=(300, 3)), random.normal(size=(300, 3))
    >>> report = compare(real, made, random_state=0)
    >>> report.auc < 0.6, report.exact_copies
    (True, 0.0)
    >>> compare(real, real[:200], random_state=0).exact_copies
    1.0
    """
    given = {"real": real, "made": made} | ({} if train is None else {"train": train})
    rows = read_compared(given)
    for name, part in rows.parts.items():
        if len(part) < _FEWEST_ROWS:
            raise ValueError(f"{name} has {len(part)} {rows.what}; expected at least {_FEWEST_ROWS} to compare.")
    random = random_generator(random_state)
    some = {name: _some(rows.parts[name], random) for name in ("real", "made")}
    columns, pairs, pairs_by_chance = _differences(rows, some["real"], some["made"], random)
    of_made, of_real = _to_nearest(rows, some["real"], some["made"])
    n_each = min(len(part) for part in some.values())
    return GenerationReport(
        auc=two_sample_auc(rows, some["real"][:n_each], some["made"][:n_each], random),
        near_copies=_share_below(of_made, float(np.median(of_real))),
        near_copies_real=_share_below(of_real, float(np.median(of_real))),
        exact_copies=float((of_made == 0).mean()),
        exact_copies_real=float((of_real == 0).mean()),
        columns=columns, pairs=pairs, pairs_by_chance=pairs_by_chance,
        distances_made=of_made, distances_real=of_real,
        n_real=len(rows.parts["real"]), n_made=len(rows.parts["made"]), what=rows.what,
    )  # fmt: skip


def _some(part: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """At most `_MOST_ROWS` positions of `part`, in random order."""
    return random.permutation(part)[:_MOST_ROWS]


def _share_below(distances: np.ndarray, threshold: float) -> float:
    """Share of distances below the threshold; those that equal it count by half."""
    return float((distances < threshold).mean() + (distances == threshold).mean() / 2)


def _to_nearest(rows: ComparedRows, real: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of made and of real rows to the nearest training row, none of which is the row itself."""
    is_apart = "train" in rows.parts
    reference = rows.parts["train" if is_apart else "real"]
    points = rows.points(reference)
    find = nearest_distances if is_apart else nearest_of_others
    return nearest_distances(points, made, reference), find(points, real, reference)


def _differences(
    rows: ComparedRows, real: np.ndarray, made: np.ndarray, random: np.random.RandomState
) -> tuple[list[ColumnDifference], list[PairDifference], float]:
    """Of columns and pairs of columns, largest first, and the mean of pairs by chance."""
    both = np.concatenate([real, made])
    splits = [np.split(random.permutation(both), [len(real)]) for _ in range(_N_SHUFFLES)]
    columns = [
        ColumnDifference(
            column.name,
            column.kind,
            marginal_distance(column, real, made),
            float(np.mean([marginal_distance(column, *split) for split in splits])),
            float(column.is_missing[real].mean()),
            float(column.is_missing[made].mean()),
        )
        for column in rows.columns
    ]
    paired = rows.columns[:_MOST_COLUMNS]
    first, second = np.tril_indices(len(paired), -1)
    of_real, of_made = (associations(paired, part)[first, second] for part in (real, made))
    by_chance = [np.abs(associations(paired, a) - associations(paired, b))[first, second] for a, b in splits]
    names = [column.name for column in paired]
    pairs = [
        PairDifference(names[i], names[j], float(a), float(b))
        for i, j, a, b in zip(second, first, of_real, of_made, strict=True)
    ]
    columns.sort(key=lambda column: -column.distance)
    pairs.sort(key=lambda pair: -pair.difference)
    return columns, pairs, float(np.mean(by_chance)) if pairs else float("nan")
