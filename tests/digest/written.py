"""Modules of a user, written by tests."""

from __future__ import annotations

import sys
import types
from unittest import mock


def written(text: str, name: str = "subject", module: str = "written_by_a_user"):
    """The value called `name` in a module of the user's own with this text."""
    made = types.ModuleType(module)
    with mock.patch.dict(sys.modules, {module: made}):
        exec(compile(text, "<user>", "exec"), made.__dict__)
    return getattr(made, name)
