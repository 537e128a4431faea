"""Which errors name the user's data as the cause, and which stay what they are."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sknn import NeuralClassifier
from sknn._data import table
from sknn._errors import one_line, refused_as, shown
from sknn.modules import MLP


def failing(error: BaseException, **kwargs: Any) -> None:
    with refused_as("y", "numbers", **kwargs):
        raise error


def own_line(source: str, **names: Any) -> Any:
    """A function of these lines, as if they stood in sknn."""
    module = ModuleType("sknn._data.made_up")
    vars(module).update(names)
    exec(f"def run(X, *others):\n    {source}", vars(module))
    return module.run


def test_what_names_its_part_passes_and_all_else_is_named() -> None:
    own = ValueError("y: of odd length")
    with pytest.raises(ValueError, match="odd length") as caught:
        failing(own)
    assert caught.value is own
    with pytest.raises(TypeError, match=r"^y: not a float\. Expected numbers\.$"):
        failing(TypeError("not a float."))
    with pytest.raises(ValueError, match=r"^y: two lines: of text\. Expected numbers\.$"):
        failing(ValueError("two lines:\n  of text.\n\n"))
    with pytest.raises(ValueError, match=r"^y: KeyError: 'a'\. Expected numbers\.$"):
        failing(KeyError("a"))
    with pytest.raises(ValueError, match=r"^y_val: odd$"), refused_as("y_val", "numbers", instead_of="y"):
        raise ValueError("y: odd")
    for error in (KeyboardInterrupt(), MemoryError(), UserWarning("a")):
        with pytest.raises(type(error)):
            failing(error)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("X.no_such_attribute", AttributeError),
        ("no_such_name", NameError),
        ("{}['a']", KeyError),
        ("[][1]", IndexError),
        ("assert False", AssertionError),
        ("from sknn import no_such_thing", ImportError),
    ],
)
def test_bugs_of_sknn_stay_what_they_are(source: str, error: type[Exception]) -> None:
    run = own_line(source)
    with pytest.raises(error) as caught, refused_as("X", "a table"):
        run(np.zeros(2))
    assert type(caught.value) is error
    with pytest.raises(error) as caught, refused_as("X_val", "a table"), refused_as("X", "a table"):
        run(np.zeros(2))
    assert type(caught.value) is error


class Broken:
    """An object of the user's, whose methods fail."""

    def __float__(self) -> float:
        return self.no_such_attribute  # type: ignore[attr-defined]

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise KeyError("no values")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("float(X)", "^X: AttributeError: .*no_such_attribute.* Expected a table"),
        ("numpy.asarray(X)", "^X: KeyError: 'no values'. Expected a table"),
        ("float(10**400)", "^X: OverflowError"),
        ("int('a')", r"^X: invalid literal"),
        ("pandas.Series([1])[7]", "^X: KeyError: 7"),
    ],
)
def test_what_the_users_objects_and_other_libraries_raise_is_refused(source: str, message: str) -> None:
    run = own_line(source, numpy=np, pandas=pd)
    with pytest.raises(ValueError, match=message) as caught, refused_as("X", "a table"):
        run(Broken())
    assert caught.value.__cause__ is not None


def test_a_bug_while_a_table_is_read_reaches_the_user_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "learn_column", own_line("X.no_such_attribute"))
    with pytest.raises(AttributeError, match="no_such_attribute"):
        NeuralClassifier(MLP).fit(pd.DataFrame({"a": ["x", "y"] * 5}), [0, 1] * 5)


def test_values_in_messages_are_short() -> None:
    class Unshown:
        def __repr__(self) -> str:
            raise RuntimeError("repr fails")

    assert shown("a") == "'a'"
    assert len(shown("a" * 10**6)) < 300
    assert shown(Unshown()) == "<Unshown, whose repr fails>"


@pytest.mark.parametrize("text", ["a\n  b", "a\rb", "\n a \r\n\n b\n"])
def test_a_text_of_several_lines_becomes_one(text: str) -> None:
    assert one_line(text) == "a b"
    with pytest.raises(ValueError, match=r"^X: a b\. Expected numbers\.$"), refused_as("X", "numbers"):
        raise ValueError(text)


def test_spaces_within_one_line_stay() -> None:
    assert one_line(" a  b ") == "a  b"
