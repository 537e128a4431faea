"""Widths and category codes that the signature of a module asks for."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from torch import nn

from sknn import NeuralClassifier
from sknn._network.signature import IN_FEATURES, OUT_FEATURES

from .subjects import SimpleNN, X, Y, build


@pytest.mark.parametrize("out_name", OUT_FEATURES)
@pytest.mark.parametrize("in_name", IN_FEATURES)
def test_widths_are_filled_in_under_every_alias(in_name: str, out_name: str) -> None:
    made: dict[str, Any] = {}
    namespace: dict[str, Any] = {"made": made, "nn": nn}
    exec(f"def make({in_name}, {out_name}):\n    return nn.Linear({in_name}, {out_name})", namespace)
    linear = build(namespace["make"])
    assert (linear.in_features, linear.out_features) == (5, 3)


def test_widths_are_filled_in_behind_the_keyword_arguments_of_a_subclass() -> None:
    class Scaled(SimpleNN):
        def __init__(self, *args: Any, scale: float = 1.0, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.scale = scale

    network = build(Scaled, {"hidden_size": 7, "scale": 2.0})
    assert isinstance(network, Scaled)
    assert network.fc1.weight.shape == (7, 5)
    with pytest.raises(ValueError, match=r"Scaled needs \['hidden_size'\]"):
        build(Scaled)


def test_a_class_that_names_a_width_hands_on_what_it_likes() -> None:
    class Renamed(SimpleNN):
        def __init__(self, n_features: int, n_classes: int, **kwargs: Any) -> None:
            super().__init__(n_features, 4, n_classes, **kwargs)

    class Fixed(SimpleNN):
        def __init__(self, input_size: int, **kwargs: Any) -> None:
            super().__init__(input_size, 4, 3, **kwargs)

    for module in (Renamed, Fixed):
        assert build(module).fc2.weight.shape == (3, 4)


def test_a_width_of_the_users_is_kept() -> None:
    assert build(SimpleNN, {"hidden_size": 2, "output_size": 4}).fc2.out_features == 4
    assert build(partial(SimpleNN, hidden_size=2, output_size=4)).fc2.out_features == 4


def test_a_default_width_gives_way_to_the_tables() -> None:
    class Defaults(SimpleNN):
        def __init__(self, input_size: int = 99, hidden_size: int = 4, output_size: int = 99) -> None:
            super().__init__(input_size, hidden_size, output_size)

    assert build(Defaults).fc1.in_features == 5


def test_missing_arguments_are_named_with_the_way_to_give_them() -> None:
    message = r"module: SimpleNN needs \['hidden_size'\].*module_params=\{'hidden_size': \.\.\.\}"
    with pytest.raises(ValueError, match=message):
        NeuralClassifier(SimpleNN).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        build(partial(SimpleNN))


def test_what_makes_no_module_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"module: make_nothing returned a str, expected a torch\.nn\.Module"):
        build(make_nothing)


def make_nothing(in_features: int) -> str:
    return "nothing"
