"""Simple pipelines of scikit-learn, to compare a network with."""

from .make import baselines

__all__ = ["baselines"]
