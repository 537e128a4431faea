"""The container of a table and the dtypes of its columns, from which tables of other cells are made."""

from __future__ import annotations

import importlib
import re
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np

from ..exceptions import DamagedFileError
from .containers import is_frame
from .stored import check_names

__all__ = ["Template"]

_LIBRARIES = ("pandas", "polars", "pyarrow")


class Template:
    """What is left of a table without its cells.

    Parameters
    ----------
    library : str
        "numpy", or that of a data frame.
    names : list
        Names of the columns; positions for an array.
    dtypes : list of str
        Those of the columns.
    categories : dict
        Of each categorical column of pandas, by position: its categories, and whether they are ordered. Of each Enum of
        polars: its values.
    """

    def __init__(self, library: str, names: list[Any], dtypes: list[str], categories: dict[int, list[Any]]) -> None:
        self.library, self.names, self.dtypes, self.categories = library, names, dtypes, categories

    @classmethod
    def learn(cls, X: Any) -> Template:
        """Of a table as `as_table` returns it."""
        if not is_frame(X):
            return cls("numpy", list(range(X.shape[1])), [X.dtype.str], {})
        if nw.dependencies.is_pandas_dataframe(X):
            found = {
                i: [dtype.categories.tolist(), bool(dtype.ordered)]
                for i, dtype in enumerate(X.dtypes)
                if str(dtype) == "category"
            }
            return cls("pandas", list(X.columns), [str(dtype) for dtype in X.dtypes], found)
        frame = nw.from_native(X, eager_only=True)
        enums = {i: [list(t.categories), True] for i, t in enumerate(frame.schema.values()) if isinstance(t, nw.Enum)}
        library = str(frame.implementation).rpartition(".")[2].lower()
        return cls(library, frame.columns, [str(dtype) for dtype in frame.schema.values()], enums)

    def is_whole(self, position: int) -> bool:
        """Whether a column is of a dtype of whole numbers."""
        dtype = self.dtypes[0 if self.library == "numpy" else position].lower()
        return dtype.lstrip("<>|=u").startswith("i")

    def table(self, cells: list[np.ndarray]) -> Any:
        """A table of these columns, object (n_rows,) each, with None for missing."""
        if self.library == "numpy":
            dtype = np.dtype(self.dtypes[0])
            found = np.empty((len(cells[0]), len(cells)), dtype=object)
            for i, column in enumerate(cells):
                found[:, i] = column
            if dtype.kind == "f":
                found[found == None] = np.nan  # noqa: E711 - element by element
            return found if dtype.kind == "O" else found.astype(dtype)
        if self.library == "pandas":
            return self._pandas(cells)
        namespace = importlib.import_module(self.library)
        series = [
            nw.new_series(name, column.tolist(), dtype=self._narwhals_dtype(i), native_namespace=namespace)
            for i, (name, column) in enumerate(zip(self.names, cells, strict=True))
        ]
        frame = nw.from_dict({one.name: one for one in series}, native_namespace=namespace)
        return frame.to_native()

    def _pandas(self, cells: list[np.ndarray]) -> Any:
        import pandas as pd

        columns = []
        for i, (column, dtype) in enumerate(zip(cells, self.dtypes, strict=True)):
            if i in self.categories:
                values, ordered = self.categories[i]
                columns.append(pd.Series(pd.Categorical(column, categories=values, ordered=ordered)))
            elif np.dtype("O") != dtype and re.match(r"u?int|float", dtype):
                columns.append(pd.Series(np.array([np.nan if v is None else v for v in column])).astype(dtype))
            elif dtype == "bool":
                columns.append(pd.Series(column.astype(bool)))
            else:
                columns.append(pd.Series(column.tolist(), dtype=dtype))
        frame = pd.concat(columns, axis=1) if columns else pd.DataFrame()
        frame.columns = self.names
        return frame

    def _narwhals_dtype(self, i: int) -> Any:
        """The dtype of a column by its name, such as ``Datetime(time_unit='us', time_zone=None)``."""
        if i in self.categories:
            return nw.Enum(self.categories[i][0])  # pyright: ignore[reportCallIssue]
        name, _, arguments = self.dtypes[i].partition("(")
        found = dict(re.findall(r"(\w+)='([^']*)'", arguments))
        dtype = getattr(nw, name)
        return dtype(**found) if found else dtype()

    def to_state(self) -> dict[str, Any]:
        """As plain values, for a file."""
        return {"library": self.library, "names": self.names, "dtypes": self.dtypes, "categories": self.categories}

    @classmethod
    def from_state(cls, state: Any) -> Template:
        """The same from a file that may be damaged."""
        check_names("template", state, ("library", "names", "dtypes", "categories"))
        library, names, dtypes = state["library"], state["names"], state["dtypes"]
        fits = library in ("numpy", *_LIBRARIES) and type(names) is list and type(dtypes) is list
        fits = fits and all(type(dtype) is str and len(dtype) < 200 for dtype in dtypes)
        if (
            not fits
            or len(dtypes) != (1 if library == "numpy" else len(names))
            or type(state["categories"]) is not dict
        ):
            raise DamagedFileError("template: library, names and dtypes of the columns do not belong together.")
        return cls(library, names, dtypes, state["categories"])
