"""What confirmations refuse."""

from __future__ import annotations

from agentops.common.errors import Conflict, DomainError, Forbidden, NotFound, Throttled
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

_OVER = {
    State.COOLING: "Two people have approved it. Until its delay is over, it can be stopped.",
    State.APPROVED: "It was approved before.",
    State.EDITED: "Somebody has changed it; what it became is decided on a page of its own.",
    State.REFUSED: "It was refused.",
    State.CANCELLED: "It was stopped.",
    State.EXPIRED: "Its time is over; nobody can decide it any more.",
    State.INVALIDATED: "It lapsed: the run has ended, or what it was bound to has changed.",
}


class NotOver(Conflict):
    code, title = "not_over", "It has not run"


class NotStandable(Conflict):
    code, title = "cannot_stand", "It cannot be agreed to beforehand"


class NotRedeemable(Conflict):
    title = "The confirmation cannot be redeemed"

    def __init__(self, state: State) -> None:
        code, detail = _CODES.get(state, ("already_redeemed", "It was redeemed before; an approval works once."))
        super().__init__(detail)
        self.code = code


class DecisionRefused(DomainError):
    """Base of what people are told who could not decide. `is_noted`: the audit log says that they tried."""

    is_noted = False


class NotEligible(DecisionRefused, NotFound):
    """Says what it says where there is none: who may not decide must not learn that there is something to decide."""

    is_noted = True

    def __init__(self) -> None:
        super().__init__("There is no such confirmation.")


class Decided(DecisionRefused, Conflict):
    """Nothing is left to decide; `state` says what it came to."""

    code, title = "already_decided", "It was decided before"

    def __init__(self, state: State) -> None:
        super().__init__(_OVER.get(state, "It was approved before, and is running or has run."))
        self.state = state


class AlreadyVoted(DecisionRefused, Conflict):
    code, title = "already_voted", "You have decided already"

    def __init__(self) -> None:
        super().__init__("You have said what you think of it. You can still stop it, until its delay is over.")


class ViewChanged(DecisionRefused, Conflict):
    code, title = "view_changed", "The page was open too long"

    def __init__(self) -> None:
        super().__init__("What you looked at is not what would be decided now. Look at the page again, then decide.")


class EditNeedsAccount(DecisionRefused, Forbidden):
    code, title = "account_needed", "This takes an account"

    def __init__(self) -> None:
        super().__init__("A link lets you agree or refuse. Who changes an action needs an account here.")


class WrongPhrase(DecisionRefused):
    code, status, title = "wrong_phrase", 422, "The phrase is another"
    is_noted = True

    def __init__(self) -> None:
        super().__init__("Type the phrase exactly as the page shows it.")


class ReauthenticationNeeded(DecisionRefused, Forbidden):
    code, title = "reauthentication_needed", "Confirm that it is you"

    def __init__(self) -> None:
        super().__init__("Give your password or your passkey once more; it counts for five minutes.")


class MfaNeeded(DecisionRefused, Forbidden):
    code, title = "mfa_needed", "Confirm with your second factor"

    def __init__(self) -> None:
        super().__init__("Use your authenticator app or your passkey once more; it counts for five minutes.")


class WrongCode(DecisionRefused):
    code, status, title = "wrong_code", 422, "The code is another"
    is_noted = True

    def __init__(self, attempts_left: int) -> None:
        left = f"{attempts_left} {'tries are' if attempts_left != 1 else 'try is'} left with it"
        super().__init__(
            f"This is not the code of the last mail to you; {left}."
            if attempts_left
            else "This is not the code of the last mail to you, and it was the last try with it. Ask for a new one."
        )
        self.attempts_left = attempts_left


class CodeExpired(DecisionRefused):
    code, status, title = "code_expired", 422, "There is no code that counts"

    def __init__(self) -> None:
        super().__init__("No code that was mailed to you counts any more (it does for ten minutes). Ask for a new one.")


class TooManyCodes(Throttled):
    code, title = "too_many_codes", "Too many codes"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "Five codes were mailed to you within the hour. Wait, then ask again.", retry_after=retry_after
        )


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
