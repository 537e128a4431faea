"""Fitted estimators as files that can be read without running what is in them."""

from ._load import load
from ._save import save

__all__ = ["load", "save"]
