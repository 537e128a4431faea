"""The predictor as one file that imports numpy and the standard library only."""

from __future__ import annotations

from pathlib import Path

__all__ = ["MARK", "source"]

MARK = '"""Predictions of a network that was exported by sknn.'
_IMPORT = "\nfrom .operations import OPERATIONS\n"
_END_OF_IMPORTS = "import numpy as np\n"


def source() -> str:
    """`predictor.py`, with `operations.py` in the place of its import at the end."""
    folder = Path(__file__).parent
    predictor, operations = (folder / name for name in ("predictor.py", "operations.py"))
    text = predictor.read_text(encoding="utf-8").replace(_IMPORT, "", 1)
    _, _, body = operations.read_text(encoding="utf-8").partition(_END_OF_IMPORTS)
    return f"{text}\n\n# {'-' * 88} the operations\n\n{body.strip()}\n"
