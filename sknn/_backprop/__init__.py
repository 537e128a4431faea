"""Hand-written gradients of small networks, where automatic differentiation takes longer than the arithmetic."""
