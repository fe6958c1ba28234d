"""The states of a confirmation and every way from one to another. Nothing else may change a state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agentops.confirmations.types import State


class Who(StrEnum):
    """What brings a confirmation from one state to the next."""

    PERSON = "a person who may decide"
    EDITOR = "a person who changes it"
    STOPPER = "a person who may stop it"
    STANDING = "a standing approval"
    AGENT = "the agent, through the guard"
    CLOCK = "the clock"
    GUARD = "the guard, when it is not the same any more"


@dataclass(frozen=True, slots=True)
class Arrow:
    """One way. `event` is the entry it leaves in the audit log."""

    origin: State
    target: State
    who: Who
    event: str


_S = State
TABLE: tuple[Arrow, ...] = (
    Arrow(_S.PENDING, _S.APPROVED, Who.PERSON, "approval.confirmed"),
    Arrow(_S.PENDING, _S.APPROVED, Who.STANDING, "approval.stood"),
    Arrow(_S.PENDING, _S.HALF, Who.PERSON, "approval.voted"),
    Arrow(_S.HALF, _S.COOLING, Who.PERSON, "approval.voted"),
    Arrow(_S.COOLING, _S.APPROVED, Who.CLOCK, "approval.released"),
    *(Arrow(s, _S.EDITED, Who.EDITOR, "approval.edited") for s in (_S.PENDING, _S.HALF)),
    *(Arrow(s, _S.REFUSED, Who.PERSON, "approval.refused") for s in (_S.PENDING, _S.HALF)),
    *(Arrow(s, _S.CANCELLED, Who.STOPPER, "approval.cancelled") for s in (_S.PENDING, _S.HALF, _S.COOLING)),
    *(Arrow(s, _S.EXPIRED, Who.CLOCK, "approval.expired") for s in (_S.PENDING, _S.HALF, _S.COOLING, _S.APPROVED)),
    *(
        Arrow(s, _S.INVALIDATED, Who.GUARD, "approval.invalidated")
        for s in (_S.PENDING, _S.HALF, _S.COOLING, _S.APPROVED)
    ),
    Arrow(_S.APPROVED, _S.EXECUTING, Who.AGENT, "tool_call.redeemed"),
    Arrow(_S.EXECUTING, _S.EXECUTED, Who.AGENT, "approval.executed"),
    Arrow(_S.EXECUTING, _S.FAILED, Who.AGENT, "approval.failed"),
    Arrow(_S.EXECUTING, _S.OUTCOME_UNKNOWN, Who.AGENT, "approval.outcome_unknown"),
    Arrow(_S.EXECUTING, _S.OUTCOME_UNKNOWN, Who.CLOCK, "approval.outcome_unknown"),
)


def may_become(origin: State, target: State, who: Who) -> Arrow | None:
    """The arrow from one state to another for one kind of actor, if there is one."""
    return next((a for a in TABLE if (a.origin, a.target, a.who) == (origin, target, who)), None)


def origins(target: State, who: Who) -> tuple[State, ...]:
    """Every state from which `who` may bring a confirmation there: what the conditional UPDATE asks for."""
    return tuple(a.origin for a in TABLE if a.target is target and a.who is who)


def diagram() -> str:
    """The table as a Mermaid state diagram; README.md holds it, and a test holds the README to it."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.PENDING.value}: the guard asks"]
    pairs = dict.fromkeys((arrow.origin, arrow.target) for arrow in TABLE)
    for origin, target in pairs:
        who = " or ".join(a.who.value for a in TABLE if (a.origin, a.target) == (origin, target))
        lines.append(f"    {origin.value} --> {target.value}: {who}")
    ends = [state for state in State if all(arrow.origin is not state for arrow in TABLE)]
    return "\n".join([*lines, *(f"    {state.value} --> [*]" for state in ends)])
