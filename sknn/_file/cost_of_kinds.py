"""Networks of sknn for texts, images, sequences and sounds whose work on the probe rows a file itself shows.

The probe rows are made from what was learned about X, so their size, and with it the work of reading them, is in the
JSON. Convolutions use each weight at every position of a row at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

__all__ = ["NETWORKS", "is_cheap_kind"]

# Kind of data -> networks of sknn that read it, the first by ``module="auto"``.
NETWORKS = {
    "ngrams": ("sknn.modules.TextNet",),
    "image": ("sknn.modules.ConvNet",),
    "generated_image": ("sknn.modules.UNet",),
    "convolutions": ("sknn.modules.SequenceNet",),
    "spectrogram": ("sknn.modules.AudioNet",),
}
_MOST_PRODUCTS = 2**34  # a second or two
_MOST_NUMBERS = 2**26  # in memory at once
# Probe rows: so many, and the steps or samples of the longest, if the file does not fix a length.
_IMAGES, _SEQUENCES, _STEPS, _RECORDINGS, _SAMPLES = 2, 4, 40, 3, 3000
_MOST_SAMPLES_OF_A_WINDOW = 2**13
_LEAST_CHANNELS = 16  # libraries compute fewer channels as if they were so many
_OF_SPECTROGRAM = ("sampling_rate", "n_mels", "window_ms", "hop_ms")
_LENGTH, _N_KERNELS, _CHANNELS = 9, 84, 8  # of random convolutions
_PASSES = 30  # arrays of the size of the sequences that statistics take
_Values = dict[str, Any]


def is_cheap_kind(inputs: _Values, params: _Values, shapes: list[list[int]]) -> bool:
    """Return whether the probe rows of these inputs are small, and the work of such a network on them.

    `params` are plain arguments of the module, `shapes` those of all tensors of the file. What depends on the size of
    the tensors alone has been checked.
    """
    kind, state = inputs.get("kind"), _pairs(inputs.get("state"))
    if kind == "ngrams":  # of three short texts, which contain n-grams of the vocabulary only
        return True
    if kind == "generated_image":
        kind, state = "image", _pairs(state.get("images"))
    if kind == "image":
        size = state.get("size")
        if type(size) is not list or len(size) != 2 or not all(_is_size(n) for n in size):
            return False
        return _are_few_convolutions(_IMAGES * math.prod(size), shapes)
    if kind == "convolutions":
        return _are_few_random_convolutions(state)
    given = {name: params[name] for name in _OF_SPECTROGRAM if name in params}
    numbers = [_numbers_of_spectrogram({**state, **some}) for some in ({}, given)]
    return all(n is not None and _are_few_convolutions(_RECORDINGS * n, shapes) for n in numbers)


def _are_few_convolutions(n_positions: int, shapes: list[list[int]]) -> bool:
    """Of all rows together: each kernel is used at so many positions at most.

    Behind each convolution is a norm, whose vectors have the number of its channels.
    """
    n_weights = sum(math.prod(shape) for shape in shapes if len(shape) == 4)
    n_channels = sum(max(_LEAST_CHANNELS, *shape) for shape in shapes if len(shape) == 1)
    return n_positions * n_weights <= _MOST_PRODUCTS and n_positions * n_channels <= _MOST_NUMBERS


def _numbers_of_spectrogram(values: _Values) -> int | None:
    """Return how many numbers the spectrogram of the longest recording has; None if it takes much to make it."""
    rate, n_mels, window_ms, hop_ms = (values.get(name, math.nan) for name in _OF_SPECTROGRAM)
    if not (_is_size(n_mels) and all(type(value) in (int, float) for value in (rate, window_ms, hop_ms))):
        return None
    window, hop = rate * window_ms / 1000, max(1.0, rate * hop_ms / 1000)
    if not (window <= _MOST_SAMPLES_OF_A_WINDOW and hop < math.inf):  # also of NaN
        return None
    n_frames = int(_SAMPLES / hop) + 2
    takes_much = n_frames * max(16, window) + n_mels * max(16, window) > _MOST_NUMBERS / 8
    return None if takes_much else n_mels * n_frames


def _are_few_random_convolutions(state: _Values) -> bool:
    length, center = state.get("length", math.nan), state.get("center")
    shape = center.get("shape") if isinstance(center, dict) else None
    if type(shape) is not list or len(shape) != 1 or not _is_size(shape[0]) or not (length is None or _is_size(length)):
        return False
    n_steps = _STEPS if length is None else length
    n_products, n_numbers = 0, n_steps * shape[0] * _PASSES
    for convolution in _dicts(state.get("convolutions")):
        dilation, thresholds = convolution.get("dilation", math.nan), convolution.get("thresholds")
        sizes = thresholds.get("shape") if isinstance(thresholds, dict) else None
        if not _is_size(dilation) or type(sizes) is not list or not all(_is_size(n) for n in sizes):
            return False
        reach = (_LENGTH - 1) * dilation
        of_kernels = n_steps * (_N_KERNELS * _LENGTH * _CHANNELS + 4 * math.prod(sizes))
        n_products += of_kernels + reach * _CHANNELS
        n_numbers = max(n_numbers, (n_steps + reach) * _CHANNELS + n_steps * (_LENGTH * _CHANNELS + 4 * _N_KERNELS))
    return _SEQUENCES * n_products <= _MOST_PRODUCTS and _SEQUENCES * n_numbers <= _MOST_NUMBERS


def _dicts(value: Any) -> Iterator[_Values]:
    """Return the dicts in nested lists; of anything else an empty one."""
    if isinstance(value, list):
        for item in value:
            yield from _dicts(item)
    else:
        yield _pairs(value)


def _pairs(value: Any) -> _Values:
    """Return the dict that this JSON describes, its values as JSON; an empty one if its keys are not plain strings."""
    items = value.get("items") if isinstance(value, dict) and value.get("$") == "dict" else None
    if type(items) is not list or any(type(pair) is not list or len(pair) != 2 for pair in items):
        return {}
    # A string of numpy is equal to a plain one.
    return dict(items) if all(type(key) is str for key, _ in items) else {}


def _is_size(value: Any) -> bool:
    return type(value) is int and value >= 0
