"""The hand-over of a turn: what is open, what the one who leaves says, and both signatures."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError, Forbidden
from incidents.errors import invalid
from incidents.links import link
from incidents.models import Handover
from incidents.queries import handovers as queries
from incidents.queries.rotas import rota_of
from incidents.services import handovers as services
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID
from tenants.roles import Permission


@require_http_methods(["GET", "POST"])
def handover(request: StaffRequest, rotation: uuid.UUID) -> HttpResponse:
    """The present one of a rotation."""
    at = clock.now()
    rota = rota_of(rotation, at=at)
    change = queries.present_change(rota, at=at)
    may_sign_for = request.staff.may(Permission.STAFF_RESPOND)
    is_outgoing = bool(change and change.outgoing and change.outgoing.pk == request.user.pk)
    is_incoming = bool(change and change.incoming and change.incoming.pk == request.user.pk)
    refusal = ""
    if request.method == "POST":
        is_coming = request.POST.get("side") == "in"
        try:
            if not is_coming and not is_outgoing and not may_sign_for:
                raise Forbidden("Your staff roles do not let you sign for somebody else.")
            services.sign_handover(
                tenant=HOUSE_ID,
                rotation=rotation,
                changes_at=_moment(request.POST.get("changes_at", "")),
                side="in" if is_coming else "out",
                notes=request.POST.get("notes", ""),
                user=request.user.pk,
                by=request.staff.actor,
                at=at,
            )
        except DomainError as error:
            refusal = error.problems[0].detail if error.problems else error.detail
        else:
            messages.success(request, "Signed.")
            return redirect("staff-handover", rotation=rotation)
    found = queries.handover_at(rotation, change.at) if change else None
    items = found.items if found else queries.items_to_hand_over(since=change.since) if change else []
    context = {
        "rota": rota,
        "change": change,
        "found": found,
        "groups": _groups(items),
        "notes": request.POST.get("notes", found.notes if found else "")[: services.NOTES_MOST],
        "refusal": refusal,
        "is_outgoing": is_outgoing,
        "may_sign_out": (is_outgoing or (may_sign_for and not is_incoming)) and not (found and found.signed_out_at),
        "may_sign_in": is_incoming and found and found.signed_out_at and not found.signed_in_at,
        "earlier": queries.handovers_of(rotation),
        **_signers(found),
    }
    return TemplateResponse(request, "incidents/handover.html", context, status=422 if refusal else 200)


@require_GET
def handover_kept(request: StaffRequest, handover: uuid.UUID) -> HttpResponse:
    """One that was signed, as it was."""
    found = queries.handover_of(handover)
    context = {"found": found, "groups": _groups(found.items), **_signers(found)}
    return TemplateResponse(request, "incidents/handover_kept.html", context)


def _groups(items: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    words = {"incident": "Open incidents", "watch": "Watches", "alert": "Open alerts", "noisy": "Noisy alerts"}
    return [
        (word, [{**item, "url": _url(item)} for item in items if item.get("kind") == kind])
        for kind, word in words.items()
    ]


def _url(item: dict[str, Any]) -> str:
    if item["kind"] in ("incident", "watch"):
        return link("incident", ref=item["key"])
    if item["kind"] == "alert":
        return link("staff-alert", alert=uuid.UUID(item["key"]))
    return f"{link('staff-alerts')}?class={item['key']}"


def _signers(found: Handover | None) -> dict[str, Any]:
    """Who signed for whom: somebody else may have signed for the one who left."""
    return {"is_signed_for": bool(found and found.signed_out_by and found.signed_out_by != found.outgoing_id)}


def _moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise invalid("/changes_at", "The turns have changed meanwhile. Look at the page again; nothing was signed.")
    return found
