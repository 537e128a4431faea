"""Files with correct hashes, with false tensors, parts of other files, or objects that skops must not create."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ._file_parts import Parts, packed, with_header

__all__ = ["skops_objects", "skops_parts", "swapped", "tensors", "with_numbers", "with_skops"]

_TENSORS = "estimators/0.safetensors"


def tensors(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """False headers, and numbers that no model has."""
    header, body = parts.tensors(_TENSORS)
    weight = max(
        (n for n in header if n.startswith("network.")),
        key=lambda n: header[n]["data_offsets"][1] - header[n]["data_offsets"][0],
    )

    def lying(**entry: Any) -> bytes:
        return parts.replaced(_TENSORS, with_header({**header, weight: {**header[weight], **entry}}, body))

    start, end = header[weight]["data_offsets"]
    for offsets in (
        [0, end],
        [start, len(body) + 4],
        [-4, end],
        [end, start],
        [start],
        [start, 2**70],
        "0",
        [start, start],
    ):
        yield f"offsets {offsets}", lying(data_offsets=offsets)
    for shape in ([2**62], [-1], [10**9, 10**9], "x", [], [1.5], None, [*header[weight]["shape"], 1]):
        yield f"shape {shape}", lying(shape=shape)
    for dtype in ("F64", "F16", "I32", "BOOL", "OBJECT", "F4", None, "U8"):
        yield f"dtype {dtype}", lying(dtype=dtype)
    for size in (0, 1, 2**31, 2**63 - 1, 2**64 - 1, len(body) * 10):
        content = size.to_bytes(8, "little") + parts.parts[_TENSORS][8:]
        yield f"a header of {size} bytes", parts.replaced(_TENSORS, content)
    for name in (weight, "encoder.center", "encoder.scale", "probe.numbers", "probe.codes"):
        yield (
            f"{name} has another name",
            parts.replaced(
                _TENSORS,
                with_header({(f"{key}?" if key == name else key): value for key, value in header.items()}, body),
            ),
        )
    yield "no tensors", parts.replaced(_TENSORS, with_header({}, b""))
    yield "no bytes", parts.replaced(_TENSORS, b"")
    for name, change in {
        "weights half as large": (weight, lambda a: a * 0.5),
        "weights upside down": (weight, lambda a: a[::-1].copy()),
        "weights that are NaN": (weight, lambda a: a * np.nan),
        "half of a column's scale": ("encoder.scale", lambda a: a * 0.5),
        "NaN in the encoder": ("encoder.center", lambda a: a * np.nan),
        "negative scales": ("encoder.scale", lambda a: -1.0 - a),
        "infinite scales": ("encoder.scale", lambda a: a + np.inf),
        "codes beyond all": ("probe.codes", lambda a: a + 10**6),
        "negative codes": ("probe.codes", lambda a: a - 10**6),
        "infinite rows": ("probe.numbers", lambda a: a + np.inf),
    }.items():
        yield name, parts.replaced(_TENSORS, with_numbers(header, body, *change))


def with_numbers(header: Any, body: bytes, name: str, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """The tensors with one of them changed."""
    start, end = header[name]["data_offsets"]
    dtype = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}[header[name]["dtype"]]
    numbers = change(np.frombuffer(body[start:end], dtype=dtype)).astype(dtype)
    return with_header(header, body[:start] + numbers.tobytes() + body[end:])


def swapped(a: Parts, b: Parts) -> Iterator[tuple[str, bytes]]:
    """Parts of two files in one, with a manifest that lists them."""
    for name in sorted(set(a.parts) & set(b.parts)):
        if a.parts[name] == b.parts[name]:
            continue
        mixed = copy.deepcopy(a)
        mixed.parts[name] = b.parts[name]
        yield f"{name} of another file", mixed.packed()
        if name.endswith(".safetensors"):
            yield f"{name} of another file, signed", mixed.signed()


def skops_parts(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """Objects that skops must not create."""

    def node(loader: Any, module: Any, name: Any, **more: Any) -> dict[str, Any]:
        return {"__class__": name, "__module__": module, "__loader__": loader, "protocol": 2, **more}

    text = node("JsonNode", "builtins", "str", content='"true"', is_json=True)
    listed = node("ListNode", "builtins", "list", content=[text])
    loaders = ("FunctionNode", "TypeNode", "ObjectNode", "ConstructorFromReduceNode", "PartialNode", "MethodNode",
               "NoNode", "OperatorFuncNode", "CachedNode", "TreeNode", "LossNode",
               "NdArrayNode", None, 5)  # fmt: skip
    for loader in loaders:
        for module, name in (
            ("os", "system"),
            ("builtins", "eval"),
            ("canary_module", "Payload"),
            ("torch.nn", "Linear"),
        ):
            more = {
                "content": listed,
                "attrs": listed,
                "__reduce__": {"args": listed},
                "__id__": 1,
                "type": "numpy",
                "file": "0.npy",
            }
            yield f"skops: {loader} of {module}.{name}", with_skops(parts, node(loader, module, name, **more))
    for schema in (
        {},
        [],
        None,
        1,
        {"protocol": 2},
        {**text, "protocol": 0},
        {**text, "protocol": 99},
        {**text, "protocol": "2"},
        text,
    ):
        yield f"skops: schema {str(schema)[:30]}", with_skops(parts, schema)
    yield "skops: no zip", parts.replaced("sklearn.skops", b"PK")
    yield "skops: empty", parts.replaced("sklearn.skops", packed({}))
    yield "skops: base64", parts.replaced("sklearn.skops", base64.b64encode(parts.parts["sklearn.skops"]))


def skops_objects(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """Types that skops trusts, created by nodes that call them or use their numbers unchecked."""

    def node(loader: str, name: str, **more: Any) -> dict[str, Any]:
        module, _, kind = name.rpartition(".")
        return {"__class__": kind, "__module__": module, "__loader__": loader, "protocol": 2, **more}

    def number(value: Any) -> dict[str, Any]:
        return node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)

    def mapping(**items: Any) -> dict[str, Any]:
        kinds = [node("TypeNode", "builtins.str")] * len(items)
        return node(
            "DictNode", "builtins.dict", content=items, key_types=node("ListNode", "builtins.list", content=kinds)
        )

    array = node("NdArrayNode", "numpy.ndarray", type="numpy", file="0.npy")
    arguments = node("TupleNode", "builtins.tuple", content=[array])
    called = ("sklearn.metrics.pairwise.pairwise_distances", "scipy.sparse._csr.csr_matrix", "numpy.void",
              "sklearn.feature_selection._univariate_selection.chi2", "numpy.bytes_", "numpy.dtype",
              "sklearn.utils._bunch.Bunch")  # fmt: skip
    for name in called:
        yield f"skops: {name} called", with_skops(parts, node("ConstructorFromReduceNode", name, content=arguments))
        yield f"skops: {name} by its state", with_skops(parts, node("ObjectNode", name, content=mapping()))
    for kind in ("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM"):
        yield f"skops: {kind}", with_skops(parts, node("ObjectNode", f"sklearn.svm._classes.{kind}"))
    for name, value in (("_n_threads", -5), ("_n_threads", 10**6), ("n_jobs", 10**6)):
        estimator = node("ObjectNode", "sklearn.cluster._kmeans.KMeans", content=mapping(**{name: number(value)}))
        yield f"skops: {name} {value}", with_skops(parts, estimator)
    equal = [number(i * (2**61 - 1)) for i in range(3000)]
    yield "skops: a set of one hash", with_skops(parts, node("SetNode", "builtins.set", content=equal))
    state = mapping(bit_generator=number("MT19937"), state=mapping(key=array, pos=number(2**31 - 1)))
    random_state = node("RandomStateNode", "numpy.random.mtrand.RandomState", content=state)
    yield "skops: a random state beyond its end", with_skops(parts, random_state)


def with_skops(parts: Parts, schema: Any) -> bytes:
    """The file of a pipeline with another schema of skops."""
    inner = Parts(parts.parts["sklearn.skops"])
    inner.parts["schema.json"] = json.dumps(schema).encode()
    return parts.replaced("sklearn.skops", inner.packed())
