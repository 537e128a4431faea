"""The kinds of data that sknn reads, and which of them an X is read as."""

from __future__ import annotations

import functools
from typing import Any

from torch import nn

from .array_inputs import ArrayInputs
from .audio_inputs import AudioInputs, SpectrogramInputs
from .cell_inputs import CellInputs
from .generated_images import GeneratedImages
from .generated_table import GeneratedTable
from .image_inputs import ImageInputs
from .inputs import Inputs
from .ngram_inputs import NgramInputs
from .ranking_inputs import RankingInputs
from .recognition import Content, content_of
from .sequence_inputs import ConvolutionInputs, SequenceInputs
from .sparse_inputs import SparseInputs
from .table_inputs import TableInputs
from .text_inputs import TextInputs

__all__ = ["KINDS", "default_modules", "is_auto", "kind_of", "module_for"]

_ALL: tuple[type[Inputs], ...] = (
    TableInputs, SparseInputs, ArrayInputs, NgramInputs, TextInputs, ImageInputs, ConvolutionInputs, SequenceInputs,
    SpectrogramInputs, AudioInputs, RankingInputs, CellInputs, GeneratedImages,
    GeneratedTable,
)  # fmt: skip
KINDS: dict[str, type[Inputs]] = {kind.kind: kind for kind in _ALL}
# Of several kinds that read the same data, ``module="auto"`` takes the first.
_FIRST: dict[Content | None, type[Inputs]] = {kind.content: kind for kind in reversed(_ALL)}


def kind_of(X: Any, module: Any, preprocessing: bool) -> type[Inputs]:
    """The kind as which X is read: the one that the module `reads`, or else what X is.

    Raises
    ------
    ValueError, TypeError
        X may be data of several kinds, or the module reads a kind that does not exist.
    """
    wanted = _reads(module)
    if wanted is not None and wanted not in KINDS:
        raise ValueError(f"module: its attribute reads is {wanted!r}, expected one of {sorted(KINDS)}.")
    if wanted not in (None, TableInputs.kind):
        return KINDS[wanted]
    content = content_of(X, keeps_arrays=not is_auto(module) or not preprocessing)
    if content in ("table", "sparse", "array") or wanted == TableInputs.kind:
        untouched = content == "array" or (content == "table" and not preprocessing)
        return ArrayInputs if untouched else SparseInputs if content == "sparse" else TableInputs
    if is_auto(module):
        return _FIRST[content]
    return KINDS[content]


def _reads(module: Any) -> str | None:
    """The attribute `reads` of a module class, callable or instance."""
    while isinstance(module, functools.partial):
        module = module.func
    return getattr(module, "reads", None)


def is_auto(module: Any) -> bool:
    """Whether the parameter ``module``, which may be any object, is "auto"."""
    return isinstance(module, str) and module == "auto"


def module_for(module: Any, kind: type[Inputs]) -> Any:
    """The parameter ``module``, or for "auto" the network of this kind of data."""
    return kind.default_module if is_auto(module) else module


def default_modules() -> list[type[nn.Module]]:
    """All networks that ``module="auto"`` may be."""
    recognised = [kind.default_module for content, kind in _FIRST.items() if content is not None]
    return list(dict.fromkeys(reversed(recognised)))
