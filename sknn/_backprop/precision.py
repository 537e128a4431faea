"""The dtype of matrix products during training."""

from __future__ import annotations

import functools

import torch

__all__ = ["has_bfloat16_products", "worth_bfloat16"]

# From these sizes on, products in bfloat16 were faster, conversions included: 1.8 times with 512 rows and 512 units on
# a processor with AVX-512 BF16. With 128 rows and 256 units they took as long.
_WORTH_ROWS, _WORTH_UNITS = 256, 512


@functools.cache
def has_bfloat16_products() -> bool:
    """Whether the processor multiplies bfloat16 in hardware."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def worth_bfloat16(n_rows: int, in_features: int, out_features: int) -> bool:
    """Whether ``precision="auto"`` rounds a hidden layer; it depends on sizes, not on a clock: bits are repeatable."""
    return has_bfloat16_products() and n_rows >= _WORTH_ROWS and min(in_features, out_features) >= _WORTH_UNITS
