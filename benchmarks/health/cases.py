"""All cases."""

from __future__ import annotations

from pathlib import Path

from . import (
    faults_code,
    faults_data,
    faults_gradients,
    faults_roots,
    faults_training,
    faults_units,
    healthy_networks,
    healthy_recipes,
    healthy_tables,
    limited_results,
)
from .case import Case
from .real_tables import real_cases

__all__ = ["all_cases"]


def all_cases(folder: Path | None = None) -> list[Case]:
    """The cases, and default estimators on the tables of a folder."""
    faulty = [*faults_gradients.CASES, *faults_units.CASES, *faults_training.CASES, *faults_data.CASES]
    faulty += [*faults_roots.CASES, *faults_code.CASES]
    fine = [*healthy_tables.CASES, *healthy_recipes.CASES, *healthy_networks.CASES]
    return [*faulty, *limited_results.CASES, *fine, *(real_cases(folder) if folder else [])]
