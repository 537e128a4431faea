"""Errors about the user's data and objects, which name what was at fault; and the line that a warning belongs to."""

from __future__ import annotations

import re
import sys
from types import TracebackType
from typing import Any

__all__ = ["level_of_caller", "one_line", "refused_as", "shown"]

# Values and reasons in messages are cut to these lengths, in characters.
_LONGEST_VALUE = 200
_LONGEST_REASON = 2000

# Errors of a faulty program. Raised by a line of sknn itself, they are a bug of sknn, whatever the user has passed.
_BUGS = (AttributeError, NameError, LookupError, AssertionError, ImportError)
_PACKAGE = __name__.partition(".")[0]

# Packages whose frames lie between the user's call, as of `fit`, and a line of sknn that warns.
_BETWEEN = (_PACKAGE, "skorch", "sklearn", "contextlib", "joblib")


def level_of_caller() -> int:
    """`stacklevel` for a `warnings.warn` in the function that asks: that of the user's code which called sknn."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        level, frame = level + 1, frame.f_back
    return level


def shown(value: Any) -> str:
    """repr of a value for a message: in one line, shortened if it is long, and safe for objects whose repr fails."""
    try:
        return _cut(one_line(repr(value)), _LONGEST_VALUE)
    except Exception:
        return f"<{type(value).__name__}, whose repr fails>"


def one_line(text: str) -> str:
    """The text without line breaks, for a sentence that goes on after it."""
    return " ".join(text.split()) if len(text.splitlines()) > 1 else text.strip()


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"


class refused_as:  # noqa: N801, a context manager that reads as a verb
    """While a part of the input is read, an error caused by it becomes a ValueError or TypeError that names it.

    Values may be of any class, and then ``==``, ``hash`` or ``float`` of one may raise anything. Errors of numpy,
    pandas and narwhals do not say which argument was at fault.

    `part` is what is read, as messages begin: ``"X"``, ``"X: column 'age' (position 0)"``. What was `expected` of it
    ends a message that does not name the part. `instead_of` is another name of the part, by which what is called inside
    begins its messages; it is replaced.

    Errors that name the part are raised unchanged. TypeErrors stay TypeErrors. MemoryErrors, warnings that were turned
    into errors, and exceptions that are not errors, such as Ctrl-C, are raised unchanged. So are bugs of sknn: an
    AttributeError, NameError, LookupError, AssertionError or ImportError that a line of sknn raised, rather than a line
    of the user's objects or of another library.
    """

    __slots__ = ("expected", "instead_of", "part")

    def __init__(self, part: str, expected: str, instead_of: str = "") -> None:
        self.part = part
        self.expected = expected
        self.instead_of = instead_of

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, MemoryError | Warning) or _is_bug(error, traceback):
            return
        # A panic of polars is not an Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            return
        reason = _reason(error)
        own = isinstance(error, ValueError | TypeError)
        if own and len(reason) <= _LONGEST_REASON and self._is_named_in(reason):
            return
        raise (TypeError if isinstance(error, TypeError) else ValueError)(self._message(error, reason)) from error

    def _is_named_in(self, reason: str) -> bool:
        return re.search(rf"(?<!\w){re.escape(self.part)}(?!\w)", reason) is not None

    def _message(self, error: BaseException, reason: str) -> str:
        if self.instead_of and reason.startswith(f"{self.instead_of}:"):
            return self.part + _cut(reason, _LONGEST_REASON)[len(self.instead_of) :]
        if not isinstance(error, ValueError | TypeError):
            reason = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
        if self._is_named_in(reason):
            return _cut(reason, _LONGEST_REASON)
        return f"{self.part}: {_cut(one_line(reason), _LONGEST_REASON).rstrip('. ')}. Expected {self.expected}."


def _is_bug(error: BaseException, traceback: TracebackType | None) -> bool:
    """Whether an error of a faulty program comes from a line of sknn."""
    if not isinstance(error, _BUGS):
        return False
    module = ""
    while traceback is not None:
        frame, traceback = traceback.tb_frame, traceback.tb_next
        if frame.f_code.co_name != "__getattr__":  # the line that asks for an attribute counts, not what answers
            module = frame.f_globals.get("__name__", "")
    return module.partition(".")[0] == _PACKAGE


def _reason(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
