"""What an X is follows from its type, its dtype and the shapes of its rows; what may be several things is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import torch

from sknn._data.recognition import content_of

TEXTS = ["a text", "another", None]
UINT8, FLOAT = np.uint8, np.float32


def of(*shapes: tuple[int, ...], dtype: Any = FLOAT) -> list[np.ndarray]:
    return [np.ones(shape, dtype=dtype) for shape in shapes]


@pytest.mark.parametrize(
    ("X", "auto", "own"),
    [
        (np.ones((3, 2)), "table", "table"),
        ([[1, 2], [3, 4]], "table", "table"),
        ([("a", 1), ("b", 2)], "table", "table"),
        (pd.DataFrame({"a": TEXTS}), "table", "table"),
        (pl.DataFrame({"a": TEXTS}), "table", "table"),
        (scipy.sparse.eye_array(3), "sparse", "sparse"),
        (of((4,), (4,)), "table", "table"),
        (np.ones(3), "table", "table"),
        ([1, 2, 3], "table", "table"),
        ([None, None], "table", "table"),
        (TEXTS, "text", "text"),
        (tuple(TEXTS), "text", "text"),
        ([None, *TEXTS], "text", "text"),
        (np.array(["a", "b"]), "text", "text"),
        (np.array(TEXTS, dtype=object), "text", "text"),
        (pd.Series(TEXTS), "text", "text"),
        (pd.Series(TEXTS, dtype="string"), "text", "text"),
        (pl.Series(TEXTS), "text", "text"),
        (pa.array(TEXTS), "text", "text"),
        (np.ones((5, 28, 28), UINT8), "image", "image"),
        (torch.ones((5, 28, 28), dtype=torch.uint8), "image", "image"),
        (np.ones((5, 28, 28)) / 2, "sequence", "array"),
        (-np.ones((5, 28, 28), int), "sequence", "array"),
        (torch.ones((5, 3, 28)).bfloat16(), "sequence", "array"),
        ([torch.ones((3, n)).bfloat16() for n in (4, 5)], "sequence", "sequence"),
        ([(np.ones(4), np.ones(4)), (np.ones(4), np.ones(4))], "sequence", "array"),
        ([[[1.0, None], [2.0, 3.0]], [[1.0, 2.0], [2.0, 3.0]]], "sequence", "sequence"),
        (np.ones((5, 28, 28, 3), UINT8), "image", "image"),
        (np.ones((5, 28, 28, 3)), "image", "image"),
        (np.ones((5, 3, 28, 28)), "image", "array"),
        (np.ones((5, 3, 28, 28), UINT8), "image", "image"),
        (np.ones((5, 28, 28, 1)), "image", "image"),
        (np.ones((5, 2, 3, 3)), "image", "array"),
        (np.ones((5, 16, 8, 4)), "image", "array"),
        (np.ones((5, 2, 3, 28, 28)), None, "array"),
        (np.ones((5, 7, 28, 28)), None, "array"),
        (of((28, 28, 3), (20, 30, 3)), "image", "image"),
        (of((28, 28), (20, 30), dtype=UINT8), "image", "image"),
        (of((28, 28), (28, 28), dtype=UINT8), "image", "image"),
        (of((2, 10), (2, 7)), "sequence", "sequence"),
        (of((2, 10), (2, 10)), "sequence", "array"),
        (np.fromiter(of((2, 10), (2, 7)), dtype=object), "sequence", "sequence"),
        ([[[1.0, 2.0]], [[3.0, 4.0, 5.0]]], "sequence", "sequence"),
    ],
)
def test_what_it_is(X: Any, auto: str | None, own: str) -> None:
    assert content_of(X, keeps_arrays=True) == own
    if auto is None:
        with pytest.raises(ValueError, match=r"X has the shape .*images.*sequences"):
            content_of(X, keeps_arrays=False)
    else:
        assert content_of(X, keeps_arrays=False) == auto


def test_squares_of_whole_numbers_are_images_with_a_warning() -> None:
    digits = np.random.default_rng(0).integers(0, 17, (5, 8, 8)).astype(float)
    forms = (digits, digits.astype(int), torch.from_numpy(digits).requires_grad_(), list(digits), digits.tolist())
    for X in forms:
        with pytest.warns(
            UserWarning, match=r"\(n, 8, 8\).*whole numbers from 0 to 1\d.*grey images.*uint8.*SequenceNet"
        ):
            assert content_of(X, keeps_arrays=False) == "image"
        assert content_of(X, keeps_arrays=True) == "array"
    for X in (digits + 0.5, digits - 1, digits * 100, digits[:, :7], digits[:, :5, :5], 0 * digits):
        assert content_of(X, keeps_arrays=False) == "sequence"


def test_squares_between_0_and_1_are_sequences_with_a_warning_that_names_images() -> None:
    squares = np.random.default_rng(0).random((5, 8, 8))
    for X in (squares, squares.astype(FLOAT), torch.from_numpy(squares), list(squares)):
        with pytest.warns(UserWarning, match=r"\(n, 8, 8\).*from 0 to 1.*8 channels and 8 steps.*ConvNet.*SequenceNet"):
            assert content_of(X, keeps_arrays=False) == "sequence"
        assert content_of(X, keeps_arrays=True) == "array"
    with pytest.warns(UserWarning, match="whole numbers from 0 to 1,"):
        assert content_of(squares > 0.5, keeps_arrays=False) == "image"
    gaps = np.where(squares < 0.1, np.nan, squares)
    for X in (gaps, squares * 1.1, squares - 0.1, squares[:, :7], squares[:, :5, :5]):
        assert content_of(X, keeps_arrays=False) == "sequence"


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (of((5,), (7,)), r"several lengths, such as 5 and 7.*one channel.*\[None\].*AudioNet.*columns"),
        ([[1, 2], [1, 2, 3]], r"several lengths, such as 2 and 3"),
        (of((5, 2), (7, 3)), r"same number of channels: transpose.*x\.T.*ConvNet"),
        (of((2, 3, 4, 5), (2, 3, 4, 6)), r"4 dimensions"),
        (["a/b.png", "c.JPG"], r"names of files, such as 'a/b\.png'.*np\.asarray\(Image\.open\(p\)\)"),
        ([Path("x.png")], r"names of files"),
        ([b"abc"], r"X holds bytes.*decode"),
    ],
)
def test_what_may_be_several_things_is_refused(X: Any, message: str) -> None:
    for keeps_arrays in (False, True):
        with pytest.raises((ValueError, TypeError), match=message):
            content_of(X, keeps_arrays)


def test_a_single_picture_is_left_to_the_kind_of_images() -> None:
    picture = pytest.importorskip("PIL.Image").new("RGB", (8, 8))
    for keeps_arrays in (False, True):
        assert content_of(picture, keeps_arrays) == "image"
