"""The caller's callbacks: their names, as in skorch, their parameters as ``callbacks__NAME__x``, and their pickles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import cloudpickle
from skorch.callbacks import Callback

from .._errors import one_line
from ..callbacks._protocol import SknnCallback

__all__ = ["callback_params", "check_pickling", "class_of", "with_callback_params"]

# While callbacks are pickled as a check: one may refer to its estimator, which would be checked again.
_is_checking = ContextVar("_is_checking", default=False)


def class_of(callback: Any) -> type:
    """Class of a callback that is given as an instance, a class, or a pair of name and either."""
    made = callback[-1] if isinstance(callback, tuple) and callback else callback
    return made if isinstance(made, type) else type(made)


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
    named, present = dict(_named(callbacks)), list(callbacks or ())
    pairs = {name: isinstance(item, tuple) for name, item in zip(named, present, strict=True)}
    for key, value in sorted(changes.items()):  # the callbacks themselves, then their parameters
        name, separator, parameter = key.partition("__")
        if name not in named:
            raise ValueError(f"Invalid parameter callbacks__{key}: no callback has this name. Valid names: {[*named]}.")
        if not separator:
            named[name] = value
        elif isinstance(named[name], type):
            named[name] = named[name](**{parameter: value})
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


def check_pickling(callbacks: Iterable[Any]) -> None:
    """Raise a TypeError that names a callback which cannot be pickled: Python's names neither it nor the attribute."""
    if _is_checking.get():
        return
    token = _is_checking.set(True)
    try:
        for callback in callbacks:
            if not isinstance(callback, SknnCallback):
                _try_to_pickle(callback)
    finally:
        _is_checking.reset(token)


def _try_to_pickle(callback: Any) -> None:
    try:
        cloudpickle.dumps(callback)
    except Exception as error:
        raise TypeError(
            f"callbacks: {class_of(callback).__name__} cannot be pickled: {one_line(str(error))}. Give the class a "
            "__getstate__ that leaves this out, or store the model by sknn.save after set_params(callbacks=None)."
        ) from error
