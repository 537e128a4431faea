"""What the first training run of a process takes longer for than all others."""

from __future__ import annotations

import functools

import torch

__all__ = ["start_up"]


@functools.cache
def start_up(device: torch.device) -> None:
    """Make torch load what it loads for the first optimizer of a process, and initialise the device.

    It takes about a second, which no later fit takes: a fit with a time limit does it before its clock starts.
    """
    torch.optim.SGD([torch.zeros(1, dtype=torch.float32, device=device, requires_grad=True)], lr=0.1)
