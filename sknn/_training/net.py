"""skorch's net around resident tensors: skorch's hooks, and what the net is before and after it is trained."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from .._backprop.chain import has_global_hooks, is_touched
from .._data.query_batches import QueryBatches
from .._data.rows import Batches, Rows
from .._network.parametrized import allow_pickling
from .._network.table_network import first_output, multiplications, network_inputs
from .._random import generator_states, restore_generators
from ..callbacks._protocol import SknnCallback, SknnNet
from ..callbacks._repair import TrainAgain
from ..callbacks._state import ModuleState, StopTraining, UserStop, raised_on_purpose
from ..optim import build_optimizer
from ..optim._pickled import load_pickled, to_pickle
from .plan import TrainingPlan
from .resuming import count_steps, parameter_hooks, restore_hooks
from .skorch_scoring import ScoredNet
from .state import TrainingState

__all__ = ["_Net"]

# Layers of torch that `default_settings(foreign_code=False)` is enough for.
_PLAIN_LAYERS = {
    nn.Linear, nn.Embedding, nn.LayerNorm, nn.BatchNorm1d, nn.Dropout, nn.AlphaDropout, nn.Identity, nn.Sequential,
    nn.ModuleList, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish, nn.Tanh, nn.Sigmoid,
}  # fmt: skip

# Numbers of the validation rows of one batch, at most, unless those of a training batch are more.
_VALIDATED_AT_ONCE = 2**22
# Of a held-out query, so many times as many rows count as in training; and rows of one batch of them, about.
_HELD_OUT_LISTS, _HELD_OUT_ROWS = 4, 1024


class _Net(ScoredNet, SknnNet):
    """skorch's net around resident tensors; `sknn._training.train` trains it.

    Data are :class:`~sknn._data.rows.Rows`. Batches are ``({"x", "x_cat", "sample_weight"}, y)``; targets of a
    regressor are in standardised units.
    """

    run: TrainingState | None  # while the net is trained: from `prepare` or `attach` to `release`
    optimizer_: Any

    def __init__(
        self,
        module: nn.Module,
        criterion: nn.Module,
        *,
        optimizer: Any,
        optimizer_params: dict[str, Any],
        **skorch_params: Any,
    ) -> None:
        super().__init__(module, criterion, optimizer=optimizer, train_split=None, verbose=0, **skorch_params)
        self.optimizer_params = optimizer_params
        self.run = self.flat_parameters = None
        self.pickled_optimizer = None  # state of the optimizer of a loaded net, until it is trained further
        self.steps_done_ = 0  # since the net was made
        self.n_rows_ = math.inf  # of the table that the network was made for; inf for a stream
        self.keeps_optimizer = False  # in a pickle, for training that continues elsewhere

    @property
    def work(self) -> int:
        """Multiplications of a forward pass of one batch, about."""
        return self.batch_size * self.multiplications

    @cached_property
    def multiplications(self) -> int:
        """Of a forward pass of one row, about; counted once, since a prediction of one row has no time for it."""
        return multiplications(self.module_)

    @property
    def has_foreign_code(self) -> bool:
        """Whether the network or the loss runs anything but code of sknn and `_PLAIN_LAYERS`, such as a hook."""
        if has_global_hooks():
            return True
        parts: list[nn.Module] = [self.module_, self.criterion_]
        for part in parts:  # not `modules()`, which takes longer than the layers need for a single row
            kind = type(part)
            if (kind not in _PLAIN_LAYERS and not kind.__module__.startswith("sknn.")) or is_touched(part):
                return True
            parts += filter(None, part._modules.values())
        return False

    # ------------------------------------------------------------------ skorch's hooks

    def initialize_optimizer(self, *args: Any, **kwargs: Any) -> _Net:
        """Parameter groups in flat buffers."""
        modules: list[nn.Module] = [self.module_, self.criterion_]
        made = build_optimizer(self.optimizer, self.optimizer_params, self.lr, modules)
        self.optimizer_, self.flat_parameters = made
        return self

    def get_default_callbacks(self) -> list[Any]:
        """None: the estimators choose callbacks."""
        return []

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Slices of resident tensors instead of a DataLoader."""
        if not isinstance(dataset, Rows):
            return super().get_iterator(dataset, training=training)
        if dataset.queries is not None:
            return self._batches_of_queries(dataset, training)
        if not training:  # no gradients are kept, so batches may be larger
            n_networks = 1 if dataset.shares is None else len(dataset.shares)
            most = min(1024, max(1, _VALIDATED_AT_ONCE // dataset.store.row_size)) // n_networks
            return Batches(dataset, max(self.batch_size, most), None)
        return Batches(dataset, self.batch_size, self._shuffle_generator())

    def _batches_of_queries(self, rows: Rows, training: bool) -> QueryBatches:
        most_rows = self.criterion_.max_list_size
        if training:
            return QueryBatches(rows, self.batch_size, self._shuffle_generator(), most_rows)
        most_rows *= _HELD_OUT_LISTS
        assert rows.queries is not None
        size = min(self.batch_size, int(_HELD_OUT_ROWS / rows.queries.mean_rows(most_rows)))
        return QueryBatches(rows, max(1, size), None, most_rows)

    def _shuffle_generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(0 if self.run is None else self.run.plan.shuffle_seed)

    def infer(self, x: Any, **fit_params: Any) -> Tensor:
        """Raw prediction (batch, out_features)."""
        compiled = None if self.run is None else self.run.compiled
        network = self.module_ if compiled is None or not self.module_.training else compiled
        output = first_output(network(*network_inputs(x)))
        if output.ndim == 3 and not self.module_.training:
            return self.criterion_.combine(output)
        return output if output.ndim > 1 else output.unsqueeze(1)

    def get_loss(self, y_pred: Tensor, y_true: Tensor, X: Any = None, training: bool = False) -> Tensor:
        """Mean loss over the batch, weighted; of members, each by itself."""
        return self.criterion_(*self.criterion_.by_member(y_pred, y_true, X.get("sample_weight")))

    def initialize_callbacks(self) -> _Net:
        """As skorch, and note which events they override."""
        super().initialize_callbacks()
        if self.run is not None:
            self.run.listen(self.callbacks_)
        return self

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call those callbacks that override the event. A deliberate KeyboardInterrupt of theirs means: stop."""
        assert self.run is not None
        getattr(self, method_name)(self, **cb_kwargs)
        stop: StopTraining | None = None
        request: TrainAgain | None = None
        for callback in self.run.listeners[method_name]:
            try:
                getattr(callback, method_name)(self, **cb_kwargs)
            except TrainAgain as error:
                request = error
            except StopTraining as error:  # once all have been called
                stop = stop or error
            except KeyboardInterrupt as error:
                if not raised_on_purpose(error):
                    raise
                stop = UserStop()
        if request is not None and not isinstance(stop, UserStop):
            raise request
        if request is not None:
            request.end()
        if stop is not None:
            raise stop

    def on_batch_begin(self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any) -> None:
        """A row in the history for each batch, kept only where a callback listens to batches."""
        self.history.new_batch()

    # ------------------------------------------------------------------ before and after training

    def prepare(self, plan: TrainingPlan) -> _Net:
        """Initialise a new net for its first training run."""
        self.run = TrainingState(plan)
        self.initialize()
        return self

    def attach(self, plan: TrainingPlan) -> None:
        """Prepare a fitted net for further training; the net is as before if that fails, but on the plan's device."""
        self._move_to(plan.device)
        has_new_optimizer = self.optimizer_ is None and self.pickled_optimizer is None
        before = {name: vars(self)[name] for name in ("callbacks", "callbacks_", "lr", "batch_size")}
        self.run = TrainingState(plan, lr_changed=plan.lr != self.lr or has_new_optimizer, settings_before=before)
        self.callbacks, self.lr, self.batch_size = plan.callbacks, plan.lr, plan.batch_size
        try:
            self.initialize_callbacks()
            if self.optimizer_ is None:
                self._initialize_optimizer()
            if self.optimizer_ is not None and self.pickled_optimizer is not None:
                load_pickled(self.optimizer_, self.pickled_optimizer)
                self.pickled_optimizer = None
        except BaseException:
            self._abandon()
            raise
        if self.flat_parameters is not None:
            self.flat_parameters.attach()

    def _abandon(self) -> None:
        """End a run that failed: what `attach` took from its plan is as before."""
        before = {} if self.run is None else self.run.settings_before
        self.release()
        self.__dict__.update(before)

    def release(self) -> None:
        """End the training run: parameters own their memory again, and nothing refers to data of the fit."""
        if self.flat_parameters is not None:
            self.flat_parameters.release()
        self._release_callbacks()
        self._set_training(False)
        self.run = None
        self.verbose = 0

    def _release_callbacks(self) -> None:
        for _, callback in self.callbacks_:
            if isinstance(callback, SknnCallback):
                callback.release()

    @contextmanager
    def released_on_failure(self) -> Iterator[None]:
        """A new net is just dropped if its training fails; callbacks, which belong to the caller, stay."""
        try:
            yield
        except BaseException:
            self._release_callbacks()
            raise

    def _move_to(self, device: torch.device) -> None:
        """Move to the device: a model of a GPU is pickled on the CPU, and may be loaded on a machine that has one."""
        present = {parameter.device for parameter in self.module_.parameters()}
        target = torch.empty(0, dtype=torch.float32, device=device).device  # "cuda" is "cuda:0"
        if present <= {target}:
            return
        if self.optimizer_ is not None:
            self.pickled_optimizer = to_pickle(self.optimizer_)
        self.module_, self.criterion_, self.device = self.module_.to(target), self.criterion_.to(target), str(target)
        self.optimizer_ = self.flat_parameters = None

    @contextmanager
    def unchanged_on_failure(self) -> Iterator[None]:
        """If what follows `attach` fails, the net is as before: objects, weights, optimizer, history, settings."""
        # A checkpoint that is resumed replaces module, optimizer and history by others.
        before, weights = dict(vars(self)), ModuleState(self)
        moments, n_groups = copy.deepcopy(self.optimizer_.state_dict()), len(self.optimizer_.param_groups)
        n_epochs = len(self.history)
        try:
            yield
        except BaseException:
            self.__dict__.update(before)
            try:
                if self.flat_parameters is not None:  # released, if training was over
                    self.flat_parameters.attach()
                weights.restore()
                del self.optimizer_.param_groups[n_groups:]  # added by a callback
                self.optimizer_.load_state_dict(moments)
                del self.history[n_epochs:]
            finally:
                self._abandon()
            raise

    def weights_and_moments(self) -> list[Any]:
        """All that further training starts from."""
        states = [self.module_.state_dict(), self.criterion_.state_dict()]
        return [[(name, t) for state in states for name, t in state.items()], self._moments(), len(self.history)]

    def _moments(self) -> dict[str, Any] | None:
        """State of the optimizer, be it made already or still as a file held it."""
        return self.pickled_optimizer if self.optimizer_ is None else to_pickle(self.optimizer_)

    # ------------------------------------------------------------------ in a pickle, and in a checkpoint

    def __getstate__(self) -> dict[str, Any]:
        """Plain attributes without a training run, tensors on the CPU, so that a model of a GPU loads anywhere.

        The optimizer's moments are twice the size of the weights. They are left out unless the net `keeps_optimizer`: a
        loaded model that is trained further then starts with new ones.
        """
        for module in (self.module_, self.criterion_):
            allow_pickling(module)
        pickled = self._moments() if self.keeps_optimizer else None
        state = {**vars(self), "run": None, "optimizer_": None, "flat_parameters": None, "pickled_optimizer": pickled}
        if torch.device(self.device).type != "cpu":
            state.update(device="cpu")
            state.update(module_=copy.deepcopy(self.module_).cpu(), criterion_=copy.deepcopy(self.criterion_).cpu())
        if self.module is self.module_:
            state["module"] = state["module_"]
        if self.criterion is self.criterion_:
            state["criterion"] = state["criterion_"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        parts = [state["module_"], state["criterion_"]]
        if any(tensor.is_inference() for part in parts for tensor in (*part.parameters(), *part.buffers())):
            # Copied or unpickled in the caller's inference mode: they could not be trained, and predict other bits.
            with torch.inference_mode(False):
                state = copy.deepcopy(state, {id(self): self})
        self.__dict__.update(state)

    def training_state(self, shuffle: torch.Generator | None) -> dict[str, Any]:
        """Everything that decides how training continues from the end of an epoch."""
        assert self.run is not None
        return {
            "net": {name: value for name, value in vars(self).items() if name not in ("run", "virtual_params_")},
            "run": self.run.for_checkpoint(None if shuffle is None else shuffle.get_state()),
            "global generators": generator_states(torch.device(self.device)),
        }

    def continue_from(self, state: dict[str, Any]) -> None:
        """Be the net whose `training_state` this is; also restore the global generators of random numbers."""
        run = self.run
        assert run is not None
        hooks = parameter_hooks(self.module_)
        self.__dict__.update(state["net"])
        restore_hooks(self.module_, hooks)
        restore_generators(state["global generators"], torch.device(self.device))
        run.resume(state["run"])
        run.listen(self.callbacks_)
        if run.schedule is not None and run.schedule.scheduler is not None:
            count_steps(self.optimizer_)
