"""A further call on another scale is named once; ordinary streams, however heavy their tails, are not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sknn import NeuralClassifier, NeuralRegressor
from sknn._data.drift import _target_changes, scale_changes
from sknn._data.real_targets import RealTargets
from sknn.modules import MLP
from tests.data.reading import read_first

Draw = Callable[[np.random.Generator, int], np.ndarray]
COLUMNS: dict[str, Draw] = {
    "normal": lambda r, n: r.normal(size=n),
    "lognormal": lambda r, n: r.lognormal(0, 1, n),
    "wide lognormal": lambda r, n: r.lognormal(0, 2, n),
    "t with 3 degrees": lambda r, n: r.standard_t(3, n),
    "rare counts": lambda r, n: r.poisson(0.1, n),
    "counts": lambda r, n: r.negative_binomial(0.3, 0.05, n),
    "zipf": lambda r, n: r.zipf(1.5, n),
    "rare binary": lambda r, n: r.random(n) < 0.01,
    "binary": lambda r, n: r.random(n) < 0.1,
    "amounts": lambda r, n: r.lognormal(0, 2, n) * (r.random(n) < 0.25),
    "half amounts": lambda r, n: r.lognormal(0, 2, n) * (r.random(n) < 0.5),
    "mostly missing": lambda r, n: np.where(r.random(n) < 0.95, np.nan, r.normal(size=n) + 5),
    "two values far apart": lambda r, n: 1e6 * (r.random(n) < 0.5) + r.normal(size=n),
    "constant": lambda r, n: np.full(n, 3.0),
}


def table(generator: np.random.Generator, n: int) -> np.ndarray:
    return np.column_stack([draw(generator, n) for draw in COLUMNS.values()])


def test_ordinary_streams_never_warn() -> None:
    for seed in range(200):
        generator = np.random.default_rng(seed)
        inputs = read_first(table(generator, 32), True, None).learn(None, None)
        targets = {name: RealTargets(COLUMNS[name](generator, 32), None, "standard") for name in list(COLUMNS)[:4]}
        for _ in range(10):
            assert inputs.scale_changes(inputs.read(table(generator, 32))) == {}, seed
            for name, target in targets.items():
                assert _target_changes(target, COLUMNS[name](generator, 32)) == {}, (seed, name)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
@pytest.mark.parametrize("name", ["normal", "lognormal", "t with 3 degrees", "counts"])
def test_a_column_of_another_unit_is_named(name: str, factor: float) -> None:
    for seed in range(50):
        generator = np.random.default_rng(seed)
        first, later = COLUMNS[name](generator, 200)[:, None] * 1.0, factor * COLUMNS[name](generator, 200)[:, None]
        inputs = read_first(first, True, None).learn(None, None)
        is_named = list(inputs.scale_changes(inputs.read(later))) == ["X: column 0"]
        # In a larger unit, most counts are still zero.
        assert is_named == ((name, factor) != ("counts", 1e3)), seed


def test_what_the_first_rows_were_is_said() -> None:
    numeric = np.column_stack([1000.0 + np.arange(20), np.arange(20) / 1000, np.full(20, 7), np.r_[1e9, np.zeros(19)]])
    changes = scale_changes(numeric, ["a", "b", "c", "d"], np.zeros(4), np.array([1.0, 0.5, 0, 1.0]))
    assert changes == {
        "a": "a median of 1.01e+03, where the first call had a spread of 1 around 0",
        "b": "a range of 0.019, where the first call had a spread of 2 around 0",
        "c": "a median of 7, where the first call had one value or none",
    }


def chunk(seed: int, n: int = 32) -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(generator.normal(size=(n, 2)), columns=["a", "b"]), np.arange(n) % 2


def test_each_column_is_named_once_at_the_line_that_calls() -> None:
    model = NeuralClassifier(MLP, random_state=0, gradient_health=None).partial_fit(*chunk(0), classes=[0, 1])
    model.partial_fit(*chunk(1))
    X, y = chunk(2)
    with pytest.warns(UserWarning, match=r"another scale than those of the first call.*X: column 'b'.*Begin with") as w:
        model.partial_fit(X.assign(b=1000 * X["b"]), y)
    assert [warning.filename for warning in w] == [__file__]
    assert "'a'" not in str(w[0].message)
    model.partial_fit(X.assign(b=1000 * X["b"]), y)
    with pytest.warns(UserWarning, match="column 'a'"):
        model.partial_fit(X * 1000, y)


def test_a_warning_that_is_an_error_is_raised_again() -> None:
    model = NeuralClassifier(MLP, random_state=0).partial_fit(*chunk(0), classes=[0, 1])
    X, y = chunk(2)
    for _ in range(2):  # warnings are errors here
        with pytest.raises(UserWarning, match="another scale"):
            model.partial_fit(X * 1000, y)


@pytest.mark.parametrize("y", [lambda y: 1e4 * y, lambda y: 1e-4 * y, lambda y: y + 1e3])
def test_a_target_on_another_scale_is_named(y: Callable[[Any], Any]) -> None:
    model = NeuralRegressor(MLP, random_state=0, gradient_health=None)
    (X, _), (more, _) = chunk(0), chunk(1)
    model.partial_fit(X, X["a"])
    model.partial_fit(more, more["a"])
    with pytest.warns(UserWarning, match=r"first call.* y: "):
        model.partial_fit(more, y(more["a"]))
    untouched = NeuralRegressor(MLP, preprocessing=False, random_state=0, gradient_health=None)
    untouched.partial_fit(X, X["a"]).partial_fit(more, y(more["a"]))


def test_a_first_call_with_few_rows_warns() -> None:
    X, y = chunk(0)
    with pytest.warns(UserWarning, match=r"first call of partial_fit has 5 distinct rows.*at least 12") as w:
        NeuralClassifier(MLP).partial_fit(X[:5], y[:5], classes=[0, 1])
    assert [warning.filename for warning in w] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NeuralRegressor(MLP, gradient_health=None).partial_fit(X, X["a"]).partial_fit(X[:1], [1e9])
        NeuralClassifier(MLP, preprocessing=False).partial_fit(X[:5], y[:5], classes=[0, 1])


def test_values_in_columns_that_the_first_call_saw_empty_are_named() -> None:
    generator = np.random.default_rng(0)
    chunks = [sparse.random_array((64, 50), density=0.1, rng=generator, format="csr") for _ in range(3)]
    y = np.arange(64) % 2
    model = NeuralClassifier(MLP, random_state=0, gradient_health=None).partial_fit(chunks[0], y, classes=[0, 1])
    model.partial_fit(chunks[1], y)
    with pytest.warns(UserWarning, match="X: most of its values"):
        model.partial_fit(1000 * chunks[2], y)
    empty = sparse.hstack([chunks[0], sparse.csr_array((64, 50))], format="csr")
    model = NeuralClassifier(MLP, random_state=0, gradient_health=None).partial_fit(empty, y, classes=[0, 1])
    with pytest.warns(UserWarning, match="X: most of its values"):
        model.partial_fit(sparse.hstack([sparse.csr_array((64, 50)), chunks[0]], format="csr"), y)


def test_a_warm_start_on_another_scale_is_named() -> None:
    X, y = chunk(0, 80)
    model = NeuralClassifier(MLP, warm_start=True, max_epochs=1, random_state=0, gradient_health=None).fit(X, y)
    model.fit(X, y)
    with pytest.warns(UserWarning, match="another scale"):
        model.fit(X * 1000, y)


@pytest.mark.parametrize("make", [lambda X: X.to_numpy(), lambda X: X, pl.DataFrame, lambda X: pl.DataFrame(X).to_arrow(),
                                  lambda X: sparse.csr_array(X.to_numpy(float))],
                         ids=["numpy", "pandas", "polars", "pyarrow", "sparse"])  # fmt: skip
def test_a_column_that_was_left_out_and_varies_now_is_named(make: Any) -> None:
    first = pd.DataFrame({"same": np.ones(40), "x": np.arange(40.0), "none": np.full(40, np.nan)})
    inputs = read_first(make(first.fillna(0.0)), True, None).learn(None, None, True)
    if isinstance(make(first), sparse.csr_array):
        later = inputs.read(make(pd.DataFrame({"same": np.arange(40.0), "x": 0.0, "none": 0.0})))
        assert list(inputs.scale_changes(later)) == ["X"]
        assert inputs.scale_changes(inputs.read(make(first.fillna(0.0)))) == {}
        return
    assert inputs.ignored_changes(make(first)) == {}
    assert inputs.ignored_changes(make(first.assign(same=2.0))) == {}
    for same in (np.arange(40.0), [1.0, None] * 20, ["a", "b"] * 20, [str(i) for i in range(40)]):
        assert len(inputs.ignored_changes(make(first.assign(same=same)))) == 1
    assert len(inputs.ignored_changes(make(first.assign(same=range(40), none=range(40))))) == 2


def test_columns_left_out_and_columns_on_another_scale_are_told_apart() -> None:
    X, y = np.c_[np.ones(60), np.arange(60.0)], np.arange(60.0)
    model = NeuralRegressor(MLP, max_epochs=2, gradient_health=None, random_state=0).fit(X, y)
    with pytest.warns(
        UserWarning, match=r"another scale.*distinguishes them\. X: column 1: .*left out.* X: column 0: "
    ):
        model.partial_fit(np.c_[np.arange(60.0), 1e6 + X[:, 1]], y)


def test_partial_fit_after_fit_names_a_column_that_was_left_out_once() -> None:
    X, y = np.c_[np.ones(60), np.arange(60.0)], np.arange(60.0)
    model = NeuralRegressor(MLP, max_epochs=2, gradient_health=None, random_state=0).fit(X, y)
    later = np.c_[np.arange(60.0) % 3, X[:, 1]]
    expected = (
        r"^The first call left out columns that vary now\. X: column 0: several values, where the first call had one or "
        r"none, so it is ignored\. Begin with rows that are like all later ones\.$"
    )
    with pytest.warns(UserWarning, match=expected):
        model.partial_fit(later, y)
    model.partial_fit(later, y)


def test_the_median_of_the_largest_numbers_is_finite():
    numeric = np.full((30, 1), 1.7e308)
    changes = scale_changes(numeric, ["a"], np.zeros(1), np.ones(1))
    assert changes == {"a": "a median of 1.7e+308, where the first call had a spread of 1 around 0"}
