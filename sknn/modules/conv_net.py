"""Residual network for images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._checks import check_fraction, check_size
from ._recipe import Recipe
from .activations import initialize_linear_
from .augmentation import random_flip, random_shift

__all__ = ["ConvNet", "ResidualBlock", "Stem", "multiplications_of"]

# Where the stages begin, the sides of the map of features are about so long, whatever the size of the images.
_MAP_SIDE = 16
_MAX_STAGES = 3
# "auto" moves images by this fraction of their sides.
_SHIFT = 1 / 14


class ConvNet(nn.Module):
    """Residual network for images: a stem, residual stages, the mean over all positions, one linear layer.

    Parameters
    ----------
    in_shape : (int, int, int)
        Channels, height and width of the images, each >= 1. The network is sized by them; it accepts images of other
        sizes, too.
    out_features : int
        Number of raw scores for each image, >= 1.
    width : int, default=24
        Channels of the stem and the first stage, >= 1. Each further stage has twice as many.
    n_stages : int or None, default=None
        Number of stages, >= 1; each but the first halves height and width. None: three, fewer for images that are
        smaller than 8 x 8 pixels.
    n_blocks : int, default=1
        Residual blocks of a stage, >= 1.
    dropout : float, default=0.0
        Fraction of the features of an image that are dropped before the last layer during training, in [0, 1).
    augmentation : {"auto", "flip"}, callable or None, default="auto"
        How images are changed during training. "auto": every image is moved by up to a 14th of its height and width;
        "flip": it is also mirrored left to right with probability 1/2, which suits photos, but not digits. A callable
        is given the standardised images of a batch, ``(batch, channels, height, width)``, and returns as many.
    image_size : (int, int), int or None, default=None
        Of the reader, which resizes all images to this height and width. None: the size of the images, or the median
        of their sizes; where that has more than 128 x 128 pixels, it is reduced to so many.

    Attributes
    ----------
    stem : Stem
    stages : nn.Sequential
        The residual blocks.
    head : nn.Linear
    multiplications : int
        Of a forward pass of one image, about; the estimators choose the number of threads by it.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type than above, or is out of its range.

    Shape
    -----
    - ``x``: ``(batch, channels, height, width)``, float32, standardised. The memory format ``channels_last`` saves a
      copy of each batch.
    - Output: ``(batch, out_features)``, raw scores before any softmax or other link.

    Notes
    -----
    The stem shrinks the images to maps of about 16 x 16 positions, so that the cost of an image hardly depends on its
    size. Images of up to 16 x 16 pixels keep theirs. Batch normalisation uses the statistics of the batch in training
    and fixed ones in prediction, so the prediction for an image does not depend on the others. A batch of one image
    can be trained on, too, if it has more than one pixel.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren, J. Sun. Deep Residual Learning for Image Recognition. CVPR 2016. arXiv:1512.03385.
    .. [2] T. He, Z. Zhang, H. Zhang, Z. Zhang, J. Xie, M. Li. Bag of Tricks for Image Classification with
       Convolutional Neural Networks. CVPR 2019. arXiv:1812.01187 (the mean of 2 x 2 pixels in the shortcut).

    Examples
    --------
    >>> import torch
    >>> from sknn.modules import ConvNet
    >>> ConvNet((3, 32, 32), 10)(torch.randn(5, 3, 32, 32)).shape
    torch.Size([5, 10])
    """

    reads: ClassVar[str] = "image"
    recipe = Recipe(
        n_networks_up_to=((2000, 4), (7000, 2)),
        lr=0.006,
        decay_epochs=12.0,
        # With 0.05, 0.61 instead of 0.82 of textured shapes among clutter were recognised (3,000 images, 10 classes);
        # clothes and digits did not change.
        warmup=0.3,
        label_smoothing=0.1,
        patience=40,
        min_steps=1000,
        epochs=30,
        max_rows_shown=180_000,
        min_rows_to_split=10,
        steps_per_epoch=100,
        largest_batch=64,
    )

    def __init__(
        self,
        in_shape: Sequence[int],
        out_features: int,
        width: int = 24,
        n_stages: int | None = None,
        n_blocks: int = 1,
        dropout: float = 0.0,
        augmentation: str | Callable[[Tensor], Tensor] | None = "auto",
        image_size: Any = None,
    ) -> None:
        super().__init__()
        channels, height, size = check_image_shape(in_shape)
        out_features = check_size("out_features", out_features)
        width, n_blocks = check_size("width", width), check_size("n_blocks", n_blocks)
        self.augmentation = _check_augmentation(augmentation)
        self.image_size = image_size
        dropout = check_fraction("dropout", dropout)
        side = math.sqrt(height * size)
        n_halvings = max(0, math.ceil(math.log2(side / _MAP_SIDE)))
        if n_stages is None:
            # Maps of less than 2 x 2 positions have nothing for a kernel of 3 x 3 to see.
            n_stages = min(_MAX_STAGES, max(1, int(math.log2(side / 2**n_halvings))))
        n_stages = check_size("n_stages", n_stages)

        self.stem = Stem(channels, width, n_halvings)
        blocks: list[nn.Module] = []
        for i in range(n_stages):
            blocks.append(ResidualBlock(width * 2 ** max(0, i - 1), width * 2**i, stride=2 if i else 1))
            blocks += [ResidualBlock(width * 2**i, width * 2**i) for _ in range(n_blocks - 1)]
        self.stages = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.head = initialize_linear_(nn.Linear(width * 2 ** (n_stages - 1), out_features), None)
        self.multiplications = multiplications_of(self, height, size)
        self.to(memory_format=torch.channels_last)  # of the features  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tensor) -> Tensor:
        """Raw scores of a batch of images."""
        if self.training:
            x = self._changed(x)
        x = self.stages(self.stem(x))
        return self.head(self.dropout(x.mean((2, 3))))

    def _changed(self, x: Tensor) -> Tensor:
        """The images of a batch as the network is trained on them, (batch, channels, height, width)."""
        if self.augmentation is None:
            return x
        if not isinstance(self.augmentation, str):
            return self.augmentation(x)
        if self.augmentation == "flip":
            x = random_flip(x)
        return random_shift(x, (int(x.shape[2] * _SHIFT), int(x.shape[3] * _SHIFT)))


class Stem(nn.Module):
    """The first layers: images (batch, channels, height, width) -> features (batch, width, height / s, width / s).

    s is 2 to the power of `n_halvings`. At most two convolutions, whatever s is: layers at full resolution would take
    most of the time.
    """

    def __init__(self, channels: int, width: int, n_halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if n_halvings > 1:
            narrow = max(1, width // 2)  # its maps have four times the positions of those behind the stem
            layers += _convolution(channels, narrow, 2 ** (n_halvings - 1))
            channels = narrow
        layers += _convolution(channels, width, 2 if n_halvings else 1)
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Features in the memory format channels_last, in which convolutions take two thirds of the time."""
        return self.layers(x).contiguous(memory_format=torch.channels_last)


class ResidualBlock(nn.Module):
    """x + two convolutions of x, with batch norm: (batch, in, h, w) to (batch, out, h / stride, w / stride)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *_convolution(in_channels, out_channels, stride),
            *_convolution(out_channels, out_channels, 1)[:-1],
        )
        shortcut: list[nn.Module] = [nn.AvgPool2d(stride, ceil_mode=True)] if stride > 1 else []
        if in_channels != out_channels:
            shortcut.append(nn.Conv2d(in_channels, out_channels, 1, bias=False))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """The sum, behind a ReLU."""
        return functional.relu(self.shortcut(x) + self.branch(x))


def _convolution(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    """Convolution whose kernel covers neighbouring positions too, batch norm, ReLU."""
    kernel = 3 if stride <= 2 else stride + 1
    # Batch norm subtracts the mean of every channel, and with it any bias.
    convolution = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return [convolution, nn.BatchNorm2d(out_channels), nn.ReLU()]


def multiplications_of(network: nn.Module, height: int, width: int) -> int:
    """Of the convolutions of a network for an image of this size; they are in the order of the computation."""
    total = 0
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            height, width = math.ceil(height / layer.stride[0]), math.ceil(width / layer.stride[1])
            total += layer.weight.numel() * height * width
    return total


def check_image_shape(in_shape: Any) -> tuple[int, int, int]:
    """The shape of an image, (channels, height, width), or a ValueError."""
    """The shape of an image, (channels, height, width), or a ValueError."""
    shape = tuple(in_shape) if isinstance(in_shape, Sequence) else ()
    if len(shape) != 3:
        raise ValueError(f"in_shape={in_shape!r} is invalid; expected (channels, height, width).")
    channels, height, width = (check_size(f"in_shape[{i}]", size) for i, size in enumerate(shape))
    return channels, height, width


def _check_augmentation(value: Any) -> Any:
    if value is None or callable(value) or (isinstance(value, str) and value in ("auto", "flip")):
        return value
    raise ValueError(f"augmentation={value!r} is unknown; expected 'auto', 'flip', None, or a callable on tensors.")
