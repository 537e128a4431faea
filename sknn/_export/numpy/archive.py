"""The weights and the description of a model in a file, read without executing anything."""

from __future__ import annotations

import contextlib
import io
import math
import zipfile

import numpy as np

from .network import names_in

FORMAT = 5


class UnknownOperationError(ValueError):
    """The model uses operations that this predictor lacks."""


def damaged(path, what):
    return ValueError(f"{path} is damaged, or was not written by sknn.export_numpy: {what}. Export the model again.")


def read_arrays(path):
    """Return the arrays of a file by name; none of them can be larger than the file."""
    with contextlib.ExitStack() as stack:
        file = path if hasattr(path, "read") else stack.enter_context(open(path, "rb"))
        length = file.seek(0, 2)
        try:
            archive = stack.enter_context(zipfile.ZipFile(file))
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ValueError("an entry is compressed, and exports are not")
            if sum(max(entry.file_size, entry.compress_size) for entry in entries) > length:
                raise ValueError("its entries are longer than the file")
            return {entry.filename.removesuffix(".npy"): _array(archive.read(entry)) for entry in entries}
        except Exception as error:  # damage raises errors of zipfile, struct, tokenize or numpy
            raise damaged(path, str(error)) from error


def _array(data):
    """Return an array of numbers from the bytes of a .npy file, without a copy."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"an array has version {version}")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(file)
    if dtype.kind not in "biuf" or min(shape, default=0) < 0:
        raise ValueError(f"an array has shape {shape} and dtype {dtype}; expected numbers")
    offset = file.tell()
    if math.prod(shape) * dtype.itemsize != len(data) - offset:
        raise ValueError(f"an array has shape {shape} and dtype {dtype}, but {len(data) - offset} bytes")
    return np.ndarray(shape, dtype, data, offset, order="F" if fortran_order else "C")


_FIELDS = {
    "columns": list, "feature_names": (list, type(None)), "row_shape": list, "allow_nan": bool, "target": dict,
    "widest": int, "nodes": list, "output": str,
}  # fmt: skip
_OF_TARGET = {"real": {"mean", "scale", "ndim", "n_values"}, "ranking": set()}


def check_description(description, arrays):
    """Raise unless the description contains everything that predictions need."""
    for name, kind in _FIELDS.items():
        if not isinstance(description[name], kind):
            raise TypeError(f"{name!r} is {str(description[name])[:50]}")
    wanted = {
        "categorical": {"name", "kind", "categories", "never_missing", "is_worded"},
        "numeric": {
            "name", "kind", "categories", "never_missing", "all_missing", "quantity", "format", "is_iso_text",
        },
        "text": {"name", "kind"},
        "idle": {"name", "kind"},
    }  # fmt: skip
    missing = [wanted[column["kind"]] - set(column) for column in description["columns"]]
    target = description["target"]
    missing.append(
        {"confidence_level", "dtype"} - set(target) | _OF_TARGET.get(target["kind"], {"classes"}) - set(target)
    )
    if target["kind"] == "classes" and target["confidence_level"] is not None:
        missing.append({"thresholds"} - set(target))
    missing += [{"op", "dtype", "args", "out"} - set(node) for node in description["nodes"]]
    if any(missing):
        raise KeyError(*sorted(set().union(*missing)))
    names = description["feature_names"]
    if names is not None and description["columns"] and len(names) != len(description["columns"]):
        raise ValueError(f"{len(names)} names for {len(description['columns'])} columns")
    known = {"numeric", "codes", *arrays}
    for node in description["nodes"]:
        unknown = set(names_in(list(node["args"].values()))) - known
        if unknown:
            raise ValueError(f"nothing computes {sorted(unknown)}")
        known.add(node["out"])
    if description["output"] not in known:
        raise ValueError("nothing computes its output")
