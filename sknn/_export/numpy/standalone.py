"""The predictor as one file that imports numpy and the standard library only."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["FILES", "MARK", "source"]

_HERE = Path(__file__).parent
_NAMES = ("operations", "network", "columns", "labels", "tables", "archive", "predictor")
FILES = [
    *[_HERE.parents[1] / "_data" / f"{name}.py" for name in ("cells", "numeric_text")],
    *[_HERE / f"{name}.py" for name in _NAMES],
]
MARK = '"""Predictions of a network that was exported by sknn.'


def source() -> str:
    """The files of the predictor, joined: their imports from outside of sknn first, then their contents."""
    imports: set[str] = set()
    parts: list[str] = []
    docstring: str | None = None
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        tree = ast.parse(text)
        docstring = ast.get_docstring(tree, clean=False)
        heads = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        outside = [node for node in heads if isinstance(node, ast.Import) or not node.level]
        imports.update(ast.unparse(node) for node in outside if "__future__" not in ast.unparse(node))
        body = "\n".join(text.splitlines()[heads[-1].end_lineno :]).strip("\n")
        parts.append(f"# {'-' * 88} {file.stem}\n\n{body}")
    # The last docstring is that of the predictor, which says how it is used.
    head = [f'"""{docstring}"""', "from __future__ import annotations", "\n".join(sorted(imports))]
    return "\n\n\n".join(["\n\n".join(head), *parts]) + "\n"
