"""A loaded network predicts the probe rows like the saved one."""

from __future__ import annotations

import json

import pytest
import torch

import sknn
from benchmarks.reliability import _file_faults_parts as of_parts
from benchmarks.reliability._file_parts import Parts
from sknn.exceptions import ReproductionError

from .subjects import check_refused


def test_edited_tensors_are_refused_without_warnings(files, tmp_path, canary, recwarn):
    check_refused(of_parts.tensors(Parts(files["table"])), tmp_path, 40)
    assert not recwarn.list


def test_a_reproduction_error_names_the_versions(files, tmp_path):
    parts = Parts(files["table"])
    value = parts.json("manifest.json")
    value["versions"] = {**value["versions"], "torch": "1.2.3", "device": "cuda:0"}
    parts.parts["manifest.json"] = json.dumps(value).encode()
    header, body = parts.tensors("estimators/0.safetensors")
    content = of_parts.with_numbers(header, body, "encoder.center", lambda a: a + 0.1)
    (tmp_path / "m").write_bytes(parts.replaced("estimators/0.safetensors", content))
    version = torch.__version__.partition("+")[0]
    with pytest.raises(ReproductionError, match=rf"saved on cuda:0 by torch 1.2.3, here {version}"):
        sknn.load(tmp_path / "m")
