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


class NotStandable(Conflict):
    code, title = "cannot_stand", "It cannot be agreed to beforehand"


class NotRedeemable(Conflict):
    title = "The confirmation cannot be redeemed"

    def __init__(self, state: State) -> None:
        code, detail = _CODES.get(state, ("already_redeemed", "It was redeemed before; an approval works once."))
        super().__init__(detail)
        self.code = code
