"""NeuralGenerator on tables: rows of the same form, distributed like those of fit."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

import sknn
from sknn import NeuralGenerator

RANDOM = np.random.default_rng(0)
N = 400
Z = RANDOM.normal(size=N)
QUICK = {"max_epochs": 30, "module_params": {"width": 48, "n_blocks": 1}, "random_state": 0, "n_steps": 8}


def frame() -> pd.DataFrame:
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.round(60 * Z + 200), unit="D")
    income = np.where(RANDOM.random(N) < 0.6, 0.0, np.round(np.exp(7 + Z), 2))
    table = pd.DataFrame({
        "number": np.round(Z, 3),
        "other": (2 * Z + 0.2 * RANDOM.normal(size=N)).astype(np.float32),
        "whole": np.round(1000 * Z).astype(np.int64),
        "few": np.digitize(Z, [-1, 0, 1]),
        "income": income,
        "string": np.where(Z > 0, "red", "blue"),
        "ordered": pd.Categorical(np.digitize(Z, [-0.5, 0.5]).astype(str), categories=["0", "1", "2"], ordered=True),
        "flag": Z > 0.3,
        "day": days,
        "constant": 7,
        "empty": np.nan,
    })  # fmt: skip
    table.loc[RANDOM.random(N) < 0.3, "number"] = np.nan
    table.loc[RANDOM.random(N) < 0.2, "string"] = None
    return table


def generator(**params) -> NeuralGenerator:
    return NeuralGenerator(**{**QUICK, **params})


@pytest.fixture(scope="module")
def fitted() -> tuple[NeuralGenerator, pd.DataFrame]:
    table = frame()
    return generator().fit(table), table


def test_samples_have_the_form_of_the_table(fitted):
    model, table = fitted
    made = model.sample(500, random_state=0)
    assert list(made.columns) == list(table.columns)
    assert list(made.dtypes) == list(table.dtypes)
    assert len(made) == 500
    for name in ("number", "whole", "few", "income", "string", "day"):
        assert made[name].dropna().isin(table[name].dropna()).all(), name
    assert (made["constant"] == 7).all()
    assert made["empty"].isna().all()


def test_samples_are_distributed_like_the_rows(fitted):
    model, table = fitted
    made = model.sample(1500, random_state=0)
    for name in ("number", "other", "whole"):
        assert abs(made[name].mean() - table[name].mean()) < 0.25 * table[name].std(), name
        assert 0.7 < made[name].std() / table[name].std() < 1.3, name
    assert abs(made["number"].isna().mean() - 0.3) < 0.1
    assert abs((made["income"] == 0).mean() - (table["income"] == 0).mean()) < 0.1
    assert made["other"].corr(made["whole"]) > 0.85
    assert ((made["other"] > 0) == (made["string"] == "red"))[made["string"].notna()].mean() > 0.8
    assert ((made["few"] >= 2) == (made["other"] > 0)).mean() > 0.8


def test_samples_are_repeatable(fitted):
    model, _ = fitted
    assert model.sample(20, random_state=3).equals(model.sample(20, random_state=3))
    assert not model.sample(20, random_state=3).equals(model.sample(20, random_state=4))
    assert len(model.sample()) == 1


def test_arrays_and_polars():
    numbers = np.column_stack([Z, -Z, RANDOM.integers(0, 3, N)]).astype(np.float32)
    made = generator(max_epochs=10).fit(numbers).sample(50, random_state=0)
    assert made.shape == (50, 3)
    assert made.dtype == np.float32
    table = pl.DataFrame({"a": Z, "b": np.where(Z > 0, "u", "v"), "c": RANDOM.integers(0, 900, N)})
    made = generator(max_epochs=10).fit(table).sample(50, random_state=0)
    assert made.schema == table.schema


def test_conditions():
    table = pd.DataFrame({"a": Z, "b": Z + 0.1 * RANDOM.normal(size=N)})
    by_label = generator().fit(table, np.where(Z > 0, "up", "down"))
    assert by_label.classes_.tolist() == ["down", "up"]
    assert (by_label.sample(200, y="up", random_state=0)["a"] > 0).mean() > 0.8
    assert (by_label.sample(200, y="down", random_state=0)["a"] < 0).mean() > 0.8
    assert np.isfinite(by_label.score(table, np.where(Z > 0, "up", "down")))
    by_number = generator().fit(table, 10 * Z)
    wanted = np.array([-10.0, 10.0]).repeat(100)
    made = by_number.sample(200, y=wanted, random_state=0)["a"].to_numpy()
    assert made[100:].mean() - made[:100].mean() > 1.2
    with pytest.raises(ValueError, match="none of the 2 labels"):
        by_label.sample(3, y="sideways")


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"a": ["x", "y", "x", "x", "y"]}),
        pd.DataFrame({"a": [1.5] * 5}),
        np.arange(5.0)[:, None],
        np.ones((1, 1)),
        pd.DataFrame({"name": [f"n{i % 150}" for i in range(600)], "v": np.arange(600.0)}),
    ],
    ids=["categories", "one value", "five rows", "one cell", "many categories"],
)
def test_small_and_odd_tables(table):
    made = generator(max_epochs=2).fit(table).sample(7, random_state=0)
    assert made.shape == (7, table.shape[1])


def test_copies_files_and_checkpoints(fitted, tmp_path):
    model, table = fitted
    expected = model.sample(10, random_state=0)
    assert pickle.loads(pickle.dumps(model)).sample(10, random_state=0).equals(expected)
    sknn.save(model, tmp_path / "generator.sknn")
    assert sknn.load(tmp_path / "generator.sknn").sample(10, random_state=0).equals(expected)
    assert clone(model).get_params() == model.get_params()
    stored = {"checkpoint": tmp_path / "fit.ckpt", "max_epochs": 3}
    first, again = (generator(**stored).fit(table) for _ in range(2))
    assert first.sample(10, random_state=0).equals(again.sample(10, random_state=0))


def test_training_is_reported_as_healthy(fitted):
    assert not fitted[0].health_.findings


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: generator().fit(pd.DataFrame({"t": [f"remark {i} on {i * i}" for i in range(300)]})),
            "'t'.*free text",
        ),
        (lambda: generator(max_epochs=1).fit(Z[:, None]).sample(0), "n_samples=0"),
        (lambda: generator(max_epochs=1).fit(Z[:, None]).sample(3, y=1), "fit had none"),
        (lambda: generator().fit(Z[:, None], Z[:5]), "5 values for 400 rows"),
        (lambda: generator().fit(np.where(Z[:, None] > 2, np.inf, Z[:, None])), "infinity"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
