"""Arrays, sparse matrices and folders in the archive of skops."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import sknn
from benchmarks.reliability._file_parts import Parts
from sknn._file.archive import pack
from sknn._file.foreign.skops_parts import _check_part
from sknn.exceptions import DamagedFileError, UntrustedFileError

from ..subjects import X, Y


def npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (10**12,)}"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"cos\nsystem\n(S'true'\ntR.",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        b"\x80\x04\x95cos\nsystem\n",
        b"",
    ],
    ids=["code", "huge", "pickle", "negative", "bare pickle", "empty"],
)
def test_hostile_arrays(content, files, tmp_path):
    outer = Parts(files["pipeline"])
    inner = Parts(outer.parts["sklearn.skops"])
    inner.parts[next(name for name in inner.parts if name.endswith(".npy"))] = content
    (tmp_path / "m").write_bytes(outer.replaced("sklearn.skops", inner.packed()))
    with pytest.raises(DamagedFileError, match=r"npy is damaged"):
        sknn.load(tmp_path / "m")


def test_sparse_matrices_with_indices_beyond_their_shape(tmp_path):

    buffer = io.BytesIO()
    sparse.save_npz(buffer, sparse.csr_array(np.eye(3)), compressed=True)
    with zipfile.ZipFile(buffer) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist()}
    _check_part("0.npz", pack(arrays), "m")
    indices = bytearray(arrays["indices.npy"])
    indices[-4:] = (1000).to_bytes(4, "little")
    with pytest.raises(DamagedFileError, match="npz is damaged"):
        _check_part("0.npz", pack({**arrays, "indices.npy": bytes(indices)}), "m")
    with pytest.raises(UntrustedFileError, match="compressed"):
        _check_part("0.npz", buffer.getvalue(), "m")


def test_a_folder_for_results_is_not_stored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    steps = [("s", StandardScaler()), ("l", LogisticRegression())]
    model = Pipeline([("p", Pipeline(steps, memory="cache"))], memory="cache").fit(X, Y)
    sknn.save(model, tmp_path / "m")
    assert model.memory == "cache"
    again = sknn.load(tmp_path / "m")
    assert again.memory is None
    assert again[0].memory is None

    def put_back(parts):
        null = '"memory":{"__class__":"str","__module__":"builtins","__loader__":"JsonNode","content":"null"'
        text = parts.parts["schema.json"].decode()
        assert null in text
        parts.parts["schema.json"] = text.replace(null, null.replace('"null"', '"\\"cache\\""')).encode()

    outer = Parts((tmp_path / "m").read_bytes())
    inner = Parts(outer.parts["sklearn.skops"])
    put_back(inner)
    (tmp_path / "m").write_bytes(outer.replaced("sklearn.skops", inner.packed()))
    assert sknn.load(tmp_path / "m").memory is None
