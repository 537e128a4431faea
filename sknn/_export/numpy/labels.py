"""Labels of a classifier with the dtype that they have in sknn."""

from __future__ import annotations

import numpy as np

_WIDEST_PADDING = 1024  # characters: a file cannot ask for wider arrays than this or its longest label


def labels_of(target):
    """Return the labels that a description lists, (n_classes,): dates and durations as counts of their unit."""
    dtype, listed = np.dtype(target["dtype"]), target["classes"]
    if dtype.kind in "Mm":
        return np.array(listed, dtype=np.int64).astype(dtype)
    if dtype.kind == "U":
        longest = max(map(len, listed), default=1)
        return np.array(listed, dtype=f"U{min(dtype.itemsize // 4, max(longest, _WIDEST_PADDING))}")
    if dtype.kind not in "biufO":
        raise ValueError(f"labels have the dtype {dtype}")
    labels = np.empty(len(listed), dtype=dtype)
    labels[:] = listed
    return labels
