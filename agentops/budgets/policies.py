"""Which budgets a call stands under, whether it fits, and how large a slice its run takes. Values in, a decision out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from agentops.budgets.types import Action, Period, Refused, Scope

TERMS_COLUMNS = "id, scope, scope_id, period, limit_nano_usd, ceiling_nano_usd, action, thresholds"
FULL_FROM_PERCENT = (
    90  # of the limit: used so far, a budget that refuses a call is at its limit; below, the call was too large
)
CEILING_PERCENT = 110  # of the limit, where no ceiling is given
SLICE_CALLS = 19  # how many further calls like this one a slice has room for
SLICE_SHARE = 16  # and at most this part of what is left: slices shrink towards the ceiling


@dataclass(frozen=True, slots=True)
class Terms:
    """A budget, as far as enforcing it goes."""

    id: uuid.UUID
    scope: Scope
    scope_id: str
    period: Period
    limit_nano_usd: int
    ceiling_nano_usd: int
    action: Action
    thresholds: tuple[int, ...] = ()  # percent of the limit, ascending

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Terms:
        """From a row of TERMS_COLUMNS."""
        thresholds = tuple(sorted(row[7]))
        return cls(row[0], Scope(row[1]), row[2], Period(row[3]), row[4], row[5], Action(row[6]), thresholds)


@dataclass(frozen=True, slots=True)
class Place:
    """One budget of one subject in one period: what a counter counts."""

    terms: Terms
    subject: str
    start: datetime
    end: datetime

    @property
    def key(self) -> tuple[uuid.UUID, str, datetime]:
        return self.terms.id, self.subject, self.start


@dataclass(frozen=True, slots=True)
class Standing:
    """A place with what is charged there, and what its slices have taken, in nano-dollars."""

    place: Place
    used_nano_usd: int


def bounds(period: Period, at: datetime, zone: tzinfo = UTC) -> tuple[datetime, datetime]:
    """The period around a moment by the clocks of a zone, in UTC: its start, and the start of the next.

    Weeks begin on Monday. Days are as long as the clocks make them: 23 and 25 hours where they are changed.
    """
    day = at.astimezone(zone).date()
    if period is Period.DAY:
        first, following = day, day + timedelta(days=1)
    elif period is Period.WEEK:
        first = day - timedelta(days=day.weekday())
        following = first + timedelta(days=7)
    else:
        first = day.replace(day=1)
        following = (first + timedelta(days=32)).replace(day=1)
    return start_of(first, zone), start_of(following, zone)


def start_of(day: date, zone: tzinfo) -> datetime:
    """When a day begins, in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def hour_of(moment: datetime, zone: tzinfo) -> datetime:
    """When the hour around a moment began by the clocks of a zone, in UTC. An hour that clocks show twice is two."""
    local = moment.astimezone(zone)
    return moment.astimezone(UTC) - timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def places(budgets: Iterable[Terms], *, user: str, agent: str, at: datetime, zone: tzinfo = UTC) -> list[Place]:
    """The budgets of a call. A budget with a name stands instead of the one for everybody, of the same period."""
    subjects = {Scope.TENANT: "", Scope.USER: user, Scope.AGENT: agent}
    chosen: dict[tuple[Scope, Period], Terms] = {}
    for terms in budgets:
        subject = subjects[terms.scope]
        if terms.scope is not Scope.TENANT and (not subject or terms.scope_id not in ("", subject)):
            continue
        key = (terms.scope, terms.period)
        if key not in chosen or terms.scope_id:
            chosen[key] = terms
    return [Place(terms, subjects[terms.scope], *bounds(terms.period, at, zone)) for terms in chosen.values()]


def ceiling_of(*, limit_nano_usd: int, action: Action) -> int:
    """The ceiling where none is given: of `block` the limit itself, else a tenth more."""
    return limit_nano_usd if action is Action.BLOCK else limit_nano_usd * CEILING_PERCENT // 100


def refusal(standings: Sequence[Standing], *, hold: int, past_limit: bool) -> Refused | None:
    """Why a hold does not fit, if so: the ceiling with the least left, else the limits it passes, those that throttle first."""
    over = [one for one in standings if one.used_nano_usd + hold > one.place.terms.ceiling_nano_usd]
    if over:
        return _refused(
            min(over, key=lambda one: one.place.terms.ceiling_nano_usd - one.used_nano_usd), is_ceiling=True
        )
    if past_limit:
        return None
    over = [one for one in standings if one.used_nano_usd + hold > one.place.terms.limit_nano_usd]
    if over:
        over.sort(key=lambda one: one.place.terms.action is not Action.THROTTLE)
        first, *others = (_refused(one, is_ceiling=False) for one in over)
        return replace(first, others=tuple(others))
    return None


def _refused(one: Standing, *, is_ceiling: bool) -> Refused:
    terms = one.place.terms
    upto = terms.ceiling_nano_usd if is_ceiling else terms.limit_nano_usd
    return Refused(
        scope=terms.scope,
        scope_id=one.place.subject,
        action=terms.action,
        is_ceiling=is_ceiling,
        free_nano_usd=max(0, upto - one.used_nano_usd),
        limit_nano_usd=terms.limit_nano_usd,
        used_nano_usd=one.used_nano_usd,
        resets_at=one.place.end,
    )


def passes_limit(standings: Sequence[Standing], *, hold: int) -> bool:
    """Does a hold go beyond the limit of a budget?"""
    return any(one.used_nano_usd + hold > one.place.terms.limit_nano_usd for one in standings)


def slice_beyond(standings: Sequence[Standing], *, hold: int) -> int:
    """What a run takes beyond a hold that fits: some whole calls like it, less where little is left up to a limit."""
    room = min((one.place.terms.limit_nano_usd - one.used_nano_usd - hold for one in standings), default=0)
    if hold <= 0 or room <= 0:
        return 0
    return min(SLICE_CALLS, room // SLICE_SHARE // hold) * hold


# -- thresholds -------------------------------------------------------------------------------------------------------


def amount_at(percent: int, limit_nano_usd: int) -> int:
    """The spend at which a threshold is crossed, in nano-dollars: at least one, as of nothing spent no part is a part."""
    return max(1, -(-limit_nano_usd * percent // 100))


def crossed(thresholds: Sequence[int], *, limit_nano_usd: int, used_nano_usd: int) -> list[int]:
    """The thresholds that a spend has reached, in their order."""
    return [percent for percent in thresholds if used_nano_usd >= amount_at(percent, limit_nano_usd)]


def next_notice(thresholds: Sequence[int], *, limit_nano_usd: int, beyond_percent: int) -> int | None:
    """The spend at which the first threshold after `beyond_percent` is crossed; None after the last."""
    later = [amount_at(percent, limit_nano_usd) for percent in thresholds if percent > beyond_percent]
    return later[0] if later else None


def is_full(standing: Standing) -> bool:
    """Is a budget that a call did not fit into at its limit, or was the call just too large?"""
    return standing.used_nano_usd * 100 >= standing.place.terms.limit_nano_usd * FULL_FROM_PERCENT
