"""Fitted estimators for machines without torch: files of numpy and of ONNX."""

from ._to_numpy import export_numpy
from ._to_onnx import export_onnx

__all__ = ["export_numpy", "export_onnx"]
