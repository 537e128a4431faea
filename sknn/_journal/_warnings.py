"""Warnings of a fit, noted while they are given, and given again when the fit is recalled."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["give_again", "noted_warnings"]

_MOST = 50  # of one fit
_LONGEST = 10_000  # characters


@contextmanager
def noted_warnings() -> Iterator[list[list[Any]]]:
    """A list that fills with the warnings shown meanwhile, which are shown all the same.

    In the main thread only, since the hook belongs to the process; there, too, workers of processes do their fits.
    """
    noted: list[list[Any]] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    show = warnings.showwarning

    def note_and_show(
        message: Any, category: Any, filename: Any, lineno: Any, file: Any = None, line: Any = None
    ) -> None:
        if len(noted) < _MOST:
            noted.append([category.__module__, category.__qualname__, str(message)[:_LONGEST], str(filename), lineno])
        show(message, category, filename, lineno, file, line)

    warnings.showwarning = note_and_show
    try:
        yield noted
    finally:
        warnings.showwarning = show


def give_again(noted: list[list[Any]], registry: dict[Any, Any]) -> None:
    """Warn as the fit did; `registry` remembers what was shown, as modules do.

    Raises
    ------
    Warning
        A filter makes an error of it.
    """
    for module, name, text, filename, lineno in noted:
        category = getattr(sys.modules.get(module), name, None)
        if not (isinstance(category, type) and issubclass(category, Warning)):
            category = UserWarning
        try:
            message: Any = category(text)
        except Exception:  # of a signature of its own
            message = UserWarning(text)
        warnings.warn_explicit(message, type(message), filename, lineno, registry=registry)
