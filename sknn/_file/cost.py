"""Files whose network takes work in proportion to the file, shown by their JSON before anything is built.

Any other network is tried in a child process first, see `trial`: a layer may take any time and memory whatever the size
of its weights (padding, windows, attention, recurrence), which cannot be read from shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from torch import nn

from .checks import damaged_if_it_fails, dicts_in, expect
from .cost_of_kinds import NETWORKS, is_cheap_kind
from .names import known_names
from .parts import read_json

__all__ = ["is_cheap", "names_in"]

# Each output of these layers depends on one input, or on one row of inputs of the same width, at a constant cost per
# number; they return as many numbers as they receive, or fewer.
_ELEMENTWISE = (
    "CELU", "Dropout", "ELU", "GELU", "GLU", "Hardsigmoid", "Hardswish", "Hardtanh", "Identity", "LeakyReLU",
    "LogSigmoid", "Mish", "PReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus", "Softsign", "Tanh",
    "Tanhshrink",
)  # fmt: skip
_NORMS = ("BatchNorm1d", "LayerNorm", "RMSNorm")
_PER_ROW = {f"torch.nn.{name}" for name in (*_ELEMENTWISE, *_NORMS, "AlphaDropout", "Flatten", "Softmax")}
_ARGUMENTS = {f"torch.nn.{name}" for name in (*_ELEMENTWISE, *_NORMS)} | {"sknn.modules.HalfSine"}  # activation=, norm=
# A linear layer uses each weight once per row. `Sequential` adds nothing.
_LAYERS = _PER_ROW | {"torch.nn.Linear", "torch.nn.Sequential"}
# Modules of sknn that use each weight once per row, or once per row and member, or per row and token. A list of
# its own: the cost of a new architecture is not known before someone has thought of it.
_MODULES = frozenset(f"sknn.modules.{name}" for name in ("FTTransformer", "MLP", "ResNet", "TabM"))
# Kinds of data whose rows are read at a cost in proportion to their width.
_OF_COLUMNS = ("table", "sparse", "array", "ranking")
# Parameters that say how often weights are used, or how many layers there are, and their defaults.
_REPEATED = {"n_members": 4, "n_blocks": 3, "n_stages": 3, "n_levels": 2}
_NAMED_BY = {"None": "class", "name": "name", "layer": "class", "object": "class"}  # "None": the estimator itself
_MOST_PRODUCTS = 2**36  # for the probe rows: a second or two
_MOST_OF_ATTENTION = 2**31  # memory as well
_N_ROWS = 16
_MOST_LAYERS = 10_000
_BESIDE = 32  # layers more than tensors


def names_in(value: Any) -> Iterator[str]:
    """Return all names of classes and functions in the JSON of an estimator."""
    for item in dicts_in(value):
        key = _NAMED_BY.get(str(item.get("$")))
        if key is not None and isinstance(item.get(key), str):
            yield item[key]


def is_cheap(value: Any, tensors: bytes) -> bool:
    """Return whether building and trying the network of this JSON takes work in proportion to the tensors' bytes.

    True only if that can be shown. What is shown: the network is one of sknn with an element-wise activation, or a
    chain of linear and element-wise layers, on rows of one dimension. So each weight is multiplied once per row (and
    member, or token), there are no more layers than tensors, and no row is wider than the tensors have bytes. Networks
    of sknn for other kinds of data are looked at by `is_cheap_kind`.
    """
    parameters = expect(expect(value, dict, "estimator").get("parameters"), dict, "parameters")
    layers = [item for item in dicts_in(value) if item.get("$") == "layer"]
    if any(layer.get("class") not in _LAYERS and layer.get("class") not in _losses() for layer in layers):
        return False
    fitted = value.get("fitted")
    if fitted is None:
        return True
    built_with = expect(expect(fitted, dict, "fitted").get("built_with"), dict, "built_with")
    inputs = expect(fitted.get("inputs"), dict, "inputs")
    row_shape = expect(inputs.get("row_shape"), list, "row_shape")
    n_networks = expect(expect(fitted.get("net"), dict, "net").get("n_networks"), int, "n_networks")
    shapes, n_bytes = _shapes(tensors), len(tensors)
    if any(expect(size, int, "row_shape") > n_bytes for size in row_shape):
        return False
    # A layer without inputs has no weights, and as many outputs as it likes.
    if any(size > n_bytes for shape in shapes for size in shape):
        return False
    parameters = {**parameters, **built_with}
    if not _is_loss(parameters.get("criterion", "that of the class")):
        return False
    module, params = parameters.get("module"), _plain_params(parameters.get("module_params"))
    is_known = params is not None and n_networks * _n_layers(params) <= len(shapes) + _BESIDE
    params = params or {}
    name = module.get("name") if isinstance(module, dict) and module.get("$") == "name" else None
    if inputs.get("kind") in NETWORKS:
        networks = NETWORKS[inputs["kind"]]
        is_known = is_known and (module == "auto" or name in networks)
        return is_known and _is_few_products(n_bytes, params) and is_cheap_kind(inputs, params, shapes)
    if inputs.get("kind") not in _OF_COLUMNS or len(row_shape) != 1:
        return False
    if isinstance(module, dict) and module.get("$") == "layer":
        n_layers = n_networks * len(layers)
        return n_layers <= _MOST_LAYERS and _N_ROWS * n_bytes * n_layers <= _MOST_PRODUCTS
    if module == "auto":
        name = "sknn.modules.TabM"
    if name == "torch.nn.Linear" and is_known and not params:
        return True
    if name not in _MODULES or not is_known:
        return False
    if name == "sknn.modules.FTTransformer":
        n_tokens = row_shape[0] + _n_categorical(inputs) + 1
        # Attention multiplies each of the token_size numbers of a token by every token; the weights of the tokenizer
        # have n_tokens * token_size * 4 bytes.
        return _N_ROWS * n_tokens * n_bytes * _integer(params, "n_blocks") <= _MOST_OF_ATTENTION
    return _is_few_products(n_bytes, params)


def _is_few_products(n_bytes: int, params: dict[str, Any]) -> bool:
    """Return whether weights of so many bytes take little if they are used once per row and member."""
    return _N_ROWS * n_bytes * _integer(params, "n_members") <= _MOST_PRODUCTS


def _losses() -> set[str]:
    """Return names of losses, whose constructors only keep numbers."""
    of_torch = {name for name, thing in known_names().items() if thing.__module__ == nn.MSELoss.__module__}
    return of_torch - {"torch.nn.CTCLoss"} | {name for name in known_names() if name.startswith("sknn.losses.")}


def _is_loss(criterion: Any) -> bool:
    if isinstance(criterion, dict) and criterion.get("$") in ("layer", "name"):
        return criterion.get("class", criterion.get("name")) in _losses()
    return isinstance(criterion, str)


def _shapes(tensors: bytes) -> list[list[int]]:
    """Return the shape of each tensor that safetensors lists in its header."""
    size = int.from_bytes(tensors[:8], "little")
    with damaged_if_it_fails("the tensors are damaged", "."):
        header = expect(read_json(tensors[8 : 8 + size].rstrip(b" "), "tensors"), dict, "tensors")
        shapes = [expect(item["shape"], list, "tensors") for name, item in header.items() if name != "__metadata__"]
        return [[expect(size, int, "tensors") for size in shape] for shape in shapes]


def _plain_params(value: Any) -> dict[str, Any] | None:
    """Return arguments of a module; None if one of them may be more than numbers or a layer of one input per output."""
    if value is None:
        return {}
    if not isinstance(value, dict) or value.get("$") != "dict" or type(value.get("items")) is not list:
        return None
    found: dict[str, Any] = {}
    for pair in value["items"]:
        if type(pair) is not list or len(pair) != 2 or type(pair[0]) is not str:
            return None
        name, item = pair
        if isinstance(item, dict) and item.get("$") == "tuple":
            item = item.get("items")
        is_plain = type(item) in (int, float, bool, str, type(None))
        is_plain = is_plain or (type(item) is list and all(type(part) is int for part in item))
        if not is_plain and not (isinstance(item, dict) and item.get("$") == "name" and item.get("name") in _ARGUMENTS):
            return None
        found[name] = item
    return found


def _integer(params: dict[str, Any], name: str) -> int:
    value = params.get(name, _REPEATED[name])
    return value if type(value) is int else 1  # of another type: the constructor refuses it


def _n_layers(params: dict[str, Any]) -> int:
    """Return how many blocks or hidden layers a module of sknn creates, of which each has tensors of its own."""
    sizes = params.get("hidden_sizes")
    given = [_integer(params, name) for name in ("n_blocks", "n_stages", "n_levels") if name in params]
    return max(math.prod(given), len(sizes) if type(sizes) is list else 0)


def _n_categorical(inputs: dict[str, Any]) -> int:
    table = inputs.get("table")
    columns = table.get("columns") if isinstance(table, dict) else None
    return len(columns) if isinstance(columns, list) else 0
