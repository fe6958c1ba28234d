"""What the guard refuses before there is anything to decide. Decisions themselves are values, not exceptions."""

from __future__ import annotations

from agentops.common.errors import Conflict, Forbidden, NotFound, Throttled


class RunUnknown(NotFound):
    code, title = "run_unknown", "No such run"


class CallUnknown(NotFound):
    code, title = "call_unknown", "No such call"


class RunFinished(Conflict):
    code, title = "run_finished", "The run has ended"


class IdempotencyMismatch(Conflict):
    code, title = "idempotency_mismatch", "The call id was used for another request"


class CallOver(Conflict):
    code, title = "call_over", "The call was allowed before, and is over"


class NotAdmitted(Conflict):
    code, title = "not_admitted", "The call was not allowed"


class RunRefused(Forbidden):
    """A run that may not start; `code` says why."""

    title = "The run may not start"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class RunThrottled(Throttled):
    """A run that may start later."""

    title = "Too many runs"

    def __init__(self, code: str, detail: str, *, retry_after: int) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.code = code


class AlreadyConsumed(Conflict):
    code, title = "already_consumed", "The permit was used"


class ArgumentsChanged(Conflict):
    code, title = "arguments_changed", "The arguments are others"


class EditNotPossible(Conflict):
    code, title = "edit_not_possible", "It cannot be changed"


class PermitExpired(Conflict):
    code, title = "permit_expired", "The permit has expired"


class SwitchLifted(Conflict):
    code, title = "already_lifted", "The kill switch is off"


class LiftNotAsked(Conflict):
    code, title = "lift_not_asked", "Nobody has asked to lift it"


class SecondPersonNeeded(Forbidden):
    code, title = "second_person_needed", "A second person is needed"


class ConfirmationState(Conflict):
    """A redemption that cannot be; `code` is the confirmation's state."""

    title = "The confirmation cannot be redeemed"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
