"""Seeds for each use, and global generators that nobody notices to have been used."""

from __future__ import annotations

import os
import random
import threading
import time

import numpy as np
import pytest
import torch

from sknn import _random
from sknn._random import Seeds, isolated_random_state, random_generator

CPU = torch.device("cpu")


def draw() -> tuple[float, float, float]:
    """One number of each global generator."""
    return torch.rand(()).item(), float(np.random.random()), random.random()


def test_inside_the_seed_decides_and_outside_nothing_has_changed() -> None:
    with isolated_random_state(5, CPU):
        first = draw()
    expected = draw()
    with isolated_random_state(5, CPU):
        pass
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    with isolated_random_state(5, CPU):
        assert draw() == first
        assert draw() != first
    after = draw()
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    assert draw() == after
    assert expected != first


def test_an_error_inside_puts_the_generators_back() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="inside"), isolated_random_state(0, CPU):
        torch.rand(3)
        raise RuntimeError("inside")
    assert torch.equal(torch.get_rng_state(), before)


def test_it_nests() -> None:
    with isolated_random_state(1, CPU):
        outer = draw()
        with isolated_random_state(2, CPU):
            draw()
        after = draw()
    with isolated_random_state(1, CPU):
        assert draw() == outer
        assert draw() == after


def test_threads_take_turns() -> None:
    def drawn_alone(seed: int) -> list[float]:
        with isolated_random_state(seed, CPU):
            numbers = []
            for _ in range(20):
                time.sleep(1e-4)  # the other threads' turn, if they could take one
                numbers.append(torch.rand(()).item())
            return numbers

    alone = [drawn_alone(seed) for seed in range(4)]
    together: dict[int, list[float]] = {}
    threads = [threading.Thread(target=lambda s=s: together.update({s: drawn_alone(s)})) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[seed] for seed in range(4)] == alone


def test_a_forked_child_does_not_inherit_a_held_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with _random._GLOBAL_GENERATORS.current:
            held.set()
            release.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    # What a child does after fork; forking a process that runs threads is itself an error in newer versions of Python.
    lock = _random._GLOBAL_GENERATORS.current
    try:
        _random._GLOBAL_GENERATORS.renew()
        assert _random._GLOBAL_GENERATORS.current.acquire(blocking=False)
        _random._GLOBAL_GENERATORS.current.release()
    finally:
        monkeypatch.setattr(_random._GLOBAL_GENERATORS, "current", lock)
        release.set()
        thread.join()


def test_seeds_are_four_and_depend_on_the_generator_only() -> None:
    seeds = Seeds.draw(np.random.RandomState(0))
    assert len({seeds.split, seeds.initialisation, seeds.shuffle, seeds.training}) == 4
    assert all(type(seed) is int for seed in vars(seeds).values())
    assert Seeds.draw(np.random.RandomState(0)) == seeds
    generator = np.random.RandomState(0)
    assert Seeds.draw(generator) == seeds
    assert Seeds.draw(generator) != seeds


def test_a_generator_of_the_user_is_used_itself() -> None:
    generator = np.random.RandomState(3)
    assert random_generator(generator) is generator
    assert random_generator(3).randint(1000) == np.random.RandomState(3).randint(1000)


def test_none_takes_fresh_entropy_and_leaves_numpys_stream() -> None:
    before = str(np.random.get_state())
    numbers = {random_generator(None).randint(2**31 - 1) for _ in range(5)}
    assert len(numbers) == 5
    assert str(np.random.get_state()) == before
