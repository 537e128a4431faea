"""Which parameters module, loss and optimizer take."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any

from .._data.kinds import default_modules
from .._network.signature import IN_FEATURES, OUT_FEATURES
from ..losses import LOSSES
from ..optim import Muon

__all__ = ["COMPONENTS", "FILLED_IN", "accepted_params"]

COMPONENTS = ("module", "criterion", "optimizer")

# Arguments that the estimator fills in from the data, so that they are no hyperparameters.
FILLED_IN = {
    "module": frozenset((*IN_FEATURES, *OUT_FEATURES, "in_shape", "cat_cardinalities")),
    "criterion": frozenset(),
    "optimizer": frozenset({"params", "lr"}),
}


def _signature_parameters(component: Any) -> list[inspect.Parameter]:
    """Constructor parameters of a class or function; none for anything else, such as an instance."""
    if not (isinstance(component, type) or inspect.isroutine(component) or isinstance(component, functools.partial)):
        return []
    try:
        return list(inspect.signature(component).parameters.values())
    except (TypeError, ValueError):
        return []


def accepted_params(kind: str, component: Any) -> tuple[dict[str, Any], bool]:
    """Names and defaults (or ``Parameter.empty``) that the component's constructor accepts, and if it has ``**kwargs``.

    `component` is the value of the parameter `kind`; an instance accepts nothing.
    """
    candidates: Iterable[Any] = (component,)
    if kind == "criterion" and isinstance(component, str):
        candidates = LOSSES.get(component, ())
    elif kind == "module" and isinstance(component, str):  # the last one's defaults are shown: those for tables
        candidates = reversed(default_modules()) if component == "auto" else ()
    elif kind == "optimizer" and isinstance(component, str):
        # AdamW takes these, too.
        candidates = (Muon,) if component == "auto" else ()
    parameters = [parameter for candidate in candidates for parameter in _signature_parameters(candidate)]
    named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in FILLED_IN[kind]]
    return {p.name: p.default for p in named}, any(p.kind is p.VAR_KEYWORD for p in parameters)
