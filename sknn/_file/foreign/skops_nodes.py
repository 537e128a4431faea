"""Which types each node of a skops archive may create: only those that skops itself writes with it.

skops checks whether a name is trusted, but not which node uses it, and some nodes call what others only name.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...exceptions import DamagedFileError, UntrustedFileError
from ..checks import count_distinct, damaged_if_it_fails, dicts_in, expect
from ..names import Trust, full_name
from ..values.generators import check_state
from .objects import needs_no_trust
from .placeholders import Distribution, Placeholder

__all__ = ["attributes_of", "check_node", "name_to_trust", "nodes_of"]

_FORMATS = ("bsr", "coo", "csc", "csr", "dia")
_SPARSE = tuple(f"scipy.sparse._{form}.{form}_{kind}" for form in _FORMATS for kind in ("array", "matrix"))
_SCALAR_TYPES = set(np.sctypeDict.values()) - {np.object_, np.void}
_SCALARS = {f"numpy.{kind.__name__}": np.dtype(kind).kind for kind in _SCALAR_TYPES}
_LOSS_MODULES = ("sklearn._loss._loss.", "sklearn.linear_model._sgd_fast.")
_MADE_BY: dict[str, tuple[str, ...]] = {
    "JsonNode": ("builtins.str",),
    "ListNode": ("builtins.list",),
    "SetNode": ("builtins.set",),
    "TupleNode": ("builtins.tuple",),
    "DictNode": ("builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"),
    "DefaultDictNode": ("collections.defaultdict",),
    "BytesNode": ("builtins.bytes",),
    "BytearrayNode": ("builtins.bytearray",),
    "SliceNode": ("builtins.slice",),
    "NdArrayNode": (*_SCALARS, "numpy.ndarray"),
    "MaskedArrayNode": ("numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"),
    "DTypeNode": ("numpy.dtype",),
    "RandomStateNode": ("numpy.random.RandomState", "numpy.random.mtrand.RandomState"),
    "RandomGeneratorNode": ("numpy.random.Generator", "numpy.random._generator.Generator"),
    "SparseMatrixNode": _SPARSE,
    "PartialNode": ("functools.partial",),
    "TreeNode": ("sklearn.tree._tree.Tree",),
    "ConstructorFromReduceNode": (
        "datetime.date", "datetime.datetime", "datetime.timedelta", full_name(Placeholder), full_name(Distribution),
    ),
}  # fmt: skip
_OF_OTHER_NODES = frozenset[str]().union(*_MADE_BY.values())  # no caller can allow these for another node
# Nodes that only name something; skops looks it up among the trusted names.
_NAMING = frozenset(["FunctionNode", "TypeNode"])
# Nodes that call what a file names, or that skops does not write.
_REFUSED = frozenset(["MethodNode", "OperatorFuncNode", "CachedNode", "_DictWithDeprecatedKeysNode"])
_KEYS = frozenset([*_SCALARS, "builtins.str", "builtins.int", "builtins.float", "builtins.bool"])
_FACTORIES = frozenset(f"builtins.{name}" for name in ("int", "float", "str", "list", "dict", "set", "tuple", "bool"))
_THREADS = ("n_jobs", "_n_threads", "n_threads")
_MAX_THREADS = 1024
_MAX_POOL = 64  # of a seed sequence


def check_node(
    node: dict[str, Any], parts: dict[str, bytes], what: str, only_named: frozenset[str], trust: Trust
) -> None:
    """Refuse a node that creates what skops does not write with it.

    `only_named` are names that a file may mention, but not create or call; `parts` have been checked.
    """
    loader = expect(node["__loader__"], str, what)
    for key in ("__module__", "__class__"):
        expect(node.get(key), str, f"{what}: {key}")
    if not _may_make(node, only_named):
        name = name_to_trust(node, only_named)
        if name is None or not trust.lists_type(name, what):
            raise UntrustedFileError(_refusal(loader, _path(node)[:120], what, is_fixed=name is None))
    _CHECKS.get(loader, lambda *_: None)(node, parts, what)
    if "file" in node and (type(node["file"]) is not str or node["file"] not in parts):
        raise DamagedFileError(f"{what}: part {str(node['file'])[:80]!r} is missing.")


def name_to_trust(node: dict[str, Any], only_named: frozenset[str]) -> str | None:
    """Return the class of a node that only the caller of `load` may allow; None for one that needs no trust."""
    loader, path = node["__loader__"], _path(node)
    if _may_make(node, only_named) or path in only_named or path in _OF_OTHER_NODES or loader in _REFUSED:
        return None
    return path


def nodes_of(value: Any) -> Iterator[dict[str, Any]]:
    """Return all nodes of a schema, outer before inner."""
    return (item for item in dicts_in(value) if "__loader__" in item)


def attributes_of(node: dict[str, Any]) -> dict[str, Any]:
    """Return the nodes of an object's attributes."""
    content = node.get("content")
    attributes = content.get("content") if isinstance(content, dict) else None
    return attributes if isinstance(attributes, dict) else {}


def _path(node: Any) -> str:
    return f"{node.get('__module__')}.{node.get('__class__')}" if isinstance(node, dict) else ""


def _may_make(node: dict[str, Any], only_named: frozenset[str]) -> bool:
    loader, path = node["__loader__"], _path(node)
    if loader in _NAMING:
        return True
    if loader == "LossNode":
        return path.startswith(_LOSS_MODULES)
    if loader == "ObjectNode":
        return path not in only_named and needs_no_trust(path) and not _opens_files(node, path)
    return path in _MADE_BY.get(loader, ())


def _opens_files(node: dict[str, Any], path: str) -> bool:
    """Return whether a vectorizer takes texts for the names of files, which another step could provide."""
    given = attributes_of(node).get("input")
    if not path.startswith("sklearn.feature_extraction.text.") or not isinstance(given, dict):
        return False
    return (given.get("__loader__"), given.get("content")) != ("JsonNode", '"content"')


def _refusal(loader: str, path: str, what: str, is_fixed: bool) -> str:
    if is_fixed or loader not in ("ObjectNode", "ConstructorFromReduceNode"):
        return f"{what} creates a {path} by a {loader}, which skops writes for other objects only."
    reason = "which is not trusted"
    if path.startswith("sklearn."):
        is_common = needs_no_trust(path)
        reason = "which opens files" if is_common else "whose compiled code may crash if the file is damaged"
    return (
        f"{what} contains a {path}, {reason}. If you know it and trust the file's author, pass "
        f"load(path, trusted=[{path!r}])."
    )


def _check_object(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    state, path = node.get("content"), _path(node)
    if isinstance(state, dict) and not _is_usual_state(state, path):
        raise DamagedFileError(f"{what}: the attributes of a {path[:120]} are in a form that skops does not write.")
    attributes = attributes_of(node)
    for name in ("kw_args", "inv_kw_args"):  # of a FunctionTransformer
        _check_arguments(attributes.get(name), what)
    for name in _THREADS:
        item = attributes.get(name)
        if not isinstance(item, dict) or item.get("__loader__") not in ("JsonNode", "NdArrayNode"):
            continue
        value = _plain(item, parts, what)
        value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
        least = -_MAX_THREADS if name == "n_jobs" else 1
        if value is not None and (type(value) is not int or not least <= value <= _MAX_THREADS):
            raise UntrustedFileError(f"{what}: {name} is {str(value)[:40]}; expected at most {_MAX_THREADS} threads.")


def _is_usual_state(state: dict[str, Any], path: str) -> bool:
    """Whether all attributes are seen by the checks of their names."""
    loader = state.get("__loader__")
    if not needs_no_trust(path):  # its class may store a tuple, or what it likes
        return loader != "DefaultDictNode"
    is_nothing = loader == "JsonNode" and state.get("content") == "null"
    return is_nothing or (loader, _path(state)) == ("DictNode", "builtins.dict")


def _check_json(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    if expect(node.get("content"), str, what).lstrip()[:1] in ("[", "{"):
        raise UntrustedFileError(f"{what} contains a list or a dict in a form that skops does not write.")


def _check_partial(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    _check_arguments(node.get("content"), what)


def _check_arguments(arguments: Any, what: str) -> None:
    """Refuse an array that a function would write to: an array of another step, changed after it has been checked."""
    if '"out":' in json.dumps(arguments):
        raise UntrustedFileError(
            f"{what}: 'out' is an argument of a function, which would write to an array in the file."
        )


def _check_dict(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    content, kinds = node.get("content"), node.get("key_types")
    if not isinstance(content, dict) or not isinstance(kinds, dict):
        raise DamagedFileError(f"{what} contains a dict without content or types of keys.")
    # An attribute such as __reduce_ex__ would be used instead of the method of the class.
    if any(name.startswith("__") for name in content):
        raise UntrustedFileError(f"{what} sets an attribute whose name begins with two underscores.")
    names = [_path(kind) for kind in expect(kinds.get("content"), list, what)]
    if kinds.get("__loader__") != "ListNode" or len(names) != len(content) or not _KEYS.issuperset(names):
        raise UntrustedFileError(f"{what} contains a dict with keys other than strings and numbers.")
    keys = zip(content, names, strict=True)
    count_distinct([int(key) if name == "builtins.int" else key for key, name in keys], what)


def _check_set(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    count_distinct([_key(item, parts, what) for item in expect(node.get("content"), list, what)], what)


def _key(node: Any, parts: dict[str, bytes], what: str) -> Any:
    """Return an object with the hash that the node's object will have; a new one if a file cannot choose the hash."""
    if not isinstance(node, dict):
        return None
    if node.get("__loader__") == "TupleNode":
        return tuple(_key(item, parts, what) for item in expect(node.get("content"), list, what))
    value = _plain(node, parts, what) if node.get("__loader__") == "JsonNode" else None
    # skops itself fails on what cannot be in a set.
    return object() if value is None or isinstance(value, list | dict) else value


def _check_default_dict(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    factory = expect(node.get("content"), dict, what).get("default_factory")
    is_none = isinstance(factory, dict) and factory.get("content") == "null"
    if not is_none and _path(factory) not in _FACTORIES:
        raise UntrustedFileError(f"{what} contains a defaultdict that calls {_path(factory)[:120]}.")


def _check_array(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    path = _path(node)
    if path == "numpy.ndarray":
        return
    value = _plain(node, parts, what) if node.get("type") == "numpy" else None
    # skops calls the class with the array; `bytes_` of a number would be as long as that number.
    if not isinstance(value, np.ndarray) or value.shape != () or value.dtype.kind != _SCALARS.get(path):
        raise DamagedFileError(f"{what}: a scalar of numpy with the shape of an array, or of another type.")


def _check_random_state(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    state = expect(_plain(node.get("content"), parts, what), dict, what)
    gauss = state.pop("gauss", 0.0)
    if state.pop("has_gauss", 0) not in (0, 1) or type(gauss) not in (int, float):
        raise DamagedFileError(f"{what}: a RandomState with an invalid stored normal number.")
    if check_state(state, what)["bit_generator"] != "MT19937":
        raise DamagedFileError(f"{what}: expected a RandomState of MT19937.")


def _check_generator(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    content = expect(node.get("content"), dict, what)
    seed = expect(_plain(content.get("seed_seq"), parts, what, deep=True), dict, what)
    if not 4 <= expect(seed.get("pool_size"), int, what) <= _MAX_POOL:
        raise UntrustedFileError(f"{what}: a random generator with a pool size not in [4, {_MAX_POOL}].")
    check_state(_plain(content.get("bit_generator"), parts, what), what)


_CHECKS: dict[str, Any] = {
    "JsonNode": _check_json,
    "ObjectNode": _check_object,
    "DictNode": _check_dict,
    "DefaultDictNode": _check_default_dict,
    "PartialNode": _check_partial,
    "SetNode": _check_set,
    "NdArrayNode": _check_array,
    "RandomStateNode": _check_random_state,
    "RandomGeneratorNode": _check_generator,
}


def _plain(node: Any, parts: dict[str, bytes], what: str, *, deep: bool = False) -> Any:
    """Return the value of a node of numbers, text, arrays of numbers, and dicts of these."""
    loader = node.get("__loader__") if isinstance(node, dict) else None
    with damaged_if_it_fails(f"{what}: an invalid number or text"):
        if loader == "JsonNode":
            return json.loads(node["content"])
        if loader == "DictNode":
            return {key: _plain(item, parts, what, deep=deep) for key, item in node["content"].items()}
        if deep and loader in ("ListNode", "TupleNode"):
            return [_plain(item, parts, what, deep=deep) for item in node["content"]]
        if loader == "NdArrayNode" and node["type"] == "numpy":
            return np.load(io.BytesIO(parts[node["file"]]), allow_pickle=False)
    raise DamagedFileError(f"{what}: expected numbers, found a {str(loader)[:40]}.")
