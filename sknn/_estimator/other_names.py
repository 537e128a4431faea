"""What a parameter that does not exist is called here: names of other libraries, and misspellings."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from ..modules import ARCHITECTURES
from .components import COMPONENTS, accepted_params

__all__ = ["OTHER_NAMES", "hint", "hint_inside"]

# Parameters of MLPClassifier, skorch, HistGradientBoosting, XGBoost, LightGBM and CatBoost that have another name here.
# Each value begins with the name here. "Coming from" in README.md shows the same names; a test compares.
OTHER_NAMES: dict[str, str] = {
    "hidden_layer_sizes": "module=sknn.modules.MLP, module_params={'hidden_sizes': (256, 256)}",
    "activation": "module_params={'activation': torch.nn.ReLU}",
    "solver": "optimizer=torch.optim.AdamW",
    "alpha": "optimizer_params={'weight_decay': 0.01}",
    "l2_regularization": "optimizer_params={'weight_decay': 0.01}",
    "reg_lambda": "optimizer_params={'weight_decay': 0.01}",
    "l2_leaf_reg": "optimizer_params={'weight_decay': 0.01}",
    "momentum": "optimizer_params={'momentum': 0.9} with optimizer=torch.optim.SGD",
    "learning_rate": "lr, or lr_schedule for a schedule such as 'constant'",
    "learning_rate_init": "lr",
    "eta": "lr",
    "max_iter": "max_epochs",
    "n_estimators": "max_epochs",
    "num_iterations": "max_epochs",
    "iterations": "max_epochs",
    "iterator_train__batch_size": "batch_size",
    "patience": "n_iter_no_change",
    "threshold": "tol",
    "monitor": "scoring",
    "eval_metric": "scoring",
    "early_stopping_rounds": "n_iter_no_change",
    "train_split": "validation_fraction",
    "eval_set": "validation_fraction, or fit(X_val=, y_val=)",
    "loss": "criterion",
    "loss_function": "criterion",
    "objective": "criterion",
    "quantile": "criterion_params={'quantile': 0.9} with criterion='quantile'",
    "max_depth": "module_params={'n_blocks': 3}",
    "depth": "module_params={'n_blocks': 3}",
    "num_leaves": "module_params={'width': 128}",
    "max_leaf_nodes": "module_params={'width': 128}",
    "cat_features": "categorical_features",
    "categorical_feature": "categorical_features",
    "enable_categorical": "categorical_features",
    "scale_pos_weight": "class_weight",
    "is_unbalance": "class_weight='balanced'",
    "auto_class_weights": "class_weight='balanced'",
    "random_seed": "random_state",
    "seed": "random_state",
    "task_type": "device",
    "device_type": "device",
    "verbosity": "verbose",
}

# The same for parameters of modules.
_OF_MODULES = {
    "hidden_sizes": ("width", "n_blocks"),
    "hidden_layer_sizes": ("hidden_sizes", "width", "n_blocks"),
    "hidden_size": ("hidden_sizes", "width"),
    "hidden_dim": ("hidden_sizes", "width", "token_size"),
    "width": ("hidden_sizes", "token_size"),
    "d_token": ("token_size",),
    "n_blocks": ("hidden_sizes",),
    "n_layers": ("n_blocks", "hidden_sizes"),
    "num_layers": ("n_blocks", "hidden_sizes"),
    "depth": ("n_blocks", "hidden_sizes"),
    "k": ("n_members",),
    "p": ("dropout",),
}


def hint(name: str, accepted: Collection[str], components: Mapping[str, Any]) -> str:
    """What the parameter `name`, which an estimator does not take, is called here; "", or a sentence after a space.

    `accepted` are the parameters of the estimator, `components` the values of module, criterion and optimizer.
    """
    if name in OTHER_NAMES:
        advice = OTHER_NAMES[name]
        known = advice.partition("=")[0].partition(",")[0] in accepted
        return f" Did you mean {advice}?" if known else ""
    part, separator, inside = name.partition("__")
    if separator and f"{part}_params" in accepted:
        return f" In the constructor it is {part}_params={{{inside!r}: ...}}; {name} is for set_params and searches."
    if separator:
        return f" {name} is for set_params and searches." if part in accepted else ""
    for kind in COMPONENTS:
        if f"{kind}_params" in accepted and name in accepted_params(kind, components.get(kind))[0]:
            return f" Did you mean {kind}_params={{{name!r}: ...}}?"
    owner = _owner(name)
    if owner and "module" in accepted:
        return f" Did you mean module=sknn.modules.{owner}, module_params={{{name!r}: ...}}?"
    return _similar(name, accepted)


def hint_inside(name: str, accepted: Collection[str]) -> str:
    """The same for a parameter of a module, loss or optimizer, of which `accepted` are the parameters."""
    found = [other for other in _OF_MODULES.get(name, ()) if other in accepted]
    if not found:
        return _similar(name, accepted)
    owner = _owner(name)
    return f" Did you mean {' or '.join(found)}?" + (
        f" {name} is a parameter of sknn.modules.{owner}." if owner else ""
    )


def _owner(name: str) -> str | None:
    """The first architecture of sknn that has this parameter."""
    return next((kind.__name__ for kind in ARCHITECTURES if name in accepted_params("module", kind)[0]), None)


def _similar(name: str, accepted: Collection[str]) -> str:
    found = difflib.get_close_matches(name, accepted, n=1, cutoff=0.7)
    return f" Did you mean {found[0]}?" if found else ""
