"""From a confirmation to what one person is shown of it: words, and which of the forms are on the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from agentops.confirmations.queries.aftermath import Judged
from agentops.confirmations.rendering import Leaf, Pieces, View, pieces, render
from agentops.confirmations.types import OPEN, OVER, Choice, Detail, Past, Person, Said, State, Tier, Waiting

FRESH = timedelta(minutes=5)  # how long a password, a passkey or a second factor counts
NEAR = timedelta(minutes=2)  # then the time that is left is warned of
WARNINGS = 12  # that stand on top; every odd value is marked where it stands, however many there are
PAGE = 50  # values under one heading of a long payload

_ENDED = {
    State.EXECUTED: ("ok", "It ran, as it was approved"),
    State.FAILED: ("bad", "It was approved and tried, and it failed"),
    State.OUTCOME_UNKNOWN: ("warn", "It was approved and begun; how it ended is not known"),
    State.EXECUTING: ("info", "It was approved, and runs now"),
    State.REFUSED: ("bad", "It was refused, and nothing was done"),
    State.CANCELLED: ("bad", "It was stopped, and nothing was done"),
    State.EXPIRED: ("warn", "Nobody decided in time, so nothing was done"),
    State.INVALIDATED: ("warn", "It lapsed, and nothing was done"),
    State.EDITED: ("info", "It was changed, and is asked for anew"),
}
_NEXT = {
    State.OUTCOME_UNKNOWN: "It is not tried again by itself. Look where it would have taken effect.",
    State.EXECUTING: "Its result shows here as soon as the agent tells it.",
    State.EXPIRED: "The agent was told. If it is still wanted, it has to ask again.",
    State.INVALIDATED: "Its run has ended, or what it was bound to is not the same any more.",
    State.EDITED: "This one can run no more.",
}
_SAID = {Choice.APPROVE: "Agreed", Choice.REFUSE: "Refused", Choice.EDIT: "Changed it"}


@dataclass(frozen=True, slots=True)
class Sureness:
    """How sure this browser's session makes us of who sits before it."""

    proven_at: datetime | None = None  # by password or passkey
    used_mfa_at: datetime | None = None
    has_mfa: bool = False


@dataclass(frozen=True, slots=True)
class Chapter:
    """Values of a long payload under one heading. All of them are on the page."""

    number: int
    first: int
    last: int
    leaves: Sequence[Leaf]


@dataclass(frozen=True, slots=True)
class Word:
    """What one person said, as a line."""

    said: str
    label: str
    at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One confirmation as one person sees it at one moment. What that person may not know, `detail` does not hold."""

    detail: Detail
    viewer: Person
    sureness: Sureness = Sureness()
    code_until: datetime | None = None  # of the code that was mailed to this person
    asks_for_correctness: bool = False
    judged: Judged | None = None  # what this person said when asked whether it was correct

    @cached_property
    def view(self) -> View:
        return view_of(self.detail)

    @property
    def at(self) -> datetime:
        """The database's clock: what counts."""
        return self.detail.now

    @property
    def state(self) -> State:
        return self.detail.state

    @cached_property
    def says(self) -> Pieces:
        return pieces(self.detail.says)

    @property
    def is_open(self) -> bool:
        return self.detail.state in OPEN

    @property
    def is_cooling(self) -> bool:
        return self.detail.state is State.COOLING

    @property
    def has_receipt(self) -> bool:
        """Only once nobody has anything to say any more: a receipt names everybody who did."""
        return self.detail.state not in (State.PENDING, State.HALF)

    @property
    def is_live(self) -> bool:
        """Can its state change while somebody looks?"""
        return self.detail.state in (*OPEN, State.APPROVED, State.EXECUTING)

    @property
    def asks(self) -> bool:
        """Does it wait for this person's word?"""
        return self.detail.may_decide

    @property
    def withdraws(self) -> bool:
        """May stop what they agreed to themselves, while it waits for the second person."""
        return self.detail.state is State.HALF and self.detail.has_voted and self.detail.may_stop

    @property
    def is_own(self) -> bool:
        """Does the agent act in this person's name?"""
        return self.detail.acting_user in self.viewer.end_users

    @property
    def is_modal(self) -> bool:
        """From tier 3 on the question stands alone: nothing else is on the page to be pressed."""
        return self.asks and self.detail.tier >= Tier.FULL_DISCLOSURE

    @property
    def left(self) -> timedelta:
        return max(self.detail.expires_at - self.at, timedelta(0))

    @property
    def is_near(self) -> bool:
        return self.left < NEAR

    @property
    def cooling_left(self) -> timedelta:
        return max((self.detail.cooling_until or self.at) - self.at, timedelta(0))

    @property
    def ended(self) -> tuple[str, str, str]:
        """Tone, sentence and what comes next, of a state in which nobody can say anything any more."""
        tone, sentence = _ENDED.get(self.detail.state, ("info", ""))
        if self.detail.state is State.EXPIRED and self.detail.decided_at:
            return tone, "It was approved, but not run in time, so nothing was done", _NEXT[State.EXPIRED]
        if self.detail.state is State.INVALIDATED and self.detail.reason:
            return tone, sentence, ""
        return tone, sentence, _NEXT.get(self.detail.state, "")

    @property
    def more_warnings(self) -> int:
        """How many there are beyond those that stand on top."""
        return max(len(self.view.warnings) - WARNINGS, 0)

    @property
    def payload_title(self) -> str:
        if self.detail.state in OVER:
            return "Exactly this ran" if self.detail.state is State.EXECUTED else "Exactly this was to run"
        return "Exactly this runs" if self.is_live else "This was asked for"

    @property
    def reason(self) -> str:
        """Why it was stopped or lapsed, where nobody's own word says it already."""
        return "" if any(said.reason for said in self.detail.said) else self.detail.reason

    @property
    def words(self) -> Sequence[Word]:
        """Who said what, the first first."""
        return [Word(_SAID[said.choice], said.label, said.at, said.reason) for said in self.detail.said]

    @property
    def mine(self) -> Said | None:
        return next((said for said in self.detail.said if said.voter == self.viewer.voter), None)

    @cached_property
    def chapters(self) -> Sequence[Chapter]:
        """The values, in pages of the page where they are many."""
        return list(_chapters(self.view.leaves))

    @cached_property
    def rest_of_current(self) -> Sequence[Leaf]:
        """What the resource is now, as far as the differences do not say it."""
        told = {each.pointer for each in self.view.differences}
        return [leaf for leaf in self.view.current if leaf.pointer not in told]

    @property
    def undone_until(self) -> datetime | None:
        """After it ran: until when it can be taken back."""
        seconds = self.view.reversible_seconds
        if seconds is None or self.detail.ended_at is None or self.detail.state is not State.EXECUTED:
            return None
        return self.detail.ended_at + timedelta(seconds=seconds)

    @property
    def proof_until(self) -> datetime | None:
        """Until when the proof that the tier asks for counts; None where there is none that does."""
        is_highest = self.detail.tier == Tier.TWO_PEOPLE
        given = self.sureness.used_mfa_at if is_highest else self.sureness.proven_at
        return given + FRESH if given is not None and self.at - given < FRESH else None


@dataclass(frozen=True, slots=True)
class InboxLine:
    """One thing that waits, as a line of the inbox."""

    waiting: Waiting
    is_own: bool
    at: datetime

    @property
    def headline(self) -> Pieces:
        return pieces(self.waiting.headline)

    @property
    def is_cooling(self) -> bool:
        return self.waiting.state is State.COOLING

    @property
    def until(self) -> datetime:
        cooling = self.waiting.cooling_until
        return cooling if self.is_cooling and cooling else self.waiting.expires_at

    @property
    def left(self) -> timedelta:
        return max(self.until - self.at, timedelta(0))

    @property
    def is_near(self) -> bool:
        return self.left < NEAR


@dataclass(frozen=True, slots=True)
class PastLine:
    """One thing that was asked, as a line of a list."""

    past: Past

    @property
    def headline(self) -> Pieces:
        return pieces(self.past.headline)

    @property
    def said(self) -> str:
        """What the one who looks said."""
        return _SAID[self.past.mine] if self.past.mine else ""


def view_of(detail: Detail) -> View:
    return render(
        binding=detail.binding, facts=detail.facts, raised_because=detail.raised_because, current=detail.current
    )


def _chapters(leaves: Sequence[Leaf]) -> Iterator[Chapter]:
    for number, start in enumerate(range(0, len(leaves), PAGE), start=1):
        group = leaves[start : start + PAGE]
        yield Chapter(number, start + 1, start + len(group), group)
