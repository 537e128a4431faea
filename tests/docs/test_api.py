"""What docstrings link to is on the API page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sknn
from sknn import callbacks, exceptions, inspection, losses, metrics, modules, optim
from sknn.modules import augmentation

API = Path(__file__).parents[2] / "docs" / "api.md"
PUBLIC = [sknn, callbacks, exceptions, inspection, losses, metrics, modules, augmentation, optim]
LINK = re.compile(r":(?:class|func|mod|data|exc|meth|attr):`~?([\w.]+)`")


def on_the_page() -> set[str]:
    """Full names of the objects and modules that the page documents."""
    found, module = set(), ""
    for line in API.read_text(encoding="utf-8").splitlines():
        if line.startswith(".. currentmodule::"):
            module = line.split()[-1]
        elif line.startswith(".. automodule::"):
            found.add(line.split()[-1])
        elif re.fullmatch(r"   \w+", line):
            found.add(f"{module}.{line.strip()}")
    return found


def public_objects() -> Iterator[tuple[str, Any, Any]]:
    """Module name, and each public object with its public methods."""
    for module in PUBLIC:
        yield module.__name__, module, module
        for name in module.__all__:
            owner = getattr(module, name)
            yield module.__name__, owner, owner
            for method in vars(owner).values() if isinstance(owner, type) else ():
                if inspect.isfunction(method) and not method.__name__.startswith("_"):
                    yield module.__name__, owner, method


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_every_public_object_is_on_the_page(module):
    missing = {f"{module.__name__}.{name}" for name in module.__all__ if name != "__version__"} - on_the_page()
    assert not missing


def test_every_link_of_a_docstring_leads_to_the_page():
    known, n_links = on_the_page(), 0
    for module, owner, thing in public_objects():
        for target in LINK.findall(inspect.getdoc(thing) or ""):
            if target.startswith("sklearn."):
                continue
            n_links += 1
            is_member = isinstance(owner, type) and hasattr(owner, target)
            assert {target, f"{module}.{target}"} & known or is_member, (thing, target)
    assert n_links > 20


def test_the_page_documents_only_what_exists():
    for name in on_the_page():
        module, _, last = name.rpartition(".")
        assert name in {public.__name__ for public in PUBLIC} or hasattr(
            next(public for public in PUBLIC if public.__name__ == module), last
        )
