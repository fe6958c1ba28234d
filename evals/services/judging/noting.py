"""What the services of judging share: the entry in the audit log, names as people give them, and turns."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import connection

from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import invalid

NAME_LENGTH = 100


def record(
    *, tenant: uuid.UUID, action: str, kind: str, id: str, data: dict[str, Any], by: Actor, at: datetime
) -> None:
    """The entry, in the transaction of what it tells."""
    audit.record(
        tenant=tenant,
        action=action,
        actor=by,
        target=Target(type=kind, id=id),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
    )


def await_turn(tenant: uuid.UUID, kind: str) -> None:
    """One saves at a time, until the commit: of a name that is new there is no row that the second could wait for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"judging {kind} {tenant}"])


def name_of(text: str, pointer: str = "/name") -> str:
    """Raises InvalidInput."""
    name = " ".join(text.split()) if isinstance(text, str) else ""
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise invalid(pointer, f"a name of 1 to {NAME_LENGTH} characters is expected")
    return name
