"""Random changes of images that leave their class as it is."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["random_flip", "random_shift"]


def random_shift(x: Tensor, largest: int | tuple[int, int]) -> Tensor:
    """Move every image by its own random number of pixels; what is left free shows the image reflected.

    Random numbers are those of torch's global generator, as in dropout.

    Parameters
    ----------
    x : Tensor (batch, channels, height, width)
    largest : int or (int, int)
        Largest shift in pixels, up or down and left or right, >= 0; less than the height and the width.

    Returns
    -------
    Tensor (batch, channels, height, width)
        In the memory format ``channels_last``; `x` itself if there is nothing to move.

    Raises
    ------
    ValueError
        The shift is negative, or as large as the image.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules.augmentation import random_shift
    >>> _ = torch.manual_seed(0)
    >>> random_shift(torch.arange(4.0).reshape(1, 1, 1, 4), (0, 2))
    tensor([[[[2., 3., 2., 1.]]]])
    """
    n, _, height, width = x.shape
    down, right = (largest, largest) if isinstance(largest, int) else largest
    if not (0 <= down < height and 0 <= right < width):
        raise ValueError(
            f"largest={largest!r} does not fit images of {height} x {width} pixels; expected a shift >= 0 that is "
            "smaller than the image."
        )
    if down == right == 0:
        return x
    rows, columns = _moved(n, height, down, x.device), _moved(n, width, right, x.device)
    images = torch.arange(n, dtype=torch.int64, device=x.device)
    # The channels of a pixel lie side by side in memory, before and after: one gather of pixels.
    return x.permute(0, 2, 3, 1)[images[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def random_flip(x: Tensor) -> Tensor:
    """Mirror every image left to right with probability 1/2.

    Random numbers are those of torch's global generator, as in dropout.

    Parameters
    ----------
    x : Tensor (batch, channels, height, width)

    Returns
    -------
    Tensor (batch, channels, height, width)

    Examples
    --------
    >>> import torch
    >>> from sknn.modules.augmentation import random_flip
    >>> _ = torch.manual_seed(0)
    >>> random_flip(torch.arange(3.0).reshape(1, 1, 1, 3).repeat(2, 1, 1, 1))[:, 0, 0]
    tensor([[2., 1., 0.],
            [0., 1., 2.]])
    """
    is_flipped = torch.rand(len(x), dtype=torch.float32, device=x.device) < 0.5
    return torch.where(is_flipped[:, None, None, None], x.flip(3), x)


def _moved(n: int, size: int, largest: int, device: torch.device) -> Tensor:
    """For each of n images where each of its pixels along an axis comes from, int64 (n, size)."""
    shift = torch.randint(-largest, largest + 1, (n, 1), dtype=torch.int64, device=device)
    source = (torch.arange(size, dtype=torch.int64, device=device) + shift).abs()
    return torch.where(source < size, source, 2 * (size - 1) - source)
