"""The graph of ONNX is valid and describes its inputs."""

from __future__ import annotations

import sys

import onnx
import pytest

from sknn import export_onnx


def test_the_graph_is_valid_and_describes_its_inputs(raw):
    exported, _, _ = raw
    inputs, model = exported.inputs, onnx.load(exported.path.with_suffix(".onnx"))
    onnx.checker.check_model(model, full_check=True)
    by_name = {spec.name: spec for spec in inputs.inputs}
    assert by_name["numeric"].columns == ["amount", "gaps", "when"]
    assert by_name["label_"].type == "string"  # "label" is an output
    assert by_name["label_"].missing == "<missing>"  # "" is a category
    assert by_name["with gaps"].missing == ""
    assert by_name["flag"].type == by_name["code"].type == "double"
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert '"with gaps"' in properties["sknn.inputs"]
    assert [output.name for output in model.graph.output] == ["probabilities", "label"]


def test_export_onnx_names_the_extra(plain, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"sknn\[onnx\]"):
        export_onnx(plain, tmp_path / "model.onnx")
