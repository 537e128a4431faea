"""What an estimator adds to its pickle: the versions that wrote it, and whether the optimizer goes with it."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from .._versions import versions

__all__ = ["PicklingMixin"]


def _versions() -> dict[str, str]:
    in_use = versions()
    return {package: in_use[package] for package in ("sknn", "scikit-learn", "torch")}


class PicklingMixin:
    """Pickles that name the versions they were written with."""

    warm_start: bool

    def __getstate__(self) -> dict[str, Any]:
        """Parameters and what was learned; the optimizer's state only for a ``warm_start``."""
        net = vars(self).get("net_")
        if net is not None:  # the parameter may have been set since fit
            net.keeps_optimizer = bool(self.warm_start)
        state: Any = super().__getstate__()
        return {**state, "_versions": _versions()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """As written; warn once if a package has another version now."""
        state = dict(state)
        written, present = state.pop("_versions", {}), _versions()
        others = [package for package, version in written.items() if present.get(package) != version]
        if others:
            warnings.warn(
                InconsistentVersionWarning(
                    estimator_name=type(self).__name__,
                    current_sklearn_version=", ".join(f"{package} {present.get(package)}" for package in others),
                    original_sklearn_version=", ".join(f"{package} {written[package]}" for package in others),
                ),
                stacklevel=2,
            )
        super().__setstate__(state)  # pyright: ignore[reportAttributeAccessIssue]
