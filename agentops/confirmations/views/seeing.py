"""What the pages of confirmations have in common: one confirmation as the person of a request sees it, and its addresses."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.template.response import TemplateResponse
from django.urls import reverse

from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries, services
from agentops.confirmations.presenting import Sheet, Sureness
from agentops.confirmations.types import OVER, Person, Proofs, Tier
from tenants import access, sign_in
from tenants import queries as tenants
from tenants.access import TenantRequest
from tenants.roles import ROLE_PERMISSIONS, Permission
from tenants.types import User


def person(request: TenantRequest) -> Person:
    return queries.person_of(tenant=request.access.tenant.id, user=request.user)


def sheet(request: TenantRequest, confirmation: uuid.UUID) -> Sheet:
    """Raises NotFound for whoever may not know of it."""
    tenant, viewer = request.access.tenant.id, person(request)
    detail = queries.detail(
        tenant=tenant,
        confirmation=confirmation,
        person=viewer,
        may_read=request.access.may(Permission.CONFIRMATIONS_READ),
    )
    is_asked_surely = detail.may_decide and detail.tier >= Tier.FULL_DISCLOSURE
    is_over = detail.state in OVER
    has_code = detail.may_decide and detail.tier == Tier.TWO_PEOPLE
    return Sheet(
        detail=detail,
        viewer=viewer,
        sureness=_sureness(request) if is_asked_surely else Sureness(),
        code_until=queries.code_until(tenant=tenant, confirmation=confirmation, person=viewer) if has_code else None,
        asks_for_correctness=is_over
        and queries.asks_for_correctness(tenant=tenant, confirmation=confirmation, by=viewer),
        judged=queries.my_answer(tenant=tenant, confirmation=confirmation, by=viewer) if is_over else None,
    )


def proofs(request: TenantRequest) -> Proofs:
    found = sign_in.proven(request)
    return Proofs(
        reauthenticated_at=found.password_or_passkey_at, used_mfa_at=found.second_factor_at, session=found.session
    )


def shown(
    request: TenantRequest, found: Sheet, *, refusal: DomainError | None = None, status: int = 200
) -> TemplateResponse:
    """The page. With a refusal it says so where the person answers, and shows the present state."""
    context = {"sheet": found, "urls": urls(request, found), "refusal": refusal}
    return TemplateResponse(request, "confirmations/confirmation.html", context, status=status)


def urls(request: TenantRequest, found: Sheet) -> Mapping[str, str]:
    """Where the page's links and forms lead."""
    detail, may = found.detail, request.access.may
    made = {
        name: _url(request, f"confirmation-{name}", detail.id)
        for name in ("approve", "refuse", "cancel", "edit", "code", "proof", "correctness")
    }
    made |= {"self": _url(request, "confirmation", detail.id), "inbox": _place(request, "inbox"), "inbox_name": "Inbox"}
    made["standing"] = f"{made['self']}?part=standing&seen={detail.state}{'&asks=yes' if found.asks else ''}"
    if found.has_receipt:
        made["receipt"] = _url(request, "confirmation-receipt", detail.id)
    if detail.superseded_by:
        made["after"] = _url(request, "confirmation", detail.superseded_by)
    if detail.supersedes_id:
        made["before"] = _url(request, "confirmation", detail.supersedes_id)
    if may(Permission.RUNS_READ):
        made["run"] = reverse("run", kwargs={"slug": request.access.tenant.slug, "run_id": detail.run_id.hex})
    if not may(Permission.CONFIRM):
        made |= {"inbox": _place(request, "approvals"), "inbox_name": "Approvals"}
    return made


def opened_by_other(*, request: TenantRequest, user: User, slug: str, confirmation: uuid.UUID, **_: Any) -> None:
    """Somebody opened the address of a confirmation that is not for them: the organisation's log says so.

    Whose role reads all of them comes as far as the service with an answer, and that notes what it refuses.
    """
    try:
        tenant = tenants.tenant_called(slug)
    except NotFound:
        return
    role = next((role for each, role in access.memberships_of(user) if each.id == tenant.id), None)
    is_reader = role is not None and Permission.CONFIRMATIONS_READ in ROLE_PERMISSIONS[role]
    if is_reader and request.method not in ("GET", "HEAD"):
        return
    with tenant_scope(tenant.id):
        services.note_opened_by_other(
            tenant=tenant.id,
            confirmation=confirmation,
            by=queries.person_of(tenant=tenant.id, user=user) if role is not None else None,
            at=clock.now(),
        )


def _sureness(request: TenantRequest) -> Sureness:
    found = sign_in.proven(request)
    return Sureness(found.password_or_passkey_at, found.second_factor_at, found.has_second_factor)


def _url(request: TenantRequest, name: str, confirmation: uuid.UUID) -> str:
    return reverse(name, kwargs={"slug": request.access.tenant.slug, "confirmation": confirmation})


def _place(request: TenantRequest, name: str) -> str:
    return reverse(name, kwargs={"slug": request.access.tenant.slug})
