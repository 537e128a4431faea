"""The caller's callbacks: their names, as in skorch, and their parameters as ``callbacks__NAME__x``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skorch.callbacks import Callback

from .._errors import shown
from ..callbacks._protocol import class_of

__all__ = ["callback_params", "with_callback_params"]


def callback_params(callbacks: Any) -> dict[str, Any]:
    """Each callback as ``NAME``, and the parameters of instances as ``NAME__x``."""
    params: dict[str, Any] = {}
    for name, callback in _named(callbacks):
        params[name] = callback
        if isinstance(callback, Callback):
            params |= {f"{name}__{key}": value for key, value in callback.get_params().items()}
    return params


def with_callback_params(callbacks: Any, changes: Mapping[str, Any]) -> list[Any]:
    """A new list of callbacks with these changes: ``NAME`` puts another callback in its place, or None takes it out.

    ``NAME__x`` sets a parameter of the instance itself. A class becomes an instance.
    """
    if not (callbacks is None or isinstance(callbacks, list | tuple)):
        raise ValueError(f"callbacks is {shown(callbacks)}; expected a list of callbacks. Pass callbacks=[...].")
    names, present = [name for name, _ in _named(callbacks)], list(callbacks or ())
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(
            f"callbacks: the name {twice!r} belongs to two callbacks; expected distinct names. Those of one "
            "class or name are numbered; pass pairs (name, callback) to name them otherwise."
        )
    named = dict(_named(callbacks))
    pairs = {name: isinstance(item, tuple) for name, item in zip(named, present, strict=True)}
    for key, value in sorted(changes.items()):  # the callbacks themselves, then their parameters
        name, separator, parameter = key.partition("__")
        if name not in named:
            raise ValueError(f"Invalid parameter callbacks__{key}: no callback has this name. Valid names: {[*named]}.")
        if not separator:
            named[name] = value
        elif isinstance(named[name], type):
            named[name] = named[name](**{parameter: value})
        elif not isinstance(named[name], Callback):
            raise ValueError(
                f"callbacks__{key}: {name} is {shown(named[name])}, without parameters; expected a skorch callback."
            )
        else:
            named[name].set_params(**{parameter: value})
    return [(name, made) if pairs[name] else made for name, made in named.items() if made is not None]


def _named(callbacks: Any) -> list[tuple[str, Any]]:
    given: Sequence[Any] = callbacks if isinstance(callbacks, list | tuple) else ()
    pairs = [item if isinstance(item, tuple) and len(item) == 2 else (class_of(item).__name__, item) for item in given]
    names = [name for name, _ in pairs]
    return [
        (name if names.count(name) == 1 else f"{name}_{names[: i + 1].count(name)}", callback)
        for i, (name, callback) in enumerate(pairs)
    ]
