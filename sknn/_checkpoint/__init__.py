"""Checkpoints: a fit that was interrupted is resumed with the same bits, and a finished one is recalled."""

from .checkpoint import WITHOUT_PICKLE, Checkpoint

__all__ = ["WITHOUT_PICKLE", "Checkpoint"]
