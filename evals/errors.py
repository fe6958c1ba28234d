"""What quality refuses."""

from __future__ import annotations

from agentops.common.errors import Conflict, InputProblem, InvalidInput, NotFound


class Unknown(NotFound):
    """A rubric, judge, item, set, case, suite run, replay or finding that is not there."""


class SameFamily(Conflict):
    code, title = "same_model_family", "A model does not judge its own family"


class NotCalibrated(Conflict):
    code, title = "judge_not_calibrated", "This judge was not compared with people"


class AlreadyDone(Conflict):
    code, title = "already_done", "It is done"


class IdempotencyMismatch(Conflict):
    code, title = "idempotency_mismatch", "The id was used for another request"


class Undecided(Conflict):
    code, title = "gate_undecided", "The gate cannot say yet"


class SecondPersonMissing(Conflict):
    code, title = "second_person_missing", "Another person must agree"


def invalid(pointer: str, detail: str, code: str = "invalid") -> InvalidInput:
    """A refusal of one value, that says what would be accepted."""
    return InvalidInput(detail, problems=(InputProblem(pointer, code, detail),))
