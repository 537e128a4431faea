"""Fitted estimators as files that predict without torch: with numpy alone, or with a runtime of ONNX."""

from .numpy.export import export_numpy
from .onnx.export import export_onnx

__all__ = ["export_numpy", "export_onnx"]
