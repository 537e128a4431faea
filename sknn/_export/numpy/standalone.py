"""Several files of sknn as one Python module that imports numpy and the standard library only."""

from __future__ import annotations

import ast
import keyword
import re
import sys
from pathlib import Path

__all__ = ["CELLS", "FILES", "MARK", "check_module", "source"]

_HERE = Path(__file__).parent
_NAMES = ("operations", "network", "columns", "labels", "tables", "texts", "archive", "predictor")
_DATA = _HERE.parents[1] / "_data"
CELLS = [_DATA / f"{name}.py" for name in ("cells", "numeric_text", "iso_dates")]
_TEXTS = [_DATA / f"{name}.py" for name in ("ngrams", "text_features")]
FILES = [*CELLS, *_TEXTS, _DATA / "probabilities.py", *[_HERE / f"{name}.py" for name in _NAMES]]
MARK = '"""Predictions of a network that was exported by sknn.'


def source(files: list[Path] = FILES) -> str:
    """The files, joined: their imports from outside of sknn first, then their contents."""
    imports: set[str] = set()
    parts: list[str] = []
    docstring: str | None = None
    for file in files:
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
        docstring = ast.get_docstring(tree, clean=False)
        heads = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        outside = [node for node in heads if isinstance(node, ast.Import) or not node.level]
        imports.update(ast.unparse(node) for node in outside if "__future__" not in ast.unparse(node))
        body = "\n".join(text.splitlines()[heads[-1].end_lineno :]).strip("\n")
        parts.append(f"# {'-' * 88} {file.stem}\n\n{body}")
    # The last docstring is that of the module, which says how it is used.
    head = [f'"""{docstring}"""', "from __future__ import annotations", "\n".join(sorted(imports))]
    return "\n\n\n".join(["\n\n".join(head), *parts]) + "\n"


def check_module(path: Path, mark: str, suffix: str, written_by: str) -> None:
    """Raise if a module could not be imported by its name, would hide another, or replace a file of the user.

    `suffix` is that of the path that the user gives.
    """
    name = path.stem
    if not name.isidentifier() or keyword.iskeyword(name):
        valid = re.sub(r"\W", "_", name)
        valid = valid if valid.isidentifier() and not keyword.iskeyword(valid) else f"model_{valid}"
        raise ValueError(
            f"path: the module {path.name} could not be imported, because {name!r} is not a valid module name. Use "
            f"letters, digits and underscores, such as {valid}{suffix}."
        )
    if name in sys.stdlib_module_names or name == "numpy":
        raise ValueError(
            f"path: {path.name} would hide the module {name!r} from every program in its folder. Choose another name."
        )
    if path.exists() and not path.read_bytes().startswith(mark.encode()):
        raise FileExistsError(
            f"path: {path} exists and was not written by {written_by}, which would replace it: choose another name, or "
            "remove the file."
        )
