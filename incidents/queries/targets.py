"""Where people are paged, and what their pages came to."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from agentops.common import secrets
from agentops.common.errors import NotFound
from agentops.common.scope import tenant_scope
from agentops.outbox import queries as outbox
from agentops.outbox.credentials import Credentials, Missing
from incidents.links import link
from incidents.models import Incident, Page, PagingTarget
from incidents.policies.pages import heard_by
from incidents.types import Severity
from tenants.house import HOUSE_ID

SHOWN_PAGES, SHOWN_ATTEMPTS = 50, 20


_BECAUSE = {"severity": "more severe", "tenant": "more organisations", "rate": "grew"}


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt to deliver a page."""

    number: int
    started_at: object
    is_sent: bool | None
    status: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class PageLine:
    """A page with how it went. `error` is why the last attempt failed, `tries` the latest attempts, the newest first."""

    page: Page
    state: str  # waiting | sent | given_up, "" once the outbox has forgotten it
    attempts: int
    error: str
    tries: list[Try]
    ref: str = ""  # of the incident, where it is about one

    @property
    def url(self) -> str:
        if self.ref:
            return link("incident", ref=self.ref)
        return link("staff-alert", alert=self.page.subject_id) if self.page.subject_kind == "alert" else ""

    @property
    def because(self) -> str:
        return _BECAUSE.get(self.page.because, self.page.because.replace("_", " "))


def targets() -> list[PagingTarget]:
    """All, by name."""
    return list(PagingTarget.objects.filter(tenant_id=HOUSE_ID).select_related("second_for").order_by("name", "id"))


def target_of(target_id: uuid.UUID, *, lock: bool = False) -> PagingTarget:
    """Raises NotFound."""
    rows = PagingTarget.objects.select_for_update() if lock else PagingTarget.objects.all()
    found = rows.filter(tenant_id=HOUSE_ID, id=target_id).first()
    if found is None:
        raise NotFound("There is no such target.")
    return found


def targets_on() -> list[PagingTarget]:
    return list(PagingTarget.objects.filter(tenant_id=HOUSE_ID, is_on=True).order_by("name", "id"))


def first_hand(found: list[PagingTarget], severity: int, *, is_drill: bool = False) -> list[PagingTarget]:
    """Of the targets that are on, those of a severity. What is the second channel of another one of these hears only of
    what that one did not deliver; where the other is off, or not for this severity, it hears of it itself.
    """
    heard = heard_by(is_drill=is_drill)
    takes = [each for each in found if each.is_on and severity in each.severities and each.hears in heard]
    ids = {each.id for each in takes}
    return [each for each in takes if each.second_for_id not in ids]


def unreached_severities(found: list[PagingTarget]) -> list[str]:
    """Severities of which nobody is woken: no pager takes them at first hand."""
    return [
        each.label
        for each in (Severity.SEV1, Severity.SEV2)
        if not any(target.is_pager for target in first_hand(found, each))
    ]


def latest_pages(*, target_id: uuid.UUID | None = None, subject_id: uuid.UUID | None = None) -> list[PageLine]:
    """The latest pages of a target or about an alert or incident, with their attempts; five statements at most."""
    rows = Page.objects.filter(tenant_id=HOUSE_ID).select_related("target")
    if target_id is not None:
        rows = rows.filter(target_id=target_id)
    if subject_id is not None:
        rows = rows.filter(subject_id=subject_id)
    pages = list(rows.order_by("-created_at", "-id")[:SHOWN_PAGES])
    ids = [each.message_id for each in pages]
    messages = outbox.messages_by_id(tenant=HOUSE_ID, ids=ids)
    tries: dict[uuid.UUID, list[Try]] = {}
    for each in outbox.attempts_of(tenant=HOUSE_ID, messages=ids):
        found = tries.setdefault(each.message_id, [])
        if len(found) < SHOWN_ATTEMPTS:
            found.append(Try(each.number, each.started_at, each.is_sent, each.status, each.detail))
    told = {each.subject_id for each in pages if each.subject_kind == "incident"}
    incidents = Incident.objects.filter(tenant_id=HOUSE_ID, id__in=told).only("year", "number") if told else ()
    refs = {each.id: each.ref for each in incidents}
    return [
        PageLine(
            page,
            state=message.state if message else "",
            attempts=message.attempts if message else 0,
            error=message.last_error if message else "",
            tries=tries.get(page.message_id, []),
            ref=refs.get(page.subject_id, ""),
        )
        for page in pages
        for message in [messages.get(page.message_id)]
    ]


def credentials(tenant: uuid.UUID, target_id: uuid.UUID) -> Credentials:
    """The key that the outbox sends with. Opens the scope. Raises Missing, in words, where there is none."""
    with tenant_scope(tenant):
        found = PagingTarget.objects.filter(tenant_id=tenant, id=target_id).first()
    if found is None:
        raise Missing("there is no such target any more")
    if not found.is_on:
        raise Missing("the target is turned off")
    try:
        return Credentials(base_url=found.base_url, secret=secrets.open_(found.secret) if found.secret else "")
    except secrets.SecretLost as error:
        raise Missing(str(error)) from error
