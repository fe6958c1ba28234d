"""The states of an incident and every way from one to another. Nothing else may change a state."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from incidents.types import IncidentStatus


class Who(StrEnum):
    """In what capacity somebody moves an incident. A commander may do all that a responder may."""

    RESPONDER = "whoever responds"
    COMMANDER = "an incident commander"
    WATCH = "the watch, by itself"


@dataclass(frozen=True, slots=True)
class Arrow:
    """One way. `event` is the entry it leaves in the audit log of our own organisation."""

    origin: IncidentStatus
    target: IncidentStatus
    who: Who
    event: str


_S = IncidentStatus
OPEN = (_S.TRIAGE, _S.ACTIVE, _S.CONTAINED, _S.IDENTIFIED, _S.FIX_IN_REVIEW, _S.WATCHING)
NOT_OVER = (*OPEN, _S.RESOLVED)
CHAIN = (*NOT_OVER, _S.CLOSED)
REOPENED_FROM = (_S.CONTAINED, _S.IDENTIFIED, _S.FIX_IN_REVIEW, _S.WATCHING, _S.RESOLVED)
TABLE: tuple[Arrow, ...] = (
    Arrow(_S.TRIAGE, _S.ACTIVE, Who.RESPONDER, "incident.activated"),
    Arrow(_S.ACTIVE, _S.CONTAINED, Who.RESPONDER, "incident.contained"),
    Arrow(_S.CONTAINED, _S.IDENTIFIED, Who.RESPONDER, "incident.identified"),
    Arrow(_S.IDENTIFIED, _S.FIX_IN_REVIEW, Who.RESPONDER, "incident.fix_submitted"),
    Arrow(_S.FIX_IN_REVIEW, _S.WATCHING, Who.RESPONDER, "incident.watch_started"),
    Arrow(_S.WATCHING, _S.RESOLVED, Who.COMMANDER, "incident.resolved"),
    Arrow(_S.RESOLVED, _S.CLOSED, Who.COMMANDER, "incident.closed"),
    *(Arrow(s, _S.ACTIVE, Who.RESPONDER, "incident.reopened") for s in REOPENED_FROM),
    *(Arrow(s, _S.ACTIVE, Who.WATCH, "incident.reopened") for s in (_S.WATCHING,)),
    *(Arrow(s, _S.CANCELLED, Who.COMMANDER, "incident.cancelled") for s in (_S.TRIAGE, _S.ACTIVE)),
    *(Arrow(s, _S.MERGED, Who.COMMANDER, "incident.merged") for s in OPEN),
)


def may_become(origin: str, target: str, who: Who) -> Arrow | None:
    """The arrow from one state to another for one kind of actor, if there is one."""
    able = {who, Who.RESPONDER} if who is Who.COMMANDER else {who}
    return next((a for a in TABLE if (a.origin, a.target) == (origin, target) and a.who in able), None)


def following(status: str) -> IncidentStatus | None:
    """The next state of the straight way; none at its end, or beside it."""
    if status not in CHAIN[:-1]:
        return None
    return CHAIN[CHAIN.index(IncidentStatus(status)) + 1]


def needs_commander(origin: str, target: str) -> bool:
    return may_become(origin, target, Who.RESPONDER) is None


def diagram() -> str:
    """The table as a Mermaid state diagram; the README holds it, and a test holds the README to it."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.TRIAGE.value}: somebody declares it"]
    pairs = dict.fromkeys((arrow.origin, arrow.target) for arrow in TABLE)
    for origin, target in pairs:
        who = " or ".join(a.who.value for a in TABLE if (a.origin, a.target) == (origin, target))
        lines.append(f"    {origin.value} --> {target.value}: {who}")
    ends = [state for state in _S if all(arrow.origin is not state for arrow in TABLE)]
    return "\n".join([*lines, *(f"    {state.value} --> [*]" for state in ends)])
