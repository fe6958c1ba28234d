"""How what an agent did is undone. Pure: values in, a decision out.

The state machine of a reversal is TRANSITIONS; inside a run the last effect is undone first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from agentops.catalog.types import Reversal as Told
from incidents.types import REVERSAL_OVER, ReversalState, Reversibility

PLANNED, APPROVED, RUNNING, DONE, PARTIAL, FAILED, IMPOSSIBLE, WAIVED = ReversalState
TRANSITIONS: dict[ReversalState, frozenset[ReversalState]] = {
    PLANNED: frozenset({APPROVED, IMPOSSIBLE, WAIVED}),
    APPROVED: frozenset({RUNNING, IMPOSSIBLE, WAIVED}),
    RUNNING: frozenset({DONE, PARTIAL, FAILED}),
    FAILED: frozenset({RUNNING, IMPOSSIBLE, WAIVED}),
}
NO_WAY = "Nobody wrote how this is undone. Say how, or why it cannot be."


@dataclass(frozen=True, slots=True)
class Undoing:
    """What is known of undoing one effect, from its tool's definition."""

    reversibility: Reversibility
    how: str
    who: str
    deadline_at: datetime | None


def undoing(*, told: str, recipe: str, seconds: int | None, tool: str, at: datetime) -> Undoing:
    """`told` is what the tool's definition says of reversal; unknown where the catalog does not know the tool."""
    if told == Told.YES:
        deadline = at + timedelta(seconds=min(seconds, 10**9)) if seconds is not None else None
        return Undoing(Reversibility.REVERSIBLE, recipe, "us, by the tool's recipe", deadline)
    if told == Told.NO:
        return Undoing(Reversibility.IRREVERSIBLE, f"{tool or 'The tool'} says that it cannot be taken back.", "", None)
    return Undoing(Reversibility.UNKNOWN, NO_WAY, "", None)


def may_move(was: ReversalState, to: ReversalState) -> bool:
    return to in TRANSITIONS.get(was, frozenset())


def before_it(*, occurred_at: datetime, span_id: int, others: Iterable[tuple[datetime, int, str]]) -> int:
    """How many later effects of the same run are not over yet: they are undone first."""
    return sum(
        (other_at, other_span) > (occurred_at, span_id) and state not in REVERSAL_OVER
        for other_at, other_span, state in others
    )
