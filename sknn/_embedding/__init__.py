"""Transformers of scikit-learn that are made of a network."""
