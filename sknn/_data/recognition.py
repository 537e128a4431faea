"""What an X is: a table, texts, images, sequences, or an array that a module of the user's is given untouched."""

from __future__ import annotations

import os
import re
import warnings
from typing import Any, Literal

import narwhals.stable.v1 as nw
import numpy as np
from scipy import sparse
from torch import Tensor

from .._errors import level_of_caller, shown
from .cells import is_missing
from .containers import is_frame, items_of, without_tensor

__all__ = ["CHANNELS", "Content", "content_of", "is_picture"]

Content = Literal["table", "sparse", "array", "text", "image", "sequence"]

CHANNELS = (1, 3, 4)  # of an image: grey, colour, colour with transparency
_SMALLEST_PICTURE = 8  # pixels
_N_LOOKED_AT = 100  # rows of a list whose type says what all are; the kinds check the others
_NAME_OF_FILE = re.compile(r"\S+\.(png|jpe?g|gif|bmp|tiff?|webp|wav|mp3|flac|ogg)", re.IGNORECASE)


def content_of(X: Any, keeps_arrays: bool) -> Content:
    """What X is, judged by its type, its dtype and the shapes of its rows.

    `keeps_arrays`: arrays of more than two dimensions that are not clearly images are for a module of the user's.

    Raises
    ------
    ValueError, TypeError
        It may be data of several kinds, or it holds names of files; the message says how to go on.
    """
    if is_frame(X):
        return "table"
    if is_picture(X):
        return "image"  # a single one, which the kind refuses
    if sparse.issparse(X):
        return "sparse"
    if isinstance(X, Tensor | np.ndarray) and X.ndim > 1:
        if X.ndim == 2:
            return "table"
        is_uint8 = str(X.dtype).removeprefix("torch.") == "uint8"
        return _content_of_array(tuple(X.shape), X[:_N_LOOKED_AT], is_uint8, keeps_arrays)
    if isinstance(X, Tensor) or (isinstance(X, np.ndarray) and X.dtype.kind not in "OUT"):
        return "table"  # one-dimensional numbers, which `as_table` refuses
    if isinstance(X, list | tuple | np.ndarray) or nw.dependencies.is_into_series(X) or hasattr(X, "to_pylist"):
        return _content_of_rows(X, keeps_arrays)
    return "table"


def _are_pictures(some: np.ndarray) -> bool:
    """Whether arrays (n, height, width) that are not of uint8 are grey images: squares of whole numbers up to 255.

    Of other squares, what may be meant is named in a warning.
    """
    if some.shape[1] != some.shape[2] or some.shape[1] < _SMALLEST_PICTURE or some.dtype.kind not in "biuf":
        return False
    low, high = some.min(), some.max()
    if not 0 <= low < high <= 255:  # of NaN, too
        return False
    size = some.shape[1]
    found = f"X has the shape (n, {size}, {size}) and holds"
    if (some == np.floor(some)).all():
        _warn(
            f"{found} whole numbers from 0 to {int(high)}, so it is read as grey images. Pass X.astype(np.uint8) to "
            "say so, or module=sknn.modules.SequenceNet if these are sequences (n, channels, time)."
        )
        return True
    if high <= 1:
        _warn(
            f"{found} numbers from 0 to 1, so it is read as sequences of {size} channels and {size} steps. If these "
            "are grey images, pass module=sknn.modules.ConvNet; pass module=sknn.modules.SequenceNet to say that they "
            "are sequences."
        )
    return False


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=level_of_caller())


def _content_of_array(shape: tuple[int, ...], some: Any, is_uint8: bool, keeps_arrays: bool) -> Content:
    """Of an array of three or more dimensions; `some` of its rows."""
    if len(shape) == 3 and (is_uint8 or keeps_arrays):
        return "image" if is_uint8 else "array"
    if len(shape) == 3:
        return "image" if 0 not in shape and _are_pictures(np.asarray(without_tensor(some, "X"))) else "sequence"
    if len(shape) == 4 and (shape[1] in CHANNELS or shape[3] in CHANNELS):
        # For a module of the user's, small axes of floats may be anything, such as features of another network.
        is_clear = shape[3] in CHANNELS[:2] and min(shape[1:3]) >= _SMALLEST_PICTURE
        if is_uint8 or not keeps_arrays or is_clear:
            return "image"
    if keeps_arrays:
        return "array"
    if len(shape) == 4:
        raise ValueError(
            f"X has the shape {shape}: as images (n, height, width, channels) or (n, channels, height, width) it would "
            f"have 1, 3 or 4 channels. Pass sequences as (n, channels, time), or a module of your own for other arrays."
        )
    raise ValueError(
        f"X has the shape {shape}, {len(shape)} dimensions: images have 4 (n, height, width, channels), sequences 3 "
        "(n, channels, time), tables 2. Take single frames of a video, or pass a module of your own for other arrays."
    )


def _content_of_rows(X: Any, keeps_arrays: bool) -> Content:
    """Of a list, a one-dimensional array or a series."""
    rows = items_of(X)
    some = [row for row in rows[:_N_LOOKED_AT] if not _is_gap(row)]
    some = some or [row for row in rows if not _is_gap(row)][:_N_LOOKED_AT]
    if not some:
        return "table"
    first = some[0]
    other = next((row for row in some if isinstance(row, str) != isinstance(first, str)), None)
    if isinstance(first if isinstance(other, str) else other, np.ndarray | Tensor):
        raise _several_kinds(first, other)
    if isinstance(first, str):
        if all(isinstance(row, str) and _NAME_OF_FILE.fullmatch(row) for row in some):
            raise _names_of_files(first)
        return "text"
    if isinstance(first, os.PathLike):
        raise _names_of_files(first)
    if isinstance(first, bytes | bytearray):
        raise TypeError(
            f"X holds bytes, such as {shown(first)}. Pass texts, as by [x.decode() for x in X], or images and sounds "
            "as arrays."
        )
    if is_picture(first):
        return "image"
    if isinstance(first, np.ndarray | Tensor | list | tuple):
        other = next((row for row in some if not isinstance(row, np.ndarray | Tensor | list | tuple)), None)
        if other is not None:
            raise _several_kinds(first, other)
        return _content_of_shapes(some, keeps_arrays)
    return "table"


def _is_gap(row: Any) -> bool:
    return not isinstance(row, str | np.ndarray | Tensor | list | tuple) and is_missing(row)


def _content_of_shapes(some: list[Any], keeps_arrays: bool) -> Content:
    """Of rows that are arrays, or lists of numbers."""
    try:
        arrays = [np.asarray(without_tensor(row, "X")) for row in some]
    except ValueError:  # a row that is itself ragged, which `as_table` reports
        return "table"
    n, shapes, n_axes = len(some), {array.shape for array in arrays}, {array.ndim for array in arrays}
    if len(n_axes) > 1 and n_axes != {2, 3}:  # grey and colour images are refused by their kind
        raise ValueError(
            f"X holds rows of several shapes, such as {arrays[0].shape} and "
            f"{next(array.shape for array in arrays if array.ndim != arrays[0].ndim)}. Give all rows the same number "
            "of axes: one for a table, two for sequences (channels, time)."
        )
    if any(array.dtype.kind not in "biuf" for array in arrays) or n_axes <= {0}:
        # None among numbers, for which the kind says how gaps are written.
        return "sequence" if n_axes == {2} and any(array.dtype == object for array in arrays) else "table"
    is_uint8 = any(array.dtype == np.uint8 for array in arrays)  # if not all, the kind refuses them
    if n_axes == {1}:
        if len(shapes) == 1:
            return "table"
        raise ValueError(
            f"X holds {n} one-dimensional rows of several lengths, such as {arrays[0].shape[0]} and "
            f"{next(array.shape[0] for array in arrays if array.shape != arrays[0].shape)}. They may be sequences of "
            "one channel: pass [np.asarray(x)[None] for x in X]. Or sounds: pass module=sknn.modules.AudioNet, "
            "module_params={'sampling_rate': ...}. Rows of a table all have the same number of columns."
        )
    if len(shapes) == 1:
        return _content_of_array((n, *arrays[0].shape), arrays, is_uint8, keeps_arrays)
    if n_axes == {2} and not is_uint8:
        if len({shape[0] for shape in shapes}) == 1:
            return "sequence"
        raise ValueError(
            f"X holds arrays of the shapes {sorted(shapes)[:3]}. As sequences (channels, time) they would have the "
            "same number of channels: transpose them if time comes first, as by [x.T for x in X]. Read them as grey "
            "images of several sizes by module=sknn.modules.ConvNet."
        )
    if n_axes <= {2, 3}:
        return "image"
    raise ValueError(
        f"X holds arrays of {sorted(n_axes)[-1]} dimensions, such as {arrays[0].shape}: an image has 2 or 3, a "
        "sequence 2 (channels, time)."
    )


def is_picture(row: Any) -> bool:
    """Whether it is an image of the library PIL, which need not be installed."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(row).__mro__)


def _several_kinds(first: Any, other: Any) -> TypeError:
    return TypeError(
        f"X holds rows of several kinds, such as {type(first).__name__} and {type(other).__name__}: {shown(first)} and "
        f"{shown(other)}. Pass texts only, or arrays only, or a data frame for several columns."
    )


def _names_of_files(first: Any) -> TypeError:
    return TypeError(
        f"X holds names of files, such as {shown(first)}, but their content was expected. Load them: "
        "X = [np.asarray(Image.open(p)) for p in X] for images (PIL), or read sounds as arrays of numbers."
    )
