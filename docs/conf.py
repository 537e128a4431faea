"""Sphinx: how `make docs` builds the pages."""

import sknn

project = "sknn"
author = "The sknn developers"
version = release = sknn.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery"]
# Docstrings inherited from scikit-learn refer to pages of its own documentation, and a numpydoc list of
# references need not be cited.
suppress_warnings = ["ref.ref", "ref.footnote"]
html_theme = "alabaster"
html_theme_options = {"description": "PyTorch networks as scikit-learn estimators, on raw data."}

# Links to headings of other pages.
myst_heading_anchors = 3
autosummary_generate = True
napoleon_google_docstring = False
napoleon_custom_sections = ["Shape"]

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"\.py$",  # every example is executed
    "abort_on_example_error": True,
    "download_all_examples": False,
}
