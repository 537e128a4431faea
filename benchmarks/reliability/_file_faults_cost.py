"""Small files with correct hashes whose network, texts or numbers would take minutes or gigabytes to load."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import sknn
from sknn.modules import MLP, FTTransformer

from ._file_parts import Parts, with_header

__all__ = ["networks", "texts"]

_JSON, _TENSORS = "estimators/0.json", "estimators/0.safetensors"
_FEW: dict[str, Any] = {"max_epochs": 1, "random_state": 0, "preprocessing": False, "n_networks": 1}


def _pair(*items: Any) -> dict[str, Any]:
    return {"$": "tuple", "items": list(items)}


def _line(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Unflatten(1, (1, 4)), *layers, nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(4, 3))


def _plane(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Unflatten(1, (1, 2, 2)), *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4, 3))


def _space(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Unflatten(1, (1, 1, 2, 2)), *layers, nn.AdaptiveAvgPool3d((1, 2, 2)), nn.Flatten(), nn.Linear(4, 3)
    )


# A network that can be saved, and for each of its layers' classes the arguments that the file gets instead.
_EDITS: list[tuple[Callable[[], nn.Module], dict[str, dict[str, Any]]]] = [
    *(
        (lambda m=mode: _line(nn.Conv1d(1, 1, 1, padding=1, padding_mode=m)), {"Conv1d": {"padding": _pair(size)}})
        for mode in ("replicate", "zeros")
        for size in (10**8, 10**9)
    ),
    *(
        (lambda m=mode: _plane(nn.Conv2d(1, 1, 1, padding=1, padding_mode=m)), {"Conv2d": {"padding": _pair(n, n)}})
        for mode in ("replicate", "zeros")
        for n in (8000, 30_000)
    ),
    (
        lambda: _space(nn.Conv3d(1, 1, 1, padding=1, padding_mode="replicate")),
        {"Conv3d": {"padding": _pair(500, 500, 500)}},
    ),
    *(
        (lambda: _line(nn.LocalResponseNorm(2)), {"LocalResponseNorm": {"size": size}})
        for size in (2**18, 2**24, 2**31)
    ),
    (lambda: _plane(nn.LocalResponseNorm(2)), {"LocalResponseNorm": {"size": 2**26}}),
    *(
        (lambda k=kind: _line(getattr(nn, k)(1)), {kind: {"padding": _pair(10**9, 10**9)}})
        for kind in ("ReplicationPad1d", "ZeroPad1d")
    ),
    (lambda: _line(nn.ConstantPad1d(1, 0.0)), {"ConstantPad1d": {"padding": _pair(10**9, 10**9)}}),
    *(
        (lambda k=kind: _plane(getattr(nn, k)(1)), {kind: {"padding": _pair(n, n, n, n)}})
        for kind in ("ReplicationPad2d", "ZeroPad2d")
        for n in (10_000, 100_000)
    ),
    *((lambda: _line(nn.Upsample(8)), {"Upsample": {"size": size}}) for size in (2**27, 2**33)),
    (lambda: _line(nn.Upsample(scale_factor=2)), {"Upsample": {"scale_factor": 1e8}}),
    (lambda: _plane(nn.Upsample(scale_factor=2, mode="bicubic")), {"Upsample": {"scale_factor": 20_000.0}}),
    (lambda: _line(nn.AdaptiveMaxPool1d(4)), {"AdaptiveMaxPool1d": {"output_size": 2**28}}),
    (lambda: _plane(nn.AdaptiveMaxPool2d(2)), {"AdaptiveMaxPool2d": {"output_size": 30_000}}),
    (
        lambda: _line(nn.Upsample(8), nn.MaxPool1d(3, 1)),
        {"Upsample": {"size": 2**20}, "MaxPool1d": {"kernel_size": 2**16}},
    ),
    (
        lambda: _line(nn.Upsample(8), nn.AvgPool1d(3, 1)),
        {"Upsample": {"size": 2**20}, "AvgPool1d": {"kernel_size": _pair(2**17), "stride": _pair(1)}},
    ),
    (
        lambda: _plane(nn.Upsample(8), nn.LPPool2d(2, 3, 1)),
        {"Upsample": {"size": 4096}, "LPPool2d": {"kernel_size": 2000}},
    ),
    (lambda: _line(nn.ConvTranspose1d(1, 1, 1)), {"ConvTranspose1d": {"stride": _pair(2**28)}}),
    (lambda: _plane(nn.ConvTranspose2d(1, 1, 1)), {"ConvTranspose2d": {"stride": _pair(2**15, 2**15)}}),
    (lambda: _line(nn.ConvTranspose1d(1, 1, 2)), {"ConvTranspose1d": {"dilation": _pair(2**29)}}),
    (lambda: _line(nn.Upsample(4), nn.Upsample(4), nn.Upsample(4)), {"Upsample": {"size": 10**8}}),
]


def networks(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Networks whose layers take far more than their weights."""
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    y = np.arange(40) % 3
    for make, edits in _EDITS:
        parts = _saved(sknn.NeuralClassifier(make(), **_FEW).fit(x, y), folder)
        yield f"{edits}", parts.changed(_JSON, lambda value, edits=edits: _edited(value, edits))
    yield from _attention(folder)
    plain = _saved(sknn.NeuralClassifier(MLP, module_params={"hidden_sizes": (4,)}, **_FEW).fit(x, y), folder)
    for what, params in {
        "many hidden layers": [["hidden_sizes", _pair(*[1] * 200_000)]],
        "a wide hidden layer": [["hidden_sizes", _pair(2**40)]],
        "an activation that grows": [["activation", {"$": "name", "name": "torch.nn.Upsample"}]],
    }.items():
        yield (
            what,
            plain.changed(_JSON, lambda v, p=params: v["parameters"].update(module_params={"$": "dict", "items": p})),
        )
    layers = _saved(sknn.NeuralClassifier(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), **_FEW).fit(x, y), folder)

    def deep(value: Any) -> None:
        children = value["parameters"]["module"]["children"]
        children += [[str(i), copy.deepcopy(children[1][1])] for i in range(2, 30_000)]

    yield "many layers without weights", layers.changed(_JSON, deep)


def _saved(model: Any, folder: Path) -> Parts:
    sknn.save(model, folder / "honest")
    return Parts((folder / "honest").read_bytes())


def _edited(value: Any, edits: dict[str, dict[str, Any]]) -> None:
    for _, child in value["parameters"]["module"]["children"]:
        child["arguments"].update(edits.get(child["class"].rpartition(".")[2], {}))


def _attention(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Tokens of many columns, each compared with each."""
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    params = {"n_blocks": 1, "token_size": 8, "n_heads": 2}
    model = sknn.NeuralClassifier(FTTransformer, module_params=params, **_FEW).fit(x, np.arange(40) % 3)
    parts = _saved(model, folder)
    header, _ = parts.tensors(_TENSORS)
    for n_columns in (5_000, 40_000):
        new = {"probe.numbers": np.zeros((16, n_columns), dtype=np.float32)}
        for name in (n for n in header if ".tokenizer." in n and header[n]["shape"][0] == 4):
            new[name] = np.zeros((n_columns, *header[name]["shape"][1:]), dtype=np.float32)
        other = _with_tensors(parts, new)

        def edit(value: Any, n_columns: int = n_columns) -> None:
            value["fitted"]["inputs"]["row_shape"] = [n_columns]
            value["fitted"]["attributes"]["n_features_in_"] = n_columns

        yield f"attention of {n_columns} columns", other.changed(_JSON, edit)


def _with_tensors(parts: Parts, new: dict[str, np.ndarray]) -> Parts:
    """The parts with other float32 tensors of these names."""
    header, body = parts.tensors(_TENSORS)
    pieces, position, entries = [], 0, {}
    for name in sorted(header):
        entry = header[name]
        content = new[name].tobytes() if name in new else body[slice(*entry["data_offsets"])]
        shape, dtype = (list(new[name].shape), "F32") if name in new else (entry["shape"], entry["dtype"])
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [position, position + len(content)]}
        position += len(content)
        pieces.append(content)
    return Parts(parts.replaced(_TENSORS, with_header(entries, b"".join(pieces))))


def texts(parts: Parts) -> Iterator[tuple[str, bytes]]:
    """Numbers and texts of a million characters, and names of files instead of names of zones."""
    long = "1" * 10**6
    tagged: dict[str, Any] = {
        "a Timestamp": {"$": "pandas.Timestamp", "parts": [long, None, "ns"]},
        "a Timestamp of a long fraction": {
            "$": "pandas.Timestamp",
            "parts": ["2020-01-01T00:00:00." + long, None, "ns"],
        },
        "a Timestamp of a long zone": {"$": "pandas.Timestamp", "parts": ["2020-01-01", "UTC+" + long, "ns"]},
        "a Timestamp of a file": {"$": "pandas.Timestamp", "parts": ["2020-01-01", "dateutil//dev/zero", "ns"]},
        "a Timedelta": {"$": "pandas.Timedelta", "parts": ["P" + long + "D", "ns"]},
        "a Period": {"$": "pandas.Period", "parts": [long, "D"]},
        "a Period of a long frequency": {"$": "pandas.Period", "parts": ["2020", long + "D"]},
        "an Interval": {"$": "pandas.Interval", "parts": [long, long, "left"]},
        "a decimal": {"$": "decimal", "parts": [long]},
        "a uuid": {"$": "uuid", "parts": [long]},
        "a complex number": {"$": "complex", "parts": [long]},
        "a zone": {"$": "timezone", "parts": [long]},
        "a zone of a device": {"$": "timezone", "parts": ["/dev/zero"]},
        "a zone of a relative path": {"$": "timezone", "parts": ["../../../../../dev/zero"]},
        "a device": {"$": "device", "parts": ["cpu:" + long]},
        "a dtype": {"$": "array", "form": "dtype", "dtype": "<U" + long, "shape": [], "items": None},
        "an array of huge items": {"$": "array", "form": "array", "dtype": "<U999999999", "shape": [0], "items": ""},
        "an array of huge shape": {"$": "array", "form": "array", "dtype": "<f8", "shape": [2**62, 0], "items": ""},
        "a range": {"$": "range", "parts": [0, 10**12, 1]},
        "a fraction": {"$": "fraction", "parts": [10**4000, 3]},
    }
    for name, value in tagged.items():
        for place in ("categorical_features", "lr"):
            yield (
                f"{name} as {place}",
                parts.changed(_JSON, lambda v, p=place, new=value: v["parameters"].update({p: new})),
            )
    content = parts.parts[_JSON].decode()
    assert '"tol":0.0' in content
    for name, number in (("whole", long), ("of a large exponent", "1e" + long)):
        yield f"a number: {name}", parts.replaced(_JSON, content.replace('"tol":0.0', f'"tol":{number}').encode())
    deep = content.replace('"tol":0.0', '"tol":' + "[" * 10**5 + "]" * 10**5)
    yield "a deep list", parts.replaced(_JSON, deep.encode())
