"""Files with correct hashes, made by somebody who knows the format, with JSON that no model has."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import sknn

from ._file_parts import Parts

__all__ = ["manifests", "names", "random_edits", "sizes", "values"]

_JSON = "estimators/0.json"
NAMES = (
    "os.system", "posix.system", "builtins.eval", "builtins.exec", "builtins.__import__", "builtins.open",
    "subprocess.Popen", "subprocess.call", "pickle.loads", "torch.load", "torch.hub.load",
    "torch.jit.load", "numpy.load", "joblib.load",
    "importlib.import_module", "shutil.rmtree", "canary_module.Payload", "canary_module",
    f"{sknn.NeuralClassifier.__module__}.NeuralClassifier", "sknn.load", "torch.nn.Module.__init__",
    "torch.nn.modules.linear.Linear.__subclasses__",
    "skorch.callbacks.Checkpoint", "__main__.Payload", "a" * 10_000, "", ".", "os", 5, None, ["os.system"],
)  # fmt: skip


def _named(name: Any) -> dict[str, Any]:
    return {"$": "name", "name": name}


def _dict(**items: Any) -> dict[str, Any]:
    return {"$": "dict", "items": [[key, value] for key, value in items.items()]}


def _tuple(*items: Any) -> dict[str, Any]:
    return {"$": "tuple", "items": list(items)}


def names(parts: Parts, draw: random.Random) -> Iterator[tuple[str, bytes]]:
    """Classes and functions that are not trusted, wherever a name may occur."""
    places: dict[str, Callable[[Any, Any], Any]] = {
        "the class": lambda value, name: value.update({"class": name}),
        "module": lambda value, name: value["parameters"].update(module=_named(name)),
        "criterion": lambda value, name: value["parameters"].update(criterion=_named(name)),
        "optimizer": lambda value, name: value["parameters"].update(optimizer=_named(name)),
        "scoring": lambda value, name: value["parameters"].update(scoring=_named(name)),
        "lr_schedule": lambda value, name: value["parameters"].update(lr_schedule=_named(name)),
        "a callback": lambda value, name: value["parameters"].update(
            callbacks=[{"$": "object", "class": name, "arguments": {}}]
        ),
        "a layer": lambda value, name: value["parameters"].update(
            module={
                "$": "layer",
                "class": name,
                "arguments": {},
                "children": [],
                "state": {},
                "training": True,
                "frozen": [],
            }
        ),
        "a partial": lambda value, name: value["parameters"].update(
            module={"$": "partial", "func": _named(name), "args": _tuple("true"), "keywords": _dict()}
        ),
        "an activation": lambda value, name: value["parameters"].update(module_params=_dict(activation=_named(name))),
        "an attribute": lambda value, name: value["fitted"]["attributes"].update(extra_=_named(name)),
        "a category": lambda value, name: value["fitted"]["targets"].update(classes=[_named(name)]),
    }
    for i, name in enumerate(NAMES):
        for place in draw.sample(sorted(places), 2) if i else sorted(places):
            yield f"{str(name)[:40]!r} as {place}", parts.changed(_JSON, lambda v, p=place, n=name: places[p](v, n))


def sizes(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """Networks, columns and arrays that would fill the memory."""
    huge = 10**9
    for params in (
        {"width": huge}, {"n_blocks": huge}, {"n_members": huge}, {"n_bins": huge}, {"numeric_embedding_size": huge},
        {"width": 10**30}, {"width": -1}, {"width": 2.5}, {"width": "8"}, {"n_blocks": 10**6}, {"unknown": 1},
        {"cat_cardinalities": [huge]}, {"dropout": 2.0}, {"activation": 3},
    ):  # fmt: skip
        change = lambda v, p=params: v["parameters"].update(module_params=_dict(**p))  # noqa: E731
        yield f"module_params {params}", parts.changed(_JSON, change)
    fitted: dict[str, Callable[[Any], Any]] = {
        "n_networks": lambda f: f["net"].update(n_networks=huge),
        "no rows": lambda f: f["net"].update(n_rows=0),
        "no networks": lambda f: f["net"].update(n_networks=0),
        "row_shape": lambda f: f["inputs"].update(row_shape=[huge]),
        "row_shape of an image": lambda f: f["inputs"].update(row_shape=[huge, huge, 3], kind="array", table=None),
        "n_labels": lambda f: f.update(targets={"kind": "multilabel", "n_labels": 10**12}),
        "labels": lambda f: f.update(targets={"kind": "multilabel", "n_labels": 10**9}),
        "range": lambda f: f["attributes"].update(classes_={"$": "range", "parts": [0, 10**18, 1]}),
        "array": lambda f: f["targets"].update(
            classes={"$": "array", "form": "array", "dtype": "<f8", "shape": [10**12], "items": ""}
        ),
        "strings": lambda f: f["targets"].update(
            classes={"$": "array", "form": "array", "dtype": "<U999999999", "shape": [2], "items": "AAAA"}
        ),
        "objects": lambda f: f["targets"].update(
            classes={"$": "array", "form": "array", "dtype": "O", "shape": [10**12], "items": []}
        ),
        "dimensions": lambda f: f["targets"].update(
            classes={"$": "array", "form": "array", "dtype": "<f8", "shape": [0] * 10_000, "items": ""}
        ),
    }
    for name, change in fitted.items():
        yield f"size of {name}", parts.changed(_JSON, lambda v, c=change: c(v["fitted"]) and None)
    transformer = {
        "$": "partial",
        "func": _named("torch.nn.Transformer"),
        "args": _tuple(),
        "keywords": _dict(num_encoder_layers=huge),
    }
    yield "a transformer of 1e9 layers", parts.changed(_JSON, lambda v: v["parameters"].update(module=transformer))
    for func in ("builtins.bytes", "builtins.list", "numpy.bytes_", "numpy.void", "torch.nn.functional.relu"):
        module = {"$": "partial", "func": _named(func), "args": _tuple(10**13), "keywords": _dict()}
        yield (
            f"a partial of {func} as module",
            parts.changed(_JSON, lambda v, m=module: v["parameters"].update(module=m)),
        )
        edit = lambda v, m=module: v["fitted"]["built_with"].update(module=m)  # noqa: E731
        yield f"a partial of {func} as built module", parts.changed(_JSON, edit)
    layer = {"$": "layer", "class": "torch.nn.LSTM",
             "arguments": {"input_size": 1, "hidden_size": 1, "num_layers": huge},
             "children": [], "state": {}, "training": True, "frozen": []}  # fmt: skip
    yield "an LSTM of 1e9 layers", parts.changed(_JSON, lambda v: v["parameters"].update(module=layer))
    layer = {**layer, "class": "torch.nn.Linear", "arguments": {"in_features": 10**6, "out_features": 10**6}}
    yield "a layer of 1e12 weights", parts.changed(_JSON, lambda v: v["parameters"].update(module=layer))


def manifests(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """Invalid manifests."""
    for value in (0, 1, 2, 3, 99, -1, 10**30, "1", True, None, 1.0, [1], {}):
        yield f"format {value!r}", parts.changed("manifest.json", lambda m, v=value: m.update(format=v))
    for value in (None, [], {}, 0, True, "estimators/0.json", {"estimator": 0}, {"skops": 1}, 10**12, "x" * 1000):
        yield f"unknown entry {value!r:.40}", parts.changed("manifest.json", lambda m, v=value: m.update(root=v))
    for name in ("format", "versions", "parts"):
        yield f"manifest without {name}", parts.changed("manifest.json", lambda m, n=name: m.pop(n) and None)
    for value in (None, [], {"sknn": 1}, {"sknn": None}, "0.1"):
        yield f"versions {value!r}", parts.changed("manifest.json", lambda m, v=value: m.update(versions=v))
    for value in (None, [], {}, {_JSON: None}, {"/etc/passwd": {"size": 1, "sha256": ""}}):
        yield f"parts {value!r}", parts.changed("manifest.json", lambda m, v=value: m.update(parts=v))
    for content in (b"", b"null", b"[]", b"{", b"nonsense", b"\xef\xbb\xbf{}", "{}".encode("utf-16"),
                    b"\x00" * 9, b'{"format":NaN}', b'{"format":1,"format":1}', b'{"format":1e999}',
                    b"[" * 100_000, b'{"a":' * 5000,
                    b"9" * 100_000, b'"' + b"a" * 1000, b'{"format": "\xff"}'):  # fmt: skip
        yield f"manifest {content[:20]!r}", parts.replaced("manifest.json", content)
        yield f"estimator {content[:20]!r}", parts.replaced(_JSON, content)


def values(parts: Parts, draw: random.Random, n: int) -> Iterator[tuple[str, bytes]]:
    """Values of wrong types."""
    wrong = (None, True, -1, 10**400, 1.5, "x", [], {}, {"$": "none"}, {"$": ["set"]}, {"$": "float", "parts": ["1"]},
             {"$": "bytes", "parts": ["?"]}, {"$": "tensor", "name": "nowhere"}, {"$": "dtype", "parts": ["float3"]},
             {"$": "timezone", "parts": ["../../etc/passwd"]}, {"$": "timezone", "parts": ["/etc/passwd"]},
             {"$": "dict", "items": [[[], 1]]}, {"$": "dict", "items": [["a", 1], ["a", 2]]},
             {"$": "set", "items": [[]]}, {"$": "record", "type": "Finding", "fields": {}},
             {"$": "generator", "class": "RandomState", "state": 1, "gauss": 1},
             {"$": "array", "form": "array", "dtype": "|O", "shape": [1], "items": "AAAA"},
             {"$": "array", "form": "array", "dtype": "(1000000,)f8", "shape": [0], "items": ""},
             {"$": "decimal", "parts": ["x"]}, {"$": "device", "parts": ["nowhere:0"]}, {"$": "partial"})  # fmt: skip
    strict = ("class", "parameters", "fitted", "fitted/inputs", "fitted/inputs/kind", "fitted/inputs/row_shape",
              "fitted/inputs/preprocessing", "fitted/inputs/table", "fitted/targets", "fitted/net", "fitted/net/lr",
              "fitted/net/n_networks", "fitted/net/n_rows", "fitted/net/steps_done", "fitted/net/history",
              "fitted/random",
              "fitted/built_with", "fitted/attributes", "fitted/net/frozen", "fitted/probe",
              "fitted/attributes/n_features_in_", "fitted/attributes/classes_",
              "fitted/attributes/loss_curve_", "fitted/attributes/n_iter_",
              "parameters/module", "parameters/optimizer", "parameters/max_epochs",
              "parameters/validation_fraction",
              "parameters/device")  # fmt: skip
    # Pairs that are valid.
    right = {
        ("fitted/net/frozen", "[]"),
        ("fitted", "null"),
        ("fitted/net/lr", "1.5"),
        ("parameters/device", '"x"'),
        ("parameters/max_epochs", "true"),
    }
    original = parts.json(_JSON)
    pairs = [(path, value) for path in strict for value in wrong]
    for path, value in draw.sample(pairs, min(n, len(pairs))):
        if (path, json.dumps(value)) not in right and _get(original, path.split("/")) != value:
            edit = lambda v, p=path, new=value: _put(v, p.split("/"), new)  # noqa: E731
            yield f"{path} = {str(value)[:60]}", parts.changed(_JSON, edit)
    for name in ("predict", "__class__", "net_", "_inputs", "not a name", "fit", "module"):
        yield f"attribute {name}", parts.changed(_JSON, lambda v, n=name: v["fitted"]["attributes"].update({n: 1}))
    yield "unknown parameter", parts.changed(_JSON, lambda v: v["parameters"].update(no_such=1))
    yield "depth", parts.changed(_JSON, lambda v: v["parameters"].update(tol=_nested(150)))
    columns: dict[str, Callable[[list[Any]], Any]] = {
        "a column less": lambda c: c.pop() and None,
        "a column twice": lambda c: c.append(c[0]),
        "another kind": lambda c: c[0].update(kind="categorical", categories=[]),
        "no kind": lambda c: c[0].update(kind="eval"),
        "categories of a number": lambda c: c[0].update(categories=["a"]),
        "a category twice": lambda c: c[1].update(categories=["x", "x"]),
        "a category more": lambda c: c[1]["categories"].append("z"),
        "an unhashable category": lambda c: c[1].update(categories=["x", []]),
        "an unhashable name": lambda c: c[0].update(name=[]),
    }
    for name, change in columns.items():
        edit = lambda v, c=change: c(v["fitted"]["inputs"]["table"]["columns"])  # noqa: E731
        yield f"columns: {name}", parts.changed(_JSON, lambda v, e=edit: e(v) and None)


def _get(value: Any, path: list[str]) -> Any:
    for name in path:
        value = value[name]
    return value


def _put(value: Any, path: list[str], new: Any) -> None:
    for name in path[:-1]:
        value = value[name]
    value[path[-1]] = new


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def random_edits(parts: Parts, draw: random.Random, n: int) -> Iterator[tuple[str, bytes]]:
    """Any other value anywhere in the JSON. Some of these files are valid models, and may load."""
    original = parts.json(_JSON)
    places = list(_places(original, ()))
    for _ in range(n):
        value, path = copy.deepcopy(original), draw.choice(places)
        at, old = value, original
        for key in path[:-1]:
            at = at[key]
        for key in path:
            old = old[key]
        other = original
        for key in draw.choice(places):
            other = other[key]
        new = draw.choice([None, not old, -1, 0, 10**20, -1.5, "", "x", [], {}, [old], copy.deepcopy(other)])
        at[path[-1]] = new
        yield f"{'/'.join(map(str, path))} = {str(new)[:60]}", parts.replaced(_JSON, json.dumps(value).encode())


def _places(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _places(item, (*path, key))
