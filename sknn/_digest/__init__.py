"""Any object -> SHA-256 of what it is, the same in every process and on every day."""

from .objects import UndigestibleError, digest

__all__ = ["UndigestibleError", "digest"]
