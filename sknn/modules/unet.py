"""A small U-Net, which generates images by flow matching."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._checks import check_fraction, check_size
from ._recipe import Recipe
from .conv_net import check_image_shape
from .flow_matching import FlowNetwork, time_features

__all__ = ["UNet"]

_MAP_SIDE = 16  # positions along a side of the first map, at most
_N_TIME_FEATURES = 64
_WIDTH, _WIDTH_OF_PATCHES = 16, 24  # the channels of a patch carry more than those of a pixel
_MOST_GROUPS = 8
_LEAST_SIDE = 4  # of the last map: smaller ones have nothing for a kernel of 3 x 3 to see


class UNet(FlowNetwork):
    r"""A U-Net with a residual block at each resolution, and time and condition in each block.

    Parameters
    ----------
    in_shape : (int, int, int)
        Shape (channels, height, width) of an image.
    condition_size : int, default=0
        Numbers of the condition of an image, such as its one-hot encoded class.
    width : int or None, default=None
        Channels of the first level, a multiple of 4; each further level has twice as many. None: 16, or 24 for images
        of more than 16 pixels a side.
    n_levels : int or None, default=None
        Levels, each at half the resolution of the one before; None: two, or one for images of less than 8 pixels a
        side.
    n_blocks : int, default=1
        Residual blocks of a level on the way down, and as many on the way up.
    dropout : float, default=0.0
        Probability in [0, 1) of dropping a channel's value inside a block.
    image_size : int, (int, int) or None, default=None
        Height and width in which images are read, and generated. None: that of the images, at most 128 x 128 pixels;
        of images of several sizes the median.

    Attributes
    ----------
    multiplications : int
        Of a forward pass of one image, about.

    Shape
    -----
    Input ``(batch, channels, height, width)`` and condition ``(batch, condition_size)``; output ``(batch, 1)``, the
    losses. `velocity` keeps the shape of the images.

    Notes
    -----
    Squares of 2 x 2, 4 x 4, ... pixels are made one position of more channels, so that a side has 16 positions at most.

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox. U-Net: Convolutional Networks for Biomedical Image Segmentation. MICCAI
       2015. arXiv:1505.04597.
    .. [2] J. Ho, A. Jain, P. Abbeel. Denoising Diffusion Probabilistic Models. NeurIPS 2020. arXiv:2006.11239.
    .. [3] E. Perez, F. Strub, H. de Vries, V. Dumoulin, A. Courville. FiLM: Visual Reasoning with a General
       Conditioning Layer. AAAI 2018. arXiv:1709.07871.

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import UNet
    >>> network = UNet((1, 8, 8), condition_size=10)
    >>> condition = torch.eye(10)[:3]
    >>> network(torch.randn(3, 1, 8, 8), condition).shape
    torch.Size([3, 1])
    >>> network.integrate(torch.randn(3, 1, 8, 8), condition, n_steps=2).shape
    torch.Size([3, 1, 8, 8])
    """

    reads: ClassVar[str] = "generated_image"
    recipe = Recipe(
        lr=0.003,
        warmup=0.05,
        patience=20,
        epochs=200,
        max_rows_shown=100_000,
        min_rows_to_split=100,
        steps_per_epoch=20,
        largest_batch=64,
        ema_decay=0.99,
    )

    def __init__(
        self,
        in_shape: Sequence[int],
        condition_size: int = 0,
        width: int | None = None,
        n_levels: int | None = None,
        n_blocks: int = 1,
        dropout: float = 0.0,
        image_size: Any = None,
    ) -> None:
        super().__init__()
        channels, height, size = check_image_shape(in_shape)
        n_blocks = check_size("n_blocks", n_blocks)
        condition_size = check_size("condition_size", condition_size, 0)
        self.patch = 2 ** max(0, math.ceil(math.log2(max(height, size) / _MAP_SIDE)))
        width = check_size("width", (_WIDTH if self.patch == 1 else _WIDTH_OF_PATCHES) if width is None else width)
        if width % 4:
            raise ValueError(f"width={width} is invalid; expected a multiple of 4, the channels of a normed group.")
        dropout = check_fraction("dropout", dropout)
        self.image_size = image_size
        self.condition_size = condition_size
        if n_levels is None:
            side = min(height, size) / self.patch
            n_levels = 2 if side >= 2 * _LEAST_SIDE else 1
        widths = [width * 2**i for i in range(check_size("n_levels", n_levels))]

        code = 4 * width
        self.time = nn.Sequential(nn.Linear(_N_TIME_FEATURES, code), nn.SiLU(), nn.Linear(code, code))
        self.condition = nn.Linear(condition_size, code, bias=False) if condition_size else None
        self.stem = _convolution(channels * self.patch**2, width)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.halvings, self.doublings = nn.ModuleList(), nn.ModuleList()
        for i, here in enumerate(widths):
            above = widths[max(0, i - 1)]
            self.halvings.append(_convolution(above, above, stride=2) if i else nn.Identity())
            down = [above, *[here] * n_blocks]
            self.down.append(nn.ModuleList([Block(a, b, code, dropout) for a, b in pairwise(down)]))
            # On the way up, the maps of the way down come beside those from below.
            below = [here if i == len(widths) - 1 else widths[i + 1], *[here] * (n_blocks - 1)]
            self.up.append(nn.ModuleList([Block(b + here, here, code, dropout) for b in below]))
            self.doublings.append(_convolution(here, here) if i else nn.Identity())
        self.middle = Block(widths[-1], widths[-1], code, dropout)
        self.norm = _norm(width)
        self.head = _zeros(_convolution(width, channels * self.patch**2))
        self.multiplications = self._multiplications(math.ceil(height / self.patch), math.ceil(size / self.patch))
        self.to(memory_format=torch.channels_last)  # of the features  # pyright: ignore[reportCallIssue]

    def velocity(self, x: Tensor, t: Tensor, condition: Tensor | None = None) -> Tensor:
        """Velocities in the shape of the images `x`."""
        code = self.time(time_features(t, _N_TIME_FEATURES))
        if self.condition is not None and condition is not None:
            code = code + self.condition(condition)
        code = F.silu(code)
        height, width = x.shape[2:]
        padded = F.pad(x, (0, -width % self.patch, 0, -height % self.patch))
        h = self.stem(F.pixel_unshuffle(padded, self.patch).contiguous(memory_format=torch.channels_last))
        kept = []
        for halve, blocks in zip(self.halvings, self.down, strict=True):
            h = halve(h)
            for block in blocks:  # pyright: ignore[reportGeneralTypeIssues]
                h = block(h, code)
                kept.append(h)
        h = self.middle(h, code)
        for double, blocks in zip(reversed(self.doublings), reversed(self.up), strict=True):
            for block in blocks:  # pyright: ignore[reportGeneralTypeIssues]
                h = block(torch.cat([h, kept.pop()], dim=1), code)
            if kept:
                h = double(F.interpolate(h, size=kept[-1].shape[2:]))
        h = self.head(F.silu(self.norm(h)))
        return F.pixel_shuffle(h, self.patch)[:, :, :height, :width]

    def _multiplications(self, height: int, width: int) -> int:
        """Of the convolutions for first maps of this size."""
        positions = [math.ceil(height / 2**i) * math.ceil(width / 2**i) for i in range(len(self.down))]
        total = positions[0] * _n_weights([self.stem, self.head]) + positions[-1] * _n_weights([self.middle])
        for i, n in enumerate(positions):
            total += n * _n_weights([self.down[i], self.up[i], self.halvings[i]])
            total += positions[max(0, i - 1)] * _n_weights([self.doublings[i]])
        return total


class Block(nn.Module):
    """x + two convolutions of x, the second of which is scaled and shifted by the code of time and condition.

    Maps (batch, in, height, width) and code (batch, n_code) to maps (batch, out, height, width). It starts as the
    identity, or as a projection.
    """

    def __init__(self, in_channels: int, out_channels: int, n_code: int, dropout: float) -> None:
        super().__init__()
        self.first_norm, self.first = _norm(in_channels), _convolution(in_channels, out_channels)
        self.second_norm, self.second = _norm(out_channels), _zeros(_convolution(out_channels, out_channels))
        self.scale_and_shift = nn.Linear(n_code, 2 * out_channels)
        self.dropout = nn.Dropout(dropout)
        same = in_channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """The sum."""
        h = self.first(F.silu(self.first_norm(x)))
        scale, shift = self.scale_and_shift(code)[:, :, None, None].chunk(2, dim=1)
        h = F.silu(self.second_norm(h) * (1 + scale) + shift)
        return self.shortcut(x) + self.second(self.dropout(h))


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(_MOST_GROUPS, channels // 4), channels)


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, 1)


def _n_weights(parts: list[nn.Module]) -> int:
    """Of all convolutions."""
    layers = [layer for part in parts for layer in part.modules() if isinstance(layer, nn.Conv2d)]
    return sum(layer.weight.numel() for layer in layers)


def _zeros(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer with zeros, so that what it is added to is unchanged at the start."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
