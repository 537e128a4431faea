"""What the hyperparameters of an estimator or a callback are, whatever signature its class has."""

from __future__ import annotations

import inspect
from typing import Any

from sklearn.base import BaseEstimator
from skorch.callbacks import Callback

__all__ = ["constructor_names", "hyperparameter_names", "hyperparameters", "store_arguments", "takes_any_name"]


def hyperparameters(estimator: BaseEstimator) -> dict[str, Any]:
    """Name and value of every hyperparameter, also of those that the constructor of a subclass hides.

    ``get_params`` returns what the constructor of the estimator's own class takes. A subclass with another signature
    passes the rest to ``super().__init__``, which stores it.
    """
    try:
        return {name: getattr(estimator, name) for name in hyperparameter_names(type(estimator))}
    except AttributeError as error:
        raise TypeError(
            f"{type(estimator).__name__} lacks a parameter: {error}. Its __init__ must call super().__init__(), and "
            "store each parameter of its own under the same name."
        ) from error


def store_arguments(estimator: BaseEstimator, arguments: dict[str, Any]) -> None:
    """Keep the arguments of a constructor, its ``locals()``, as attributes of the same names."""
    vars(estimator).update({name: arguments[name] for name in arguments if name not in ("self", "__class__")})


def hyperparameter_names(kind: type) -> list[str]:
    """Parameters of the constructors of a class and of all its bases."""
    return list(dict.fromkeys(name for constructor in _constructors(kind) for name in _named(constructor)))


def constructor_names(kind: type) -> list[str]:
    """Names that the constructor of a class takes; behind its ``**kwargs``, those of its base classes."""
    names: dict[str, None] = {}
    for constructor in _constructors(kind):
        names |= dict.fromkeys(_named(constructor))
        if not takes_any_name(constructor):
            break
    return list(names)


def takes_any_name(kind: type) -> bool:
    """Whether the constructor of a class takes ``**kwargs``."""
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(kind).parameters.values())


def _constructors(kind: type) -> list[type]:
    """The class that defines the constructor, perhaps a mixin, and its bases that define one, but no further mixins."""
    defined = [base for base in kind.__mro__ if "__init__" in vars(base) and base is not object]
    return [base for base in defined if base is defined[0] or issubclass(base, BaseEstimator | Callback)]


def _named(kind: type) -> list[str]:
    return [p.name for p in _parameters(kind) if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]


def _parameters(kind: type) -> list[inspect.Parameter]:
    return list(inspect.signature(vars(kind)["__init__"]).parameters.values())[1:]
