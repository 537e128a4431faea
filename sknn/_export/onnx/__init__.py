"""Export to a graph of ONNX."""
