"""The recorded network as a graph of ONNX."""
