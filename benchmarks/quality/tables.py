"""The tables: a folder of Parquet files, or data sets of OpenML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.datasets import fetch_openml
from sklearn.model_selection import train_test_split

__all__ = ["Table", "cut_tables", "openml_tables", "suite_tables", "toy_table"]

_MAX_TRAIN = 10_000


@dataclass(frozen=True)
class Table:
    """One table, split.

    Parameters
    ----------
    name : str
    task : {"classification", "regression"}
    X_train, X_test : DataFrame
        Raw columns: numbers, and categories in any form.
    y_train, y_test : ndarray of shape (n_samples,)
        float64, or codes of the classes from 0; every class is among the training rows.
    """

    name: str
    task: str
    X_train: pd.DataFrame
    y_train: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray

    @property
    def categorical(self) -> list[str]:
        """Names of the columns that are not numbers."""
        return [name for name, column in self.X_train.items() if not _is_number(column)]


def _is_number(column: pd.Series) -> bool:
    """Bool counts as a category."""
    return is_numeric_dtype(column) and not is_bool_dtype(column)


def _make_table(name: str, task: str, train: tuple[pd.DataFrame, Any], test: tuple[pd.DataFrame, Any]) -> Table:
    """Numbers or codes as the target; test rows of a class that no training row has are left out."""
    (X_train, y_train), (X_test, y_test) = train, test
    if task == "regression":
        return Table(name, task, X_train, np.asarray(y_train, float), X_test, np.asarray(y_test, float))
    classes, codes = np.unique(np.asarray(y_train, str), return_inverse=True)
    labels = np.asarray(y_test, str)
    known = np.isin(labels, classes)
    return Table(name, task, X_train, codes, X_test[known], np.searchsorted(classes, labels[known]))


def suite_tables(folder: Path, names: Iterable[str] = ()) -> Iterator[Table]:
    """The tables of a folder, in the order of its ``suite.json``.

    Parameters
    ----------
    folder : Path
        ``suite.json`` lists name and task; ``NAME.parquet`` holds the columns, ``target``, and ``split`` ("train" or
        "test").
    names : iterable of str
        Only these; all if empty.

    Raises
    ------
    ValueError
        If a name is not in the suite.
    """
    tasks = {spec["name"]: spec["task"] for spec in json.loads((folder / "suite.json").read_text())}
    wanted = list(names) or list(tasks)
    unknown = [name for name in wanted if name not in tasks]
    if unknown:
        raise ValueError(f"tables: {', '.join(unknown)} not in the suite; it has {', '.join(tasks)}")
    for name in tasks:
        if name in wanted:
            frame = pd.read_parquet(folder / f"{name}.parquet")
            train = frame["split"].eq("train").to_numpy()
            X, y = frame.drop(columns=["target", "split"]), frame["target"].to_numpy()
            yield _make_table(name, tasks[name], (X[train], y[train]), (X[~train], y[~train]))


def cut_tables(tables: Iterable[Table], n_rows: int, n_draws: int) -> Iterator[Table]:
    """Each table several times, with as many training rows, drawn at random; with its own if it has no more.

    Parameters
    ----------
    tables : iterable of Table
    n_rows, n_draws : int
    """
    for table in tables:
        for draw in range(n_draws):
            rows = np.random.RandomState(draw).permutation(len(table.y_train))[:n_rows]
            train = table.X_train.iloc[rows].reset_index(drop=True), table.y_train[rows]
            name = f"{table.name}-{n_rows}-{draw}"
            yield _make_table(name, table.task, train, (table.X_test, table.y_test))


def openml_tables(ids: Iterable[int], fetch: Callable[..., Any] = fetch_openml) -> Iterator[Table]:
    """Data sets of OpenML, 70 % for training but at most 10,000 rows, the others for the test.

    A target of numbers makes a regression. Rows without a target go, and so do classes of a single row, which cannot
    stand on both sides of a split by classes.

    Parameters
    ----------
    ids : iterable of int
    fetch : callable
        With the interface of `sklearn.datasets.fetch_openml`.
    """
    for data_id in ids:
        bunch = fetch(data_id=data_id, as_frame=True)
        if not isinstance(bunch.target, pd.Series):
            raise ValueError(f"openml: data set {data_id} has no target, or several; expected one column")
        X, y = bunch.data, bunch.target
        task = "regression" if _is_number(y) else "classification"
        kept = y.notna().to_numpy()
        if task == "classification":
            kept = kept & y.astype(object).duplicated(keep=False).to_numpy()
        X, y = X[kept], y[kept]
        by = y.astype(str) if task == "classification" else None
        n_test = round(0.3 * len(y))
        n_train = min(len(y) - n_test, _MAX_TRAIN)
        train, test = train_test_split(
            np.arange(len(y)), train_size=n_train, test_size=n_test, random_state=0, stratify=by
        )
        rows = [(X.iloc[part].reset_index(drop=True), y.iloc[part].to_numpy()) for part in (train, test)]
        yield _make_table(f"{bunch.details['name']}-{data_id}", task, *rows)


def toy_table(task: str) -> Table:
    """Forty rows of a number and a category: for first fits, which take a library's time to wake up."""
    x = np.linspace(-1, 1, 40)
    X = pd.DataFrame({"x": x, "c": np.where(np.arange(40) % 2, "odd", "even")})
    y = x if task == "regression" else (x > 0).astype(int)
    return Table("toy", task, X, y, X, y)
