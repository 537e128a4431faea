"""sknn and its peers side by side on real tables: how good, how fast, how large.

``python -m benchmarks.quality --help`` says how to run it.
"""
