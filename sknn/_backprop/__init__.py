"""Gradients written by hand, for networks in which automatic differentiation costs more than the arithmetic."""
