"""Why something may not be done. Each carries a code to branch on and a sentence to show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with arguments. `pointer` is an RFC 6901 pointer into them, "" for the call as a whole."""

    code: str
    pointer: str
    expected: str
    hint: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What people were asked. `url` is where one of them decides; it carries no credential."""

    id: str
    tier: int
    url: str
    expires_at: datetime


class GuardError(Exception):
    """The base of all refusals of this package."""

    def __init__(self, detail: str, *, code: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Rejected(GuardError):
    """This call may not be made as it is; another may. Show `for_model()` to the model and let it plan anew."""

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        errors: Sequence[Problem] = (),
        attempts_left: int | None = None,
    ) -> None:
        super().__init__(detail, code=code)
        self.errors = tuple(errors)
        self.attempts_left = attempts_left

    def for_model(self) -> str:
        """What a model needs in order to do better: code, pointer, expected, hint, attempts left."""
        lines = [f"Refused, nothing was done ({self.code}): {self.detail}"]
        for problem in self.errors:
            said = [f"at {problem.pointer or 'the call as a whole'} ({problem.code})"]
            if problem.expected:
                said.append(f"expected: {problem.expected}")
            if problem.hint:
                said.append(f"hint: {problem.hint}")
            lines.append(f"- {'; '.join(said)}")
        if self.attempts_left is not None:
            lines.append(f"Attempts left: {self.attempts_left}. Repeating the same call will not help.")
        return "\n".join(lines)


class Throttled(GuardError):
    """Not now. `retry_after` in seconds; the client has waited as long as it was told to be patient."""

    def __init__(self, detail: str, *, code: str, retry_after: float) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class Aborted(GuardError):
    """The run has ended: by a kill switch, a cap, a detector or its deadline. No further step will be allowed."""


class Pending(GuardError):
    """People have not decided yet. Ask again later with the same `call_id` and the same arguments."""

    def __init__(self, detail: str, *, confirmation: Confirmation, call_id: str) -> None:
        super().__init__(detail, code="confirmation_pending")
        self.confirmation = confirmation
        self.call_id = call_id

    def for_model(self) -> str:
        """What a model (or its user) needs to know: that it waits, and where a person decides."""
        until = self.confirmation.expires_at.strftime("%Y-%m-%d %H:%M UTC")
        return f"Not done yet: {self.detail} A person decides at {self.confirmation.url} until {until}."


class Unreachable(GuardError):
    """The portal does not answer, so nothing is allowed."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code="unreachable")


class PortalError(GuardError):
    """The portal answered, and it was no decision: a wrong key, an unknown run, a malformed request, a fault."""

    def __init__(self, detail: str, *, code: str, status: int, errors: Sequence[Problem] = ()) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.errors = tuple(errors)


class NoRun(GuardError):
    """A guarded function was called outside a guarded run."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was called outside a run; open one with client.run(…)", code="no_run")
