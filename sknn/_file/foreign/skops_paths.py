"""Places on disk that an object in a skops archive would write to in a later `fit`, and read pickles from.

Two kinds of objects of scikit-learn set parameters while they fit: a search those of its grid, and an ensemble those of
its own attributes that `estimator_params` names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...exceptions import UntrustedFileError
from .skops_nodes import attributes_of, nodes_of

__all__ = ["check_parameters_to_set", "remove_folders"]

# Folders, and what makes a vectorizer of texts open the files that these name.
_PATHS = ("checkpoint", "memory", "input")
_GRIDS = ("param_grid", "param_distributions")
_NOTHING = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "null", "is_json": True}


def remove_folders(schema: Any) -> None:
    """Remove each `memory`, a folder of the machine that trained."""
    for node in nodes_of(schema):
        if node["__loader__"] == "ObjectNode" and str(node.get("__module__")).startswith("sklearn."):
            attributes = attributes_of(node)
            if "memory" in attributes:
                attributes["memory"] = dict(_NOTHING)


def check_parameters_to_set(schema: Any, what: str) -> None:
    """Refuse an object that would set a path in a later `fit`."""
    for node in nodes_of(schema):
        attributes = attributes_of(node) if node["__loader__"] == "ObjectNode" else {}
        found = {name for name in _GRIDS for grid in _grids(attributes.get(name)) for name in _paths_set(grid)}
        found.update(_paths_set(attributes) if "estimator_params" in attributes else ())
        if found:
            raise UntrustedFileError(
                f"{what}: a parameter {min(found)[:80]!r} is set, by which a later fit would read or write where "
                "the file says. Set it after loading."
            )


def _paths_set(parameters: dict[str, Any]) -> list[str]:
    """Return the parameters that are paths, of an estimator or of a step in it, and not None."""
    return [name for name, value in parameters.items() if name.rpartition("__")[2] in _PATHS and not _is_null(value)]


def _is_null(node: Any) -> bool:
    """Whether a node is None, or a list of nothing else."""
    loader, content = (node.get("__loader__"), node.get("content")) if isinstance(node, dict) else (None, None)
    if loader in ("ListNode", "TupleNode") and isinstance(content, list):
        return all(_is_null(item) for item in content)
    return loader == "JsonNode" and content == "null"


def _grids(node: Any) -> Iterator[dict[str, Any]]:
    """Return all dicts that a search could iterate over, whatever they are inside; their values are no grids."""
    if isinstance(node, list):
        for item in node:
            yield from _grids(item)
    elif isinstance(node, dict) and node.get("__loader__") == "DictNode":
        yield node["content"]
    elif isinstance(node, dict):
        inside = attributes_of(node) if node.get("__loader__") == "ObjectNode" else node
        yield from _grids(list(inside.values()))
