"""Rows and images that are made like those of a table or a set of images."""
