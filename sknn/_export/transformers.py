"""The encoder and decoder of transformers in a form that torch.export can record, with the same predictions."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

__all__ = ["make_recordable"]


def make_recordable(network: nn.Module) -> None:
    """Add hooks to the encoders and decoders inside a network; use it with the fast path of attention off.

    Without a hint whether a mask is causal, torch compares its values in Python, which cannot be recorded. The hint
    "no" means that the mask is applied as it is.

    In evaluation mode and on its fast path, `nn.TransformerEncoder` packs the sequences of a batch without their
    padding, and afterwards fills the padding with zeros. Outside of the fast path it computes something else there.
    """
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoder):
            module.register_forward_pre_hook(_encoder_without_hint, with_kwargs=True)
            if module.use_nested_tensor:
                module.layers[-1].register_forward_hook(_with_zeros_at_padding, with_kwargs=True)
        elif isinstance(module, nn.TransformerDecoder):
            module.register_forward_pre_hook(_decoder_without_hint, with_kwargs=True)


def _encoder_without_hint(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """(src, mask, src_key_padding_mask, is_causal)"""
    return args, _with_hint(args, kwargs, "is_causal", 3)


def _decoder_without_hint(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, tgt_is_causal, ...)"""
    return args, _with_hint(args, kwargs, "tgt_is_causal", 6)


def _with_hint(args: Any, kwargs: dict[str, Any], name: str, position: int) -> dict[str, Any]:
    is_given = len(args) > position or kwargs.get(name) is not None
    return kwargs if is_given else {**kwargs, name: False}


def _with_zeros_at_padding(module: nn.Module, args: Any, kwargs: dict[str, Any], output: Tensor) -> Tensor:
    """The output (batch, steps, features) of the last layer of an encoder, which calls it with keywords."""
    padding = kwargs["src_key_padding_mask"]
    if padding is None or kwargs["src_mask"] is not None or output.ndim != 3:
        return output  # the fast path does not pack these
    return output.masked_fill((padding != 0).unsqueeze(-1), 0.0)
