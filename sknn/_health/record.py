"""What was found in a training run, as text, HTML and a plot."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from .._plotting import draw_gradient_flow

__all__ = ["EpochHealth", "Finding", "LayerHealth", "Notice", "Repair", "TrainingHealth"]


@dataclass(frozen=True)
class Finding:
    """One thing that goes wrong in training.

    Attributes
    ----------
    symptom : str
        One of ``"non_finite"``, ``"exploding"``, ``"vanishing"``, ``"dead_units"``, ``"saturated_units"``,
        ``"loss_diverging"``, ``"not_learning"``, ``"overfitting"``, ``"input_scale"``, ``"output_mismatch"``,
        ``"symmetric_init"``.
    layer : str or None
        The layer, as named by ``module.named_parameters()`` or ``named_modules()``; a column if the input is at fault.
    epoch : int
        The epoch in which it was detected, from 1; 0 before the first step.
    evidence : str
        The number measured and the number expected.
    remedy : str
        The parameter of the estimator to change.
    cause : str or None
        For ``"not_learning"``: ``"loss"``, ``"noise"``, ``"small_updates"``, ``"schedule"``, ``"weight_decay"``,
        ``"frozen"``, ``"constant_outputs"``, ``"ignores_inputs"``, ``"cut_off"``, ``"unrelated_labels"``,
        ``"wild_targets"`` or ``"unknown"``; for ``"exploding"``: ``"target_scale"``, ``"initial_weights"``,
        ``"depth"``, ``"recurrence"``, ``"initial_loss"``, ``"gradients"`` or ``"updates"``; for ``"non_finite"``:
        ``"first_step"`` if no step can have been the cause.
    """

    symptom: str
    layer: str | None
    epoch: int
    evidence: str
    remedy: str
    cause: str | None = None

    def __str__(self) -> str:
        where = f" in {self.layer}" if self.layer else ""
        when = f"in epoch {self.epoch}" if self.epoch else "before the first step"
        return f"{self.symptom}{where} {when}: {self.evidence} Try {self.remedy}"


@dataclass(frozen=True)
class Notice:
    """What a user should know about the result, though training itself showed no fault. No warning is given.

    Attributes
    ----------
    name : str
        ``"no_skill"``: hardly better than a constant guess. ``"not_converged"``: the loss still fell at the end.
        ``"not_judged"``: too few rows or steps to judge by, or a loss that a few wild targets decide.
    evidence : str
        The number measured and the number expected.
    remedy : str
        What to check or to change.
    """

    name: str
    evidence: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.evidence} Try {self.remedy}"


@dataclass(frozen=True)
class Repair:
    """One change that ``gradient_health="repair"`` made.

    Attributes
    ----------
    symptom : str
        The symptom that it was meant to remove.
    epoch : int
        The last epoch before the change, from 1; 0 before the first step.
    change : str
        What was changed, from what to what.
    kept : bool
        Whether the skill was better after as many steps; if not, everything was restored.
    skill_before, skill_after : float
        1 - training loss / that of the best constant guess.
    """

    symptom: str
    epoch: int
    change: str
    kept: bool
    skill_before: float
    skill_after: float

    def __str__(self) -> str:
        outcome = "kept" if self.kept else "undone"
        skills = f"skill {self.skill_before:.3g} before, {self.skill_after:.3g} after"
        return f"repair of {self.symptom} after epoch {self.epoch}: {self.change} ({outcome}; {skills})"


@dataclass(frozen=True)
class LayerHealth:
    """A layer in an epoch: medians over the measured steps.

    Attributes
    ----------
    relative_gradient : float
        Norm of the gradient / norm of the weights.
    update : float
        Norm of the actual change of the weights in a step / norm of the weights; NaN if no step was measured.
    weight_norm : float
    """

    relative_gradient: float
    update: float
    weight_norm: float


@dataclass(frozen=True)
class EpochHealth:
    """An epoch of a training run.

    Attributes
    ----------
    epoch : int
        From 1.
    skill : float
        1 - training loss / loss of the best constant guess: 0 for a network that learned nothing, at most 1.
    layers : dict of str to LayerHealth
        From the input to the output.
    """

    epoch: int
    skill: float
    layers: dict[str, LayerHealth]


@dataclass(repr=False)
class TrainingHealth:
    """What was found in a training run: printed as text, shown as a table in a notebook.

    Attributes
    ----------
    findings : list of Finding
        Root causes only, without their consequences.
    notices : list of Notice
        What limits a result without findings; empty if there are findings that were not repaired.
    repairs : list of Repair
    epochs : list of EpochHealth
    constant_loss : float
        Training loss of the best constant guess; NaN if it is not known.
    skill : float
        1 - loss / loss of the best constant guess, for the weights that are kept: on held-out rows if there are any,
        else on training rows; NaN if it is not known.
    best_epoch : int
        The epoch whose weights are kept, from 1; 0 if no epoch was finished.
    was_judged : bool
        Whether there were enough rows and steps to judge by, and a skill that says something.
    falls_short : bool
        Whether the result has clearly less skill than a simple model, so that it does not count as repaired.
    """

    findings: list[Finding] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    epochs: list[EpochHealth] = field(default_factory=list)
    constant_loss: float = float("nan")
    skill: float = float("nan")
    best_epoch: int = 0
    was_judged: bool = True
    falls_short: bool = False

    @property
    def status(self) -> str:
        """``"healthy"``, ``"not_converged"``, ``"unhealthy"``, ``"repaired"`` or ``"unknown"``.

        Repaired: a change was kept for each finding, and the result has skill, near that of a simple model.
        Unknown: nothing was found, but the network has learned little, or there was too little to judge by.
        Not converged: nothing was found, but the loss still fell at the end.
        """
        names = {notice.name for notice in self.notices}
        if self.findings:
            repaired = {repair.symptom for repair in self.repairs if repair.kept}
            has_skill = not self.skill < 0 and "no_skill" not in names and not self.falls_short
            is_repaired = has_skill and all(finding.symptom in repaired for finding in self.findings)
            return "repaired" if is_repaired else "unhealthy"
        if "no_skill" in names or not self.was_judged:
            return "unknown"
        return "not_converged" if "not_converged" in names else "healthy"

    @property
    def n_repairs(self) -> int:
        """Changes that were kept."""
        return sum(repair.kept for repair in self.repairs)

    def __repr__(self) -> str:
        names = [*(finding.symptom for finding in self.findings), *(notice.name for notice in self.notices)]
        found = "".join(f", {name}" for name in names if name != self.status)
        return f"<TrainingHealth: {self.status}{found}, {len(self.epochs)} epochs>"

    def __str__(self) -> str:
        return "\n".join([self.status, *map(str, [*self.findings, *self.notices, *self.repairs])])

    def _repr_html_(self) -> str:
        entries = [
            *((f.symptom, f.layer or "", f.epoch, f.evidence, f.remedy) for f in self.findings),
            *((notice.name, "", "", notice.evidence, notice.remedy) for notice in self.notices),
        ]
        head = "".join(f"<th>{name}</th>" for name in ("symptom", "layer", "epoch", "evidence", "remedy"))
        rows = "".join(
            "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(str(value))}</td>" for value in entry) + "</tr>"
            for entry in entries
        )
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
        repairs = "".join(f"<li>{html.escape(str(repair))}</li>" for repair in self.repairs)
        return f"<div><b>Training: {self.status}</b>{table}{f'<ul>{repairs}</ul>' if repairs else ''}</div>"

    def plot(self, ax: Any = None) -> Any:
        """Draw the relative gradient of each layer in each epoch, and mark the epoch whose weights are kept.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw into; None makes a figure.

        Returns
        -------
        ax : matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is missing: ``pip install "sknn[plot]"``.
        ValueError
            No epoch was recorded.
        """
        epochs = [epoch for epoch in self.epochs if epoch.layers]
        if not epochs:
            raise ValueError("No epoch was recorded, so there is no gradient flow to draw. Fit for an epoch first.")
        flow = {name: [epoch.layers[name].relative_gradient for epoch in epochs] for name in epochs[-1].layers}
        found = ", ".join(dict.fromkeys(finding.symptom for finding in self.findings)) or self.status.replace("_", " ")
        title = f"Gradient flow: {found}{', repaired' if self.status == 'repaired' else ''}"
        changes = [repair.epoch for repair in self.repairs]
        return draw_gradient_flow(flow, [epoch.epoch for epoch in epochs], title, changes, self.best_epoch, ax)
