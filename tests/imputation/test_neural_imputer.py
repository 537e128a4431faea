"""NeuralImputer: gaps are filled in the form of their column, and nothing else changes."""

from __future__ import annotations

import datetime
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import sknn
from sknn import NeuralClassifier, NeuralImputer
from sknn.modules import MLP

RANDOM = np.random.default_rng(0)
N = 240
Z = RANDOM.normal(size=N)
NUMBERS = np.column_stack([Z, 2 * Z + 0.1 * RANDOM.normal(size=N), RANDOM.normal(size=N)])
COLOUR = np.where(Z > 0, "red", "blue")
HIDDEN = RANDOM.random(N) < 0.2
QUICK = {"max_epochs": 30, "module_params": {"width": 32, "n_blocks": 1}, "random_state": 0}


def imputer(**params) -> NeuralImputer:
    return NeuralImputer(**{**QUICK, **params})


def frame() -> pd.DataFrame:
    """Columns of many types, of which all but the last tell each other."""
    days = pd.Timestamp("2024-01-01", tz="Europe/Berlin") + pd.to_timedelta(np.round(60 * Z + 200), unit="D")
    return pd.DataFrame({
        "number": Z,
        "float32": (2 * Z).astype(np.float32),
        "Int64": pd.array(np.round(10 * Z).astype(int), dtype="Int64"),
        "string": COLOUR,
        "ordered": pd.Categorical(np.digitize(Z, [-0.5, 0.5]).astype(str), categories=["0", "1", "2"], ordered=True),
        "boolean": pd.array(Z > 0, dtype="boolean"),
        "day": days,
        "duration": pd.to_timedelta(np.round(3600 * Z), unit="s"),
        "price": [f"{z + 10:.2f} €".replace(".", ",") for z in Z],
        "text": [f"remark {i} about {'a good' if z > 0 else 'a bad'} thing" for i, z in enumerate(Z)],
    })  # fmt: skip


def with_gaps(table: pd.DataFrame, columns: list[str] | None = None) -> pd.DataFrame:
    table = table.copy()
    for i, name in enumerate(columns or table.columns):
        table[name] = table[name].mask(np.roll(HIDDEN, 7 * i))
    return table


@pytest.fixture(scope="module")
def fitted() -> tuple[NeuralImputer, pd.DataFrame]:
    table = with_gaps(frame())
    with pytest.warns(UserWarning, match="looks? numeric|read as"):
        return imputer().fit(table), table


def test_numbers_are_restored_from_the_others():
    table = np.where(RANDOM.random(NUMBERS.shape) < 0.2, np.nan, NUMBERS)
    filled = imputer().fit_transform(table)
    gaps = np.isnan(table)
    assert not np.isnan(filled).any()
    np.testing.assert_array_equal(filled[~gaps], table[~gaps])
    alone = gaps[:, 0] & ~gaps[:, 1]
    assert np.abs(filled - NUMBERS)[alone, 0].mean() < 0.35 * np.abs(NUMBERS[alone, 0]).mean()


def test_every_type_of_column(fitted):
    model, table = fitted
    filled = model.transform(table)
    truth = frame()
    assert list(filled.dtypes) == list(table.dtypes)
    for name in table.columns.drop("text"):
        gaps = table[name].isna()
        assert not filled[name].isna().any(), name
        assert filled[name][~gaps].equals(table[name][~gaps]), name
    assert filled["text"].equals(table["text"])
    for name in ("string", "boolean", "ordered"):
        gaps = table[name].isna()
        assert (filled[name][gaps] == truth[name][gaps]).mean() > 0.7, name
    gaps = table["day"].isna()
    assert ((filled["day"] - truth["day"])[gaps].abs() < pd.Timedelta(days=60)).mean() > 0.8
    spelled = filled["price"][table["price"].isna()]
    assert spelled.str.fullmatch(r"\d+,\d\d €").all()


def test_polars_frames():
    table = pl.DataFrame({
        "a": Z, "b": np.round(10 * Z).astype(int), "c": COLOUR, "d": [datetime.date(2024, 1, 1 + int(z > 0)) for z in Z],
        "e": pl.Series(np.where(Z > 0, "u", "v"), dtype=pl.Enum(["u", "v", "w"])),
    })  # fmt: skip
    gaps = np.roll(HIDDEN, 3)
    gappy = table.with_columns(pl.when(pl.Series(~gaps)).then(pl.all()).otherwise(None).name.keep())
    filled = imputer().fit_transform(gappy)
    assert filled.schema == table.schema
    assert sum(filled.null_count().row(0)) == 0
    assert filled.filter(pl.Series(~gaps)).equals(table.filter(pl.Series(~gaps)))


def test_a_table_without_gaps_is_unchanged():
    table = frame().drop(columns=["price", "text"])
    model = imputer(max_epochs=2).fit(table)
    assert model.transform(table).equals(table)
    assert model.get_feature_names_out().tolist() == list(table.columns)
    gappy = table.copy()
    gappy.loc[5, "number"] = np.nan  # no column had a gap in fit
    assert not model.transform(gappy).isna().any().any()


def test_rows_without_any_cell_get_the_marginal():
    table = pd.DataFrame({"a": Z + 5, "b": COLOUR})
    model = imputer().fit(table)
    empty = pd.DataFrame({"a": [np.nan] * 400, "b": [None] * 400})
    filled = model.transform(empty)
    assert abs(filled["a"].iloc[0] - table["a"].mean()) < 0.4
    drawn = model.set_params(sample=True).transform(empty)
    assert abs(drawn["a"].mean() - table["a"].mean()) < 0.25
    assert 0.6 < drawn["a"].std() / table["a"].std() < 1.4
    assert abs((drawn["b"] == "red").mean() - (table["b"] == "red").mean()) < 0.12
    # Drawn together, not column by column.
    assert ((drawn["a"] > 5) == (drawn["b"] == "red")).mean() > 0.75


def test_draws_differ_and_are_repeatable():
    table = np.where(RANDOM.random(NUMBERS.shape) < 0.2, np.nan, NUMBERS)
    model = imputer(sample=True).fit(table)
    first, again = model.transform(table), model.transform(table)
    other = model.set_params(random_state=1).transform(table)
    np.testing.assert_array_equal(first, again)
    gaps = np.isnan(table)
    assert (first != other)[gaps].mean() > 0.5
    assert np.isin(first[gaps[:, 0], 0], table[:, 0]).all()  # numbers of the training rows


def test_multiple_imputation_covers_the_mean():
    """Pooled 90 % intervals of a mean by Rubin's rules, over several tables."""
    covered = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        z = random.normal(size=300)
        table = np.column_stack([z, z + random.normal(size=300)])
        gappy = table.copy()
        gappy[random.random(300) < 0.4, 1] = np.nan
        model = imputer(sample=True, max_epochs=15, random_state=seed).fit(gappy)
        draws = [model.set_params(random_state=i).transform(gappy)[:, 1] for i in range(5)]
        means = np.array([d.mean() for d in draws])
        variance = np.mean([d.var() / 300 for d in draws]) + 1.2 * means.var(ddof=1)
        covered.append(abs(means.mean()) < 1.645 * np.sqrt(variance + table[:, 1].var() / 300))
    assert np.mean(covered) >= 0.75


def test_probabilities_of_categories(fitted):
    model, table = fitted
    found = model.category_probabilities(table)
    values, shares = found["string"]
    assert values.tolist() == ["blue", "red"]
    np.testing.assert_allclose(shares.sum(1), 1)
    gaps = table["string"].isna().to_numpy()
    np.testing.assert_array_equal(values[shares.argmax(1)][gaps], model.transform(table)["string"][gaps])


def test_indicators():
    table = pd.DataFrame({"a": Z, "b": COLOUR, "c": Z}).mask(np.column_stack([HIDDEN, np.zeros(N, bool), ~HIDDEN]))
    model = imputer(add_indicator=True, max_epochs=2).fit(table)
    filled = model.transform(table)
    assert model.indicator_features_.tolist() == [0, 2]
    assert list(filled.columns) == list(model.get_feature_names_out())
    assert list(filled.columns) == ["a", "b", "c", "missingindicator_a", "missingindicator_c"]
    np.testing.assert_array_equal(filled["missingindicator_a"], table["a"].isna())
    array = imputer(add_indicator=True, max_epochs=2).fit_transform(table[["a", "c"]].to_numpy())
    np.testing.assert_array_equal(array[:, 2:], table[["a", "c"]].isna())


def test_unknown_categories_and_columns_without_values():
    table = pd.DataFrame({"a": Z, "b": COLOUR, "empty": np.nan, "none": None, "constant": 7.0})
    model = imputer(max_epochs=2).fit(table)
    new = pd.DataFrame({"a": [np.nan, 1.0], "b": ["green", None], "empty": np.nan, "none": None, "constant": np.nan})
    filled = model.transform(new)
    assert filled["b"].tolist()[0] == "green"
    assert filled["b"].tolist()[1] in ("red", "blue")
    assert filled["constant"].tolist() == [7.0, 7.0]
    assert filled[["empty", "none"]].isna().all().all()


@pytest.mark.parametrize("last", [LogisticRegression(), HistGradientBoostingClassifier(max_iter=5)])
def test_pipelines(last):
    table = np.where(RANDOM.random(NUMBERS.shape) < 0.2, np.nan, NUMBERS)
    model = make_pipeline(imputer(max_epochs=5), last).fit(table, COLOUR)
    assert model.score(table, COLOUR) > 0.8


def test_pipelines_of_networks_and_searches():
    table = with_gaps(pd.DataFrame({"a": Z, "b": COLOUR, "c": NUMBERS[:, 1]}))
    small = NeuralClassifier(module=MLP, max_epochs=3, random_state=0)
    pipeline = make_pipeline(imputer(max_epochs=3), small)
    assert pipeline.fit(table, Z > 0).score(table, Z > 0) > 0.7
    search = GridSearchCV(pipeline, {"neuralimputer__module__width": [4, 8]}, cv=2).fit(table, Z > 0)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    some = ColumnTransformer([("i", imputer(max_epochs=2), ["a", "c"])]).fit_transform(table)
    assert not np.isnan(some).any()


def test_set_output():
    table = np.where(RANDOM.random(NUMBERS.shape) < 0.2, np.nan, NUMBERS)
    model = imputer(max_epochs=2).set_output(transform="pandas").fit(table)
    assert list(model.transform(table).columns) == ["x0", "x1", "x2"]


def test_copies_files_and_checkpoints(fitted, tmp_path):
    model, table = fitted
    expected = model.transform(table)
    assert pickle.loads(pickle.dumps(model)).transform(table).equals(expected)
    sknn.save(model, tmp_path / "imputer.sknn")
    assert sknn.load(tmp_path / "imputer.sknn").transform(table).equals(expected)
    assert clone(model).get_params() == model.get_params()
    stored = {"checkpoint": tmp_path / "fit.ckpt", "max_epochs": 3}
    numbers = np.where(np.roll(HIDDEN, 5)[:, None], np.nan, NUMBERS)
    first, again = (imputer(**stored).fit(numbers) for _ in range(2))
    np.testing.assert_array_equal(first.transform(numbers), again.transform(numbers))


def test_training_is_reported_as_healthy():
    model = NeuralImputer(max_epochs=10, random_state=0).fit(NUMBERS)
    assert not model.health_.findings
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.validation_scores_ is not None


@pytest.mark.parametrize(
    ("fit", "error", "message"),
    [
        (lambda: imputer().fit(sparse.csr_matrix(NUMBERS)), TypeError, "its zeros are no gaps"),
        (lambda: imputer().fit(pd.DataFrame({"a": [np.nan] * 50})), ValueError, "no column of numbers or categories"),
        (lambda: imputer().fit(["a", "b"]), ValueError, "Expected 2D array"),
        (lambda: imputer(max_epochs=1).fit(NUMBERS).transform(NUMBERS[:, :2]), ValueError, "features"),
        (lambda: imputer().transform(NUMBERS), Exception, "not fitted"),
        (lambda: imputer(sample="yes").fit(NUMBERS), ValueError, "'sample'"),
        (lambda: imputer().fit(np.where(NUMBERS > 2, np.inf, NUMBERS)), ValueError, "infinity"),
    ],
)
def test_bad_input_is_refused(fit, error, message):
    with pytest.raises(error, match=message):
        fit()
