"""Exports: ask, watch, download, cancel, remove."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from celery import signature
from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, InvalidInput
from agentops.common.pages import page_or_fragment, question, show_refusal
from agentops.common.queues import Queue, ring_on_commit
from agentops.common.scope import tenant_scope
from audit import presenting, queries, services
from audit.archive import zipped
from audit.forms import ExportForm
from audit.models import Export
from audit.searching import NAMES, Filters
from audit.services.exporting import KEPT
from audit.types import ExportFormat, ExportState
from tenants.access import TenantRequest

WRITE = "audit.tasks.write_export"
_OWN_FIELDS = ("from", "to")
_NAMES = {
    ExportFormat.BUNDLE: "Bundle",
    ExportFormat.NDJSON: "NDJSON",
    ExportFormat.CSV: "CSV",
    ExportFormat.OCSF: "OCSF",
}


@require_GET
def exports(request: TenantRequest) -> HttpResponse:
    """Those of the last ninety days, the newest first."""
    found = queries.all_exports(tenant=request.access.tenant.id)
    context = {"exports": [_shown(each) for each in found], "kept_days": KEPT.days}
    return TemplateResponse(request, "audit/exports.html", context)


@require_http_methods(["GET", "POST"])
def export_new(request: TenantRequest) -> HttpResponse:
    """Ask for what a search finds; the address holds the search, as that of the log does."""
    given = {name: value for name in NAMES if (value := _params(request).get(name, "").strip())}
    form = ExportForm(request.POST if request.method == "POST" else None, initial=_days(given))
    if request.method == "POST" and form.is_valid():
        try:
            made = services.ask_export(
                tenant=request.access.tenant.id,
                form=form.cleaned_data["form"],
                filters=Filters.parse(given),
                by=request.access.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            task = signature(WRITE, queue=Queue.DEFAULT.value)
            ring_on_commit(task, tenant_id=str(request.access.tenant.id), export_id=str(made.id))
            return redirect("audit-export", slug=request.access.tenant.slug, export=made.id)
    context = {"form": form, **_search(request, given)}
    return TemplateResponse(request, "audit/export_new.html", context, status=422 if form.is_bound else 200)


@require_GET
def export(request: TenantRequest, export: uuid.UUID) -> HttpResponse:
    """How far it is, and its files. Asks again by itself until it has ended."""
    tenant = request.access.tenant.id
    found = queries.export(tenant=tenant, export=export)
    is_kept = found.ended_at is None or clock.now() - found.ended_at < KEPT
    context = {
        **_shown(found),
        "parts": queries.parts(tenant=tenant, export=export) if found.state == ExportState.DONE else [],
        "is_kept": is_kept,
        "kept_until": found.ended_at + KEPT if found.ended_at else None,
        "is_cut": queries.ends_before_vote(found),
    }
    return page_or_fragment(request, "audit/export.html", "audit/_export.html", context)


@require_POST
def cancellation(request: TenantRequest, export: uuid.UUID) -> HttpResponse:
    """Stop it."""
    access = request.access
    if services.cancel_export(tenant=access.tenant.id, export=export, by=access.actor, at=clock.now()):
        messages.success(request, "The export is cancelled.")
    return redirect("audit-export", slug=access.tenant.slug, export=export)


@require_http_methods(["GET", "POST"])
def removal(request: TenantRequest, export: uuid.UUID) -> HttpResponse:
    """Delete its files before their time."""
    access = request.access
    if request.method == "POST":
        services.remove_export(tenant=access.tenant.id, export=export, by=access.actor, at=clock.now())
        messages.success(request, "The export is removed.")
        return redirect("audit-exports", slug=access.tenant.slug)
    found = queries.export(tenant=access.tenant.id, export=export)
    return question(
        request,
        "audit/_export_removal.html",
        {"export": found},
        title="Remove this export?",
        back=(reverse("audit-export", args=[access.tenant.slug, export]), "Export"),
    )


@require_GET
def download(request: TenantRequest, export: uuid.UUID) -> HttpResponseBase:
    """All of its files as one .zip. That somebody took them is an entry, committed before the first byte leaves."""
    tenant = request.access.tenant
    found = queries.export(tenant=tenant.id, export=export)
    name = f"audit-{tenant.slug}-{found.asked_at:%Y%m%d-%H%M}-{found.format}.zip"
    services.take_export(tenant=tenant.id, export=export, name=name, by=request.access.actor, at=clock.now())
    numbers = list(queries.numbers(tenant=tenant.id, export=export))
    return _attached(StreamingHttpResponse(zipped(_contents(tenant.id, export, numbers))), name, "application/zip")


@require_GET
def file(request: TenantRequest, export: uuid.UUID, number: int) -> HttpResponseBase:
    """One of its files."""
    tenant = request.access.tenant.id
    name, content = queries.content(tenant=tenant, export=export, number=number)
    services.take_export(tenant=tenant, export=export, name=name, by=request.access.actor, at=clock.now())
    kind = "application/gzip" if name.endswith(".gz") else "application/octet-stream"
    return _attached(HttpResponse(content), name, kind)


def _contents(tenant: uuid.UUID, export: uuid.UUID, numbers: list[int]) -> Iterator[tuple[str, bytes]]:
    """One file at a time, each read in a scope of its own: the page's is over when the answer is sent."""
    for number in numbers:
        with tenant_scope(tenant):
            found = queries.content(tenant=tenant, export=export, number=number)
        yield found


def _attached(response: HttpResponseBase, name: str, kind: str) -> HttpResponseBase:
    response["Content-Type"] = kind
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _params(request: TenantRequest) -> dict[str, str]:
    return request.POST.dict() if request.method == "POST" else request.GET.dict()


def _days(given: dict[str, str]) -> dict[str, str]:
    """What the search says of the time, as a day's field takes it."""
    try:
        filters = Filters.parse({name: given[name] for name in _OWN_FIELDS if name in given})
    except InvalidInput:
        return {}
    shown = {name: value[:10] for name, value in filters.as_json().items()}
    return {**shown, **{name: given[name] for name in _OWN_FIELDS if len(given.get(name, "")) == 10}}


def _search(request: TenantRequest, given: dict[str, str]) -> dict[str, Any]:
    """The filters beyond the time: chips that can be taken away, and what carries them to the POST."""
    action = reverse("audit-export-new", args=[request.access.tenant.slug])
    others = {name: value for name, value in given.items() if name not in _OWN_FIELDS}
    try:
        chips = presenting.chips(Filters.parse(others), action)
    except InvalidInput as error:
        return {"problems": presenting.problem_words(error.problems), "action": action}
    return {"chips": chips, "others": others.items(), "action": action, "is_filtered": bool(others)}


def _shown(found: Export) -> dict[str, Any]:
    """An export in words."""
    filters = [
        (presenting.LABELS[name], presenting.filter_words(name, value))
        for name, value in found.filters.items()
        if name not in _OWN_FIELDS
    ]
    period = Filters.from_json({name: found.filters[name] for name in _OWN_FIELDS if name in found.filters})
    return {
        "export": found,
        "name": _NAMES[ExportFormat(found.format)],
        "filters": filters,
        "since": period.since,
        "until": period.until,
        "progress": queries.progress(found),
        "is_open": queries.is_open(found),
    }
