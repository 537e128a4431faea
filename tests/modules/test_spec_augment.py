"""Random changes of spectrograms."""

from __future__ import annotations

import pytest
import torch

from sknn.modules import SpecAugment


def ramps(lengths: list[int], n_bands: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    """Spectrograms that are 1 up to the end of each row."""
    longest = max(lengths)
    x = (torch.arange(longest) < torch.tensor(lengths)[:, None]).float()
    return x[:, None].expand(-1, n_bands, -1).contiguous(), torch.tensor(lengths)


def test_nothing_changes_in_evaluation_mode():
    x, lengths = ramps([30, 20])
    changed, n_frames = SpecAugment().eval()(x, lengths)
    assert changed is x
    assert n_frames is lengths


def test_speed_changes_the_length_within_its_limits():
    torch.manual_seed(0)
    x, lengths = ramps([100, 50] * 50)
    changed, n_frames = SpecAugment(speed=0.2, shift=0, time_mask=0, band_mask=0)(x, lengths)
    ratio = n_frames / lengths
    assert 1 / 1.2 - 0.02 <= ratio.min() < 0.87
    assert 1.15 < ratio.max() <= 1 / 0.8 + 0.02
    inside = torch.arange(changed.shape[2]) < n_frames[:, None, None]
    assert torch.equal(changed, inside.float().expand_as(changed))  # constant within the row, zeros beyond


def test_frames_are_interpolated():
    x = torch.arange(50.0)[None, None].expand(1, 3, 50).contiguous()
    torch.manual_seed(1)
    changed, n_frames = SpecAugment(speed=0.5, shift=0, time_mask=0, band_mask=0)(x, torch.tensor([50]))
    steps = changed[0, 0, : n_frames[0]].diff()
    assert steps[:-2].std() < 1e-4  # a line stays a line


def test_of_long_recordings_a_random_part_is_taken():
    torch.manual_seed(0)
    x = torch.arange(100.0)[None, None].expand(200, 1, 100).contiguous()
    parts, n_frames = SpecAugment(speed=0, shift=0, time_mask=0, band_mask=0, max_frames=30)(x, torch.full((200,), 100))
    assert (n_frames == 30).all()
    assert (parts.diff(dim=2) == 1).all()
    assert parts.min() == 0
    assert parts.max() == 99


def test_bands_are_shifted_and_the_edge_is_repeated():
    torch.manual_seed(0)
    x = torch.arange(10.0)[None, :, None].expand(200, 10, 4).contiguous()
    changed, _ = SpecAugment(speed=0, shift=2, time_mask=0, band_mask=0)(x, torch.full((200,), 4))
    shifts = (5 - changed[:, 5, 0]).unique(return_counts=True)
    assert shifts[0].tolist() == [-2, -1, 0, 1, 2]
    assert shifts[1].min() > 20
    assert changed[:, 0].min() == 0
    assert changed[:, 9].max() == 9


def test_masks_blank_out_no_more_than_their_shares():
    torch.manual_seed(0)
    x, lengths = ramps([100, 40] * 50)
    changed, _ = SpecAugment(speed=0, shift=0, time_mask=0.3, band_mask=0.0)(x, lengths)
    blank = ((changed == 0) & (x == 1))[:, 0].sum(1) / lengths
    assert 0.25 < blank.max() <= 0.33
    changed, _ = SpecAugment(speed=0, shift=0, time_mask=0.0, band_mask=0.5)(x, lengths)
    blank = (changed[:, :, 0] == 0).float().mean(1)
    assert 0.35 < blank.max() <= 0.6


def test_one_seed_gives_the_same_changes():
    x, lengths = torch.randn(4, 10, 30), torch.tensor([30, 20, 10, 1])
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        results.append(SpecAugment()(x, lengths))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


@pytest.mark.parametrize(
    "params", [{"speed": 1.0}, {"max_frames": 0}, {"shift": -1}, {"time_mask": 2}, {"band_mask": "a"}]
)
def test_wrong_parameters_are_refused(params):
    with pytest.raises((TypeError, ValueError), match=next(iter(params))):
        SpecAugment(**params)
