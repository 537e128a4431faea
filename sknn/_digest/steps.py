"""Bytecode as a stack: which instruction pushed the value that another one takes."""

from __future__ import annotations

import dis
from types import CodeType
from typing import Any

__all__ = ["ATTRIBUTE_LOADS", "LOADS", "N_OPERANDS", "Steps"]

LOADS = {
    "LOAD_CLASSDEREF",
    "LOAD_DEREF",
    "LOAD_FROM_DICT_OR_DEREF",
    "LOAD_FROM_DICT_OR_GLOBALS",
    "LOAD_GLOBAL",
    "LOAD_NAME",
}
ATTRIBUTE_LOADS = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "IMPORT_FROM"}
# Stores into something, and how many operands lie on top of the value that is stored.
N_OPERANDS = {"STORE_ATTR": 1, "STORE_SUBSCR": 2, "STORE_SLICE": 3, "DELETE_SUBSCR": 2}
_JUMPS = {*dis.hasjrel, *dis.hasjabs}


class Steps(list[dis.Instruction]):
    """The instructions of one code object, without those inside of it.

    Parameters
    ----------
    code : code object
    """

    def __init__(self, code: CodeType) -> None:
        super().__init__(step for step in dis.get_instructions(code) if step.opname not in ("CACHE", "EXTENDED_ARG"))

    def producer(self, at: int, depth: int) -> int | None:
        """Which one pushed the value `depth` below the top, as `at` finds it; None where the way is not straight."""
        height = 0  # after the step at `place`, seen from before the one at `at`
        for place in range(at - 1, -1, -1):
            if self[place + 1].is_jump_target or self[place].opcode in _JUMPS:
                return None
            if height == -depth:
                return place
            height -= self._effect(place)
            if height < -depth:
                return None
        return None

    def beginning(self, end: int) -> int | None:
        """Where the expression begins whose value is on top after `end`; None where the way is not straight."""
        height = 0
        for place in range(end, -1, -1):
            if self[place].opcode in _JUMPS or (place < end and self[place + 1].is_jump_target):
                return None
            height -= self._effect(place)
            if height == -1:
                return place
        return None

    def _effect(self, place: int) -> int:
        step = self[place]
        return dis.stack_effect(step.opcode, step.arg if step.opcode >= dis.HAVE_ARGUMENT else None, jump=False)

    def container(self, at: int) -> int | None:
        """Which one pushed what `at` stores into."""
        n_operands = N_OPERANDS[self[at].opname]
        if self.is_augmented(at):
            return self.producer(at - n_operands, n_operands)
        return self.producer(at, n_operands - 1)

    def is_augmented(self, at: int) -> bool:
        """Whether a store ends an assignment like x[0] += 1, which lifts the container over the value."""
        n_operands = N_OPERANDS[self[at].opname]
        before = [(step.opname, step.arg) for step in self[max(0, at - n_operands) : at]]
        return before == [("SWAP", n) for n in range(n_operands + 1, 1, -1)]

    def stored(self, at: int) -> int | None:
        """The last step of the value that `at` stores."""
        n_operands = N_OPERANDS[self[at].opname]
        return at - n_operands - 1 if self.is_augmented(at) else self.producer(at, n_operands)

    def key(self, at: int) -> Any:
        """The constant that an item is stored under; Ellipsis where it is computed."""
        if self.is_augmented(at):
            place = self.producer(at - 2, 1)
        else:
            place = at - 1 if self.producer(at, 1) == at - 2 else None
        is_constant = place is not None and self[place].opname in ("LOAD_CONST", "LOAD_SMALL_INT")
        return self[place].argval if place is not None and is_constant else ...

    def local(self, at: int) -> Any:
        """Name of the local variable that a step pushes last, None if it pushes something else."""
        step = self[at]
        if not step.opname.startswith("LOAD_FAST"):
            return None
        return step.argval[-1] if isinstance(step.argval, tuple) else step.argval
