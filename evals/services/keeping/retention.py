"""Runs that an organisation keeps no longer: when traces has deleted them, all that quality holds of each goes, too.

What goes: the fact, judgements with scores and reasons, labels, feedback, outcomes, signals, review items, tapes and replays,
and the run's place among the worst runs of a drift finding. What stays are sums: days by cohort, and how far judges and people
agree (the pairs that go are counted in the comparison's matrix first). Cases stay: somebody chose to keep them.

A fact goes only when its day has been added up since it was written; and a day of which facts went is added up no more
(`forgotten_until`), or a word that comes late would replace the sums of all by those of the rest.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection

from agentops.common import scope
from evals.models import Mark
from evals.services.judging import calibrating

BATCH = 500
SWEEP = "keeping.forgotten"
_ADDED_UP_BEFORE = timedelta(minutes=10)  # the overlap of the sweep that adds up (services/drift/cohort_days.py)
_GONE = "NOT EXISTS (SELECT 1 FROM traces_run r WHERE r.tenant_id = {t}.tenant_id AND r.run_id = {t}.{run})"
_FACTS = f"""
SELECT f.run_id, f.day FROM evals_runfact f JOIN evals_cohortsweep s ON s.tenant_id = f.tenant_id AND s.part = 'all'
WHERE f.tenant_id = %(tenant)s AND f.day < %(before)s AND f.computed_at < s.swept_at - %(overlap)s
    AND {_GONE.format(t="f", run="run_id")}
ORDER BY f.day, f.run_id LIMIT %(most)s FOR UPDATE OF f SKIP LOCKED
"""  # noqa: S608  our own names
_OF_RUNS = (
    "DELETE FROM evals_score s USING evals_judgement j WHERE j.tenant_id = %(tenant)s AND j.subject = 'run' "
    "AND j.subject_id = ANY(%(runs)s) AND s.tenant_id = j.tenant_id AND s.judgement_id = j.id",
    "DELETE FROM evals_judgement WHERE tenant_id = %(tenant)s AND subject = 'run' AND subject_id = ANY(%(runs)s)",
    *(
        f"DELETE FROM {table} WHERE tenant_id = %(tenant)s AND run_id = ANY(%(runs)s)"  # noqa: S608  our own names
        for table in (
            "evals_humanlabel", "evals_feedback", "evals_outcome", "evals_signal", "evals_reviewitem", "evals_replay",
            "evals_runfact",
        )
    ),
    "UPDATE evals_driftfinding SET worst_runs = ARRAY(SELECT w FROM unnest(worst_runs) AS w WHERE w <> ALL(%(runs)s)) "
    "WHERE tenant_id = %(tenant)s AND worst_runs && %(runs)s",
)  # fmt: skip
# Rows about runs that never had a fact, or that came after the run had gone: by their own time.
_LOOSE = (
    ("evals_judgement", "subject_id", "t.subject = 'run' AND t.day < %(before)s"),
    ("evals_humanlabel", "run_id", "t.labelled_at < %(before)s"),
    ("evals_feedback", "run_id", "t.received_at < %(before)s"),
    ("evals_outcome", "run_id", "t.received_at < %(before)s"),
    ("evals_signal", "run_id", "t.at < %(before)s"),
    ("evals_reviewitem", "run_id", "t.found_at < %(before)s"),
    ("evals_replay", "run_id", "t.asked_at < %(before)s"),
)


def forget_gone_runs(*, tenant: uuid.UUID, before: date, at: datetime) -> int:
    """Forget up to BATCH runs from before a day that traces has deleted; answers how many runs there were to forget."""
    scope.require_tenant(tenant)
    params: dict[str, Any] = {"tenant": tenant, "before": before, "overlap": _ADDED_UP_BEFORE, "most": BATCH}
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, params)
        found = cursor.fetchall()
    if found:
        _forget(tenant, [run for run, _ in found], at)
        _note(tenant, max(day for _, day in found))
    loose = _loose_runs(tenant, before)
    if loose:
        _forget(tenant, loose, at)
    return max(len(found), len(loose))


def forgotten_until(*, tenant: uuid.UUID) -> date | None:
    """The newest day of which facts were forgotten; None while there is none."""
    found = Mark.objects.filter(tenant_id=tenant, sweep=SWEEP).values_list("at", flat=True).first()
    return found.astimezone(UTC).date() if found else None


def _forget(tenant: uuid.UUID, runs: Sequence[uuid.UUID], at: datetime) -> None:
    calibrating.keep_pairs(tenant=tenant, runs=runs, at=at)
    with connection.cursor() as cursor:
        for statement in _OF_RUNS:
            cursor.execute(statement, {"tenant": tenant, "runs": list(runs)})


def _loose_runs(tenant: uuid.UUID, before: date) -> list[uuid.UUID]:
    """Runs without a fact and without spans of which something old is here. One that has a fact is the sweep's above."""
    found: set[uuid.UUID] = set()
    with connection.cursor() as cursor:
        for table, run, is_old in _LOOSE:
            cursor.execute(
                f"SELECT DISTINCT t.{run} FROM {table} t WHERE t.tenant_id = %(tenant)s AND {is_old} "  # noqa: S608
                f"AND {_GONE.format(t='t', run=run)} AND NOT EXISTS (SELECT 1 FROM evals_runfact f "
                f"WHERE f.tenant_id = t.tenant_id AND f.run_id = t.{run}) LIMIT %(most)s",
                {"tenant": tenant, "before": before, "most": BATCH},
            )
            found |= {row[0] for row in cursor.fetchall()}
    return sorted(found)[:BATCH]


def _note(tenant: uuid.UUID, day: date) -> None:
    until = datetime.combine(day, time(), tzinfo=UTC)
    mark, _ = Mark.objects.get_or_create(tenant_id=tenant, sweep=SWEEP, defaults={"at": until})
    if mark.at < until:
        mark.at = until
        mark.save(update_fields=["at"])
