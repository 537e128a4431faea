"""Random changes of spectrograms that leave their meaning, during training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._checks import check_fraction, check_size

__all__ = ["SpecAugment"]


class SpecAugment(nn.Module):
    """Plays each recording faster or slower, moves it up or down in frequency, and blanks out a time and some bands.

    In evaluation mode nothing changes. All changes are drawn anew for each recording from torch's global generator.

    Parameters
    ----------
    speed : float, default=0.15
        Largest relative change of speed, in [0, 1).
    shift : int, default=3
        Largest move in bands, >= 0. The band at the edge is repeated.
    time_mask : float, default=0.15
        Largest share of a recording that is blanked out, in [0, 1).
    band_mask : float, default=0.2
        Largest share of the bands that is blanked out, in [0, 1).
    max_frames : int, default=256
        Of longer recordings a random part of so many frames is taken, >= 1, which bounds the time that training takes.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x``: ``(batch, n_bands, frames)``, float32, whose mean within a recording is 0; zeros beyond its end.
    - ``lengths``: ``(batch,)``, int64, frames of each recording, >= 1.
    - Output: the same two, with other numbers of frames.

    References
    ----------
    .. [1] D. S. Park et al. SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition.
       Interspeech 2019. arXiv:1904.08779.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import SpecAugment
    >>> _ = torch.manual_seed(0)
    >>> x, lengths = SpecAugment()(torch.randn(2, 40, 100), torch.tensor([100, 60]))
    >>> x.shape, lengths
    (torch.Size([2, 40, 89]), tensor([89, 59]))
    """

    def __init__(
        self,
        speed: float = 0.15,
        shift: int = 3,
        time_mask: float = 0.15,
        band_mask: float = 0.2,
        max_frames: int = 256,
    ) -> None:
        super().__init__()
        self.speed = check_fraction("speed", speed)
        self.shift = check_size("shift", shift, minimum=0)
        self.time_mask = check_fraction("time_mask", time_mask)
        self.band_mask = check_fraction("band_mask", band_mask)
        self.max_frames = check_size("max_frames", max_frames)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Changed spectrograms and their numbers of frames."""
        if not self.training:
            return x, lengths
        x, lengths = self._at_other_speeds(x, lengths)
        x = self._at_other_pitches(x)
        return x * self._kept(x, lengths), lengths

    def _at_other_speeds(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames between two frames are interpolated linearly."""
        n_rows, n_bands, _ = x.shape
        speed = 1 + self.speed * _uniform(n_rows, x)
        changed = (lengths / speed).round().long().clamp(min=1)
        kept = changed.clamp(max=self.max_frames)
        first = (torch.rand(n_rows, dtype=torch.float32, device=x.device) * (changed - kept + 1)).long()
        steps = torch.arange(int(kept.max()), dtype=torch.int64, device=x.device)
        last = (lengths - 1)[:, None]
        position = torch.minimum((first[:, None] + steps) * speed[:, None], last)
        before = position.long()
        after = torch.minimum(before + 1, last)
        share = (position - before)[:, None]
        left, right = (x.gather(2, at[:, None].expand(-1, n_bands, -1)) for at in (before, after))
        return torch.lerp(left, right, share) * (steps < kept[:, None])[:, None], kept

    def _at_other_pitches(self, x: Tensor) -> Tensor:
        n_rows, n_bands, n_frames = x.shape
        shift = (_uniform(n_rows, x) * (self.shift + 0.5)).round().long()
        band = (torch.arange(n_bands, dtype=torch.int64, device=x.device) - shift[:, None]).clamp(0, n_bands - 1)
        return x.gather(1, band[:, :, None].expand(-1, -1, n_frames))

    def _kept(self, x: Tensor, lengths: Tensor) -> Tensor:
        """False where x is blanked out, bool (batch, n_bands, frames)."""
        n_rows, n_bands, n_frames = x.shape
        in_time = _outside_of_a_part(n_rows, n_frames, lengths.to(x.dtype), self.time_mask, x)
        in_bands = _outside_of_a_part(n_rows, n_bands, torch.full_like(lengths, n_bands), self.band_mask, x)
        return in_time[:, None, :] & in_bands[:, :, None]


def _uniform(n_rows: int, like: Tensor) -> Tensor:
    """Numbers between -1 and 1, (n_rows,)."""
    return torch.rand(n_rows, dtype=torch.float32, device=like.device) * 2 - 1


def _outside_of_a_part(n_rows: int, n_steps: int, sizes: Tensor, largest_share: float, like: Tensor) -> Tensor:
    """For each row False in a random part of its `sizes` steps, bool (n_rows, n_steps)."""
    width = torch.rand(n_rows, dtype=torch.float32, device=like.device) * largest_share * sizes
    start = torch.rand(n_rows, dtype=torch.float32, device=like.device) * (sizes - width)
    step = torch.arange(n_steps, dtype=torch.int64, device=like.device)
    return (step < start[:, None]) | (step >= (start + width)[:, None])
