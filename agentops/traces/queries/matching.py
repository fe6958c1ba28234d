"""What other apps look up in the spans of runs they name: calls, first words, single attributes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from django.db import connection

from agentops.traces.models import Run, SpanRow
from agentops.traces.types import SpanKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that somebody names outside: by the id of the tool call, or by its idempotency key. Neither: the run itself."""

    id: uuid.UUID
    run_id: uuid.UUID
    tool_call_id: str = ""
    idempotency_key: str = ""


def find_run(*, tenant: uuid.UUID, run_id: uuid.UUID) -> Run | None:
    """A run, where a span of it has come."""
    return Run.objects.filter(tenant_id=tenant, run_id=run_id).first()


def agents_of_runs(*, tenant: uuid.UUID, runs: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Whose runs these are, of those whose spans have come."""
    rows = Run.objects.filter(tenant_id=tenant, run_id__in=list(runs)).exclude(agent="")
    return dict(rows.values_list("run_id", "agent"))


def has_span(*, run: Run, span_id: int) -> bool:
    return SpanRow.objects.filter(tenant_id=run.tenant_id, day=run.day, run_id=run.run_id, span_id=span_id).exists()


def spans_of_calls(*, tenant: uuid.UUID, calls: Sequence[Call]) -> dict[uuid.UUID, int | None]:
    """The span of each call that has come, by the call's id; None of a call that names its run alone, which has come.

    Where several spans carry the key, the one that was counted and began first.
    """
    days = _days(tenant, {call.run_id for call in calls})
    found: dict[uuid.UUID, int | None] = {
        call.id: None for call in calls if call.run_id in days and not (call.tool_call_id or call.idempotency_key)
    }
    named = [call for call in calls if call.run_id in days and call.id not in found]
    if named:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT ON (c.id) c.id, s.span_id FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[]) "  # noqa: S608  dates
                "AS c (id, run_id, tool_call_id, idempotency_key) JOIN traces_span s ON s.tenant_id = %s "
                f"AND s.day IN ({_literals(days.values())}) AND s.run_id = c.run_id "
                "AND (c.tool_call_id <> '' AND c.tool_call_id IN (s.tool_call_id, s.call_id) "
                "OR c.idempotency_key <> '' AND s.idempotency_key = c.idempotency_key) "
                "ORDER BY c.id, s.is_counted DESC, s.started_at, s.span_id",
                [
                    [call.id for call in named],
                    [call.run_id for call in named],
                    [call.tool_call_id for call in named],
                    [call.idempotency_key for call in named],
                    tenant,
                ],
            )
            found |= dict(cursor.fetchall())
    return found


def first_words(*, tenant: uuid.UUID, runs: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The beginning of what each run was asked."""
    rows = Run.objects.filter(tenant_id=tenant, run_id__in=list(runs))
    return dict(rows.values_list("run_id", "input_preview"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An attribute that a run's client set on its root or on a span of no kind, and when the run's last answer was there."""

    value: str
    answered_at: datetime


def told_attribute(*, tenant: uuid.UUID, runs: Iterable[uuid.UUID], name: str) -> dict[uuid.UUID, Told]:
    """What these runs say under one attribute, those that say it. Only roots and spans of no kind are read: content is large."""
    days = _days(tenant, set(runs))
    if not days:
        return {}
    found: dict[uuid.UUID, str] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id, details FROM traces_span WHERE tenant_id = %s "  # noqa: S608  dates
            f"AND day IN ({_literals(days.values())}) AND run_id = ANY(%s) AND (parent_id IS NULL OR kind = %s) "
            "AND position(%s IN details) > 0 ORDER BY started_at",
            [tenant, list(days), int(SpanKind.OTHER), name],
        )
        for run_id, details in cursor.fetchall():
            attributes: Any = orjson.loads(details).get("attributes")
            if isinstance(attributes, dict) and attributes.get(name) is not None:
                found[run_id] = str(attributes[name])
        cursor.execute(
            "SELECT run_id, max(ended_at) FROM traces_span WHERE tenant_id = %s "  # noqa: S608  dates
            f"AND day IN ({_literals(days.values())}) AND run_id = ANY(%s) AND kind = %s GROUP BY run_id",
            [tenant, list(found), int(SpanKind.LLM)],
        )
        answered = dict(cursor.fetchall())
    return {
        run_id: Told(value=value, answered_at=answered[run_id]) for run_id, value in found.items() if run_id in answered
    }


def _days(tenant: uuid.UUID, runs: set[uuid.UUID]) -> dict[uuid.UUID, date]:
    return dict(Run.objects.filter(tenant_id=tenant, run_id__in=runs).values_list("run_id", "day"))


def _literals(days: Iterable[date]) -> str:
    """Literals, so that the partitions of other days are never planned."""
    return ", ".join(f"'{day:%Y-%m-%d}'" for day in sorted(set(days)))
