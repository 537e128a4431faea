"""Random changes of images, against a loop over images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sknn.modules.augmentation import random_flip, random_shift


def test_random_shift_shows_every_image_moved_and_reflected() -> None:
    x = torch.randn(200, 2, 5, 7)
    moved = random_shift(x, (2, 3)).numpy()
    seen = set()
    for image, found in zip(x.numpy(), moved, strict=True):
        padded = np.pad(image, ((0, 0), (2, 2), (3, 3)), mode="reflect")
        shifts = [(i, j) for i in range(5) for j in range(7) if np.array_equal(padded[:, i : i + 5, j : j + 7], found)]
        assert len(shifts) == 1
        seen.update(shifts)
    assert len(seen) == 5 * 7


def test_random_shift_keeps_the_order_of_channels_in_memory() -> None:
    x = torch.randn(4, 3, 6, 6).contiguous(memory_format=torch.channels_last)
    assert random_shift(x, 1).is_contiguous(memory_format=torch.channels_last)


def test_random_shift_of_nothing_is_the_image_itself() -> None:
    x = torch.randn(4, 3, 6, 6)
    assert random_shift(x, 0) is x


def test_random_shift_refuses_a_shift_as_large_as_the_image() -> None:
    with pytest.raises(ValueError, match=r"largest=6 does not fit images of 6 x 8 pixels"):
        random_shift(torch.zeros(1, 1, 6, 8), 6)


def test_random_flip_mirrors_about_half_of_the_images() -> None:
    x = torch.randn(400, 1, 3, 4)
    flipped = random_flip(x)
    is_flipped = (flipped == x.flip(3)).all(dim=(1, 2, 3))
    is_same = (flipped == x).all(dim=(1, 2, 3))
    assert (is_flipped ^ is_same).all()
    assert 150 < is_flipped.sum() < 250


def test_augmentation_draws_from_the_global_generator_only() -> None:
    x = torch.randn(50, 1, 8, 8)
    state = torch.get_rng_state()
    first = random_flip(random_shift(x, 2))
    torch.set_rng_state(state)
    torch.testing.assert_close(random_flip(random_shift(x, 2)), first, rtol=0, atol=0)
