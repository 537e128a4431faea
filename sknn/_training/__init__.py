"""One training run: skorch's net around resident tensors, its epochs and steps."""
