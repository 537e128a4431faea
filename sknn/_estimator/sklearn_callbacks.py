"""scikit-learn's callback API (1.9, SLEP023): one task per epoch. Older versions have no callbacks."""

from __future__ import annotations

from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks

    HAS_CALLBACKS = True
except ImportError:  # scikit-learn < 1.9
    HAS_CALLBACKS = False

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """No callback API in this version of scikit-learn."""

    def with_callbacks(method: Any) -> Any:  # type: ignore[no-redef]
        """The method itself."""
        return method


__all__ = ["HAS_CALLBACKS", "CallbackSupportMixin", "with_callbacks"]
