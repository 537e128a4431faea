"""A fit that was cut off goes on where it was, to the same bits."""

from .checkpoint import Checkpoint

__all__ = ["Checkpoint"]
