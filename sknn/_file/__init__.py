"""Fitted estimators as files that can be read without running what is in them."""

from .load import load
from .save import save

__all__ = ["load", "save"]
