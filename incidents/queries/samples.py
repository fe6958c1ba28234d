"""The runs an alert shows, at the step to look at. In staff's scope: they are customers' rows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.dateparse import parse_datetime

from agentops.common.ids import span_hex
from incidents.models import Alert

# The last call of a run: where the guard stopped it, and where one that was only observed is now.
_LAST_CALLS = """
SELECT w.tenant, w.run, r.run_id IS NOT NULL, s.span_id, s.name
FROM unnest(%(tenants)s::uuid[], %(runs)s::uuid[]) AS w (tenant, run)
LEFT JOIN traces_run r ON r.tenant_id = w.tenant AND r.run_id = w.run
LEFT JOIN LATERAL (
    SELECT s.span_id, s.name FROM traces_span s
    WHERE s.tenant_id = r.tenant_id AND s.day = r.day AND s.run_id = r.run_id AND s.kind IN (2, 3, 5)
    ORDER BY s.started_at DESC, s.span_id LIMIT 1
) s ON true
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """A run, whether its trace is there, and the step: that which the detector named, else its last call."""

    tenant: uuid.UUID
    run: uuid.UUID
    step: str
    step_name: str
    value: float
    at: datetime | None
    is_kept: bool


def samples_of(alert: Alert) -> list[Sample]:
    """The latest first."""
    kept: list[dict[str, Any]] = list(reversed(alert.sample_runs))
    pairs = [(uuid.UUID(each["tenant"]), uuid.UUID(each["run"])) for each in kept]
    found = _last_calls(pairs) if pairs else {}
    samples = []
    for each, pair in zip(kept, pairs, strict=True):
        is_kept, step, name = found.get(pair, (False, "", ""))
        is_named = bool(each.get("step"))
        samples.append(
            Sample(
                tenant=pair[0],
                run=pair[1],
                step=each["step"] if is_named else step,
                step_name="" if is_named else name,
                value=float(each.get("value", 0)),
                at=parse_datetime(each["at"]),
                is_kept=is_kept,
            )
        )
    return samples


def _last_calls(
    pairs: Sequence[tuple[uuid.UUID, uuid.UUID]],
) -> dict[tuple[uuid.UUID, uuid.UUID], tuple[bool, str, str]]:
    params: dict[str, Any] = {"tenants": [tenant for tenant, _ in pairs], "runs": [run for _, run in pairs]}
    with connection.cursor() as cursor:
        cursor.execute(_LAST_CALLS, params)
        return {
            (tenant, run): (is_kept, span_hex(span) if span is not None else "", name or "")
            for tenant, run, is_kept, span, name in cursor.fetchall()
        }
