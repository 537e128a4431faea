"""SHA-256 of any object, the same in every process, and of the user's own source files."""

from .objects import UndigestibleError, digest
from .packages import is_importable
from .sources import Sources, source_of_sknn

__all__ = ["Sources", "UndigestibleError", "digest", "is_importable", "source_of_sknn"]
