"""Fitted estimators for machines without torch: files of numpy and of ONNX."""

from .numpy.export import export_numpy
from .onnx.export import export_onnx

__all__ = ["export_numpy", "export_onnx"]
