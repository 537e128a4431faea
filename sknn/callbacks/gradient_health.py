"""Watch a training for numbers that are no numbers, and keep its predictions finite."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

from skorch.callbacks import Callback

from ..exceptions import GradientHealthWarning, TrainingHealthError
from ._state import ModuleState, StopTraining

__all__ = ["Finding", "GradientHealth", "TrainingHealth"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a training.

    Attributes
    ----------
    symptom : str
        ``"non_finite"``.
    layer : str or None
        Where it was seen first, where that is known.
    epoch : int
        When it was seen, from 1.
    evidence : str
        The number seen and the number expected.
    remedy : str
        The parameter of the estimator to change.
    """

    symptom: str
    layer: str | None
    epoch: int
    evidence: str
    remedy: str

    def __str__(self) -> str:
        where = f" in {self.layer}" if self.layer else ""
        return f"{self.symptom}{where} in epoch {self.epoch}: {self.evidence} Try {self.remedy}"


@dataclass
class TrainingHealth:
    """What was found in a training.

    Attributes
    ----------
    findings : list of Finding
    """

    findings: list[Finding] = field(default_factory=list)

    @property
    def status(self) -> str:
        """``"healthy"`` or ``"sick"``."""
        return "sick" if self.findings else "healthy"

    def __str__(self) -> str:
        return "\n".join([self.status, *map(str, self.findings)])


class GradientHealth(Callback):
    """Stop a training whose loss or weights are no longer finite, and put the last finite weights back.

    Works in sknn's estimators and in any ``skorch.NeuralNet``.

    Parameters
    ----------
    action : {"warn", "raise"}, default="warn"
        Whether a finding is a :class:`~sknn.exceptions.GradientHealthWarning` or a
        :class:`~sknn.exceptions.TrainingHealthError`.

    Attributes
    ----------
    health_ : TrainingHealth

    Notes
    -----
    Cost: one copy of the weights and one device synchronisation an epoch.

    Examples
    --------
    >>> from sknn.callbacks import GradientHealth
    >>> GradientHealth(action="raise").action
    'raise'
    """

    def __init__(self, action: str = "warn") -> None:
        self.action = action

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Remember the weights that training starts from."""
        self.health_ = TrainingHealth()
        self._last_finite: ModuleState | None = ModuleState(net)

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Look at the loss and the weights of this epoch."""
        record = net.history[-1]
        assert self._last_finite is not None
        loss = record.get("train_loss", 0.0)
        if math.isfinite(loss) and self._last_finite.is_finite():
            self._last_finite.save()
            return
        what = f"the training loss is {loss}" if not math.isfinite(loss) else "weights are NaN or infinite"
        self._last_finite.restore()
        finding = Finding(
            symptom="non_finite",
            layer=None,
            epoch=len(net.history),
            evidence=f"{what}; training stops and goes back to the last finite weights.",
            remedy=f"a lower lr (it is {record.get('lr', getattr(net, 'lr', None))!r}), gradient_clipping=1.0, "
            "or preprocessing=True where inputs are very large.",
        )
        self.health_.findings.append(finding)
        if self.action == "raise":
            raise TrainingHealthError(str(finding), self.health_)
        warnings.warn(str(finding), GradientHealthWarning, stacklevel=2)
        raise StopTraining

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Let the copy go."""
        self._last_finite = None
