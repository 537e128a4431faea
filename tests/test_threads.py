"""How many threads a step is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from sknn._threads import PacedThreads, threads


@pytest.fixture(autouse=True)
def number_of_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_the_number_is_restored_whatever_happened_inside() -> None:
    torch.set_num_threads(1)
    with threads(1):
        torch.set_num_threads(2)
    assert torch.get_num_threads() == 1
    torch.set_num_threads(3)
    with pytest.raises(RuntimeError), PacedThreads(3):
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == 3


def numbers_of(n_steps: int, seconds_of: Callable[[int, int], float]) -> list[int]:
    """Threads of each step, when step i on n threads takes seconds_of(i, n)."""
    now, used = 0.0, []
    paced = PacedThreads(2, clock=lambda: now)
    for step in range(n_steps):
        with paced:
            used.append(torch.get_num_threads())
            now += seconds_of(step, used[-1])
    return used


def test_on_a_quiet_machine_all_threads_are_used_and_trials_become_rare() -> None:
    used = numbers_of(5000, lambda step, n: 1.0 / n)
    assert used[:4] == [1] * 4
    assert used[4:40] == [2] * 36
    assert used.count(1) == 4 + 4 * 8  # after 32, 64, ..., 1024 steps, and then every 1024
    assert used[-1] == 2


def test_beside_other_work_one_thread_stays_the_favourite() -> None:
    used = numbers_of(2000, lambda step, n: 1.0 if n == 1 else 3.0)
    assert used.count(2) < 40


def test_a_trial_that_takes_a_hundred_times_as_long_is_one_step() -> None:
    used = numbers_of(2000, lambda step, n: 1.0 if n == 1 else 100.0)
    assert used.count(2) <= 6


@pytest.mark.parametrize(("busy_first", "last"), [(True, 2), (False, 1)])
def test_it_follows_a_change(busy_first: bool, last: int) -> None:
    def seconds(step: int, n: int) -> float:
        busy = (step < 3000) == busy_first
        return 1.0 if n == 1 else 30.0 if busy else 0.5

    used = numbers_of(6000, seconds)
    assert used[-1] == last
    if not busy_first:  # it notices at once that steps take longer
        assert used[3000:3003].count(2) <= 2
