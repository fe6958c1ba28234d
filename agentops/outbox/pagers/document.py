"""A page, as every channel gets it: what happened, how bad it is, where to look. Nothing in it is secret or personal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ACTIONS = ("trigger", "acknowledge", "resolve")
_DETAILS_MOST, _DETAIL_CHARACTERS, _LINKS_MOST = 30, 1000, 10
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`severity` is 1 (worst) to 3. The pager makes one alert of everything with the same `dedup_key`."""

    action: str
    dedup_key: str
    severity: int
    summary: str
    source: str
    component: str = ""
    group: str = ""
    kind: str = ""
    at: str = ""  # RFC 3339
    url: str = ""
    links: list[dict[str, str]] = field(default_factory=list)  # href and text
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a pager says of the alert with a key: does it know it, has somebody got it, did somebody end it, when, who."""

    is_known: bool
    is_acknowledged: bool = False
    is_ended: bool = False
    is_by_person: bool = True  # who changed it last, where the pager says so: else our own word may come back
    changed_at: datetime | None = None
    who: str = ""


UNKNOWN = Standing(is_known=False)


def moment(value: object) -> datetime | None:
    """A moment that a pager names, in RFC 3339; None for what is none."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def read(context: dict[str, Any]) -> Page:
    """From a message's context. Raises ValueError for what is none."""
    action, key = context.get("action"), str(context.get("dedup_key") or "")
    if action not in ACTIONS or not key:
        raise ValueError("it is no page")
    return Page(
        action=action,
        dedup_key=key,
        severity=min(max(int(context.get("severity") or 3), 1), 3),
        summary=str(context.get("summary") or "Something needs to be looked at"),
        source=str(context.get("source") or "agentops"),
        component=str(context.get("component") or ""),
        group=str(context.get("group") or ""),
        kind=str(context.get("kind") or ""),
        at=str(context.get("at") or ""),
        url=str(context.get("url") or ""),
        links=[
            {"href": str(each["href"]), "text": cut(str(each["text"]), 100)}
            for each in (context.get("links") or [])[:_LINKS_MOST]
        ],
        details={
            cut(str(name), 100): cut(str(value), _DETAIL_CHARACTERS)
            for name, value in list((context.get("details") or {}).items())[:_DETAILS_MOST]
        },
    )


def cut(text: str, most: int) -> str:
    """At most so many characters, with a mark where something is missing."""
    return text if len(text) <= most else text[: most - 1] + _ELLIPSIS
