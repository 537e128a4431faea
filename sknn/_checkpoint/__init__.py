"""A fit that was cut off goes on where it was, to the same bits."""

from .checkpoint import Checkpoint
from .graph import has_a_name

__all__ = ["Checkpoint", "has_a_name"]
