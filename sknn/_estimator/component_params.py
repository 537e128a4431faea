"""``module__dropout`` as a view of ``module_params["dropout"]``, for module, criterion and optimizer."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from .._errors import shown
from .._network.signature import IN_FEATURES, OUT_FEATURES, name_of
from ..losses import LOSSES

__all__ = ["ComponentParams", "accepted_params"]

COMPONENTS = ("module", "criterion", "optimizer")

# Arguments that the estimator fills in from the data, so that they are no hyperparameters.
FILLED_IN = {
    "module": frozenset((*IN_FEATURES, *OUT_FEATURES, "cat_cardinalities")),
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
    candidates = LOSSES.get(component, ()) if kind == "criterion" and isinstance(component, str) else (component,)
    parameters = [parameter for candidate in candidates for parameter in _signature_parameters(candidate)]
    named = [p for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in FILLED_IN[kind]]
    return {p.name: p.default for p in named}, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _check_names(kind: str, component: Any, names: list[str]) -> None:
    defaults, open_ended = accepted_params(kind, component)
    unknown = [name for name in names if name not in defaults]
    if not unknown or open_ended:
        return
    if isinstance(component, torch.nn.Module):
        raise ValueError(
            f"Invalid parameter {kind}__{unknown[0]}: {kind} is an instance of {type(component).__name__}, whose "
            f"parameters are fixed. Pass the class, {kind}={type(component).__name__}, to tune them."
        )
    fix = " Use the estimator's own parameter lr." if unknown[0] == "lr" else ""
    if unknown[0] in FILLED_IN[kind] - {"lr"}:
        fix = " It is filled in from the data during fit."
    raise ValueError(
        f"Invalid parameter {unknown[0]!r} for {kind} {name_of(component)}. Valid parameters of {kind}_params "
        f"(or {kind}__NAME) are: {sorted(defaults)}.{fix}"
    )


class ComponentParams(BaseEstimator):
    """get_params and set_params with ``module__x``, ``criterion__x`` and ``optimizer__x``."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters for this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether parameters of the components are included with their present values, as ``module__dropout``.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        params = super().get_params(deep=deep)
        if deep:
            for kind in COMPONENTS:
                defaults, _ = accepted_params(kind, getattr(self, kind))
                given = getattr(self, f"{kind}_params")
                in_use = {**defaults, **(given if isinstance(given, dict) else {})}
                known = {name: value for name, value in in_use.items() if value is not inspect.Parameter.empty}
                params |= {f"{kind}__{name}": value for name, value in known.items()}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters; ``module__dropout=0.1`` writes a new ``module_params``, clones keep theirs.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator, or of a component as ``module__NAME``, ``criterion__NAME``,
            ``optimizer__NAME``.

        Returns
        -------
        self : estimator instance

        Raises
        ------
        ValueError
            A name that the estimator or the component does not accept; the valid names are listed.
        """
        nested: dict[str, dict[str, Any]] = {kind: {} for kind in COMPONENTS}
        own = {}
        for key, value in params.items():
            kind, separator, name = key.partition("__")
            if separator and kind in nested:
                nested[kind][name] = value
            else:
                own[key] = value
        for kind, values in nested.items():
            if values:
                _check_names(kind, own.get(kind, getattr(self, kind)), list(values))
        super().set_params(**own)
        for kind, values in nested.items():
            if values:
                setattr(self, f"{kind}_params", {**(getattr(self, f"{kind}_params") or {}), **values})
        return self

    def _validate_params(self) -> None:
        """scikit-learn's check against ``_parameter_constraints``, with a short message whatever the value is."""
        try:
            super()._validate_params()
            self._check_magnitudes()
        except Exception as error:  # its message holds the repr of the value, which may fail, or be endless
            if isinstance(error, InvalidParameterError) and len(str(error)) < 1000:
                raise
            name, value = self._odd_parameter()
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(self).__name__} is {shown(value)} of type {type(value).__name__}, "
                "which is not allowed. See the docstring for what is."
            ) from error

    def _check_magnitudes(self) -> None:
        """Refuse integers that no float can hold, which scikit-learn's check of ranges accepts."""
        for name, value in self.get_params(deep=False).items():
            if isinstance(value, int) and abs(value) >= 2**1023:
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} is an integer of {value.bit_length()} bits, too "
                    "large to compute with. Expected a number below 1e308."
                )

    def _odd_parameter(self) -> tuple[str, Any]:
        """The first parameter that scikit-learn's check refuses, or fails on."""
        params = self.get_params(deep=False)
        for name, value in params.items():
            try:
                validate_parameter_constraints(self._parameter_constraints, {name: value}, type(self).__name__)
            except Exception:
                return name, value
        raise AssertionError("all parameters are allowed")

    def _check_component_params(self) -> None:
        """At fit: refuse names in ``*_params`` that the component does not accept."""
        for kind in COMPONENTS:
            given = getattr(self, f"{kind}_params")
            if given:
                _check_names(kind, getattr(self, kind), list(given))
