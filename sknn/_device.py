"""Where to compute."""

from __future__ import annotations

import torch

__all__ = ["resolve_device"]


def resolve_device(device: str | torch.device) -> torch.device:
    """The torch device, CUDA, then MPS, then the CPU for "auto"; ValueError for one that torch does not have here."""
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    fix = "Use 'auto', 'cpu', or a device that torch lists."
    try:
        resolved = torch.device(device)
        torch.empty(0, dtype=torch.float32, device=resolved)
    except Exception as error:  # torch has several, NotImplementedError among them
        raise ValueError(f"device={device!r} is not available here ({error}). {fix}") from error
    if resolved.type == "meta":
        raise ValueError(f"device={device!r} holds no numbers, so nothing can be trained on it. {fix}")
    return resolved
