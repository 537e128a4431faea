"""A parameter that does not exist: the message says what it is called here."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sknn import NeuralClassifier, NeuralRegressor
from sknn._estimator.other_names import OTHER_NAMES, hint
from sknn._hyperparameters import constructor_names
from sknn.modules import MLP, TabM

README = Path(__file__).parents[2] / "README.md"
PARAMETERS = {*constructor_names(NeuralClassifier), *constructor_names(NeuralRegressor)}
PARAMETER = re.compile(r"`([a-z][a-z_0-9]*)(=[^`]*)?`")  # no class, no attribute, nothing open like module__...


def rows_of_the_table() -> list[tuple[list[str], str]]:
    """Names in other libraries, and the cell of sknn, of each row of "Coming from"."""
    table = README.read_text().split("## Coming from")[1].split("| sknn |\n")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]
    return [([name for cell in row[:-1] for name, _ in PARAMETER.findall(cell)], row[-1]) for row in rows]


def test_messages_and_the_table_coming_from_know_the_same_names():
    rows = rows_of_the_table()
    foreign = {name for names, _ in rows for name in names if not name.endswith("_")} - PARAMETERS
    foreign -= {"fit", "history"} | {name for name in foreign if name.startswith(("module__", "optimizer__"))}
    assert foreign == OTHER_NAMES.keys()
    for name, advice in OTHER_NAMES.items():
        here = re.split("[=,]", advice)[0].removesuffix("_params")
        assert any(name in names and here in cell for names, cell in rows), (name, advice)


def test_advice_begins_with_a_parameter():
    for advice in OTHER_NAMES.values():
        assert re.split("[=, ]", advice)[0] in PARAMETERS


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("learning_rate", "lr"),
        ("learning_rate_init", "lr"),
        ("hidden_layer_sizes", r"module=sknn\.modules\.MLP, module_params=\{'hidden_sizes'"),
        ("hidden_sizes", r"module=sknn\.modules\.MLP, module_params=\{'hidden_sizes'"),
        ("alpha", r"optimizer_params=\{'weight_decay'"),
        ("solver", "optimizer"),
        ("n_estimators", "max_epochs"),
        ("iterations", "max_epochs"),
        ("depth", r"module_params=\{'n_blocks'"),
        ("verbosity", "verbose"),
        ("dropout", r"module_params=\{'dropout'"),  # of the module in use
        ("weight_decay", r"optimizer_params=\{'weight_decay'"),
        ("label_smoothing", r"criterion_params=\{'label_smoothing'"),
        ("iterator_train__batch_size", "batch_size"),
        ("max_epoch", "max_epochs"),  # misspelt
        ("epochs", "max_epochs"),
        ("callback", "callbacks"),
        ("randomstate", "random_state"),
    ],
)
def test_constructor_and_set_params_say_what_was_meant(name, says):
    with pytest.raises(TypeError, match=rf"unexpected keyword argument '{name}'\. Did you mean {says}.*\?$"):
        NeuralClassifier(**{name: 1})
    sentence = (
        rf"Invalid parameter '{name.split('__')[0]}' for estimator NeuralClassifier\(\). Valid parameters are: \["
    )
    with pytest.raises(ValueError, match=rf"{sentence}.*\]\. Did you mean {says}.*\?$"):
        NeuralClassifier().set_params(**{name: 1})


def test_parameters_of_components_belong_into_a_dict_in_the_constructor():
    with pytest.raises(
        TypeError, match=r"'module__width'\. In the constructor it is module_params=\{'width': \.\.\.\}"
    ):
        NeuralClassifier(module__width=8)
    with pytest.raises(TypeError, match="'callbacks__a__b'. callbacks__a__b is for set_params and searches"):
        NeuralClassifier(callbacks__a__b=8)


def test_nothing_is_said_about_a_name_that_is_like_none():
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'xyz'\.$"):
        NeuralClassifier(xyz=1)
    assert hint("learning_rate", ["max_epochs"], {}) == ""
    assert NeuralRegressor.__init__.__doc__ is None
    assert "class_weight" not in hint("scale_pos_weight", constructor_names(NeuralRegressor), {})


@pytest.mark.parametrize(
    ("module", "name", "says"),
    [
        (
            TabM,
            "hidden_sizes",
            r"width or n_blocks\? hidden_sizes is a parameter of sknn.modules.MLP",
        ),
        (TabM, "drop_out", "dropout"),
        (MLP, "width", "hidden_sizes"),
        (MLP, "n_layers", "hidden_sizes"),
        (nn.Linear, "bais", "bias"),
    ],
)
def test_parameters_of_modules_are_suggested_at_fit_and_in_set_params(module, name, says):
    message = rf"Invalid parameter '{name}' for module {module.__name__}\..*Did you mean {says}"
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(module).set_params(**{f"module__{name}": 1})
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(module, module_params={name: 1}).fit(np.zeros((4, 2)), [0, 1, 0, 1])


def test_an_optimizer_instance_is_refused_with_the_class():
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    with pytest.raises(TypeError, match=r"'optimizer' parameter.*instance of SGD.*optimizer=SGD, optimizer_params"):
        NeuralClassifier(optimizer=optimizer).fit(np.zeros((4, 2)), [0, 1, 0, 1])
