"""What incidents refuse."""

from __future__ import annotations

from collections.abc import Sequence

from agentops.common.errors import Conflict, InputProblem, InvalidInput, NotFound


class Unknown(NotFound):
    """An alert, incident, page or review that is not there."""


class AlreadyDone(Conflict):
    code, title = "already_done", "It is done"


class WrongState(Conflict):
    code, title = "wrong_state", "It does not stand where this leads on from"


class GateNotMet(Conflict):
    """`needs` are the sentences of what is missing, in the order in which they are mended."""

    code, title = "gate_not_met", "Something is missing first"

    def __init__(self, needs: Sequence[str]) -> None:
        super().__init__(" ".join(needs), problems=tuple(InputProblem("/status", self.code, each) for each in needs))
        self.needs = tuple(needs)


def invalid(pointer: str, detail: str, code: str = "invalid") -> InvalidInput:
    """A refusal of one value, that says what would be accepted."""
    return InvalidInput(detail, problems=(InputProblem(pointer, code, detail),))
