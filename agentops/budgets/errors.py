"""What is refused when money is moved. A hold that does not fit is a value (`types.Refused`), not an error."""

from __future__ import annotations

from agentops.common.errors import Conflict, NotFound


class HoldUnknown(NotFound):
    code, title = "hold_unknown", "No such hold"


class AlreadySettled(Conflict):
    code, title = "already_settled", "The call was settled before"
