"""A figure, its bar, and whether it is met."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Figure", "print_figures"]


@dataclass
class Figure:
    """One line of the table.

    Attributes
    ----------
    name : str
    measured, bar : str
    met : bool
    failures : list of str
        What went wrong, one line each.
    """

    name: str
    measured: str
    bar: str
    met: bool
    failures: list[str]


def print_figures(figures: list[Figure]) -> None:
    """A Markdown table, and below it what went wrong."""
    print("| figure | measured | bar | |\n|---|---|---|---|")
    for figure in figures:
        print(f"| {figure.name} | {figure.measured} | {figure.bar} | {'met' if figure.met else 'MISSED'} |")
    for figure in figures:
        for failure in figure.failures:
            print(f"{figure.name}: {failure}")
