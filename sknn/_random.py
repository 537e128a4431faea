"""random_state -> named sub-seeds, and a fit that leaves every global generator as it was."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

__all__ = ["Seeds", "generator_states", "isolated_random_state", "random_generator", "restore_generators"]

# One at a time: torch's global generators (initialisation, dropout) belong to the process, so two fits in
# two threads would otherwise draw from each other's stream and restore each other's state.
_GLOBAL_GENERATORS = threading.RLock()


def _forget_lock_of_parent() -> None:
    """A forked child inherits the lock, perhaps held by a thread that does not exist in it."""
    global _GLOBAL_GENERATORS
    _GLOBAL_GENERATORS = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lock_of_parent)


@dataclass(frozen=True)
class Seeds:
    """Independent seeds, one for each use, so that one more use never moves the others."""

    split: int
    initialisation: int
    shuffle: int
    training: int

    @classmethod
    def draw(cls, generator: np.random.RandomState) -> Seeds:
        """Draw the four seeds from `generator`."""
        return cls(*(int(seed) for seed in generator.randint(np.iinfo(np.int32).max, size=4)))


def random_generator(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """A generator for `random_state`; None takes fresh entropy and leaves numpy's global stream where it is."""
    if random_state is None:
        return np.random.RandomState(np.random.SeedSequence().generate_state(4))
    return check_random_state(random_state)


@contextmanager
def isolated_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of torch, numpy and random; on leaving, put back what they were."""
    with _GLOBAL_GENERATORS:
        states = generator_states(device)
        accelerator = _accelerator(device)
        try:
            # Not torch.manual_seed: it also queues the seed, with a picture of the stack, for devices there might be.
            torch.default_generator.manual_seed(seed)
            if accelerator is not None:
                accelerator.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            yield
        finally:
            restore_generators(states, device)


def generator_states(device: torch.device) -> tuple[Any, ...]:
    """States of the global generators of torch, the accelerator if `device` is one, numpy and random."""
    accelerator = _accelerator(device)
    on_device = None if accelerator is None else accelerator.get_rng_state()
    return torch.get_rng_state(), on_device, np.random.get_state(), random.getstate()


def restore_generators(states: tuple[Any, ...], device: torch.device) -> None:
    """Put back what `generator_states` returned."""
    of_torch, on_device, of_numpy, of_python = states
    accelerator = _accelerator(device)
    torch.set_rng_state(of_torch)
    np.random.set_state(of_numpy)
    random.setstate(of_python)
    if accelerator is not None and on_device is not None:
        accelerator.set_rng_state(on_device)


def _accelerator(device: torch.device) -> Any:
    return getattr(torch, device.type) if device.type in ("cuda", "mps") else None
