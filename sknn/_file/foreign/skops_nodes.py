"""Which node of skops may make what: each only what skops itself writes with it.

skops asks whether a name is trusted, not by which node it is made, and some nodes call what others only name.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from ...exceptions import DamagedFileError, UntrustedFileError
from ..hashes import check_hashes
from ..json import expect
from ..names import Trust
from ..values.random_states import check_state

__all__ = ["CRASHING", "check_node", "is_loose"]

_SPARSE = frozenset(
    f"scipy.sparse._{form}.{form}_{kind}"
    for form in ("bsr", "coo", "csc", "csr", "dia")
    for kind in ("array", "matrix")
)
_SCALARS = frozenset(f"numpy.{kind.__name__}" for kind in set(np.sctypeDict.values()) - {np.object_, np.void})
_LOSS_ROOMS = ("sklearn._loss._loss.", "sklearn.linear_model._sgd_fast.")
_MADE_BY: dict[str, frozenset[str]] = {
    "JsonNode": frozenset(["builtins.str"]),
    "ListNode": frozenset(["builtins.list"]),
    "SetNode": frozenset(["builtins.set"]),
    "TupleNode": frozenset(["builtins.tuple"]),
    "DictNode": frozenset(["builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"]),
    "DefaultDictNode": frozenset(["collections.defaultdict"]),
    "BytesNode": frozenset(["builtins.bytes"]),
    "BytearrayNode": frozenset(["builtins.bytearray"]),
    "SliceNode": frozenset(["builtins.slice"]),
    "NdArrayNode": _SCALARS | {"numpy.ndarray"},
    "MaskedArrayNode": frozenset(["numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"]),
    "DTypeNode": frozenset(["numpy.dtype"]),
    "RandomStateNode": frozenset(["numpy.random.RandomState", "numpy.random.mtrand.RandomState"]),
    "RandomGeneratorNode": frozenset(["numpy.random.Generator", "numpy.random._generator.Generator"]),
    "SparseMatrixNode": _SPARSE,
    "PartialNode": frozenset(["functools.partial"]),
    "TreeNode": frozenset(["sklearn.tree._tree.Tree"]),
    "ConstructorFromReduceNode": frozenset(
        [
            "datetime.date",
            "datetime.datetime",
            "datetime.timedelta",
            "sknn._file.foreign.foreign.Placeholder",
            "sknn._file.values.distributions.Distribution",
        ]
    ),
}
_OF_OTHERS = frozenset[str]().union(*_MADE_BY.values())  # which no caller can allow by another node
# Nodes that only name something, which skops looks up among what is trusted.
_NAMING = frozenset(["FunctionNode", "TypeNode"])
# Those that call what a file names, or that skops does not write.
_REFUSED = frozenset(["MethodNode", "OperatorFuncNode", "CachedNode", "_DictWithDeprecatedKeysNode"])
# Their compiled code follows numbers of the file without looking, so that a damaged one crashes the process.
CRASHING = frozenset(
    [f"sklearn.svm._classes.{name}" for name in ("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM")]
    + [f"sklearn.neighbors._classification.{name}" for name in ("KNeighborsClassifier", "RadiusNeighborsClassifier")]
)
_KEYS = frozenset([*_SCALARS, "builtins.str", "builtins.int", "builtins.float", "builtins.bool"])
_FACTORIES = frozenset(f"builtins.{name}" for name in ("int", "float", "str", "list", "dict", "set", "tuple", "bool"))
_THREADS = ("n_jobs", "_n_threads", "n_threads")
_MAX_THREADS = 1024


def check_node(
    node: dict[str, Any], parts: dict[str, bytes], what: str, only_named: frozenset[str], trust: Trust
) -> None:
    """Refuse a node that makes what skops would not have written with it.

    Parameters
    ----------
    node : dict
    parts : dict of str to bytes
        Checked ones.
    what : str
    only_named : frozenset of str
        Classes and functions that a file may name, but not make or call.
    trust : Trust

    Raises
    ------
    DamagedFileError, UntrustedFileError
    """
    loader = expect(node["__loader__"], str, what)
    names = [expect(node.get(key), str, f"{what}: {key}") for key in ("__module__", "__class__")]
    full_name = ".".join(names)
    if not _may_make(loader, full_name, only_named):
        is_fixed = full_name in only_named or full_name in _OF_OTHERS or loader in _REFUSED
        if is_fixed or not trust.lists_type(full_name, what):
            raise UntrustedFileError(_refusal(loader, full_name[:120], what, is_fixed))
    _CHECKS.get(loader, lambda *_: None)(node, parts, what)
    if "file" in node and (type(node["file"]) is not str or node["file"] not in parts):
        raise DamagedFileError(f"{what}: part {str(node['file'])[:80]!r} is missing.")


def is_loose(node: dict[str, Any]) -> bool:
    """Whether it makes something that only a caller who trusts the author should load."""
    return f"{node.get('__module__')}.{node.get('__class__')}" in CRASHING and node["__loader__"] == "ObjectNode"


def _may_make(loader: str, full_name: str, only_named: frozenset[str]) -> bool:
    if loader in _NAMING:
        return True
    if loader == "LossNode":
        return full_name.startswith(_LOSS_ROOMS)
    if loader == "ObjectNode":
        return full_name.startswith("sklearn.") and full_name not in only_named and full_name not in CRASHING
    return full_name in _MADE_BY.get(loader, ())


def _refusal(loader: str, full_name: str, what: str, is_fixed: bool) -> str:
    if full_name in CRASHING:
        return (
            f"{what} holds a {full_name}, whose compiled code crashes the process if the file was damaged. If you "
            f"trust the file's author, pass load(path, trusted=[{full_name!r}])."
        )
    if is_fixed or loader not in ("ObjectNode", "ConstructorFromReduceNode"):
        return f"{what} makes a {full_name} by a {loader}, which skops writes for other things only."
    return (
        f"{what} holds a {full_name}, which nobody allowed. If you know it and trust the file's author, pass "
        f"load(path, trusted=[{full_name!r}])."
    )


def _check_object(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    attributes = node.get("content")
    attributes = attributes.get("content") if isinstance(attributes, dict) else None
    if not isinstance(attributes, dict):
        return
    for name in _THREADS:
        item = attributes.get(name)
        if not isinstance(item, dict) or item.get("__loader__") not in ("JsonNode", "NdArrayNode"):
            continue
        value = _plain(item, parts, what)
        value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
        least = -_MAX_THREADS if name == "n_jobs" else 1
        if value is not None and (type(value) is not int or not least <= value <= _MAX_THREADS):
            raise UntrustedFileError(f"{what}: {name} is {str(value)[:40]}, but no machine has so many processors.")


def _check_dict(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    content, kinds = node.get("content"), node.get("key_types")
    if not isinstance(content, dict) or not isinstance(kinds, dict):
        raise DamagedFileError(f"{what} holds a dict without content or types of keys.")
    # An attribute such as __reduce_ex__ would be asked instead of the class.
    if any(name.startswith("__") for name in content):
        raise UntrustedFileError(f"{what} sets an attribute whose name begins with two underscores.")
    names = [
        f"{kind.get('__module__')}.{kind.get('__class__')}" if isinstance(kind, dict) else ""
        for kind in expect(kinds.get("content"), list, what)
    ]
    if kinds.get("__loader__") != "ListNode" or len(names) != len(content) or not _KEYS.issuperset(names):
        raise UntrustedFileError(f"{what} holds a dict with keys that are no strings or numbers.")
    check_hashes([int(key) if name == "builtins.int" else key for key, name in zip(content, names, strict=True)], what)


def _check_set(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    check_hashes([_key(item, parts, what) for item in expect(node.get("content"), list, what)], what)


def _key(node: Any, parts: dict[str, bytes], what: str) -> Any:
    """Something with the hash that the object of a node will have, or one of its own where a file cannot choose it."""
    if not isinstance(node, dict):
        return None
    if node.get("__loader__") == "TupleNode":
        return tuple(_key(item, parts, what) for item in expect(node.get("content"), list, what))
    value = _plain(node, parts, what) if node.get("__loader__") == "JsonNode" else None
    # What cannot be a key is found when skops makes the set.
    return object() if value is None or isinstance(value, list | dict) else value


def _check_default_dict(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    factory = expect(node.get("content"), dict, what).get("default_factory")
    name = f"{factory.get('__module__')}.{factory.get('__class__')}" if isinstance(factory, dict) else ""
    is_none = isinstance(factory, dict) and factory.get("content") == "null"
    if not is_none and name not in _FACTORIES:
        raise UntrustedFileError(f"{what} holds a defaultdict that calls {name[:120]}.")


def _check_array(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    name = f"{node['__module__']}.{node['__class__']}"
    if name != "numpy.ndarray" and (node.get("type") != "numpy" or _plain(node, parts, what).shape != ()):
        raise DamagedFileError(f"{what}: a number of numpy that is an array.")


def _check_random_state(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    state = expect(_plain(node.get("content"), parts, what), dict, what)
    gauss = state.pop("gauss", 0.0)
    if state.pop("has_gauss", 0) not in (0, 1) or type(gauss) not in (int, float):
        raise DamagedFileError(f"{what}: a random state that is none.")
    if check_state(state, what)["bit_generator"] != "MT19937":
        raise DamagedFileError(f"{what}: a random state of another generator than MT19937.")


def _check_generator(node: dict[str, Any], parts: dict[str, bytes], what: str) -> None:
    content = expect(node.get("content"), dict, what)
    seed = expect(_plain(content.get("seed_seq"), parts, what, deep=True), dict, what)
    if not 4 <= expect(seed.get("pool_size"), int, what) <= _MAX_POOL:
        raise UntrustedFileError(f"{what}: a random generator with a pool of that size.")
    check_state(_plain(content.get("bit_generator"), parts, what), what)


_MAX_POOL = 64
_CHECKS: dict[str, Any] = {
    "ObjectNode": _check_object,
    "DictNode": _check_dict,
    "DefaultDictNode": _check_default_dict,
    "SetNode": _check_set,
    "NdArrayNode": _check_array,
    "RandomStateNode": _check_random_state,
    "RandomGeneratorNode": _check_generator,
}


def _plain(node: Any, parts: dict[str, bytes], what: str, *, deep: bool = False) -> Any:
    """The value of a node of numbers, texts, arrays of numbers, and dicts of these."""
    loader = node.get("__loader__") if isinstance(node, dict) else None
    try:
        if loader == "JsonNode":
            return json.loads(node["content"])
        if loader == "DictNode":
            return {key: _plain(item, parts, what, deep=deep) for key, item in node["content"].items()}
        if deep and loader in ("ListNode", "TupleNode"):
            return [_plain(item, parts, what, deep=deep) for item in node["content"]]
        if loader == "NdArrayNode" and node["type"] == "numpy":
            return np.load(io.BytesIO(parts[node["file"]]), allow_pickle=False)
    except (DamagedFileError, UntrustedFileError):
        raise
    except Exception as error:
        raise DamagedFileError(f"{what}: a number or text that is none: {type(error).__name__}: {error}") from error
    raise DamagedFileError(f"{what}: expected numbers, found a {str(loader)[:40]}.")
