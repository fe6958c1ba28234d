"""What confirmations refuse."""

from __future__ import annotations

from agentops.common.errors import Conflict
from agentops.confirmations.types import State

_CODES = {
    State.PENDING: ("confirmation_pending", "Nobody has decided yet."),
    State.HALF: ("confirmation_pending", "The second person has not decided yet."),
    State.COOLING: ("confirmation_pending", "It was approved, and can still be stopped until its delay is over."),
    State.REFUSED: ("confirmation_refused", "A person refused it."),
    State.CANCELLED: ("confirmation_refused", "A person cancelled it."),
    State.EDITED: ("confirmation_refused", "A person changed it; the changed action has a confirmation of its own."),
    State.EXPIRED: ("confirmation_expired", "Nobody decided in time, or it was not redeemed in time."),
    State.INVALIDATED: ("confirmation_expired", "The run has ended, or what it was bound to has changed."),
}


class NotRedeemable(Conflict):
    title = "The confirmation cannot be redeemed"

    def __init__(self, state: State) -> None:
        code, detail = _CODES.get(state, ("already_redeemed", "It was redeemed before; an approval works once."))
        super().__init__(detail)
        self.code = code


class AccountNeeded(Conflict):
    code, title = "account_needed", "This takes an account"

    def __init__(self, tier: int) -> None:
        super().__init__(
            f"It is of tier {tier}, and a link opens tier 2 only. Above it, people decide with an account here."
        )


class NotPresentable(Conflict):
    title = "There is nothing to decide any more"

    def __init__(self, state: State) -> None:
        self.code, detail = _CODES.get(state, ("already_redeemed", "It was approved and has run."))
        if state is State.PENDING:  # and its time is over
            self.code, detail = _CODES[State.EXPIRED]
        elif state is State.APPROVED:
            self.code, detail = "already_decided", "It was approved."
        super().__init__(detail)
