"""random_state -> named sub-seeds; a fit restores every global random number generator that it uses."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from ._threads import ProcessLock

__all__ = ["Seeds", "generator_states", "isolated_random_state", "random_generator", "restore_generators"]

# Torch's global generators (initialisation, dropout) belong to the process. Without the lock, fits in two threads
# would draw from each other's stream and restore each other's state.
_GLOBAL_GENERATORS = ProcessLock()


@dataclass(frozen=True)
class Seeds:
    """Independent seeds, one for each use, so that a further use does not change the others."""

    split: int
    initialisation: int
    shuffle: int
    training: int

    @classmethod
    def draw(cls, generator: np.random.RandomState) -> Seeds:
        """Draw the four seeds from `generator`."""
        return cls(*(int(seed) for seed in generator.randint(np.iinfo(np.int32).max, size=4)))


def random_generator(random_state: int | np.random.RandomState | None) -> np.random.RandomState:
    """A generator for `random_state`; None takes fresh entropy, not numpy's global stream."""
    if random_state is None:
        return np.random.RandomState(np.random.SeedSequence().generate_state(4))
    return check_random_state(random_state)


@contextmanager
def isolated_random_state(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of torch, numpy and random; restore their states on exit."""
    with _GLOBAL_GENERATORS.current:
        states = generator_states(device)
        accelerator = _accelerator(device)
        try:
            # Not torch.manual_seed, which also queues the seed, with a copy of the call stack, for unused devices.
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
    """Restore the states that `generator_states` returned."""
    of_torch, on_device, of_numpy, of_python = states
    accelerator = _accelerator(device)
    torch.set_rng_state(of_torch)
    np.random.set_state(of_numpy)
    random.setstate(of_python)
    if accelerator is not None and on_device is not None:
        accelerator.set_rng_state(on_device)


def _accelerator(device: torch.device) -> Any:
    return getattr(torch, device.type) if device.type in ("cuda", "mps") else None
