"""Watch a training, name what is wrong with it, and repair it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from .._health.begin import begin
from .._health.careful import careful
from .._health.evidence import Evidence
from .._health.look import look_at
from .._health.origin import Origin, origin_of
from .._health.record import EpochHealth, Finding, LayerHealth, Repair, TrainingHealth
from .._health.rules.diagnosis import diagnose
from .._health.rules.remedies import for_overflow
from .._health.rules.scale import overflow_of_scale
from .._health.rules.structure import output_mismatch
from ..exceptions import TrainingHealthError
from ._finite_steps import FiniteSteps, Incident, columns_of
from ._protocol import run_of
from ._repair import Repairs
from ._report import warn_of
from ._state import StopTraining
from .early_stopping import EarlyStopping
from .gradient_clipping import GradientClipping

__all__ = ["EpochHealth", "Finding", "GradientHealth", "LayerHealth", "Repair", "TrainingHealth"]

# What numbers that are no numbers follow from.
_BEFORE_INFINITY = ("non_finite", "input_scale", "loss_diverging", "exploding")
# Weights whose skill is so far below the best are not what one would go back to.
_A_STEP_BACK = 0.2
# With so much skill there is no doubt, and no need to look; with some, and more from epoch to epoch, there is none.
_NO_DOUBT, _SOME_SKILL, _PROGRESS = 0.3, 0.1, 0.005


class GradientHealth(Callback):
    """Watch a training, say what is wrong with it in one sentence, and repair it if asked to.

    Works in sknn's estimators and in any ``skorch.NeuralNet``, there best in front of
    :class:`~sknn.callbacks.GradientClipping`.

    Parameters
    ----------
    action : {"warn", "raise", "repair"}, default="warn"
        A finding is a :class:`~sknn.exceptions.GradientHealthWarning`, of a subclass for each symptom, or a
        :class:`~sknn.exceptions.TrainingHealthError`. ``"repair"`` also warns, then makes one change (learning rate,
        initial weights, scale of the inputs), and keeps it if the skill is better after as many steps; at most three in
        a training. In a plain skorch net the scale of the inputs is advised only, and a training that has ended is
        not taken up again.

    Attributes
    ----------
    health_ : TrainingHealth

    Notes
    -----
    The yardstick is the *skill*, ``1 - loss / L0``, with the loss :math:`L_0` of the best constant output under the
    training's own loss: 0 for a network that learned nothing, on any scale. Hardly anything is reported of a network
    whose skill is fine, and of several symptoms only the root cause.

    A step whose gradient is NaN or infinite, or so large that its norm is, is skipped. Weights or buffers that are not
    finite are put back to those of the last epoch; where that does not help, training stops.

    Cost: the norm of the gradient in every step, norms of each layer in the first five steps and then in one of twenty
    or fewer, a copy of the weights an epoch, and at most four looks at 128 rows. Watching does not change what is
    trained.

    Examples
    --------
    >>> from sknn.callbacks import GradientHealth
    >>> GradientHealth(action="raise").action
    'raise'
    """

    def __init__(self, action: str = "warn") -> None:
        self.action = action

    # ------------------------------------------------------------------ events

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Remember the weights that training starts from."""
        if self.action not in ("warn", "raise", "repair"):
            raise ValueError(f"GradientHealth: action={self.action!r}; expected 'warn', 'raise' or 'repair'.")
        self.health_ = TrainingHealth()
        self._steps: FiniteSteps | None = FiniteSteps(net, patient=self.action != "repair")
        self._evidence: Evidence | None = None
        self._repairs = Repairs(net, self.health_) if self.action == "repair" else None
        self.has_ended = False

    def on_epoch_begin(self, net: Any, dataset_train: Any = None, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Before the first step, look at network, loss and data."""
        if self._evidence is None:
            self._begin(net, dataset_train, dataset_valid)
        assert self._evidence is not None
        assert self._steps is not None
        self._evidence.norms.new_epoch()
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
        """Add up the epoch, look at the network now and then, and judge."""
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
            self._give_up(net, e)
            return
        skills = e.train_skills
        if np.isfinite(losses[-1:]).all() and (not skills or not skills[-1] < max(skills) - _A_STEP_BACK):
            steps.last_good.save()
        is_time = e.n_steps >= 5 and e.n_epochs in (1, max(3, e.planned_epochs // 2))
        if is_time and self._has_doubt(e):
            self._look(net, e)
        self._judge(net, e, ended=False, quickly=not is_time and not _falls_back(skills))

    def training_ended(self, net: Any) -> None:
        """Give the last word, while training can still be taken up again; called once, before `on_train_end`."""
        self.has_ended = True
        e = self._evidence
        if e is None or (self.is_over and self._repairs is None):
            return
        self.health_.was_judged = e.is_fine or (e.had_time(True) and not e.has_few_rows)
        if e.had_time(True) and self._has_doubt(e) and self._looked_at != e.n_epochs:
            self._look(net, e)
        self._judge(net, e, ended=True)

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Let copies and data go."""
        if not self.has_ended:
            self.training_ended(net)
        self._steps = self._evidence = self._repairs = None

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to a training, which an error may have left."""
        return {**vars(self), "_steps": None, "_evidence": None, "_repairs": None}

    def _state_in_training(self) -> dict[str, Any]:
        """All of it, for a checkpoint of the training."""
        return dict(vars(self))

    # ------------------------------------------------------------------ watching

    def _begin(self, net: Any, dataset_train: Any, dataset_valid: Any) -> None:
        stoppers = [callback for _, callback in net.callbacks_ if isinstance(callback, EarlyStopping)]
        clippers = [c for _, c in net.callbacks_ if isinstance(c, GradientClipping) and c.by == "norm"]
        run = run_of(net)
        e = begin(
            net,
            dataset_train,
            dataset_valid,
            lr=float(net.lr) if self._repairs is None else self._repairs.changes.lr,
            planned_epochs=int(net.max_epochs) if run is None else run.planned_epochs,
            restores_best=any(stopper.restore_best for stopper in stoppers),
            columns=columns_of(net),
            clipping=clippers[-1].max_norm if clippers else None,
            schedule=None if run is None else run.lr_schedule,
        )
        self._evidence = e
        self._looked_at = 0
        if e.constant is None or e.rows is None:
            return
        self.health_.constant_loss = e.constant.loss
        if not self.health_.findings:
            found = careful(output_mismatch, net, e.looks[0], e.rows, e.constant.loss)
            if found is not None:
                self._report(found)

    def _add_epoch(self, net: Any, e: Evidence) -> np.ndarray:
        """Enter the losses of the epoch; return those of its steps."""
        record = net.history[-1]
        losses = _step_losses(net, record)
        finite = losses[np.isfinite(losses)]
        e.n_steps += len(losses)
        e.n_epochs += 1
        if len(finite):
            e.step_losses.append(finite)
        if e.constant is not None:
            loss = record.get("train_loss", math.nan)
            if not math.isfinite(loss) and len(finite):  # of the steps that were taken
                loss = float(finite.mean())
            e.train_skills.append(e.constant.skill(loss))
            if "valid_loss" in record:
                e.valid_skills.append(e.constant.skill(record["valid_loss"], held_out=True))
        skill = e.train_skills[-1] if e.train_skills else math.nan
        self.health_.epochs.append(
            EpochHealth(len(net.history), skill, careful(e.norms.of_epoch, self._first_step, otherwise={}, draws=False))
        )
        return losses

    def _has_doubt(self, e: Evidence) -> bool:
        """Whether it learns little, and no more from epoch to epoch, or started with units that are idle or flat."""
        if any(look.is_suspicious for look in e.looks[:1]) or not e.skill >= _SOME_SKILL:
            return True
        return e.skill < _NO_DOUBT and not (len(e.skills) > 2 and e.skills[-1] > e.skills[-3] + _PROGRESS)

    def _look(self, net: Any, e: Evidence) -> None:
        if e.rows is None or not e.looks:
            return
        look = careful(look_at, net, e.rows)
        if look is not None:
            e.looks.append(look)
            self._looked_at = e.n_epochs
        del e.looks[1:-2]  # the first, and the last two

    # ------------------------------------------------------------------ judging

    def _judge(self, net: Any, e: Evidence, *, ended: bool, quickly: bool = False) -> None:
        """Find out what is wrong, or only, quickly, how a repair does."""
        if self._repairs is not None:
            self._repairs.note_epoch(e, net.history[-1], net)
            if self._repairs.judge(net, e, self, ended=ended):
                return
        if quickly:
            return
        if self.health_.findings and self.health_.status != "repaired":
            # A step that was skipped need not be the end of it; if it was, it is to be repaired.
            if self._repairs is not None and not self._repairs.n_tried and e.had_time(ended) and e.learns_poorly:
                self._repairs.attempt(net, e, self.health_.findings[-1], self)
            return
        found = careful(diagnose, e, ended=ended)
        if found is None:
            if ended and self._repairs is not None:
                self._repairs.refine(net, e, self)
            return
        self._report(found)
        if self._repairs is not None:
            self._repairs.attempt(net, e, found, self)

    def _report(self, finding: Finding) -> None:
        self.health_.findings.append(finding)
        if self.action == "raise":
            raise TrainingHealthError(str(finding), self.health_)
        warn_of(finding)

    # ------------------------------------------------------------------ what repairs ask for

    @property
    def is_over(self) -> bool:
        """Whether numbers were no numbers again and again."""
        return self._steps is not None and self._steps.is_over

    def restore_last_good(self) -> None:
        """Put weights and buffers of the last good epoch back."""
        assert self._steps is not None
        self._steps.last_good.restore()

    def start_again(self) -> None:
        """Watch what follows a change as a training of its own."""
        assert self._steps is not None
        self._steps.last_good.save()
        self._steps.start_again()
        self._evidence = None
        self.has_ended = False

    def _give_up(self, net: Any, e: Evidence) -> None:
        """After numbers that were no numbers again and again: repair, or stop."""
        if self._repairs is not None:
            if self._repairs.running is not None:
                self._repairs.judge(net, e, self, ended=False)
            elif self.health_.findings:
                self._repairs.attempt(net, e, self.health_.findings[-1], self)
        if self.is_over:
            if not math.isfinite(net.history[-1].get("train_loss", math.nan)):  # outputs overflow, if weights do not
                self.restore_last_good()
            raise StopTraining

    # ------------------------------------------------------------------ numbers that are no numbers

    def _incident_of_loss(self, net: Any, e: Evidence, losses: np.ndarray) -> Incident:
        """A loss that is not finite though its gradients are."""
        step = self._first_step + int(np.argmin(np.isfinite(losses)))
        loss = type(net.criterion_).__name__
        unknown = Origin("loss", loss, "the loss is not finite, though its gradient is, so the step was taken")
        origin = unknown if e.rows is None else careful(origin_of, net, e.rows, columns_of(net), otherwise=unknown)
        return Incident(step, unknown if origin.stage == "unknown" else origin, was_skipped=False)

    def _report_incident(self, net: Any, incident: Incident) -> None:
        on_trial = self._repairs is not None and self._repairs.running is not None
        if on_trial or any(f.symptom in _BEFORE_INFINITY for f in self.health_.findings):
            return
        step, origin, was_skipped = incident
        what = f"In step {step} {origin.what}{'; the step is skipped, and weights stay finite' if was_skipped else ''}."
        if origin.stage != "input" and self._evidence is not None:
            cause = careful(overflow_of_scale, self._evidence, what)
            if cause is not None:
                self._report(cause)
                return
        evidence = what[0].lower() + what[1:]
        remedy = for_overflow(origin, step, net.lr, self._evidence)
        cause = "first_step" if step == 1 and origin.stage != "input" else None
        self._report(Finding("non_finite", origin.layer, len(net.history), evidence, remedy, cause))


def _falls_back(skills: list[float]) -> bool:
    """Whether the last epoch was worse than a constant guess, or than an earlier one."""
    return bool(skills) and not skills[-1] >= max(0.0, max(skills) - _A_STEP_BACK)


def _step_losses(net: Any, record: Any) -> np.ndarray:
    """Training loss of each step of the epoch."""
    run = run_of(net)
    if run is not None and run.step_losses is not None:
        return run.step_losses.cpu().double().numpy()
    batches = [batch["train_loss"] for batch in record.get("batches", ()) if "train_loss" in batch]
    return np.array(batches or [record.get("train_loss", math.nan)], dtype=float)
