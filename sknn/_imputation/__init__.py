"""Gaps of tables, filled by a network."""
