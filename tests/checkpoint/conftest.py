"""No fit is interrupted unless a test asks for it."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch):
    monkeypatch.setenv("POWER_CUT_AFTER", "None")
    monkeypatch.setenv("EPOCHS_RUN", "0")
