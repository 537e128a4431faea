"""Small files with correct hashes that would take hours or gigabytes, or crash the process when the model is used."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import sknn

from ._file_parts import Parts

__all__ = ["generator", "layers", "values"]

_JSON = "estimators/0.json"
_PRIME = 2**61 - 1  # of Python's hash of numbers
_MANY = 3000


def values(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """Numbers, ranges, sets and states of generators."""
    equal = [i * _PRIME for i in range(1, _MANY)]
    tagged: dict[str, Any] = {
        "a fraction of a string": {"$": "fraction", "parts": ["1e300000000"]},
        "a fraction of a decimal": {"$": "fraction", "parts": [{"$": "decimal", "parts": ["1e300000000"]}]},
        "a huge decimal": {"$": "decimal", "parts": ["1e999999999"]},
        "a tiny decimal": {"$": "decimal", "parts": ["1e-999999999"]},
        "a range": {"$": "range", "parts": [0, 10**9, 1]},
        "a set of one hash": {"$": "set", "items": equal},
        "tuples of one hash": {"$": "frozenset", "items": [{"$": "tuple", "items": [i]} for i in equal]},
        "keys of one hash": {"$": "dict", "items": [[i, 1] for i in equal]},
    }
    for name, value in tagged.items():
        for place in ("categorical_features", "lr"):
            edit = lambda v, p=place, new=value: v["parameters"].update({p: new})  # noqa: E731
            yield f"{name} as {place}", parts.changed(_JSON, edit)
    columns = lambda v: v["fitted"]["inputs"]["table"]["columns"][1].update(categories=equal)  # noqa: E731
    yield "categories of one hash", parts.changed(_JSON, columns)
    sizes = {"$": "dict", "items": [["hidden_sizes", tagged["a range"]]]}
    yield "hidden sizes of a range", parts.changed(_JSON, lambda v: v["parameters"].update(module_params=sizes))
    for name, hostile in _generators():
        yield name, parts.changed(_JSON, lambda v, g=hostile: v["fitted"].update(random=g))


def _generators() -> Iterator[tuple[str, Any]]:
    """Generators in states that numpy accepts, but that read memory of others or never end."""
    changes: dict[str, list[tuple[str, Callable[[Any], Any]]]] = {
        "Philox": [
            ("buffer_pos -2**30", lambda s: s.update(buffer_pos=-(2**30))),
            ("buffer_pos 5", lambda s: s.update(buffer_pos=5)),
            ("has_uint32 7", lambda s: s.update(has_uint32=7)),
        ],
        "MT19937": [
            ("pos 625", lambda s: s["state"].update(pos=625)),
            ("pos -1", lambda s: s["state"].update(pos=-1)),
            ("key of zeros", lambda s: s["state"].update(key=np.zeros(624, dtype=np.uint32))),
            ("short key", lambda s: s["state"].update(key=np.ones(3, dtype=np.uint32))),
        ],
        "PCG64": [
            ("state of a string", lambda s: s["state"].update(state="x")),
            ("state of 200 bits", lambda s: s["state"].update(state=2**200)),
        ],
        "SFC64": [("short state", lambda s: s["state"].update(state=np.ones(1, dtype=np.uint64)))],
    }
    for kind, edits in changes.items():
        for name, edit in edits:
            yield f"{kind}: {name}", generator(kind, edit)


def generator(kind: str, edit: Callable[[Any], Any] = lambda state: None) -> dict[str, Any]:
    """JSON for a RandomState with a bit generator of this kind, after `edit(state)`."""
    state = getattr(np.random, kind)(0).state
    edit(state)
    return {"$": "generator", "class": "RandomState", "state": _written(state), "gauss": [0, 0.0]}


def _written(value: Any) -> Any:
    if isinstance(value, dict):
        return {"$": "dict", "items": [[key, _written(item)] for key, item in value.items()]}
    if isinstance(value, np.ndarray):
        items = base64.b64encode(value.tobytes()).decode()
        return {"$": "array", "form": "array", "dtype": value.dtype.str, "shape": list(value.shape), "items": items}
    return value


def layers(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Layers without weights that loop over a number from the file."""
    network = torch.nn.Sequential(
        torch.nn.Unflatten(1, (1, 4)), torch.nn.Upsample(8), torch.nn.MaxPool1d(3, 1),
        torch.nn.AdaptiveMaxPool1d(4), torch.nn.Flatten(), torch.nn.Linear(4, 3),
    )  # fmt: skip
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    model = sknn.NeuralClassifier(network, preprocessing=False, n_networks=1, max_epochs=1, random_state=0)
    sknn.save(model.fit(x, np.arange(40) % 3), folder / "layers")
    parts = Parts((folder / "layers").read_bytes())
    edits: dict[str, list[dict[str, Any]]] = {
        "MaxPool1d": [{"kernel_size": 2**40}, {"kernel_size": 2**62}, {"dilation": 2**62},
                      {"kernel_size": 2**40, "stride": 1, "padding": 2**39}],
        "Upsample": [{"size": 2**33}, {"size": 2**23}],
        "AdaptiveMaxPool1d": [{"output_size": 2**40}],
    }  # fmt: skip
    for kind, all_arguments in edits.items():
        for arguments in all_arguments:

            def edit(value: Any, kind: str = kind, arguments: dict[str, Any] = arguments) -> None:
                for _, child in value["parameters"]["module"]["children"]:
                    if child["class"].endswith(f".{kind}"):
                        child["arguments"].update(arguments)

            yield f"{kind} {arguments}", parts.changed(_JSON, edit)
