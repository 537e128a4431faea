"""Fitted estimators as files that are read without running anything in them."""

from .load import load
from .save import save

__all__ = ["load", "save"]
