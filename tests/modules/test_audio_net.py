"""The network for recordings of sound."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from sknn.modules import AudioNet


@pytest.fixture
def net() -> AudioNet:
    torch.manual_seed(0)
    return AudioNet(3, sampling_rate=8000, width=4, n_blocks=1)


def recordings(lengths: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    rows = [torch.randn(n) for n in lengths]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor(lengths)


def test_recordings_and_their_spectrograms_give_the_same_scores(net):
    x, lengths = recordings([3000, 1200, 5])
    net.eval()
    assert torch.equal(net(x, lengths), net(*net.log_mel(x, lengths)))
    assert net(x).shape == (3, 3)


def test_padding_and_the_other_rows_of_the_batch_change_nothing(net):
    x, lengths = recordings([3000, 1203, 777, 1])
    net.train()(x, lengths)  # running statistics
    net.eval()
    together = net(x, lengths)
    for row, n, expected in zip(x, lengths, together, strict=True):
        torch.testing.assert_close(net(row[None, :n], n[None])[0], expected, rtol=1e-4, atol=1e-5)


def test_the_level_of_a_recording_plays_no_part(net):
    x, lengths = recordings([2000, 900])
    net.eval()
    torch.testing.assert_close(net(x * 1e-3, lengths), net(x, lengths), rtol=1e-3, atol=1e-4)


def test_silence_gives_finite_scores_and_gradients(net):
    scores = net.train()(torch.zeros(2, 500), torch.tensor([500, 1]))
    scores.sum().backward()
    assert scores.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_one_recording_can_be_trained_on(net):
    net.train()(*recordings([800])).sum().backward()


def test_augmentation_changes_training_only(net):
    x, lengths = recordings([2000, 900])
    net.dropout.p = 0.0
    assert not torch.allclose(net.train()(x, lengths), net(x, lengths))
    plain = AudioNet(3, 8000, width=4, dropout=0.0, augmentation=None).train()
    assert torch.equal(plain(x, lengths), plain(x, lengths))
    seen = []

    def halved(x, lengths):
        seen.append((x.shape, lengths.tolist()))
        return x[:, :, : x.shape[2] // 2], lengths // 2

    own = AudioNet(3, 8000, width=4, dropout=0.0, augmentation=halved)
    assert torch.equal(own.eval()(x, lengths), own(x, lengths))
    assert not seen
    own.train()(x, lengths)
    assert seen == [((2, 40, 26), [26, 12])]


def test_copies_give_the_same_scores(net):
    x, lengths = recordings([600, 900])
    net.eval()
    expected = net(x, lengths)
    assert torch.equal(copy.deepcopy(net)(x, lengths), expected)
    assert torch.equal(pickle.loads(pickle.dumps(net))(x, lengths), expected)
    other = AudioNet(3, sampling_rate=8000, width=4, n_blocks=1).eval()
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(x, lengths), expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, r'sampling_rate is missing: say .* module_params=\{"sampling_rate": 16000\}'),
        ({"sampling_rate": 8000, "n_mels": 4}, "n_mels=4 is out of range; expected an int >= 8"),
        ({"sampling_rate": 8000, "width": 0}, "width=0"),
        ({"sampling_rate": 8000, "augmentation": "flip"}, "augmentation='flip' is unknown; expected 'auto', None"),
        ({"sampling_rate": 8000, "dropout": 1}, "dropout=1"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises((TypeError, ValueError), match=message):
        AudioNet(2, **params)


def test_the_network_is_built_without_memory_on_the_meta_device():
    with torch.device("meta"):
        net = AudioNet(3, sampling_rate=8000)
    assert all(parameter.is_meta for parameter in net.parameters())
