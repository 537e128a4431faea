"""The inputs of a graph say their units, and are made from any table with and without sknn."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import numpy as np
import onnx
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sknn import NeuralClassifier
from sknn.modules import MLP

from ..exported import N_ROWS, QUICK, SMALL, TOLERANCE, Exported

BASE = np.datetime64("2024-02-29", "s")


def visits():
    random = np.random.default_rng(0)
    seconds = random.integers(0, 700 * 86400, N_ROWS)
    seconds[0] = 0
    when = pd.Series(BASE + seconds.astype("timedelta64[s]"))
    return pd.DataFrame(
        {
            "when": when.astype("datetime64[us]"),
            "waited": (when - when[0]).astype("timedelta64[us]"),
            "at": when.dt.time.where(np.arange(N_ROWS) % 9 > 0, None),
            "day": pd.Categorical(when.dt.normalize()[np.arange(N_ROWS) % 4]),
            "member": random.random(N_ROWS) < 0.5,
            "rating": pd.Categorical(random.integers(1, 4, N_ROWS)),
            "city": random.choice(np.array(["Lyon", "", None], dtype=object), N_ROWS),
        }
    )


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    table = visits()
    clf = NeuralClassifier(MLP, module_params=SMALL[MLP], **QUICK)
    clf.fit(table, table["when"] > table["when"].median())
    return Exported(clf, tmp_path_factory.mktemp("visits")), table, clf


@pytest.fixture(scope="module")
def module(exported):
    """The module that needs numpy only."""
    model, _, _ = exported
    path = model.inputs.save(model.path.parent / "feeds_of_visits")
    spec = importlib.util.spec_from_file_location("feeds_of_visits", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(exported, module):
    """The function of the module that needs numpy only, with the metadata of the file."""
    model, _, _ = exported
    metadata = model.session.get_modelmeta().custom_metadata_map
    return lambda X: module.feeds(X, metadata)


def assert_same_feeds(exported, written, X, expected):
    model, _, _ = exported
    for feeds in (model.inputs.feeds, written):
        (probabilities,) = model.session.run(["probabilities"], feeds(X))
        assert np.abs(probabilities - expected).max() <= TOLERANCE


def as_objects(table):
    return table.assign(when=pd.Series(table["when"].dt.to_pydatetime(), dtype=object))


CONTAINERS = {
    **{f"unit {unit}": lambda t, u=unit: t.astype({"when": f"datetime64[{u}]", "waited": f"timedelta64[{u}]"})
       for unit in ("s", "ms", "us", "ns")},
    "time zone": lambda t: t.assign(when=t["when"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo")),
    "objects": as_objects,
    "Arrow dtype": lambda t: t.astype({"when": pd.ArrowDtype(pa.timestamp("ns"))}),
    "polars": lambda t: pl.from_pandas(t.astype({"day": object})),
    "pyarrow": lambda t: pl.from_pandas(t.astype({"day": object})).to_arrow(),
    "records": lambda t: t.to_dict("records"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTAINERS)
def test_dates_of_every_unit_and_container(case, exported, written):
    _, table, clf = exported
    assert_same_feeds(exported, written, CONTAINERS[case](table), clf.predict_proba(table))


def test_the_graph_says_units_and_missing_values(exported):
    model, _, _ = exported
    graph = onnx.load(model.path.with_suffix(".onnx")).graph
    said = {value.name: value.doc_string for value in graph.input}
    assert "'when' in seconds since 1970-01-01 00:00 UTC" in said["numeric"]
    assert "'waited' in seconds" in said["numeric"]
    assert "'at' in seconds since midnight" in said["numeric"]
    assert "'day' in seconds since 1970-01-01 00:00 UTC" in said["day"]
    assert said["city"] == "Column 'city'; '<missing>' = missing."
    properties = {entry.key: entry.value for entry in onnx.load(model.path.with_suffix(".onnx")).metadata_props}
    assert json.loads(properties["sknn.inputs"])[0]["units"]["waited"] == "seconds"


def test_feeds_refuse_what_predict_refuses(exported, written):
    model, table, _ = exported
    for feeds in (model.inputs.feeds, written):
        with pytest.raises(ValueError, match="'when' contains numbers, but dates were expected"):
            feeds(table.assign(when=table["when"].astype(np.int64)))
        with pytest.raises(ValueError, match="'city'.*missing"):
            feeds(table.drop(columns="city"))
        with pytest.raises(ValueError, match="'rating' contains infinity"):
            feeds(table.assign(rating=np.inf))


def test_what_the_metadata_say_is_prepared_once(exported, module, written, monkeypatch):
    """A call for one row takes no work in proportion to the number of categories."""
    model, table, _ = exported
    calls = [(feeds, feeds(table)) for feeds in (model.inputs.feeds, written)]

    def refuse(*_):
        pytest.fail("prepared again")

    monkeypatch.setattr(json, "loads", refuse)
    monkeypatch.setattr(module, "CategoryCodes", refuse)
    monkeypatch.setattr("sknn._export.numpy.columns.CategoryCodes", refuse)
    for feeds, arrays in calls:
        for name, array in feeds(table[:1]).items():
            np.testing.assert_array_equal(array, arrays[name][:1])


def test_one_module_serves_several_files(exported, module):
    model, table, _ = exported
    metadata = model.session.get_modelmeta().custom_metadata_map
    other = {**metadata, "sknn.inputs": metadata["sknn.inputs"].replace("<missing>", "<absent>")}
    row = table[table["city"].isna()][:1]
    for given, missing in ((metadata, "<missing>"), (other, "<absent>"), (metadata, "<missing>")):
        assert module.feeds(row, given)["city"].tolist() == [[missing]]


def test_the_written_module_needs_numpy_alone(exported, written, tmp_path):
    model, _, _ = exported
    code = """
import sys
for name in ("torch", "sknn", "sklearn", "scipy", "narwhals", "pandas", "onnx"):
    sys.modules[name] = None
sys.path.insert(0, sys.argv[1])
import json
from feeds_of_visits import feeds
metadata = json.load(open(sys.argv[2]))
import datetime
row = {"when": datetime.datetime(2024, 3, 1), "waited": datetime.timedelta(hours=1), "at": None, "day": None,
       "member": True, "rating": 2, "city": "Rome"}
arrays = feeds([row], metadata)
assert arrays["numeric"][0, :2].tolist() == [1709251200.0, 3600.0], arrays
"""
    metadata = tmp_path / "metadata.json"
    metadata.write_text(json.dumps(model.session.get_modelmeta().custom_metadata_map))
    arguments = [sys.executable, "-I", "-c", code, str(model.path.parent), str(metadata)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


def test_the_written_module_replaces_none_of_the_user(exported, tmp_path):
    model, _, _ = exported
    (tmp_path / "mine.py").write_text("x = 1\n")
    with pytest.raises(FileExistsError, match=r"mine.py.*OnnxInputs.save.*another name"):
        model.inputs.save(tmp_path / "mine.py")
    with pytest.raises(ValueError, match=r"could not be imported.*such as my_feeds\.py"):
        model.inputs.save(tmp_path / "my-feeds.py")
