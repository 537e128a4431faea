"""skorch's net around resident tensors: the only file that knows skorch's NeuralNet."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from .._data.rows import Batches, Rows
from .._network.table_network import first_output, network_inputs
from ..callbacks._state import StopTraining, TrainAgain, UserStop, raised_on_purpose
from ..optim import build_optimizer
from .between_fits import BetweenFits
from .epochs import Epochs
from .plan import TrainingPlan
from .resuming import Resuming
from .skorch_scoring import ScoringFace
from .steps import TrainingSteps, by_member

_EVENTS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end",
    "on_batch_begin", "on_batch_end", "on_grad_computed",
)  # fmt: skip


class _Net(Epochs, TrainingSteps, BetweenFits, Resuming, ScoringFace, NeuralNet):
    """skorch's net around resident tensors, with a lean loop.

    Data are :class:`~sknn._data.rows.Rows`. `module`, `criterion` are instances, `optimizer` a class. Batches are
    ``({"x_num", "x_cat", "sample_weight"}, y)``; targets of a regressor are in standardised units.
    """

    def _set(self, **attributes: Any) -> None:
        """Set plain attributes, past skorch's registry of modules."""
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    def prepare(self, plan: TrainingPlan, optimizer_params: dict[str, Any], target_kind: str) -> _Net:
        """Attach what skorch's constructor does not know, and initialise."""
        self.follow(plan)
        self._set(optimizer_params=optimizer_params, target_kind=target_kind)
        self._set(
            flat_parameters=None,
            by_hand=None,
            paced_threads=None,
            compiled=None,
            average=None,
            steps_done_=0,
            step_losses=None,
            gradient_norm=None,
            quiet=None,
            lr_changed=False,
            kept_epoch=None,
            is_resumed=False,
            ended_by_clock=False,
        )
        self.initialize()
        return self

    @property
    def work(self) -> int:
        """Multiplications of a forward pass of one batch, about."""
        return self.batch_size * self.n_weights

    @property
    def n_weights(self) -> int:
        """Numbers in the parameters of the network; counted once, since a prediction of one row has no time for it."""
        if "_n_weights" not in vars(self):
            self._set(_n_weights=sum(p.numel() for p in self.module_.parameters()))
        return vars(self)["_n_weights"]

    # ------------------------------------------------------------------ skorch's hooks

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> _Net:
        """Parameter groups in flat buffers."""
        modules: list[nn.Module] = [self.module_, self.criterion_]
        self.optimizer_, flat = build_optimizer(self.optimizer, self.optimizer_params, self.lr, modules)
        self._set(flat_parameters=flat)
        return self

    def get_default_callbacks(self) -> list[Any]:
        """None: the estimators say which."""
        return []

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """Rows are a dataset already."""
        return X if isinstance(X, Rows) else super().get_dataset(X, y)

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Slices of resident tensors instead of a DataLoader."""
        if not isinstance(dataset, Rows):
            return super().get_iterator(dataset, training=training)
        if not training:  # no gradients are kept, so batches may be larger
            return Batches(dataset, max(self.batch_size, 1024), None)
        generator = torch.Generator().manual_seed(self.plan.shuffle_seed)
        return Batches(dataset, self.batch_size, generator)

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Raw prediction (batch, out_features)."""
        network = self.module_ if self.compiled is None or not self.module_.training else self.compiled
        output = first_output(network(*network_inputs(x)))
        if output.ndim == 3 and not self.module_.training:
            return self.criterion_.combine(output)
        return output if output.ndim > 1 else output.unsqueeze(1)

    def get_loss(self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False) -> Tensor:
        """Mean loss over the batch, weighted; of members, each by itself."""
        return self.criterion_(*by_member(y_pred, y_true, X.get("sample_weight")))

    # ------------------------------------------------------------------ callbacks

    def initialize_callbacks(self) -> _Net:
        """As skorch, and note which events anybody listens to."""
        super().initialize_callbacks()
        listeners = {
            event: [cb for _, cb in self.callbacks_ if getattr(type(cb), event, None) is not getattr(Callback, event)]
            for event in _EVENTS
        }
        per_step = ("on_batch_begin", "on_batch_end", "on_grad_computed")
        heard = [callback for event in per_step for callback in listeners[event]]
        foreign = any(not type(callback).__module__.startswith("sknn.") for callback in heard)
        self._set(listeners=listeners, foreign_steps=foreign)
        return self

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call those callbacks that override the event. A deliberate KeyboardInterrupt of theirs means: stop."""
        getattr(self, method_name)(self, **cb_kwargs)
        stop: StopTraining | None = None
        again: TrainAgain | None = None
        for callback in self.listeners[method_name]:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except TrainAgain as error:
                again = error
            except StopTraining as error:  # once all have been told
                stop = stop or error
            except KeyboardInterrupt as error:
                if not raised_on_purpose(error):
                    raise
                stop = UserStop()
        if again is not None and not isinstance(stop, UserStop):
            raise again
        if again is not None:
            again.end()
        if stop is not None:
            raise stop

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """A row in the history for each batch, kept only where a callback looks at batches."""
        self.history.new_batch()
