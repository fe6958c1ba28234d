"""What people say of a run."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.common import scope
from agentops.common.errors import Throttled
from agentops.common.ids import span_int
from agentops.traces import queries as traces
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import invalid
from evals.models import Feedback
from evals.types import FeedbackSource

COMMENT_MOST = 2_000
LEAST_BETWEEN = timedelta(seconds=1)  # two words of the same person on the same thing, by the widget


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One person's word. `span_id`: 16 hex digits, or "" for the run as a whole; `user`: "" where the sender names nobody."""

    run_id: uuid.UUID
    is_up: bool
    span_id: str = ""
    is_correct: bool | None = None
    comment: str = ""
    user: str = ""


def give_feedback(
    *, tenant: uuid.UUID, said: Said, source: FeedbackSource, by: Actor, at: datetime
) -> tuple[Feedback, bool]:
    """Keep a person's word, and tell whether it is their first on this; a later one replaces it, the same again changes nothing.

    A run that is not known (yet) is taken: spans are often later than people. Raises InvalidInput for a span that a
    finished run does not have, and Throttled where the widget says it again within a second.
    """
    scope.require_tenant(tenant)
    _check_span(tenant, said)
    _lock(tenant, said)
    key: dict[str, Any] = {
        "run_id": said.run_id,
        "span_id": said.span_id,
        "user_id": said.user,
        "source": source,
        "about": "",
    }
    found = Feedback.objects.filter(tenant_id=tenant, **key).first()
    now_said = (said.is_up, said.is_correct, said.comment)
    if found is not None and (found.is_up, found.is_correct, found.comment) == now_said:
        return found, False
    if found is not None and source == FeedbackSource.WIDGET and at - found.received_at < LEAST_BETWEEN:
        raise Throttled("One word a second is enough; the last one is kept.", retry_after=1)
    row, is_new = Feedback.objects.update_or_create(
        tenant_id=tenant,
        **key,
        defaults={
            "is_up": said.is_up,
            "is_correct": said.is_correct,
            "comment": said.comment,
            "at": at,
            "received_at": at,
        },
    )
    audit.record(
        tenant=tenant,
        action="feedback.given",
        actor=by,
        target=Target(type="run", id=said.run_id.hex),
        outcome=Outcome.SUCCESS,
        data={
            "user": said.user or "somebody",
            "rating": "good" if said.is_up else "bad",
            "source": str(source),
            "span": said.span_id,
        },
        at=at,
        run=said.run_id,
        on_behalf_of=said.user,
    )
    return row, is_new


def _check_span(tenant: uuid.UUID, said: Said) -> None:
    if not said.span_id:
        return
    run = traces.find_run(tenant=tenant, run_id=said.run_id)
    if run is None or run.finalised_at is None:
        return  # its spans are on their way
    if not traces.has_span(run=run, span_id=span_int(said.span_id)):
        raise invalid(
            "/span_id", "is a span of this run (16 hex digits), or is left out for the run as a whole", "span"
        )


def _lock(tenant: uuid.UUID, said: Said) -> None:
    """One at a time for one run's person, so that the first is the first and the later one replaces it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))",
            [f"feedback {tenant} {said.run_id} {said.span_id} {said.user}"],
        )
