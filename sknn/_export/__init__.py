"""Fitted estimators for machines without torch: files of numpy and of ONNX."""

from ._to_numpy import export_numpy

__all__ = ["export_numpy"]
