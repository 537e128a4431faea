"""Both exports accept every kind of table that the estimator accepts, and refuse what is not a table."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse

from sknn import NeuralClassifier
from sknn.modules import MLP, TabM

from .exported import N_ROWS, QUICK, SMALL, TOLERANCE, Exported, assert_same, numbers


def test_other_kinds_of_tables_mean_the_same(raw):
    exported, table, clf = raw
    model, expected = exported.numpy, clf.predict_proba(table)
    columns = {name: table[name].tolist() for name in table}
    shuffled = {name: columns[name] for name in reversed(columns)}
    rows = table.astype(object).to_numpy()
    records = [dict(zip(columns, row, strict=True)) for row in rows.tolist()]
    frames = [pl.DataFrame(table), pl.DataFrame(table).to_arrow(), table.convert_dtypes()]
    for given in (columns, shuffled, rows, rows.tolist(), records, *frames):
        assert np.abs(model.predict_proba(given) - expected).max() <= TOLERANCE
    with pytest.raises(ValueError, match="'amount'.*missing"):
        model.predict(table.drop(columns="amount"))
    with pytest.raises(ValueError, match="'amount'.*infinity"):
        model.predict(table.assign(amount=np.inf))
    with pytest.raises(ValueError, match="'amount'.*'many'"):
        model.predict(table.assign(amount="many"))


MISTAKES = {
    "a record": ({"age": 51, "city": "Oslo"}, TypeError, r"'age' is 51; expected a list of rows.*\[record\]"),
    "a record of text": ({"city": "Oslo", "age": [51]}, TypeError, r"'city' is 'Oslo'.*\[record\]"),
    "to_dict of pandas": ({"age": {0: 51}, "city": {0: "Oslo"}}, TypeError, r"'age' is \{0: 51\}; expected a list"),
    "a key less": ([{"age": 51, "city": "Oslo"}, {"age": 23}], ValueError, r"row 1 lacks the columns \['city'\].*None"),
    "the first has less": ([{"age": 51}, {"age": 23, "city": "Oslo"}], ValueError, r"row 0 lacks .*'city'"),
    "all have less": ([{"age": 51}, {"age": 23}], ValueError, r"the columns \[.*'city'\] are missing\.$"),
    "no record": ([{"age": 51, "city": "Oslo"}, 3], TypeError, "row 1 is 3, and row 0 is a dict"),
    "no rows": ({"age": [], "city": []}, ValueError, "at least one row"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_is_not_a_table_is_an_error_that_says_what_is_expected(case, people):
    exported, _, _ = people
    given, error, message = MISTAKES[case]
    for read in (exported.numpy.predict, exported.inputs.feeds):
        with pytest.raises(error, match=message):
            read(given)


def test_untouched_numbers_are_found_by_the_names_of_their_columns(tmp_path):
    X = pd.DataFrame(numbers(), columns=["a", "b", "c", "d"])
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], preprocessing=False, **QUICK).fit(X, X["a"] > 0)
    exported, expected = Exported(clf, tmp_path), clf.predict_proba(X)
    shuffled = X[["d", "b", "a", "c"]]
    for given in (shuffled, shuffled.to_dict("list"), shuffled.to_dict("records")):
        assert np.abs(exported.numpy.predict_proba(given) - expected).max() <= TOLERANCE
        assert np.abs(exported.onnx(given)["probabilities"] - expected).max() <= TOLERANCE
    with pytest.raises(ValueError, match=r"expected \(n_rows, 4\)"):
        exported.inputs.feeds(numbers(3))


def test_other_spellings_dates_and_numbers_as_categories(tmp_path):
    days = [datetime.datetime(2024, 1, 1 + i % 3) for i in range(N_ROWS)]
    mixed = np.array([1, "x", 2.5, None], dtype=object)[np.arange(N_ROWS) % 4]
    table = pd.DataFrame(
        {"day": days, "id": np.arange(N_ROWS) % 5, "mixed": mixed, "big": 2**60 + np.arange(N_ROWS) % 2}
    )
    table["price"] = np.array(["1.50", "2.25", "3.00"])[np.arange(N_ROWS) % 3]
    y = np.arange(N_ROWS) % 2
    forced = ["day", "id", "mixed", "big"]
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], categorical_features=forced, **QUICK).fit(table, y)
    exported = Exported(clf, tmp_path)
    assert_same(clf, table, exported)
    spelled = table.assign(id=table["id"].astype(str), mixed=table["mixed"].map(str, na_action="ignore"))
    spelled["price"] = table["price"].astype(float)
    expected = clf.predict_proba(spelled)
    assert np.abs(exported.numpy.predict_proba(spelled) - expected).max() <= TOLERANCE
    assert np.abs(exported.onnx(spelled)["probabilities"] - expected).max() <= TOLERANCE


@pytest.mark.parametrize("has_gaps", [True, False])
def test_numbers_that_are_categories_too(has_gaps, tmp_path):
    random = np.random.default_rng(0)
    zones = [str(i % 22 + 7) for i in range(N_ROWS)]
    table = pd.DataFrame({
        "x": random.normal(size=N_ROWS), "city": random.choice(["a", "b"], N_ROWS),
        "zone": [None if has_gaps and i % 9 == 0 else zone for i, zone in enumerate(zones)],
        "last": random.choice([2.5, 3.0, np.nan], N_ROWS), "kind": random.choice(["u", "v", "w"], N_ROWS),
    })  # fmt: skip
    clf = NeuralClassifier(TabM, module_params=SMALL[TabM], **{**QUICK, "max_epochs": 20})
    with pytest.warns(UserWarning, match="'zone' .* as categories, too"):
        clf.fit(table, [int(zone) % 2 for zone in zones])
    exported = Exported(clf, tmp_path)
    spec = next(spec for spec in exported.inputs.inputs if spec.name == "numeric")
    assert spec.columns == ["x", "zone", "last"]
    assert len(exported.inputs.inputs) == 3
    assert_same(clf, table, exported)
    others = table[:6].assign(zone=["7.0", "28", None, "?", "-3", "9.5"])  # known, missing and unknown ones
    assert len(set(clf.predict_proba(others.assign(x=0.0, city="a", last=3.0, kind="u"))[:, 0])) == 5
    assert_same(clf, others, exported)
    assert_same(clf, others.assign(zone=[7, 28, np.nan, np.nan, -3, 9.5]), exported)


def test_only_numbers_that_are_categories_too(tmp_path):
    table = pd.DataFrame({"zone": [str(i % 22) for i in range(N_ROWS)]})
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK)
    with pytest.warns(UserWarning, match="'zone' .* as categories, too"):
        clf.fit(table, np.arange(N_ROWS) % 2)
    assert_same(clf, table, Exported(clf, tmp_path))


def test_only_categories_one_column_and_a_sparse_matrix(tmp_path):
    table = pd.DataFrame({"": np.array(["a", "b", "c"])[np.arange(N_ROWS) % 3]})
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(table, np.arange(N_ROWS) % 2)
    assert_same(clf, table, Exported(clf, tmp_path))
    X = sparse.random(N_ROWS, 9, 0.3, format="csr", random_state=0)
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK).fit(X, np.arange(N_ROWS) % 2)
    exported = Exported(clf, tmp_path)
    assert_same(clf, X, exported)
    assert np.abs(exported.numpy.predict_proba(X.toarray()) - clf.predict_proba(X)).max() <= TOLERANCE


def test_numbers_scaled_by_a_repair(tmp_path):
    X = numbers() * 1e4 + 1e5
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], preprocessing=False, **QUICK).fit(X, X[:, 0] > 1e5)
    clf._inputs.rescaling = (torch.full((4,), 1e5), torch.full((4,), 1e4))
    assert_same(clf, X, Exported(clf, tmp_path))
