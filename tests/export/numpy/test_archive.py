"""Damaged and hostile files of weights raise a ValueError and take no memory."""

from __future__ import annotations

import copy
import io
import json
import zipfile

import numpy as np
import pytest

from ..exported import TOLERANCE, predictor_module


def entries_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_entries(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_header(shape, descr="<f4"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.fixture
def weights(people, tmp_path):
    """A copy of a file, its entries, and the function that loads it."""
    path = tmp_path / "model.npz"
    path.write_bytes(people[0].path.read_bytes())
    return path, entries_of(path), predictor_module(people[0].path).load


def described(entries, **changes):
    description = json.loads(np.load(io.BytesIO(entries["model.npy"])).tobytes())
    description = {**description, **changes}
    for name in [name for name, value in changes.items() if value is None]:
        del description[name]
    return {**entries, "model.npy": npy(np.frombuffer(json.dumps(description).encode(), dtype=np.uint8))}


ARRAYS = {
    "compressed": (None, "compressed"),
    "of a huge shape": (npy_header((2**40,)), rf"shape \({2**40},\).* 0 bytes"),
    "of a shape beyond integers": (npy_header((2**62, 2**62)), "0 bytes"),
    "of a negative shape": (npy_header((-1, -4)) + bytes(16), "expected numbers"),
    "of objects": (npy_header((1,), "|O") + bytes(8), "expected numbers"),
    "of text": (npy_header((1,), "<U4") + bytes(16), "expected numbers"),
    "of nothing": (b"", "damaged"),
    "without an end": (npy_header((4,))[:40], "damaged"),
    "of something else": (b"\x93NUMPY\x01\x00\x08\x00{'a': ((", "damaged"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_that_contradicts_its_header_is_damage(case, weights):
    path, entries, load = weights
    data, message = ARRAYS[case]
    name = next(name for name in entries if name != "model.npy")
    if data is None:
        write_entries(path, {**entries, name: npy(np.zeros(10**6))}, zipfile.ZIP_DEFLATED)
    else:
        write_entries(path, {**entries, name: data})
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert "model.npz is damaged, or was not written by sknn.export_numpy" in str(caught.value)


def test_entries_that_overlap_are_damage(weights):
    path, entries, load = weights
    largest = max(entries, key=lambda name: len(entries[name]))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
        for i in range(50):
            again = copy.copy(archive.getinfo(largest))
            again.filename = f"{i}.npy"
            archive.filelist.append(again)
    with pytest.raises(ValueError, match="longer than the file"):
        load(path)


@pytest.mark.parametrize("cut", [0, 10, 1000, -1])
def test_a_file_that_ends_early_is_damage(cut, weights):
    path, _, load = weights
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"model.npz is damaged"):
        load(path)


DESCRIPTIONS = {
    "format": None, "columns": None, "feature_names": ["age"], "row_shape": 3, "target": {"kind": "binary"},
    "widest": "many", "nodes": [{"op": "relu"}], "output": "nothing",
}  # fmt: skip


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_description_that_lacks_something_is_damage(name, weights):
    path, entries, load = weights
    write_entries(path, described(entries, **{name: DESCRIPTIONS[name]}))
    with pytest.raises(ValueError, match=r"model.npz is damaged"):
        load(path)


@pytest.mark.parametrize("categories", [[2.0, 1.0], [1.0, 1.0], [None, 1.0], ["a"], [[1.0], [2.0, 3.0]]])
def test_categories_of_numbers_that_do_not_increase_are_damage(categories, weights):
    path, entries, load = weights
    columns = json.loads(entries["model.npy"][128:])["columns"]
    columns[0]["categories"] = categories
    assert columns[0]["kind"] == "numeric"
    write_entries(path, described(entries, columns=columns))
    with pytest.raises(ValueError, match=r"model.npz is damaged"):
        load(path)


X_NAME, HUGE = {"value": "numeric"}, 2**40


NODES = {
    "full": {"size": [HUGE], "fill_value": 0},
    "expand": {"x": {"value": "scalar"}, "size": [HUGE, 4]},
    "repeat": {"x": X_NAME, "repeats": [HUGE, 1]},
    "arange": {"start": 0, "end": HUGE},
    "constant_pad_nd": {"x": X_NAME, "pad": [0, HUGE]},
    "mul": {"x": {"value": "wide"}, "other": {"value": "tall"}},
}


@pytest.mark.parametrize("op", NODES)
def test_a_network_that_asks_for_huge_arrays_is_stopped(op, weights, monkeypatch):
    path, entries, load = weights
    if op == "mul":  # known to be large only when it is there
        monkeypatch.setitem(load.__globals__, "_MOST_NUMBERS", 2**20)
    wide, tall = np.zeros((1, 2**11), dtype=np.int8), np.zeros((2**10, 1), dtype=np.int8)
    entries |= {"scalar.npy": npy(np.zeros(())), "wide.npy": npy(wide), "tall.npy": npy(tall)}
    node = {"op": op, "args": NODES[op], "out": "y", "dtype": "int8"}
    model = load(write_entries(path, described(entries, nodes=[node], output="y")))
    with pytest.raises(ValueError, match=rf"an array of \d+ numbers by '{op}'; the file may be damaged"):
        model.predict([{"age": 51, "city": "Oslo"}])


@pytest.mark.parametrize("dtype", ["<U100000000", "V8", "S5", "nonsense"])
def test_a_dtype_of_labels_takes_no_memory(dtype, weights):
    path, entries, load = weights
    write_entries(
        path,
        described(entries, target={"kind": "classes", "classes": ["a", "b"], "dtype": dtype, "confidence_level": None}),
    )
    if dtype[1] == "U":
        assert load(path).classes_.nbytes < 10_000
    else:
        with pytest.raises(ValueError, match=r"model.npz is damaged"):
            load(path)


def test_a_file_is_read_from_memory_and_takes_its_own_size(weights, people):
    path, entries, load = weights
    _, table, clf = people
    with open(path, "rb") as file:
        found = load(file).predict_proba(table)
    assert np.abs(found - clf.predict_proba(table)).max() <= TOLERANCE
    assert sum(map(len, entries.values())) <= path.stat().st_size
