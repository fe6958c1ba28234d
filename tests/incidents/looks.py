"""Looks of detectors, made by hand."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.detecting.seen import SampleRun, Seen
from incidents.types import AlertClass, ScopeType, Severity

AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def run(tenant: uuid.UUID, number: int, value: float = 0.0) -> SampleRun:
    return SampleRun(
        tenant=tenant, run=uuid.UUID(int=number + 1), at=after(number), step="00000000000000aa", value=value
    )


def look(tenant: uuid.UUID | None, **changed: Any) -> Seen:
    """One agent's error rate, of an organisation or of all."""
    figures: dict[str, Any] = {
        "alert_class": AlertClass.ERROR_RATE,
        "scope_type": ScopeType.AGENT,
        "scope_id": "refund-desk",
        "about_tenant": tenant,
        "agent": "refund-desk",
        "severity": Severity.SEV2,
        "summary": "refund-desk fails in 31 % of its runs.",
        "value": 31.0,
        "threshold": 28.8,
        "unit": "%",
        "since": AT,
    }
    return Seen(**(figures | changed))
