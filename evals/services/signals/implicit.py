"""What people do instead of saying that an answer was not good: they correct it, ask the same again, leave, or refuse.

Each is a guess from rows that are there; the page shows how often people who also said it out loud agree. The signal
belongs to the run that was answered badly, not to the one that shows it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.dateparse import parse_datetime

from agentops.common import scope
from agentops.confirmations import queries as confirmations
from agentops.traces import queries as traces
from evals.models import Feedback, RunFact, Signal
from evals.services.signals import marks
from evals.signalling.corrections import correction
from evals.types import FeedbackSource, SignalKind

BATCH = 500
CORRECTED_WITHIN = timedelta(minutes=2)
REPEATED_WITHIN = timedelta(minutes=10)
LEFT_WITHIN = timedelta(seconds=30)
SESSION_ENDED = "agentops.session_ended_at"
_FACTS, _CORRECTNESS, _STOPPED = "signals.facts", "signals.correctness", "signals.stopped"
_ANSWERS = 1_000

# Of each run, those before and after it of the same conversation: of one session, or without one of the same person.
_NEIGHBOURS = """
SELECT f.run_id, n.run_id, n.started_at, n.ended_at, n.input_digest, n.is_next, n.place FROM evals_runfact f
CROSS JOIN LATERAL (
  (SELECT p.run_id, p.started_at, p.ended_at, p.input_digest, false AS is_next,
     row_number() OVER (ORDER BY p.started_at DESC, p.run_id DESC) AS place
   FROM evals_runfact p WHERE p.tenant_id = %(tenant)s AND {same} AND p.agent = f.agent
     AND (p.started_at, p.run_id) < (f.started_at, f.run_id) ORDER BY p.started_at DESC, p.run_id DESC LIMIT 5)
  UNION ALL
  (SELECT p.run_id, p.started_at, p.ended_at, p.input_digest, true,
     row_number() OVER (ORDER BY p.started_at, p.run_id)
   FROM evals_runfact p WHERE p.tenant_id = %(tenant)s AND {same} AND p.agent = f.agent
     AND (p.started_at, p.run_id) > (f.started_at, f.run_id) ORDER BY p.started_at, p.run_id LIMIT 5)
) n WHERE f.tenant_id = %(tenant)s AND f.run_id = ANY(%(runs)s) AND {which}
"""
_BY_SESSION = {"same": "p.session_id = f.session_id", "which": "f.session_id <> ''"}
_BY_USER = {
    "same": "p.session_id = '' AND p.user_id <> '' AND p.user_id = f.user_id",
    "which": "f.session_id = '' AND f.user_id <> ''",
}


@dataclass(frozen=True, slots=True)
class _Turn:
    run_id: uuid.UUID
    agent: str
    started_at: datetime
    ended_at: datetime
    digest: bytes


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two runs of one conversation. `is_adjacent`: nothing lies between them."""

    before: _Turn
    after: _Turn
    is_adjacent: bool

    @property
    def gap(self) -> timedelta:
        return self.after.started_at - self.before.ended_at


def find_signals(*, tenant: uuid.UUID, at: datetime) -> tuple[int, bool]:
    """Look at the runs whose facts were written since the last look; answers how many signals are new, and whether more wait."""
    scope.require_tenant(tenant)
    facts, is_more = marks.unread(
        RunFact.objects.filter(tenant_id=tenant),
        tenant=tenant,
        sweep=_FACTS,
        at=at,
        written="computed_at",
        key="run_id",
        most=BATCH,
    )
    pairs = _pairs(tenant, facts)
    found = [*_corrected(tenant, pairs, at), *_repeated(pairs, at), *_abandoned(tenant, facts, at)]
    return _keep(tenant, found), is_more


def take_confirmations(*, tenant: uuid.UUID, at: datetime) -> int:
    """Read what people said of actions they had approved, and what they refused; answers how many rows were written."""
    scope.require_tenant(tenant)
    return _take_correctness(tenant, at) + _take_stopped(tenant, at)


# -- of runs ----------------------------------------------------------------------------------------------------------


def _pairs(tenant: uuid.UUID, facts: Sequence[RunFact]) -> list[_Pair]:
    turns = {
        row.run_id: _Turn(row.run_id, row.agent, row.started_at, row.ended_at, bytes(row.input_digest or b""))
        for row in facts
    }
    found: dict[tuple[uuid.UUID, uuid.UUID], _Pair] = {}
    with connection.cursor() as cursor:
        for by in (_BY_SESSION, _BY_USER):
            cursor.execute(_NEIGHBOURS.format(**by), {"tenant": tenant, "runs": list(turns)})
            for run_id, other, started_at, ended_at, digest, is_next, place in cursor.fetchall():
                own = turns[run_id]
                near = _Turn(other, own.agent, started_at, ended_at, bytes(digest or b""))
                before, after = (own, near) if is_next else (near, own)
                pair = _Pair(before, after, is_adjacent=place == 1)
                if pair.gap <= REPEATED_WITHIN:
                    found[before.run_id, after.run_id] = pair
    return list(found.values())


def _corrected(tenant: uuid.UUID, pairs: Iterable[_Pair], at: datetime) -> list[Signal]:
    near = [pair for pair in pairs if pair.is_adjacent and pair.gap <= CORRECTED_WITHIN]
    words = traces.first_words(tenant=tenant, runs={turn.run_id for pair in near for turn in (pair.before, pair.after)})
    found = []
    for pair in near:
        before, after = words.get(pair.before.run_id, ""), words.get(pair.after.run_id, "")
        why = correction(before=before, after=after) if after else ""
        if why:
            found.append(_of_pair(SignalKind.CORRECTION, pair, at, {"why": why}))
    return found


def _repeated(pairs: Iterable[_Pair], at: datetime) -> list[Signal]:
    return [
        _of_pair(SignalKind.SAME_PROMPT, pair, at, {})
        for pair in pairs
        if pair.before.digest and pair.before.digest == pair.after.digest
    ]


def _of_pair(kind: SignalKind, pair: _Pair, at: datetime, evidence: dict[str, Any]) -> Signal:
    return Signal(
        run_id=pair.before.run_id,
        kind=kind,
        agent=pair.before.agent,
        at=pair.after.started_at,
        found_at=at,
        evidence={"run": pair.after.run_id.hex, "seconds": round(pair.gap.total_seconds(), 1), **evidence},
    )


def _abandoned(tenant: uuid.UUID, facts: Sequence[RunFact], at: datetime) -> list[Signal]:
    """Only where the client says when the session ended: that somebody reads on in silence cannot be seen otherwise."""
    by_run = {row.run_id: row for row in facts if row.session_id}
    told = traces.told_attribute(tenant=tenant, runs=by_run, name=SESSION_ENDED)
    found = []
    for run_id, said in told.items():
        ended_at = _moment(said.value)
        if ended_at is None or not timedelta(0) <= ended_at - said.answered_at <= LEFT_WITHIN:
            continue
        row = by_run[run_id]
        later = RunFact.objects.filter(
            tenant_id=tenant, session_id=row.session_id, started_at__gt=row.started_at, started_at__lte=ended_at
        )
        if later.exists():
            continue
        seconds = round((ended_at - said.answered_at).total_seconds(), 1)
        found.append(
            Signal(
                run_id=run_id,
                kind=SignalKind.ABANDONED,
                agent=row.agent,
                at=ended_at,
                found_at=at,
                evidence={"seconds": seconds},
            )
        )
    return found


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None


def _keep(tenant: uuid.UUID, found: Sequence[Signal]) -> int:
    """Write those that are new; what was found before stays as it was found."""
    for signal in found:
        signal.tenant_id = tenant
    known = set(
        Signal.objects.filter(tenant_id=tenant, run_id__in=[each.run_id for each in found]).values_list(
            "run_id", "kind"
        )
    )
    new = {(each.run_id, str(each.kind)): each for each in found if (each.run_id, str(each.kind)) not in known}
    Signal.objects.bulk_create(new.values(), ignore_conflicts=True)
    return len(new)


# -- of confirmations -------------------------------------------------------------------------------------------------


def _take_correctness(tenant: uuid.UUID, at: datetime) -> int:
    """ "Was this correct?" as feedback on the run, one row a confirmation and person; an answer that was changed comes again."""
    since, last = marks.since(tenant, _CORRECTNESS, at)
    answers = confirmations.judged(tenant=tenant, since=since, after=(since, last) if last else None, most=_ANSWERS)
    rows = [
        Feedback(
            tenant_id=tenant,
            run_id=answer.run_id,
            user_id=answer.voter.removeprefix("end_user:"),
            source=FeedbackSource.CONFIRMATION,
            about=answer.confirmation.hex,
            is_up=answer.is_correct,
            is_correct=answer.is_correct,
            comment=answer.comment,
            at=answer.at,
            received_at=at,
        )
        for answer in answers
    ]
    known = {
        (row.user_id, row.about): (row.is_correct, row.comment)
        for row in Feedback.objects.filter(
            tenant_id=tenant, run_id__in={row.run_id for row in rows}, source=FeedbackSource.CONFIRMATION
        )
    }
    new = [row for row in rows if known.get((row.user_id, row.about)) != (row.is_correct, row.comment)]
    Feedback.objects.bulk_create(
        new,
        update_conflicts=True,
        unique_fields=["tenant_id", "run_id", "span_id", "user_id", "source", "about"],
        update_fields=["is_up", "is_correct", "comment", "at", "received_at"],
    )
    is_more = len(answers) == _ANSWERS
    marks.move(tenant, _CORRECTNESS, answers[-1].at if is_more else at, last=answers[-1].id if is_more else None)
    return len(new)


def _take_stopped(tenant: uuid.UUID, at: datetime) -> int:
    since, _ = marks.since(tenant, _STOPPED, at)
    rows = confirmations.stopped(tenant=tenant, since=since, most=_ANSWERS)
    count = _keep(
        tenant,
        [
            Signal(
                run_id=row.run_id,
                kind=SignalKind.CANCELLED,
                agent=row.agent,
                at=row.at,
                found_at=at,
                evidence={"confirmation": row.confirmation.hex, "tool": row.tool, "state": row.state},
            )
            for row in rows
        ],
    )
    marks.move(tenant, _STOPPED, rows[-1].at + marks.OVERLAP if len(rows) == _ANSWERS else at)
    return count
