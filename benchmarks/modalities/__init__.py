"""sknn's defaults on text, images, sequences, audio and sensors, beside recorded peers.

``python -m benchmarks.modalities --help`` says how to run it.
"""
