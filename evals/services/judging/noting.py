"""What the services of judging share: the entry in the audit log, and names as people give them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

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


def name_of(text: str, pointer: str = "/name") -> str:
    """Raises InvalidInput."""
    name = " ".join(text.split()) if isinstance(text, str) else ""
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise invalid(pointer, f"a name of 1 to {NAME_LENGTH} characters is expected")
    return name
