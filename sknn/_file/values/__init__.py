"""Values of parameters and attributes as JSON and tensors, and back."""
