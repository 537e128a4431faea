"""Methods that an estimator lacks, and the ones that serve in their place."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["NotHere"]


class NotHere:
    """A name that is no attribute of a class: its AttributeError says what to use. `hasattr` stays false."""

    def __init__(self, advice: str) -> None:
        self.advice = advice

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> NoReturn:
        """Refuse the name."""
        raise AttributeError(
            f"{owner.__name__} has no {self.name}: {self.advice}", name=self.name, obj=instance or owner
        )
