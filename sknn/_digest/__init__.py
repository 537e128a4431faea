"""Any object -> SHA-256 of what it is, the same in every process and on every day."""

from .objects import UndigestibleError, counts, digest

__all__ = ["UndigestibleError", "counts", "digest"]
