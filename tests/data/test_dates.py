"""Calendar features of dates."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from sknn._data.dates import DATE_FEATURES, date_features
from sknn._data.encoder import Encoder
from sknn._data.table_inputs import TableInputs


def seconds_of(dates):
    return pd.DatetimeIndex(dates).as_unit("s").astype("int64").to_numpy() * 1.0


def share(features, cycle):
    """The position on a circle, in [0, 1)."""
    sine, cosine = (features[:, DATE_FEATURES.index(f"{name} of {cycle}")] for name in ("sine", "cosine"))
    np.testing.assert_allclose(sine**2 + cosine**2, 1)
    return np.arctan2(sine, cosine) / (2 * np.pi) % 1


def assert_same_place(found, expected):
    assert np.abs((found - expected + 0.5) % 1 - 0.5).max() < 1e-9


@pytest.mark.parametrize("library", [np, torch])
def test_features_are_those_of_the_calendar(library):
    days = pd.date_range("1580-01-01", "2420-12-31", freq="D", unit="s") + pd.Timedelta(hours=6)
    seconds = seconds_of(days)
    features = np.asarray(date_features(seconds if library is np else torch.from_numpy(seconds), library))
    np.testing.assert_array_equal(features[:, 0], days.year)
    assert_same_place(share(features, "month"), (days.month - 1) / 12)
    assert_same_place(share(features, "day of year"), (days.day_of_year - 0.75) / (365 + days.is_leap_year))
    assert_same_place(share(features, "weekday"), days.day_of_week / 7)
    assert_same_place(share(features, "hour"), 0.25)


def test_missing_dates_have_no_features_and_far_ones_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        features = date_features(np.array([np.nan, 1e15, -1e15]), np)
    assert np.isnan(features[0]).all()
    assert np.isfinite(features[1:]).all()


def table(dates):
    return pd.DataFrame({"n": np.arange(len(dates)) * 1.0, "on": pd.DatetimeIndex(dates)})


def kept(X, rows=None):
    """The names of the calendar features of the one date column that training rows made."""
    inputs = TableInputs.read_first(X).learn(rows, None, leaves_out_idle=True)
    return [DATE_FEATURES[i] for i in inputs.encoder.date_features.tolist()], inputs


def test_only_features_that_vary_in_training_are_kept():
    assert kept(table(["2024-01-01 12:00"] * 30))[0] == []
    days = pd.date_range("2024-01-01", periods=30)
    assert {name.split()[-1] for name in kept(table(days))[0]} == {"year", "weekday"}  # the last one is "day of year"
    hours = pd.date_range("2024-01-01", periods=20, freq="h")
    assert {name.split()[-1] for name in kept(table(hours))[0]} == {"year", "hour"}
    years = pd.date_range("2024-01-01", periods=90, freq="W")
    assert "year" in kept(table(years))[0]
    assert "year" not in kept(table(years), np.arange(40))[0]


def test_gaps_have_one_indicator_and_zeros_as_features():
    dates = pd.Series(pd.date_range("2024-01-01", periods=60, freq="11h")).mask(np.arange(60) % 5 == 0)
    X = table(dates)
    inputs = kept(X)[1]
    n_features = len(inputs.encoder.date_features)
    x = inputs.encode(X).x
    assert x.shape == (60, 2 + n_features + 1)
    x, gap = x.numpy(), dates.isna().to_numpy()
    np.testing.assert_array_equal(x[:, -1], gap)
    assert (x[gap][:, 1:-1] == 0).all()
    assert np.isfinite(x).all()


def test_forward_is_encode():
    dates = pd.Series(pd.date_range("2019-01-01", periods=400, freq="37h")).mask(np.arange(400) % 7 == 0)
    X = table(dates).assign(second=pd.date_range("2024-01-01", periods=400, freq="min"))
    raw = TableInputs.read_first(X)
    inputs = raw.learn(None, None)
    numeric, _ = raw.read()
    assert inputs.encoder.in_features == numeric.shape[1] == 3
    np.testing.assert_allclose(inputs.encoder(torch.from_numpy(numeric)), inputs.encoder.encode(numeric), atol=1e-6)


def test_tables_without_dates_are_encoded_as_before():
    numeric = np.random.default_rng(0).normal(size=(50, 3))
    encoder = Encoder().fit(numeric)
    x = TableInputs.read_first(numeric).learn(None, None).encode(numeric).x
    np.testing.assert_array_equal(x, encoder.encode(numeric))
    assert x.shape == (50, 3)


def test_weights_count_as_copies():
    dates = pd.date_range("2020-01-01", periods=50, freq="9D")
    weight = 1.0 + np.arange(50) % 3
    weighted = TableInputs.read_first(table(dates)).learn(None, weight).encoder
    copied = TableInputs.read_first(table(dates).loc[np.repeat(np.arange(50), weight.astype(int))]).learn(None, None)
    for name, values in weighted.named_buffers():
        np.testing.assert_allclose(values, copied.encoder.get_buffer(name))
