"""X and y as given -> rows as tensors, and outputs -> labels and values."""
