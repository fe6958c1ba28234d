"""First texts of what customers are told: text files filled with what is known, for a person to finish."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.template import Context
from django.template.loader import get_template

from incidents.types import CommAudience

SUBJECT = "Subject:"
_GAPS = re.compile(r"\n{3,}")  # what parts that say nothing leave behind


@dataclass(frozen=True, slots=True)
class Template:
    """`is_last` is a text after which no further update is promised."""

    name: str
    label: str
    audience: CommAudience
    is_last: bool = False


TEMPLATES = {
    one.name: one
    for one in (
        Template("admins_first", "First notice to the admins", CommAudience.ADMINS),
        Template("admins_update", "Update to the admins", CommAudience.ADMINS),
        Template("admins_resolved", "It is over, to the admins", CommAudience.ADMINS, is_last=True),
        Template("users_hit", "To the users who were hit", CommAudience.USERS, is_last=True),
        Template("success_manager", "To the success manager", CommAudience.SUCCESS_MANAGER),
        Template("public_statement", "Public statement", CommAudience.PUBLIC),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an incident, as far as one customer is concerned; of all of them together for a public statement."""

    organisation: str
    ref: str
    what: str
    agent: str = ""
    severity: str = ""
    began_at: datetime | None = None
    contained_at: datetime | None = None
    resolved_at: datetime | None = None
    organisations: int = 0
    records: int = 0  # confirmed
    users: int = 0  # confirmed
    suspected: int = 0
    undone: int = 0
    undoing: int = 0
    did: list[str] = field(default_factory=list)
    next_update_at: datetime | None = None
    runs_link: str = ""
    incident_link: str = ""


def draft(template: str, facts: Facts) -> tuple[str, str]:
    """Subject and text. Nothing is escaped for HTML: it is plain text."""
    found: Any = get_template(f"incidents/comms/{TEMPLATES[template].name}.txt")
    text: str = found.template.render(Context(_told(facts), autoescape=False))
    head, _, body = text.lstrip().partition("\n\n")
    return " ".join(head.removeprefix(SUBJECT).split())[:200], _GAPS.sub("\n\n", body).strip()


def _told(facts: Facts) -> dict[str, Any]:
    """Times in words of UTC: a text is read in any zone."""
    return {name: _moment(value) if isinstance(value, datetime) else value for name, value in asdict(facts).items()}


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%-d %B %Y, %H:%M} UTC"
