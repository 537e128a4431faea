"""Random convolutions, compared with a slow and obvious reference."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import RidgeClassifier

from sknn._data.inputs import Inputs
from sknn._data.random_convolutions import _KERNELS, N_KERNELS, draw_convolutions, on_grid
from sknn._data.sequence_features import SequenceFeatures
from sknn._data.sequences import SequenceRows, as_sequences, read_sequences
from sknn._threads import threads


def no_inputs(rows: SequenceRows) -> Inputs:
    raise AssertionError("nothing is learned here")


def rows_of(X):
    return read_sequences(as_sequences(X), no_inputs)


def reference(convolutions, x):
    """Features of one sequence (n_channels, length), step by step."""
    length, reach = x.shape[1], 4 * convolutions.dilation
    features = []
    for i in range(N_KERNELS):
        steps = range(length)
        if i % 2 and length > 2 * reach:
            steps = range(reach, length - reach)
        outputs = []
        for t in steps:
            total = 0.0
            for channel, kernel in zip(convolutions.channels, convolutions.kernels[i], strict=True):
                for tap in range(9):
                    place = t + (tap - 4) * convolutions.dilation
                    if kernel >= 0 and 0 <= place < length:
                        total += _KERNELS[kernel, tap] * x[channel, place]
            outputs.append(total)
        n, half = len(outputs), len(outputs) // 2
        for threshold in convolutions.thresholds[i]:
            above = [float(output > threshold) for output in outputs]
            late, early = sum(above[n - half :]), sum(above[:half])
            features += [sum(above) / n, (late - early) / n]
    return np.array(features)


@pytest.mark.parametrize(("n_channels", "length"), [(1, 30), (3, 12), (2, 1), (12, 9)])
def test_features_are_those_of_a_loop_over_steps(n_channels, length):
    x = on_grid(np.random.RandomState(0).normal(size=(2, n_channels, length)))
    drawn = draw_convolutions(list(x), length, 2 * N_KERNELS * 2, np.random.RandomState(1))
    for convolutions in drawn[:: max(1, len(drawn) - 1)]:
        assert (convolutions.kernels >= 0).any(axis=1).all()
        expected = reference(convolutions, x[1].numpy())
        np.testing.assert_allclose(convolutions.features(x)[1].numpy(), expected, atol=1e-7)


def test_sequences_far_shorter_than_those_of_fit_take_little_memory():
    x = on_grid(np.random.RandomState(0).normal(size=(2, 2, 3)))
    (drawn,) = draw_convolutions(list(x), 3, 2 * N_KERNELS * 2, np.random.RandomState(1))
    wide = dataclasses.replace(drawn, dilation=10**11)
    np.testing.assert_allclose(wide.features(x)[1].numpy(), reference(wide, x[1].numpy()), atol=1e-7)
    assert wide.outputs(x).shape == (2, N_KERNELS, 3)


def test_sums_on_the_grid_are_exact():
    x = on_grid(np.random.RandomState(0).normal(size=(3, 8, 50)) * 100)
    [convolutions] = draw_convolutions([x[0]], 9, 2 * N_KERNELS, np.random.RandomState(0))
    wide = convolutions.outputs(x.double().float()).double()
    weights = np.where(convolutions.kernels[..., None] < 0, 0, _KERNELS[convolutions.kernels])
    padded = torch.nn.functional.pad(x.double(), (4, 4)).unfold(2, 9, 1)
    expected = torch.einsum("kcj,nctj->nkt", torch.from_numpy(weights).double(), padded)
    assert torch.equal(wide, expected)


def learned(X, **options):
    return SequenceFeatures.learn(rows_of(X), **{"n_kernels": 700, "n_components": 20, **options})


@pytest.mark.parametrize("n_channels", [1, 4, 20])
@pytest.mark.parametrize("lengths", [(30,), (8, 1, 3, 40)])
def test_components_are_finite_and_have_the_promised_size(n_channels, lengths):
    random = np.random.RandomState(0)
    X = [random.normal(size=(n_channels, lengths[i % len(lengths)])) for i in range(40)]
    features = learned(X)
    z = features.encoded(rows_of(X))
    assert z.shape == (40, 20)
    assert z.dtype == torch.float32
    assert torch.isfinite(z).all()
    assert 1.9 < float(z[:, 0].std()) < 2.1
    assert float(z[:, 0].mean().abs()) < 0.2


def test_a_row_does_not_depend_on_the_rows_beside_it():
    random = np.random.RandomState(0)
    X = [random.normal(size=(2, n)) for n in random.randint(1, 60, size=50)]
    features = learned(X)
    together = features.encoded(rows_of(X))
    for i in (0, 7, 49):
        torch.testing.assert_close(features.encoded(rows_of(X[i : i + 1])), together[i : i + 1], rtol=0, atol=1e-5)


def test_bits_do_not_depend_on_the_number_of_threads():
    X = np.random.RandomState(0).normal(size=(60, 3, 80))
    bits = []
    for number in (1, 2):
        with threads(number):
            features = learned(X)
            bits.append((features.directions, features.encoded(rows_of(X)).numpy()))
    for one, two in zip(*bits, strict=True):
        np.testing.assert_array_equal(one, two)


def test_the_form_of_a_sequence_survives_amplitudes_of_any_size():
    random = np.random.RandomState(0)
    X, y = [], []
    for i in range(120):
        steps = np.arange(random.randint(40, 80))
        wave = np.sin(2 * np.pi * (steps / (8, 12)[i % 2] + random.rand())) + 0.5 * random.normal(size=len(steps))
        X.append(wave[None] * 10 ** random.uniform(-3, 3))
        y.append(i % 2)
    z = learned(X[:60]).encoded(rows_of(X))
    y = np.array(y)
    assert RidgeClassifier().fit(z[:60].numpy(), y[:60]).score(z[60:].numpy(), y[60:]) > 0.9


@pytest.mark.parametrize(
    "X",
    [
        np.full((6, 2, 10), 3.0),
        np.full((6, 1, 10), np.nan),
        np.zeros((1, 1, 1)),
        np.full((3, 1, 20), 1e300) * np.random.RandomState(0).normal(size=(3, 1, 20)),
        np.full((3, 1, 20), 1e-300) * np.random.RandomState(0).normal(size=(3, 1, 20)),
    ],
)
def test_sequences_that_say_nothing_or_are_extreme_give_finite_numbers(X):
    assert torch.isfinite(learned(X).encoded(rows_of(X))).all()


def test_gaps_are_no_obstacle_and_are_seen():
    random = np.random.RandomState(0)
    X = random.normal(size=(80, 1, 40))
    y = np.arange(80) % 2
    gaps = random.uniform(size=X.shape) < np.where(y, 0.3, 0.05)[:, None, None]
    X[gaps] = np.nan
    features = learned(X, n_kernels=1)
    z = features.encoded(rows_of(X)).numpy()
    assert np.isfinite(z).all()
    assert np.abs(np.corrcoef(z.T, y)[-1, :-1]).max() > 0.4
