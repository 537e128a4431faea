"""Tables that a network learns to generate: codes and numbers of rows, and tables of such rows again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import ndtr, ndtri
from torch import Tensor

from ..exceptions import DamagedFileError
from ..modules import TableFlow
from .cell_inputs import column_from_state, column_to_state, plain_reader
from .columns import column_label
from .conditions import Condition
from .containers import as_table
from .filled import Filling, as_cells
from .inputs import Inputs, RawRows
from .quantile_grid import QuantileGrid
from .stored import check_names
from .stores import Dense
from .table import TableReader
from .table_inputs import TableRows
from .tagged import Tagged, tags_of, untagged
from .template import Template

__all__ = ["GeneratedTable"]

# A number of at most so many different values is drawn as a code; so is each value that so large a share of rows has.
_FEW_VALUES, _FREQUENT = 32, 0.05


class _Learned(NamedTuple):
    """What the cells of the training rows say."""

    atoms: list[np.ndarray]  # of each numeric column, the numbers that are drawn as codes, ascending
    has_gaps: np.ndarray  # bool (n_numeric + n_categorical,)
    is_continuous: np.ndarray  # bool (n_numeric,), whether a column has other numbers
    grid: QuantileGrid  # of these


class GeneratedTableRows(RawRows):
    """Rows of a table after reading, and the y of each, (n_samples,), or None."""

    def __init__(self, rows: TableRows, y: np.ndarray | None, template: Template) -> None:
        self.rows, self.y, self.template = rows, y, template

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: np.ndarray) -> GeneratedTableRows:
        return GeneratedTableRows(self.rows.take(rows), None if self.y is None else self.y[rows], self.template)

    def keys(self) -> None:
        return None

    def learn(
        self, rows: np.ndarray | None, weight: np.ndarray | None, leaves_out_idle: bool = False
    ) -> GeneratedTable:
        reader = self.rows.reader
        numbers, codes = self.rows.read(rows)
        atoms = [_atoms(column) for column in numbers.T]
        rest = np.where(_is_atom(numbers, atoms), np.nan, numbers)
        missing = np.array([len(reader.columns[i].categories) + 1 for i in reader.categorical], dtype=np.int64)
        has_gaps = np.append(np.isnan(numbers).any(axis=0), (codes == missing).any(axis=0))
        is_continuous = np.asarray(~np.isnan(rest).all(axis=0))
        learned = _Learned(atoms, has_gaps, is_continuous, QuantileGrid.learn(rest[:, is_continuous]))
        condition = None if self.y is None else Condition.learn(self.y)
        return GeneratedTable(reader, learned, condition, self.template)


class GeneratedTable(Inputs):
    """How rows of a table become codes and numbers, and these a table again.

    Numbers are the normal scores of the values among those of their column, followed by the condition. Codes are those
    of the categories; and of each numeric column with frequent values or gaps 0 for a number, then these values, then
    missing.
    """

    kind = "generated_table"
    content = None
    what = "rows of a table"
    default_module = TableFlow
    options = ("categorical_features",)
    has_columns = True
    reads_tags = True

    def __init__(self, reader: TableReader, learned: _Learned, condition: Condition | None, template: Template) -> None:
        self.reader, self.learned, self.condition, self.template = reader, learned, condition, template
        atoms, d = learned.atoms, len(reader.numeric)
        # Numeric columns with codes, and of each continuous one the place of its codes.
        self.coded = [i for i in range(d) if len(atoms[i]) or learned.has_gaps[i]]
        of_categories = [len(reader.columns[i].categories) + 2 for i in reader.categorical]
        self.n_codes = of_categories + [len(atoms[i]) + 2 for i in self.coded]
        place = {column: len(of_categories) + i for i, column in enumerate(self.coded)}
        code_of_number = [place.get(i, -1) for i in np.flatnonzero(learned.is_continuous).tolist()]
        size = 0 if condition is None else condition.size
        self.row_shape = (len(code_of_number) + size,)
        self.given_shape = (d,)
        self.network_params = {"n_codes": self.n_codes, "code_of_number": code_of_number, "condition_size": size}

    @classmethod
    def prepare(cls, X: Any) -> Any:
        return Tagged(as_table(X.X), X.tags) if isinstance(X, Tagged) else as_table(X)

    @classmethod
    def read_first(cls, X: Any, categorical_features: Any = "from_dtype") -> GeneratedTableRows:
        table = untagged(X)
        reader, _ = TableReader.learn(table, categorical_features)
        texts = [column_label(column.name, i) for i, column in enumerate(reader.columns) if column.kind == "text"]
        if texts:
            raise ValueError(
                f"X: {texts[0]} holds free text, which cannot be generated. Leave it out, or name it in "
                "categorical_features if its texts recur."
            )
        reader = plain_reader(reader)
        return GeneratedTableRows(TableRows(reader, reader.parse(table)), tags_of(X), Template.learn(table))

    def read(self, X: Any) -> GeneratedTableRows:
        if (tags_of(X) is None) != (self.condition is None):
            missing = (
                "y is given, but fit had none" if self.condition is None else "y is missing, but fit was given one"
            )
            raise ValueError(f"{missing}. Pass y to both, or to neither.")
        return GeneratedTableRows(TableRows(self.reader, self.reader.parse(untagged(X))), tags_of(X), self.template)

    def encode_rows(self, raw: GeneratedTableRows, rows: np.ndarray | None = None) -> Dense:
        """Numbers float32 (n_rows, n_numbers + condition_size), and codes int64 (n_rows, n_codes)."""
        numbers, codes = raw.rows.read(rows)
        learned = self.learned
        for i in self.coded:
            known = learned.atoms[i]
            place = np.searchsorted(known, numbers[:, i]).clip(max=max(0, len(known) - 1))
            is_known = known[place] == numbers[:, i] if len(known) else np.zeros(len(numbers), dtype=bool)
            own = np.where(np.isnan(numbers[:, i]), len(known) + 1, np.where(is_known, place + 1, 0))
            codes = np.column_stack([codes, own])
        rest = np.where(_is_atom(numbers, learned.atoms), np.nan, numbers)[:, learned.is_continuous]
        scores = np.nan_to_num(ndtri(learned.grid.spread_positions(rest)))
        x = torch.from_numpy(scores.astype(np.float32))
        if self.condition is not None and raw.y is not None:
            x = torch.cat([x, self.condition.encode(raw.y if rows is None else raw.y[rows])], dim=1)
        return Dense(x, torch.from_numpy(codes.astype(np.int64)) if self.n_codes else None)

    def made_by(self, network: Any, condition: Tensor, generator: torch.Generator, n_steps: int) -> list[np.ndarray]:
        """Columns of cells, object (n_rows,) each, that a network makes under conditions (n_rows, condition_size)."""
        made, codes = network.generate(len(condition), condition, generator, n_steps)
        return self._cells(made.cpu().numpy().astype(np.float64), codes.cpu().numpy())

    def joined(self, parts: list[list[np.ndarray]]) -> Any:
        """The table of parts that `made_by` returned."""
        return self.template.table([np.concatenate(columns) for columns in zip(*parts, strict=True)])

    def _cells(self, made: np.ndarray, codes: np.ndarray) -> list[np.ndarray]:
        reader, learned = self.reader, self.learned
        n_rows = len(codes)
        numbers = np.full((n_rows, len(reader.numeric)), np.nan)
        numbers[:, learned.is_continuous] = learned.grid.numbers(ndtr(made))
        for i, column in enumerate(self.coded):
            own = codes[:, len(reader.categorical) + i]
            values = np.append(learned.atoms[column], np.nan)
            numbers[:, column] = np.where(own == 0, numbers[:, column], values[np.maximum(own - 1, 0)])
        cells = [np.full(n_rows, None, dtype=object) for _ in reader.columns]
        for i, position in enumerate(reader.numeric):
            present = np.flatnonzero(~np.isnan(numbers[:, i]))
            filling = Filling(present, numbers[present, i], reader.columns[position])
            cells[position][present] = as_cells(filling, self.template.is_whole(position))
        for i, position in enumerate(reader.categorical):
            categories = np.array([None, *reader.columns[position].categories, None], dtype=object)
            cells[position] = categories[codes[:, i]]
        return cells

    # ------------------------------------------------------------------ files

    def to_state(self) -> dict[str, Any]:
        learned = self.learned
        return {
            "columns": [column_to_state(column) for column in self.reader.columns],
            "atoms": learned.atoms, "has_gaps": learned.has_gaps, "is_continuous": learned.is_continuous,
            "grid": learned.grid.grid, "template": self.template.to_state(),
            "condition": None if self.condition is None else self.condition.to_state(),
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> GeneratedTable:
        names = ("columns", "atoms", "has_gaps", "is_continuous", "grid", "template", "condition")
        check_names("table", state, names)
        reader = TableReader([column_from_state(column) for column in state["columns"]])
        atoms, has_gaps, is_continuous, grid = (state[name] for name in names[1:5])
        d, n_columns = len(reader.numeric), len(reader.numeric) + len(reader.categorical)
        fits = len(atoms) == d and has_gaps.shape == (n_columns,) and is_continuous.shape == (d,)
        if not fits or grid.ndim != 2 or grid.shape[1] != int(is_continuous.sum()):
            raise DamagedFileError("table: columns and what was learned about them do not belong together.")
        condition = None if state["condition"] is None else Condition.from_state(state["condition"])
        learned = _Learned(atoms, has_gaps, is_continuous, QuantileGrid(grid))
        return cls(reader, learned, condition, Template.from_state(state["template"]))

    def probe_rows(self, random: np.random.RandomState) -> Any:
        n_rows = 16
        codes = [random.randint(1, max(2, n - 1), n_rows) for n in self.n_codes]
        stacked = np.stack(codes, axis=1) if codes else np.empty((n_rows, 0), dtype=np.int64)
        made = random.standard_normal((n_rows, int(self.learned.is_continuous.sum())))
        table = self.template.table(self._cells(made, stacked))
        return table if self.condition is None else Tagged(table, self.condition.draw(n_rows, random))


def _atoms(column: np.ndarray) -> np.ndarray:
    """The numbers of a column (n_rows,) that are drawn as codes."""
    present = column[~np.isnan(column)]
    values, counts = np.unique(present, return_counts=True)
    return values if len(values) <= _FEW_VALUES else values[counts >= _FREQUENT * len(present)]


def _is_atom(numbers: np.ndarray, atoms: list[np.ndarray]) -> np.ndarray:
    return np.stack([np.isin(column, own) for column, own in zip(numbers.T, atoms, strict=True)], axis=1).reshape(
        numbers.shape
    )
