"""Watch training, name what goes wrong, and repair it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._health.careful import careful
from .._health.evidence import Evidence
from .._health.initial_evidence import initial_evidence
from .._health.inspection import inspect_network
from .._health.notices import notices
from .._health.origin import Origin, origin_of
from .._health.record import EpochHealth, Finding, LayerHealth, Notice, Repair, TrainingHealth
from .._health.rules.diagnosis import diagnose, diagnose_before_training
from .._health.rules.non_finite import non_finite
from .._health.sampling import RowSource
from ..exceptions import TrainingHealthError
from ..losses._module import ModuleLoss
from ._finite_steps import FiniteSteps, Incident, columns_of
from ._protocol import SknnCallback, SknnNet, run_of
from ._repair import Repairs
from ._report import warn_of
from ._state import StopTraining
from .early_stopping import restored_epoch, stoppers_of
from .gradient_clipping import GradientClipping

__all__ = ["EpochHealth", "Finding", "GradientHealth", "LayerHealth", "Notice", "Repair", "TrainingHealth"]

# Findings whose consequence a non-finite value may be.
_BEFORE_NON_FINITE = ("non_finite", "input_scale", "loss_diverging", "exploding")
# Weights whose skill is so far below the best are not saved as the last good ones.
_A_STEP_BACK = 0.2
# No inspection is needed with so much skill, nor with some skill that rises from epoch to epoch.
_NO_DOUBT, _LITTLE_SKILL, _PROGRESS = 0.3, 0.1, 0.005


class GradientHealth(SknnCallback):
    """Watch training, name what goes wrong in one sentence, and repair it if asked to.

    Works in sknn's estimators and in any ``skorch.NeuralNet``; place it before
    :class:`~sknn.callbacks.GradientClipping` there.

    Parameters
    ----------
    action : {"warn", "raise", "repair"}, default="warn"
        A finding is a :class:`~sknn.exceptions.GradientHealthWarning`, of a subclass for each symptom, or a
        :class:`~sknn.exceptions.TrainingHealthError`. ``"repair"`` also warns, then makes one change (learning rate,
        initial weights, scale of the inputs), and keeps it if the skill is better after as many steps; at most three
        in a fit. In a plain skorch net inputs are not scaled, and training that has ended is not resumed.

    Attributes
    ----------
    health_ : TrainingHealth

    Notes
    -----
    Training is judged by its *skill*, ``1 - loss / L0``, with the loss :math:`L_0` of the best constant output under
    the same loss: 0 for a network that learned nothing, on any scale. A network of high skill is hardly ever reported,
    and of several symptoms only the root cause.

    A step whose gradient is NaN or infinite, or has an infinite norm, is skipped. Non-finite weights or buffers are
    restored from the last good epoch; if that does not help, training stops.

    Cost: the norm of the gradient in every step, norms of each layer in the first five steps and then in one of twenty
    or fewer, a copy of the weights per epoch, and at most four inspections, which are forward passes of 128 rows or 32
    images. Watching does not change what is trained.

    Examples
    --------
    >>> from sknn.callbacks import GradientHealth
    >>> GradientHealth(action="raise").action
    'raise'
    """

    _of_run = ("_steps", "_evidence", "_repairs")

    def __init__(self, action: str = "warn") -> None:
        self.action = action

    # ------------------------------------------------------------------ events

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Save the weights that training starts from."""
        if self.action not in ("warn", "raise", "repair"):
            raise ValueError(f"GradientHealth: action={self.action!r}; expected 'warn', 'raise' or 'repair'.")
        self.health_ = TrainingHealth()
        self._steps: FiniteSteps | None = FiniteSteps(net, most_restored=1 if self.action == "repair" else 3)
        self._evidence: Evidence | None = None
        self._repairs = Repairs(net, self.health_, self) if self.action == "repair" else None
        self.has_ended = False

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Inspect network, loss and data before the first step."""
        e = self._evidence or self._begin(net, dataset_train, dataset_valid)
        assert self._steps is not None
        if (run := run_of(net)) is not None:
            e.planned_epochs = run.planned_epochs  # more, if a fit continues a stored one of fewer epochs
        e.norms.new_epoch()
        self._first_step = self._steps.n_steps + 1

    def on_grad_computed(self, net: Any, named_parameters: Any = None, batch: Any = None, **kwargs: Any) -> None:
        """Between the backward pass and the step."""
        steps, e = self._steps, self._evidence
        assert steps is not None
        incident = steps.check(net, named_parameters, batch)
        if incident is not None:
            self._report_incident(net, incident)
        if steps.is_over or e is None:
            return
        if self._repairs is not None and self._repairs.changes.clipping is not None:
            self._repairs.changes.clipping.on_grad_computed(net, named_parameters, batch=batch, **kwargs)
        if e.norms.is_due(steps.n_steps):
            careful(e.norms.at_gradient, steps.n_steps, net.optimizer_.param_groups[0]["lr"], draws=False)

    def on_epoch_end(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Add the epoch to the evidence, sometimes inspect the network, and judge."""
        e, steps = self._evidence, self._steps
        assert e is not None
        assert steps is not None
        incident = steps.end_epoch(net, steps.n_steps - self._first_step + 1)
        losses = self._add_epoch(net, e)
        if incident is None and not steps.is_over and not np.isfinite(losses).all():
            incident = self._incident_of_loss(net, e, losses)
        if incident is not None:
            self._report_incident(net, incident)
        if steps.is_over:
            self._stop(net, e)
            return
        skills = e.train_skills
        if np.isfinite(losses[-1:]).all() and (not skills or not skills[-1] < max(skills) - _A_STEP_BACK):
            steps.last_good.save()
        is_time = e.n_steps >= 5 and e.n_epochs in (1, max(3, e.planned_epochs // 2))
        if is_time and self._has_doubt(e):
            self._inspect(net, e)
        self._judge(net, e, ended=False, quickly=not is_time and not _falls_back(skills))

    def training_ended(self, net: Any) -> None:
        """Make the final diagnosis, while a repair can still train again."""
        self.has_ended = True
        e, health = self._evidence, self.health_
        if e is None:
            return
        e.best_epoch = max(0, restored_epoch(net) - (len(net.history) - e.n_epochs))
        health.skill, health.notices, health.falls_short = e.kept_skill, [], False
        if self.is_over and self._repairs is None:
            if not (e.restores_best and e.valid_skills):  # the weights may be those of the last good epoch
                self._inspect(net, e)
                health.skill = e.skill_at(e.inspections[-1]) if e.inspections else math.nan
            return
        health.was_judged = e.is_judged
        has_doubt = e.had_time(True) and self._has_doubt(e)
        if (has_doubt or e.kept_skill < _LITTLE_SKILL) and e.inspected_after != e.n_epochs:
            self._inspect(net, e)
            health.skill = e.kept_skill
        if self._repairs is not None and health.repairs:
            self._repairs.falls_short = not e.is_fine and e.is_worse_than_simple
        self._judge(net, e, ended=True)
        health.falls_short = self._repairs is not None and self._repairs.falls_short
        if not health.findings or health.status == "repaired":
            health.notices = careful(notices, e, otherwise=[])

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Release copies and data."""
        if not self.has_ended:
            self.training_ended(net)
        restored = 0 if self._repairs is None else self._repairs.restored_epoch
        self.health_.best_epoch = restored_epoch(net) or restored or len(net.history)
        self.release()

    # ------------------------------------------------------------------ watching

    def _begin(self, net: Any, dataset_train: Any, dataset_valid: Any) -> Evidence:
        stoppers = stoppers_of(net)
        clippers = [c for _, c in net.callbacks_ if isinstance(c, GradientClipping) and c.by == "norm"]
        run, is_sknn, loss = run_of(net), isinstance(net, SknnNet), net.criterion_
        train = RowSource(net, dataset_train, is_resident=is_sknn)
        valid = RowSource(net, dataset_valid, is_resident=is_sknn, of_shares=True)
        e = self._evidence = initial_evidence(
            net,
            train,
            valid,
            lr=float(net.lr) if self._repairs is None else self._repairs.changes.lr,
            planned_epochs=int(net.max_epochs) if run is None else run.planned_epochs,
            restores_best=any(stopper.restore_best for stopper in stoppers),
            patience=min((stopper.patience for stopper in stoppers), default=None),
            checks_shapes=is_sknn,
            loss_name=type(loss.module if isinstance(loss, ModuleLoss) else loss).__name__,
            columns=columns_of(net),
            clipping=clippers[-1].max_norm_ if clippers else None,
            schedule=None if run is None else run.lr_schedule,
        )
        if e.constant is not None:
            self.health_.constant_loss = e.constant.loss
            earlier = restored_epoch(net)
            on_trial = self._repairs is not None and self._repairs.running is not None
            if 0 < earlier < len(net.history) and not on_trial and "valid_loss" in net.history[earlier - 1]:
                e.skill_of_earlier = e.constant.skill(net.history[earlier - 1, "valid_loss"], held_out=True)
            found = None if self.health_.findings else careful(diagnose_before_training, e)
            if found is not None:
                self._report(found)
        return e

    def _add_epoch(self, net: Any, e: Evidence) -> np.ndarray:
        """Add the losses of the epoch to the evidence; return those of its steps."""
        record = net.history[-1]
        losses = _step_losses(net, record)
        e.add_epoch(losses, record.get("train_loss", math.nan), record.get("valid_loss"))
        skill = e.train_skills[-1] if e.train_skills else math.nan
        layers = careful(e.norms.of_epoch, self._first_step, otherwise={}, draws=False)
        self.health_.skill = e.kept_skill
        self.health_.epochs.append(EpochHealth(len(net.history), skill, layers))
        return losses

    def _has_doubt(self, e: Evidence) -> bool:
        """Whether the skill is low and does not rise, or many units were inactive or saturated at the start."""
        if any(inspection.is_suspicious for inspection in e.inspections[:1]) or not e.skill >= _LITTLE_SKILL:
            return True
        return e.skill < _NO_DOUBT and not (len(e.skills) > 2 and e.skills[-1] > e.skills[-3] + _PROGRESS)

    def _inspect(self, net: Any, e: Evidence) -> None:
        if e.rows is None or not e.inspections:
            return
        inspection = careful(inspect_network, net, e.rows)
        if inspection is not None:
            e.inspections.append(inspection)
            e.inspected_after = e.n_epochs
        del e.inspections[1:-2]  # keep the first, and the last two

    # ------------------------------------------------------------------ judging

    def _judge(self, net: Any, e: Evidence, *, ended: bool, quickly: bool = False) -> None:
        """Diagnose; if `quickly`, only judge a repair that is on trial."""
        if self._repairs is not None:
            self._repairs.note_epoch(e)
            if self._repairs.judge(e, ended=ended):
                return
        if quickly:
            return
        if self.health_.findings and self.health_.status != "repaired":
            # Training may recover from a skipped step; if it does not, it is repaired.
            if self._repairs is not None and not self._repairs.n_tried and e.had_time(ended) and e.learns_poorly:
                self._repairs.attempt(e, self.health_.findings[-1])
            return
        found = careful(diagnose, e, ended=ended)
        if found is None:
            if ended and self._repairs is not None:
                self._repairs.refine(e)
            return
        self._report(found)
        if self._repairs is not None:
            self._repairs.attempt(e, found)

    def _report(self, finding: Finding) -> None:
        self.health_.findings.append(finding)
        if self.action == "raise":
            raise TrainingHealthError(str(finding), self.health_)
        warn_of(finding)

    # ------------------------------------------------------------------ used by repairs

    @property
    def is_over(self) -> bool:
        """Whether non-finite values came back again and again."""
        return self._steps is not None and self._steps.is_over

    def restore_last_good(self) -> None:
        """Restore weights and buffers of the last good epoch."""
        assert self._steps is not None
        self._steps.last_good.restore()

    def start_again(self) -> None:
        """Judge what follows a change as a training run of its own."""
        assert self._steps is not None
        self._steps.last_good.save()
        self._steps.start_again()
        self._evidence = None
        self.has_ended = False

    def _stop(self, net: Any, e: Evidence) -> None:
        """Repair, or stop, after too many non-finite values."""
        if self._repairs is not None:
            if self._repairs.running is not None:
                self._repairs.judge(e, ended=False)
            elif self.health_.findings:
                self._repairs.attempt(e, self.health_.findings[-1])
        if self.is_over:
            train_loss = net.history[-1].get("train_loss", math.nan)
            if not math.isfinite(train_loss):  # outputs may overflow, even if weights do not
                self.restore_last_good()
            raise StopTraining("health")

    # ------------------------------------------------------------------ non-finite values

    def _incident_of_loss(self, net: Any, e: Evidence, losses: np.ndarray) -> Incident:
        """A non-finite loss with finite gradients."""
        step = self._first_step + int(np.argmin(np.isfinite(losses)))
        loss = type(net.criterion_).__name__
        unknown = Origin("loss", loss, "the loss is not finite, though its gradient is, so the step was taken")
        origin = unknown if e.rows is None else careful(origin_of, net, e.rows, columns_of(net), otherwise=unknown)
        return Incident(step, unknown if origin.stage == "unknown" else origin, was_skipped=False)

    def _report_incident(self, net: Any, incident: Incident) -> None:
        on_trial = self._repairs is not None and self._repairs.running is not None
        if on_trial or any(f.symptom in _BEFORE_NON_FINITE for f in self.health_.findings):
            return
        step, origin, was_skipped = incident
        e = self._evidence
        self._report(non_finite(origin, step, e, was_skipped=was_skipped, epoch=len(net.history), lr=net.lr))


def _falls_back(skills: list[float]) -> bool:
    """Whether the last epoch was worse than a constant guess, or clearly worse than an earlier one."""
    return bool(skills) and not skills[-1] >= max(0.0, max(skills) - _A_STEP_BACK)


def _step_losses(net: Any, record: Any) -> np.ndarray:
    """Training loss of each step of the epoch."""
    run = run_of(net)
    if run is not None and run.step_losses is not None:
        return run.step_losses.cpu().double().numpy()
    batches = [batch["train_loss"] for batch in record.get("batches", ()) if "train_loss" in batch]
    return np.array(batches or [record.get("train_loss", math.nan)], dtype=float)
