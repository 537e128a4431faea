"""Rows on their way to the network: each cell is parsed once, weights and validation rows stay with their rows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.exceptions import DataConversionWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn import NeuralClassifier, NeuralRegressor
from sknn._data import categories, columns, one_column
from sknn._data.labelled_rows import MERGE_LIMIT
from sknn._data.table_inputs import TableInputs
from sknn._data.targets import class_targets
from sknn._data.training_data import TrainingData
from sknn.modules import MLP

CPU = torch.device("cpu")
N = 120
GENERATOR = np.random.default_rng(0)
COLUMNS: dict[str, Any] = {
    "size": GENERATOR.normal(size=N),
    "count": GENERATOR.integers(0, 9, size=N),
    "city": np.array(["Rome", "Bonn", None], dtype=object)[GENERATOR.integers(0, 3, size=N)],
    "price": [None if i % 9 == 0 else float(i) for i in range(N)],
    "member": GENERATOR.random(N) > 0.5,
    "day": np.datetime64("2024-01-01", "us") + GENERATOR.integers(0, 99, size=N).astype("timedelta64[D]"),
}
Y = np.arange(N) % 2
FRAME = pd.DataFrame(COLUMNS)
TABLES = {
    "pandas": FRAME,
    "pandas objects": FRAME.astype(object),
    "pandas nullable": FRAME.convert_dtypes(),
    "polars": pl.from_pandas(FRAME),
    "array of objects": FRAME.astype(object).to_numpy(),
}


def training_data(X: Any, y: Any = Y, sample_weight: Any = None, groups: Any = None, **kwargs: Any) -> TrainingData:
    settings: dict[str, Any] = dict(
        inputs=None,
        kind=TableInputs,
        options={},
        leaves_out_idle=False,
        learn_targets=lambda y, weight: class_targets(y)[0],
        class_weight=lambda y, weight: None,
        merge=True,
    )
    return TrainingData(X, y, sample_weight, groups, **{**settings, **kwargs})


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a cell of each column is parsed, in multiples of the rows of the table."""
    counts: Counter[str] = Counter()
    read_column = columns.read_column

    def counted(column: Any, label: str, **kwargs: Any) -> Any:
        counts[label] += len(column) / N
        return read_column(column, label, **kwargs)

    monkeypatch.setattr(one_column, "read_column", counted)
    return counts


# In tables of up to 64 rows, equal ones are merged, which must not parse them again.
@pytest.mark.parametrize(
    ("name", "n_rows"), [*((name, N) for name in TABLES), ("pandas", 60), ("array of objects", 60)]
)
def test_a_fit_parses_each_cell_once(name: str, n_rows: int, parsed: Counter[str]) -> None:
    X, y = TABLES[name][:n_rows], Y[:n_rows]
    model = NeuralClassifier(MLP, max_epochs=1, early_stopping=True, random_state=0).fit(X, y)
    assert len(parsed) == 6
    assert set(parsed.values()) == {n_rows / N}
    parsed.clear()
    model.partial_fit(X, y)
    assert set(parsed.values()) == {n_rows / N}
    parsed.clear()
    model.predict(X)
    assert set(parsed.values()) == {n_rows / N}


def test_labels_are_coded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    coded = []
    codes = categories.category_codes
    monkeypatch.setattr(one_column, "category_codes", lambda c, labels: (coded.append(c.name), codes(c, labels))[1])
    training_data(FRAME).encode(CPU, None)
    assert sorted(coded) == ["city", "member"]


def test_what_is_encoded_belongs_to_its_rows() -> None:
    weight = np.arange(N) % 5 * 1.0
    data = training_data(FRAME, Y, weight, groups=np.arange(N) // 4)
    kept = np.flatnonzero(weight)
    assert len(data) == len(kept)
    data.hold_out(0.2, seed=0)
    ready = data.encode(CPU, None)
    for rows, positions in ((ready.train, data.train_rows), (ready.valid, data.valid_rows)):
        of_table = kept[positions]
        store = ready.inputs.encode(FRAME.iloc[of_table])
        assert torch.equal(rows.store.x, store.x)
        assert torch.equal(rows.store.x_cat, store.x_cat)
        assert rows.targets.tolist() == Y[of_table].tolist()
        expected = weight[of_table] / weight[of_table].mean()
        np.testing.assert_allclose(rows.weight, expected, rtol=1e-6)
    assert not set(data.labels.groups[data.train_rows]) & set(data.labels.groups[data.valid_rows])


def test_scales_are_learned_from_the_training_rows_only() -> None:
    data = training_data(FRAME)
    data.hold_out(0.2, seed=0)
    inputs = data.encode(CPU, None).inputs
    expected = np.median(FRAME["count"].to_numpy()[data.train_rows])
    assert inputs.encoder.center[1] == expected


def test_each_network_of_a_committee_holds_out_its_own_rows() -> None:
    data = training_data(FRAME)
    data.hold_out(0.1, seed=0, n_networks=3)
    ready = data.encode(CPU, None)
    valid = ready.valid
    assert valid.store is ready.train.store
    assert valid.shares.shape == (3, 12)
    assert len(set(valid.shares.ravel().tolist())) == 36


def test_equal_rows_of_a_small_table_are_merged() -> None:
    twice = pd.concat([FRAME[:20], FRAME[5:15]])
    y = np.r_[Y[:20], Y[5:15]]
    data = training_data(twice, y)
    assert (len(data), data.n_copies) == (20, 30)
    assert data.labels.sample_weight is None
    assert sorted(data.labels.weight) == [1.0] * 10 + [2.0] * 10
    ready = data.encode(CPU, None)
    assert (len(ready.train), ready.n_copies, ready.valid, ready.validation_score) == (20, 30, None, None)
    assert len(training_data(twice, y, merge=False)) == 30
    for n_rows, n_left in ((MERGE_LIMIT, 20), (MERGE_LIMIT + 1, MERGE_LIMIT + 1)):
        rows = np.arange(n_rows) % 20
        assert len(training_data(FRAME.iloc[rows], Y[rows])) == n_left


def test_merged_rows_of_weights_of_all_sizes_are_very_many() -> None:
    X = np.repeat(np.arange(4.0), 2)[:, None]
    data = training_data(X, np.repeat([0, 1, 0, 1], 2), np.repeat([1e-20, 1e300, 1.0, 1.0], 2))
    assert data.n_copies == np.inf


def test_validation_rows_are_read_by_what_the_training_rows_have_taught() -> None:
    data = training_data(FRAME)
    checked = []
    weight = np.r_[0.0, np.ones(19)]
    data.validate_on(FRAME[:20], Y[:20], weight, checked.append)
    ready = data.encode(CPU, "accuracy")
    assert (len(ready.train), len(ready.valid)) == (N, 19)
    assert torch.equal(ready.valid.store.x, ready.train.store.x[1:20])
    assert ready.validation_score(np.eye(2)[Y[1:20]]) == 1.0
    np.testing.assert_array_equal(checked[0], Y[1:20])
    with pytest.raises(ValueError, match="^y_val: y contains labels"):
        training_data(FRAME).validate_on(FRAME[:20], Y[:20] + 7, None, checked.append)
    data = training_data(FRAME)
    data.validate_on(FRAME[:20].assign(size=np.inf), Y[:20], None, checked.append)
    with pytest.raises(ValueError, match=r"^X_val: column 'size' \(position 0\) contains infinity"):
        data.encode(CPU, None)


def test_a_further_fit_keeps_what_the_first_one_learned() -> None:
    inputs = training_data(FRAME).encode(CPU, None).inputs
    ready = training_data(FRAME.assign(size=0.0), inputs=inputs).encode(CPU, None)
    assert ready.inputs is inputs
    assert torch.equal(ready.train.store.x, inputs.encode(FRAME.assign(size=0.0)).x)


def test_class_weights_count_in_the_loss_and_not_in_scores() -> None:
    weight = 1.0 + np.arange(N) % 3
    data = training_data(FRAME, Y, weight, class_weight=lambda y, weight: np.where(y == 0, 1.0, 3.0))
    np.testing.assert_array_equal(data.labels.weight, weight * np.where(Y == 0, 1.0, 3.0))
    np.testing.assert_array_equal(data.labels.sample_weight, weight)
    data = training_data(FRAME, np.arange(N) % 3, None, class_weight=lambda y, weight: np.where(y == 0, 0.0, 1.0))
    assert len(data) == 80
    with pytest.raises(ValueError, match="class_weight: all rows have weight zero"):
        training_data(FRAME, class_weight=lambda y, weight: np.zeros(len(y)))


def test_the_target_is_checked_before_the_table_is_read() -> None:
    with pytest.raises(ValueError, match="^This estimator requires y to be passed"):
        training_data(FRAME, None)
    with pytest.raises(ValueError, match="at least 2 classes"):
        training_data(pd.DataFrame({"a": [np.inf] * N}), np.zeros(N))


COLUMN = FRAME[["size"]].to_numpy()


@pytest.mark.parametrize("y", [Y[:, None], pd.DataFrame({"y": Y}), pl.DataFrame({"y": Y}), Y.astype(str)[:, None]])
def test_a_column_y_warns_once_at_the_line_that_calls(y: Any) -> None:
    model, flat = NeuralClassifier(MLP, max_epochs=1, random_state=0), np.asarray(y).ravel()
    further = NeuralClassifier(MLP, random_state=0)
    twice = np.r_[COLUMN[:20], COLUMN[:20]], np.r_[np.asarray(y)[:20], np.asarray(y)[:20]]
    for call in (
        lambda: model.fit(COLUMN, y),
        lambda: model.fit(COLUMN, y, X_val=COLUMN, y_val=y),
        lambda: model.fit(*twice),  # equal rows are merged
        lambda: make_pipeline(StandardScaler(), model).fit(COLUMN, y),
        lambda: further.partial_fit(COLUMN, y, classes=np.unique(flat)),
        lambda: further.partial_fit(COLUMN, y),
    ):
        with pytest.warns(DataConversionWarning, match="A column-vector y was passed") as caught:
            call()
        assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(DataConversionWarning):
        model.fit(COLUMN, y)
    assert model.predict(COLUMN).tolist() == model.fit(COLUMN, flat, X_val=COLUMN, y_val=y).predict(COLUMN).tolist()
    assert model.score(COLUMN, y) == model.score(COLUMN, flat)


def test_a_column_of_numbers_is_one_of_several_outputs_unless_the_loss_has_one() -> None:
    y = COLUMN * 2
    assert NeuralRegressor(MLP, max_epochs=1).fit(COLUMN, y).predict(COLUMN).shape == (N, 1)
    quantiles = NeuralRegressor(MLP, criterion="quantile", criterion_params={"quantile": [0.1, 0.9]})
    for _ in range(2):
        with pytest.warns(DataConversionWarning) as caught:
            quantiles.partial_fit(COLUMN, y)
        assert [warning.filename for warning in caught] == [__file__]
