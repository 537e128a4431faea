"""Sequences as kinds of data: what a fit learns about them, and how later ones are read by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, cross_val_score

import sknn
from sknn import NeuralClassifier, NeuralRegressor
from sknn._data.sequence_inputs import ConvolutionInputs, SequenceInputs
from sknn.exceptions import DamagedFileError
from sknn.modules import SequenceNet

SMALL = {"n_kernels": 700, "width": 16}


def waves(n: int = 60, ragged: bool = True, seed: int = 0) -> tuple[Any, np.ndarray]:
    """Two channels, of which the second lags behind the first for class 1, and the other way round for class 0."""
    random = np.random.RandomState(seed)
    X, y = [], np.arange(n) % 2
    for label in y:
        length = random.randint(30, 50) if ragged else 40
        noise = np.convolve(random.normal(size=length + 12), np.ones(3), "same")
        x = np.stack([noise[6 : length + 6], noise[6 + 4 * label - 2 : length + 6 + 4 * label - 2]])
        X.append(x + 0.1 * random.normal(size=x.shape))
    return (X if ragged else np.stack(X)), y


def fitted(kind: Any, X: Any, **options: Any) -> Any:
    return kind.read_first(kind.prepare(X), **options).learn(None, None)


def test_sequences_are_read_by_the_default_network() -> None:
    X, y = waves(120)
    model = NeuralClassifier(n_networks=1, max_epochs=30, random_state=0).fit(X[:80], y[:80])
    assert "SequenceNet" in repr(model.net_.module_)
    assert model.score(X[80:], y[80:]) > 0.9


@pytest.mark.parametrize("kind", [ConvolutionInputs, SequenceInputs])
@pytest.mark.parametrize("is_list", [True, False])
def test_time_before_channels_is_refused_or_warned_of(kind: Any, is_list: bool) -> None:
    steps_of_one_channel, few_channels = np.ones((4, 20, 1)), np.random.RandomState(0).normal(size=(4, 20, 3))
    transposed = r"\[x.T for x in X\]" if is_list else r"X.transpose\(0, 2, 1\)"
    table = r"np.stack\(\[x\[:, 0\] for x in X\]\)" if is_list else r"X\[:, :, 0\]"
    given = list if is_list else np.asarray
    with pytest.raises(ValueError, match=rf"20 channels of a single time step.*{transposed}.*{table}"):
        fitted(kind, given(steps_of_one_channel))
    with pytest.warns(UserWarning, match=rf"\(20, 3\).*n_cases, n_channels, n_timepoints.*{transposed}") as warned:
        inputs = fitted(kind, given(few_channels))
    assert len(warned) == 1
    inputs.encode(kind.prepare(few_channels))  # no second warning


def test_the_warning_of_time_before_channels_points_at_the_call_of_fit() -> None:
    X, y = np.random.RandomState(0).normal(size=(20, 9, 2)), np.arange(20) % 2
    model = NeuralClassifier(module_params=SMALL, n_networks=1, max_epochs=1)
    with pytest.warns(UserWarning, match="many more channels than time steps") as warned:
        model.fit(X, y)
    assert [w.filename for w in warned if "channels" in str(w.message)] == [__file__]
    model.predict(X)


def test_rows_of_several_lengths_say_which_axis_is_time() -> None:
    assert fitted(ConvolutionInputs, [np.ones((20, 1 + i % 2)) for i in range(4)]).n_channels == 20


def test_searches_reach_the_options_of_the_reader() -> None:
    X, y = waves(40, ragged=False)
    model = NeuralClassifier(SequenceNet, module_params=SMALL, max_epochs=2, random_state=0)
    search = GridSearchCV(model, {"module__n_components": [3, 5]}, cv=2).fit(X, y)
    assert search.best_estimator_._inputs.row_shape == (search.best_params_["module__n_components"],)
    assert cross_val_score(model, X, y, cv=2).shape == (2,)


def test_regression_from_windows_of_a_table() -> None:
    random = np.random.RandomState(0)
    sensor = np.cumsum(random.normal(size=(400, 3)), axis=0) % 5
    speed = np.stack([np.roll(sensor[:, 0], 2), sensor[:, 1] * (sensor[:, 2] > 2)], axis=1)
    X, y = sknn.windows(np.hstack([sensor, speed]), 8, horizon=0, targets=[3, 4])
    model = NeuralRegressor(n_networks=1, max_epochs=20, random_state=0).fit(X[:300], y[:300])
    assert model.predict(X[300:]).shape == y[300:].shape
    assert model.score(X[300:], y[300:]) > 0.5


@pytest.mark.parametrize("kind", [ConvolutionInputs, SequenceInputs])
def test_other_channels_are_refused(kind: Any) -> None:
    inputs = fitted(kind, waves()[0])
    with pytest.raises(ValueError, match="expected sequences of 2 channels as in fit, got 3"):
        inputs.encode(kind.prepare(np.zeros((2, 3, 40))))


@pytest.mark.parametrize("kind", [ConvolutionInputs, SequenceInputs])
def test_another_length_is_refused_only_if_all_training_rows_had_one(kind: Any) -> None:
    inputs = fitted(kind, waves(ragged=False)[0])
    with pytest.raises(ValueError, match="expected sequences of length 40 as in fit, where all had this length, got 7"):
        inputs.encode(kind.prepare(np.zeros((2, 2, 7))))
    inputs = fitted(kind, waves(ragged=True)[0])
    assert len(inputs.encode(kind.prepare([np.zeros((2, 1)), np.zeros((2, 500))]))) == 2


def test_steps_are_scaled_and_those_of_the_rows_themselves() -> None:
    random = np.random.RandomState(0)
    X = [random.normal(loc=1000, scale=3, size=(2, n)) for n in (5, 9, 5)]
    X[1][0, 3] = np.nan
    inputs = fitted(SequenceInputs, X)
    tensors = inputs.encode_rows(inputs.read(inputs.prepare(X)), np.array([1, 0])).tensors()
    assert tensors["lengths"].tolist() == [9, 5]
    assert tensors["x"].shape == (2, 2, 9)
    assert (tensors["x"][1, :, 5:] == 0).all()
    expected = np.arcsinh((X[0] - inputs.scale.center[:, None]) / inputs.scale.scale[:, None])
    np.testing.assert_allclose(tensors["x"][1, :, :5].numpy(), expected, rtol=1e-5, atol=1e-6)
    assert torch.isfinite(tensors["x"]).all()


@pytest.mark.parametrize("kind", [ConvolutionInputs, SequenceInputs])
@pytest.mark.parametrize("ragged", [True, False])
def test_a_state_makes_the_same_inputs(kind: Any, ragged: bool) -> None:
    X = waves(ragged=ragged)[0]
    inputs = fitted(kind, X)
    again = kind.from_state(inputs.to_state())
    for one, two in zip(*(i.encode(kind.prepare(X)).tensors().values() for i in (inputs, again)), strict=True):
        assert torch.equal(one, two)
    probe = inputs.prepare(inputs.probe_rows(np.random.RandomState(0)))
    assert len(inputs.encode(probe)) == 4


@pytest.mark.parametrize("kind", [ConvolutionInputs, SequenceInputs])
@pytest.mark.parametrize("ragged", [True, False])
def test_the_bits_of_a_row_do_not_depend_on_the_others(kind: Any, ragged: bool) -> None:
    X = waves(ragged=ragged)[0]
    inputs = fitted(kind, X)
    for row in (0, 7):
        alone, together = (
            inputs.encode(kind.prepare(some)).tensors()["x"][0] for some in (X[row : row + 1], X[row : row + 6])
        )
        assert torch.equal(alone, together[..., : alone.shape[-1]])


def damages(state: dict[str, Any]) -> list[tuple[str, Any]]:
    wrong: list[tuple[str, Any]] = [("another", 1), ("length", 0), ("length", True), ("length", 41)]
    wrong += [(name, None) for name in state]
    wrong += [("center", np.zeros(3)), ("scale", np.zeros(2)), ("scale", np.array([1.0, np.nan]))]
    if "convolutions" not in state:
        return [(name, value) for name, value in wrong if (name, value) not in (("length", None), ("length", 41))]
    convolutions = state["convolutions"][0][0]
    for name, value in (
        ("dilation", 0), ("dilation", 1.0), ("channels", np.array([0, 2])), ("channels", np.zeros(9, np.int64)),
        ("kernels", np.full_like(convolutions["kernels"], 84)), ("kernels", convolutions["kernels"][:3]),
        ("thresholds", convolutions["thresholds"] * np.nan), ("thresholds", convolutions["thresholds"][:, :0]),
    ):  # fmt: skip
        first = [{**convolutions, name: value}, *state["convolutions"][0][1:]]
        wrong.append(("convolutions", [first, state["convolutions"][1]]))
    directions = state["directions"]
    wrong += [("convolutions", [[], []]), ("n_values", 3), ("n_values", -1), ("mean", state["mean"][1:])]
    wrong += [
        ("directions", directions[:, :0]),
        ("directions", directions.astype(float)),
        ("limit", -state["mean"] - 9),
    ]
    return wrong


@pytest.mark.parametrize("kind", [ConvolutionInputs, SequenceInputs])
def test_damaged_states_are_refused(kind: Any) -> None:
    state = fitted(kind, waves(ragged=False)[0]).to_state()
    for name, value in damages(state):
        with pytest.raises(DamagedFileError):
            kind.from_state({**state, name: value})
            pytest.fail(f"{name} was accepted")
