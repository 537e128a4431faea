"""Modules of users are recorded for any number of rows, or the error says why they cannot be."""

from __future__ import annotations

import functools
import logging
import statistics
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from sknn import NeuralClassifier, export_numpy

from .exported import N_ROWS, QUICK, Exported, assert_same, numbers


class Own(nn.Module):
    """len() of the batch, assignment in place, selection, sorting, conditions: what modules do."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.first, self.last = nn.Linear(in_features, 8), nn.Linear(8, out_features)
        self.rows = nn.Embedding(3, 8)

    def forward(self, x):
        n = len(x)
        z = self.first(x)
        z[:, 2:4] = z[:, 2:4].sigmoid()
        z[:, 0] = 0.5
        z = z + self.rows(torch.arange(n) % 1) + torch.zeros(n, 8)
        largest, at = z.max(dim=1)
        z = z + nn.functional.one_hot(at, 8) * largest[:, None]
        z = torch.where(z > 0, z, z.abs().sqrt()) + z.sort(dim=1, descending=True)[0].flip(1)
        z = z + torch.bmm(z[:, None, :], z[:, :, None]).squeeze(-1).tanh() + z.std(1, keepdim=True)
        left, right = z.chunk(2, dim=1)
        z = torch.stack([left, right], 1).transpose(1, 2).reshape(n, 8).clone()
        z[z < -1] = -1.0  # by a mask
        z[:, 1::2] = z[:, ::2].neg()  # with a step
        return self.last(z)


class Attention(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(in_features, 2, 8, batch_first=True)
        self.recurrent = nn.GRU(in_features, 4, batch_first=True)
        self.head = nn.Linear(4, out_features)

    def forward(self, x):
        return self.head(self.recurrent(self.layer(x))[0][:, -1])


def images(out_features):
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1, groups=2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.GroupNorm(2, 4),
        nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1, dilation=2, groups=2),
        nn.ConvTranspose2d(4, 1, (2, 3), padding=(1, 2)), nn.Upsample(scale_factor=1.5), nn.Upsample(size=(7, 5)),
        nn.Upsample(scale_factor=1.5, mode="bilinear"), nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9, out_features),
    )  # fmt: skip


def activations(in_features, out_features):
    layers = [nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.SELU(), nn.Softplus(), nn.Hardswish(), nn.PReLU(),
              nn.LeakyReLU(), nn.Softsign(), nn.LogSigmoid(), nn.BatchNorm1d(8), nn.RMSNorm(8), nn.Softmax(1)]  # fmt: skip
    return nn.Sequential(nn.Linear(in_features, 8), *layers, nn.Linear(8, out_features))


@pytest.mark.parametrize(
    ("module", "shape"),
    [(Own, (4,)), (activations, (4,)), (Attention, (3, 4)), (images, (2, 6, 6))],
    ids=["own", "activations", "sequences", "images"],
)
def test_modules_of_users(module, shape, tmp_path):
    X = np.random.default_rng(3).normal(size=(N_ROWS, *shape)).astype(np.float32)
    y = X.reshape(N_ROWS, -1)[:, 0] > 0
    clf = NeuralClassifier(module, **QUICK).fit(X, y)
    assert_same(clf, X, Exported(clf, tmp_path))


class DecidesByValues(nn.Linear):
    def forward(self, x):
        return super().forward(x if x.sum() > 0 else -x)


class RandomAtPredict(nn.Linear):
    def forward(self, x):
        return super().forward(x) + torch.rand(1)


class MeanOfRows(nn.Linear):
    def forward(self, x):
        return super().forward(x) / float(len(x))


class HalvesTheRows(nn.Linear):
    def forward(self, x):
        half = len(x) // 2
        return torch.cat([super().forward(x[:half]), super().forward(x[half:])])


class DecidesByManyRows(nn.Linear):
    def forward(self, x):
        return super().forward(-x if len(x) > 100 else x)


class DecidesByThousandsOfRows(nn.Linear):
    def forward(self, x):
        return super().forward(x.clamp(-1, 1) if x.shape[0] >= 2048 else x)


class DecidesByFewRows(nn.Linear):
    def forward(self, x):
        return super().forward(x if len(x) > 4 else x + 1)


class DecidesByTheEndOfSequences(nn.Module):
    """Random numbers never end with zeros, as sequences of several lengths do."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)

    def forward(self, x):
        return self.layer(torch.where((x[:, -1] == 0).any(), -x, x)).mean(1)


class Vocabulary(nn.Module):
    def __init__(self, out_features):
        super().__init__()
        self.words, self.head = nn.Embedding(9, 4), nn.Linear(4, out_features)

    def forward(self, x):
        return self.head(self.words(x.long()).mean(1))


class CentersTheRows(nn.Linear):
    def forward(self, x):
        h = super().forward(x)
        return h - h.mean(0)


class AddsEarlierRows(nn.Linear):
    def forward(self, x):
        return super().forward(x + 0.1 * x.cumsum(0))


class ScalesByTheLargest(nn.Linear):
    def forward(self, x):
        return super().forward(x / x.abs().amax().clamp(min=1))


class AsksTheStandardLibrary(nn.Module):
    """Fails in a file of Python, not of the user."""

    def __init__(self, in_features, out_features):
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)

    def forward(self, x):
        return self.layer(x) * statistics.fmean(x[:, 0])


class AsksNumpy(AsksTheStandardLibrary):
    """Fails in a file of a library."""

    def forward(self, x):
        return self.layer(x) * float(np.ma.masked_invalid(x[:, 0]).mean())


def attention_along_the_rows(in_features, out_features):
    return nn.Sequential(
        nn.TransformerEncoderLayer(in_features, 2, 8, batch_first=True), nn.Linear(in_features, out_features)
    )


def norm_of_the_batch(in_features, out_features):
    return nn.Sequential(nn.BatchNorm1d(in_features, track_running_stats=False), nn.Linear(in_features, out_features))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            DecidesByValues,
            r"DecidesByValues cannot be exported.*test_capture.py, line \d+: return .* x.sum\(\) > 0.*torch.where",
        ),
        (AsksTheStandardLibrary, r"test_capture.py, line \d+: return self.layer\(x\) \* statistics"),
        (AsksNumpy, r"test_capture.py, line \d+: return self.layer\(x\) \* float\(np.ma"),
        (RandomAtPredict, "RandomAtPredict uses the operation 'rand.default'.*Replace it"),
        (MeanOfRows, "MeanOfRows uses the number 6.0 for 6 rows"),
        (HalvesTheRows, "HalvesTheRows uses a size of 3 for 6 rows and of 5 for 11"),
        (DecidesByManyRows, r"DecidesByManyRows predicts something else .* for 1000, 4096 rows \(.*number of rows"),
        (DecidesByThousandsOfRows, r"predicts something else .* for 4096 rows"),
        (DecidesByFewRows, r"predicts something else .* for 1, 2, 3 rows"),
        (CentersTheRows, "CentersTheRows predicts a row by the other rows of the batch.*rows one by one"),
        (AddsEarlierRows, "AddsEarlierRows predicts a row by the other rows of the batch"),
        (ScalesByTheLargest, "ScalesByTheLargest predicts a row by the other rows of the batch"),
        (attention_along_the_rows, "predicts a row by the other rows of the batch"),
        (norm_of_the_batch, "predicts a row by the other rows of the batch.*running statistics"),
    ],
)
def test_modules_that_cannot_be_exported_say_why(module, message, tmp_path, capfd):
    X = numbers()
    clf = NeuralClassifier(module, **QUICK).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match=message):
        export_numpy(clf, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_form_that_one_backend_lacks_is_an_error_with_the_layer(tmp_path):
    def network(out_features):
        return nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Linear(8, out_features))

    X = np.random.default_rng(3).normal(size=(N_ROWS, 2, 3, 3)).astype(np.float32)
    clf = NeuralClassifier(network, **QUICK).fit(X, X[:, 0, 0, 0] > 0)
    with pytest.raises(ValueError, match=r"in a form that cannot be exported: pooling with ceil_mode=True"):
        export_numpy(clf, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


def test_sequences_of_several_lengths_are_among_the_rows_that_are_compared(tmp_path):
    X = np.random.default_rng(3).normal(size=(N_ROWS, 5, 4)).astype(np.float32)
    clf = NeuralClassifier(DecidesByTheEndOfSequences, **QUICK).fit(X, X[:, 0, 0] > 0)
    with pytest.raises(ValueError, match="predicts a row by the other rows"):
        export_numpy(clf, tmp_path / "model.npz")


def test_a_network_with_a_vocabulary_is_compared_on_words(tmp_path):
    X = np.random.default_rng(3).integers(0, 9, (N_ROWS, 5))
    clf = NeuralClassifier(Vocabulary, preprocessing=False, **QUICK).fit(X, X[:, 0] > 4)
    assert_same(clf, X, Exported(clf, tmp_path))


SEEN = []


class SeesSettings(AsksTheStandardLibrary):
    """Notes a setting of the process that predictions in other threads depend on."""

    def forward(self, x):
        SEEN.append(torch.backends.mha.get_fastpath_enabled())
        return self.layer(x)


def test_an_export_does_not_change_what_other_threads_predict(tmp_path):
    X = numbers()
    clf = NeuralClassifier(SeesSettings, **QUICK).fit(X, X[:, 0] > 0)
    SEEN.clear()
    export_numpy(clf, tmp_path / "model.npz")
    assert set(SEEN) == {True}


def test_exports_in_several_threads(tmp_path):
    X = numbers()
    clf = NeuralClassifier(SeesSettings, **QUICK).fit(X, X[:, 0] > 0)
    paths = [tmp_path / f"model_{i}.npz" for i in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(functools.partial(export_numpy, clf), paths))
    assert len({path.read_bytes() for path in paths}) == 1
    assert torch.backends.mha.get_fastpath_enabled()
    assert logging.root.manager.disable == 0
