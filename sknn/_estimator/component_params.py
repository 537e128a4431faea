"""``module__dropout`` as a view of ``module_params["dropout"]``, for module, criterion and optimizer."""

from __future__ import annotations

import inspect
from typing import Any, Self

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from .._data.kinds import is_auto
from .._errors import one_line, shown
from .._hyperparameters import constructor_names, hyperparameters, takes_any_name
from .._network.signature import name_of
from .callback_params import callback_params, with_callback_params
from .components import COMPONENTS, FILLED_IN, accepted_params
from .other_names import hint, hint_inside

__all__ = ["ComponentParams", "check_names"]


def check_names(kind: str, component: Any, names: list[str]) -> None:
    defaults, open_ended = accepted_params(kind, component)
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise TypeError(
            f"{kind}_params has the key {shown(odd[0])}, expected names of parameters, as {{'NAME': value}}."
        )
    unknown = [name for name in names if name not in defaults]
    if not unknown or open_ended:
        return
    if isinstance(component, torch.nn.Module):
        raise ValueError(
            f"Invalid parameter {kind}__{unknown[0]}: {kind} is an instance of {type(component).__name__}, whose "
            f"parameters are fixed. Pass the class, {kind}={type(component).__name__}, to tune them."
        )
    fix = " Use the estimator's own parameter lr." if unknown[0] == "lr" else hint_inside(unknown[0], defaults)
    if unknown[0] in FILLED_IN[kind] - {"lr"}:
        fix = " It is filled in from the data during fit."
    raise ValueError(
        f"Invalid parameter {unknown[0]!r} for {kind} {name_of(component)}. Valid parameters of {kind}_params "
        f"(or {kind}__NAME) are: {sorted(defaults)}.{fix}"
    )


class ComponentParams(BaseEstimator):
    """get_params and set_params with ``module__x``, ``criterion__x``, ``optimizer__x`` and ``callbacks__NAME__x``."""

    _parameter_constraints: dict[str, list[Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse unknown arguments with a hint; Python's own message, from ``__init__``, has none."""
        accepted = constructor_names(cls) if kwargs else []
        unknown = [name for name in kwargs if name not in accepted]
        if unknown and not takes_any_name(cls):
            raise TypeError(
                f"{cls.__name__}.__init__() got an unexpected keyword argument {unknown[0]!r}."
                f"{hint(unknown[0], accepted, {**_components(cls), **kwargs})}"
            )
        return super().__new__(cls)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters for this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether parameters of components and callbacks are included with their present values, as
            ``module__dropout`` and ``callbacks__EarlyStopping__patience``.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        params = super().get_params(deep=deep)
        params |= {name: getattr(self, name) for name in constructor_names(type(self)) if name not in params}
        for kind in COMPONENTS if deep else ():
            if f"{kind}_params" in params:
                component = getattr(self, kind)
                # Of module="auto" X decides which network has which defaults.
                defaults = {} if kind == "module" and is_auto(component) else accepted_params(kind, component)[0]
                given = params[f"{kind}_params"]
                in_use = {**defaults, **(given if isinstance(given, dict) else {})}
                known = {name: value for name, value in in_use.items() if value is not inspect.Parameter.empty}
                params |= {f"{kind}__{name}": value for name, value in known.items()}
        if deep and "callbacks" in params:
            params |= {f"callbacks__{name}": value for name, value in callback_params(params["callbacks"]).items()}
        return params

    def set_params(self, **params: Any) -> Any:
        """Set parameters; ``module__dropout=0.1`` writes a new ``module_params``, clones keep theirs.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator; or of a component, as ``module__NAME``, ``criterion__NAME`` and
            ``optimizer__NAME``; or of a callback, as ``callbacks__EarlyStopping__patience``.

        Returns
        -------
        self : estimator instance

        Raises
        ------
        ValueError
            A name that the estimator or the component does not accept; the valid names are listed.
        """
        accepted = constructor_names(type(self))
        nested: dict[str, dict[str, Any]] = {kind: {} for kind in COMPONENTS if f"{kind}_params" in accepted}
        of_callbacks, own = {}, {}
        for key, value in params.items():
            kind, separator, name = key.partition("__")
            if separator and kind in nested:
                nested[kind][name] = value
            elif separator and kind == "callbacks" and kind in accepted:
                of_callbacks[name] = value
            elif kind in accepted:
                own[key] = value
            else:
                components = {**_components(type(self)), **vars(self)}
                raise ValueError(
                    f"Invalid parameter {kind!r} for estimator {self}. Valid parameters are: {sorted(accepted)}."
                    f"{hint(key, accepted, components)}"
                )
        for kind, values in nested.items():
            if values:
                check_names(kind, own.get(kind, getattr(self, kind)), list(values))
        if of_callbacks:
            own["callbacks"] = with_callback_params(own.get("callbacks", vars(self)["callbacks"]), of_callbacks)
        super().set_params(**own)
        for kind, values in nested.items():
            if values:
                setattr(self, f"{kind}_params", {**(getattr(self, f"{kind}_params") or {}), **values})
        return self

    def _validate_params(self) -> None:
        """scikit-learn's check against ``_parameter_constraints``, with a short message whatever the value is."""
        try:
            validate_parameter_constraints(self._parameter_constraints, hyperparameters(self), type(self).__name__)
            self._check_magnitudes()
        except Exception as error:  # its message holds the repr of the value, which may fail, or be endless
            self._refuse_optimizer_instance()
            if isinstance(error, InvalidParameterError) and len(str(error)) < 1000:
                raise InvalidParameterError(one_line(str(error))) from None
            name, value = self._odd_parameter()
            raise InvalidParameterError(
                f"The {name!r} parameter of {type(self).__name__} is {shown(value)} of type {type(value).__name__}, "
                "which is not allowed. See the docstring for what is."
            ) from error

    def _refuse_optimizer_instance(self) -> None:
        optimizer = hyperparameters(self)["optimizer"]
        if isinstance(optimizer, torch.optim.Optimizer):
            name = type(optimizer).__name__
            raise InvalidParameterError(
                f"The 'optimizer' parameter of {type(self).__name__} is an instance of {name}, which belongs to the "
                f"parameters of another network. Pass the class and its arguments: optimizer={name}, "
                "optimizer_params={...}, lr=..."
            )

    def _check_magnitudes(self) -> None:
        """Refuse integers that no float can hold, which scikit-learn's check of ranges accepts."""
        for name, value in hyperparameters(self).items():
            if isinstance(value, int) and abs(value) >= 2**1023:
                raise InvalidParameterError(
                    f"The {name!r} parameter of {type(self).__name__} is an integer of {value.bit_length()} bits, too "
                    "large to compute with. Expected a number below 1e308."
                )

    def _odd_parameter(self) -> tuple[str, Any]:
        """The first parameter that scikit-learn's check refuses, or fails on."""
        for name, value in hyperparameters(self).items():
            try:
                validate_parameter_constraints(self._parameter_constraints, {name: value}, type(self).__name__)
            except Exception:
                return name, value
        raise AssertionError("all parameters are allowed")

    def _check_component_params(self) -> None:
        """At fit: refuse names in ``*_params`` that the component does not accept."""
        for kind in COMPONENTS:
            given = getattr(self, f"{kind}_params")
            if given and not (kind == "module" and is_auto(self.module)):  # which network that is, X decides
                check_names(kind, getattr(self, kind), list(given))


def _components(kind: type) -> dict[str, Any]:
    """Defaults of the components in the constructor of a class."""
    parameters = inspect.signature(kind).parameters
    return {name: parameters[name].default for name in COMPONENTS if name in parameters}
