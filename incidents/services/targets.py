"""Where people are paged: set, tried, turned off. Secrets go in and never come out again."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import connection
from django.db.models import Max

from agentops.common import scope, secrets
from agentops.common.errors import Conflict, InputProblem, InvalidInput, NotFound, Throttled
from agentops.common.ids import new_id
from agentops.outbox import asking
from agentops.outbox.pagers import chat, opsgenie, pagerduty
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents.models import Page, PagingTarget
from incidents.queries.subjects import subject_of
from incidents.queries.targets import target_of
from incidents.services.paging import page_to
from incidents.types import Hears, PageAction, Severity, TargetKind

TESTED_AGAIN_AFTER = timedelta(seconds=30)
ADDRESSES = {
    TargetKind.PAGERDUTY: (pagerduty.US, pagerduty.EU),
    TargetKind.OPSGENIE: (opsgenie.JSM, opsgenie.OPSGENIE, opsgenie.OPSGENIE_EU),
}
# One change after the other: two at once could take one name, or make two targets the second channel of each other.
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('incidents.targets', 0))"
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")
_SECRET_CHARACTERS, _URL_CHARACTERS = 1_000, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """A target as somebody wants it. An empty secret keeps the one that is there."""

    name: str
    kind: str
    base_url: str = ""
    address: str = ""
    secret: str = field(default="", repr=False)
    back_secret: str = field(default="", repr=False)
    api_token: str = field(default="", repr=False)
    severities: Collection[int] = ()
    is_pager: bool = True
    second_for: uuid.UUID | None = None
    hears: str = Hears.REAL.value


def set_target(
    *, tenant: uuid.UUID, terms: Terms, by: Actor, at: datetime, target_id: uuid.UUID | None = None
) -> PagingTarget:
    """Make a target, or change one. At another address every secret has to be given again, or whoever changes the address
    could read them there. Raises InvalidInput, NotFound, Conflict.
    """
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_ONE_BY_ONE)
    before = target_of(target_id, lock=True) if target_id else None
    kind = _kind(terms.kind, before)
    name = terms.name.strip()
    if not 1 <= len(name) <= 80 or not name.isprintable():
        raise _invalid("/name", "1 to 80 printable characters are expected")
    namesakes = PagingTarget.objects.filter(tenant_id=tenant, name=name)
    if (namesakes.exclude(id=before.id) if before else namesakes).exists():
        raise Conflict("There is a target of this name.", problems=(InputProblem("/name", "taken", "It is taken."),))
    row = before or PagingTarget(id=new_id(), tenant_id=tenant, kind=kind.value)
    base_url, address = _place(kind, terms, before)
    is_moved = before is not None and (before.base_url, before.address) != (base_url, address)
    row.name, row.base_url, row.address = name, base_url, address
    _keep_secrets(row, kind, terms, is_moved=is_moved and kind is not TargetKind.CHAT)
    row.severities = sorted(set(terms.severities))
    if not row.severities or not set(row.severities) <= set(Severity.values):
        raise _invalid("/severities", "at least one of 1, 2 and 3 is expected")
    row.is_pager = terms.is_pager and kind is not TargetKind.CHAT
    if terms.hears not in Hears.values:
        raise _invalid("/hears", f"one of {', '.join(Hears.values)} is expected")
    row.hears = terms.hears
    row.second_for_id = _second_for(tenant, terms.second_for, row.id)
    row.set_at, row.set_by = at, (by.label or by.id)[:200]
    row.save()
    told: dict[str, Any] = {
        "kind": kind.value,
        "address": row.address if kind is not TargetKind.WEBHOOK else base_url,
        "severities": ", ".join(f"SEV-{each}" for each in row.severities),
        "hears": Hears(row.hears).label.lower(),
        "secret": "given" if terms.secret else "kept" if before else "none",
    }
    _record(row, "paging_target.set", by, at, **told)
    return row


def turn_target(*, tenant: uuid.UUID, target_id: uuid.UUID, is_on: bool, by: Actor, at: datetime) -> PagingTarget:
    """On or off; off, nothing is sent there, and what waits is given up. Raises NotFound."""
    scope.require_tenant(tenant)
    row = target_of(target_id, lock=True)
    if row.is_on != is_on:
        row.is_on = is_on
        row.save(update_fields=["is_on"])
        _record(row, "paging_target.turned_on" if is_on else "paging_target.turned_off", by, at)
    return row


def test_target(*, tenant: uuid.UUID, target_id: uuid.UUID, by: Actor, at: datetime) -> Page:
    """Send a test page: it goes the way of every page. Raises NotFound, Conflict, Throttled."""
    scope.require_tenant(tenant)
    row = target_of(target_id, lock=True)
    if not row.is_on:
        raise Conflict("The target is turned off: turn it on first.")
    if row.tested_at is not None and at - row.tested_at < TESTED_AGAIN_AFTER:
        raise Throttled("It was tested a moment ago: try again in half a minute.", retry_after=30)
    row.tested_at = at
    row.save(update_fields=["tested_at"])
    subject = subject_of("test", row.id)
    assert subject is not None
    last = Page.objects.filter(tenant_id=tenant, subject_id=row.id).aggregate(last=Max("state_number"))["last"]
    page = page_to(
        row,
        subject,
        state_number=(last or 0) + 1,
        action=PageAction.TRIGGER,
        severity=min(row.severities, default=Severity.SEV3.value),
        because="test",
        at=at,
    )
    _record(row, "paging_target.tested", by, at)
    return page


def _kind(text: str, before: PagingTarget | None) -> TargetKind:
    if text not in TargetKind.values:
        raise _invalid("/kind", f"one of {', '.join(TargetKind.values)} is expected")
    if before is not None and before.kind != text:
        raise _invalid("/kind", "its kind stays: make another target and turn this one off")
    return TargetKind(text)


def _place(kind: TargetKind, terms: Terms, before: PagingTarget | None) -> tuple[str, str]:
    """Base URL and address as they are kept."""
    match kind:
        case TargetKind.MAIL:
            return "", _mail(terms.address.strip())
        case TargetKind.CHAT:
            return "", _chat(terms.secret) if terms.secret else before.address if before else ""
    url = terms.base_url.strip().rstrip("/") if kind is not TargetKind.WEBHOOK else terms.base_url.strip()
    if kind is not TargetKind.WEBHOOK:
        url = url or ADDRESSES[kind][0]
    try:
        if len(url) > _URL_CHARACTERS or not url.isascii() or not url.isprintable():
            raise ValueError(f"at most {_URL_CHARACTERS} printable ASCII characters are expected")
        asking.check(url)
    except ValueError as error:
        raise _invalid("/base_url", f"{error}; an https address that is reachable from here is expected") from error
    if kind is not TargetKind.WEBHOOK and ("?" in url or "#" in url):
        raise _invalid("/base_url", f"an address without ? and # is expected, such as {ADDRESSES[kind][0]}")
    return url, ""


def _mail(address: str) -> str:
    try:
        validate_email(address)
    except ValidationError as error:
        raise _invalid("/address", "a mail address is expected") from error
    return address


def _chat(url: str) -> str:
    try:
        return chat.host_of(url)
    except ValueError as error:
        raise _invalid("/secret", str(error)) from error


def _keep_secrets(row: PagingTarget, kind: TargetKind, terms: Terms, *, is_moved: bool) -> None:
    needs_secret = kind in (TargetKind.PAGERDUTY, TargetKind.OPSGENIE, TargetKind.CHAT)
    for name in ("secret", "back_secret", "api_token"):
        given: str = getattr(terms, name)
        if given != given.strip() or len(given) > _SECRET_CHARACTERS or not (given.isascii() and given.isprintable()):
            raise _invalid(f"/{name}", f"at most {_SECRET_CHARACTERS} printable ASCII characters are expected")
        if given:
            setattr(row, name, secrets.close(given))
        elif is_moved and name != "back_secret":  # of what comes back nothing is sent anywhere
            if getattr(row, name) and not (name == "secret" and needs_secret):
                raise _invalid(
                    f"/{name}", "give it again: at another address, the one that is kept is not used", "required"
                )
            setattr(row, name, b"")
    if needs_secret and not row.secret:
        raise _invalid("/secret", "it is needed, and has to be given again with another address", "required")
    if kind is TargetKind.PAGERDUTY and terms.secret and not _ROUTING_KEY.fullmatch(terms.secret):
        raise _invalid("/secret", "an integration key of 32 letters and digits is expected")
    if terms.back_secret and len(terms.back_secret) < 16:
        raise _invalid("/back_secret", "at least 16 characters are expected")


def _second_for(tenant: uuid.UUID, first: uuid.UUID | None, own: uuid.UUID) -> uuid.UUID | None:
    """Following from one to the next must not lead back: then nobody in the ring would hear of anything at first hand."""
    seen, place = {own}, first
    while place is not None:
        if place in seen:
            raise _invalid("/second_for", "it is the second channel of itself, over others or not: choose another one")
        seen.add(place)
        found = PagingTarget.objects.filter(tenant_id=tenant, id=place).values_list("second_for_id").first()
        if found is None:
            raise NotFound("There is no such target to be the second channel of.")
        place = found[0]
    return first


def _invalid(pointer: str, detail: str, code: str = "invalid") -> InvalidInput:
    return InvalidInput(detail, problems=(InputProblem(pointer, code, detail),))


def _record(row: PagingTarget, action: str, by: Actor, at: datetime, **data: Any) -> None:
    audit.record(
        tenant=row.tenant_id,
        action=action,
        actor=by,
        target=Target(type="paging_target", id=str(row.id)),
        outcome=Outcome.SUCCESS,
        data={"name": row.name, **data},
        at=at,
    )
