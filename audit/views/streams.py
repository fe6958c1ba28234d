"""Streaming: where entries and checkpoints are sent, how far, and why not."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.pages import question, show_refusal
from agentops.outbox import queries as outbox
from agentops.outbox import signing
from audit import queries, services
from audit.forms import CheckpointDeliveryForm, StreamForm
from audit.queries import StandingStream
from audit.types import ExportFormat
from tenants import sign_in
from tenants.access import TenantRequest
from tenants.roles import Permission

_HOME = "audit-streams"
_NAMES = {
    ExportFormat.NDJSON: "Records",
    ExportFormat.OCSF: "OCSF",
    ExportFormat.BUNDLE: "Lines that can be checked",
}


@require_GET
def streams(request: TenantRequest) -> HttpResponse:
    """Every stream with its place, and where checkpoints go."""
    tenant = request.access.tenant.id
    context = {
        "streams": [_shown(request, each) for each in queries.all_streams(tenant=tenant)],
        "deliveries": queries.deliveries(tenant=tenant),
        "may_manage": request.access.may(Permission.AUDIT_MANAGE),
        "at": clock.now(),
    }
    return TemplateResponse(request, "audit/streams.html", context)


@require_http_methods(["GET", "POST"])
def stream_new(request: TenantRequest) -> HttpResponse:
    """Send entries somewhere: a matter of whoever can say again who they are."""
    sign_in.require_recent_sign_in(request)
    form = StreamForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        said = form.cleaned_data
        try:
            services.set_stream(
                tenant=request.access.tenant.id,
                destination=said["destination"],
                form=said["form"],
                from_beginning=said["begin"] == "first",
                by=request.access.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "The stream is set. Its first batch is sent within seconds of the next seal.")
            return redirect(_HOME, slug=request.access.tenant.slug)
    return TemplateResponse(request, "audit/stream_new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_POST
def pause(request: TenantRequest, stream: uuid.UUID) -> HttpResponse:
    """Send no more for now."""
    access = request.access
    services.pause_stream(tenant=access.tenant.id, stream=stream, by=access.actor, at=clock.now())
    messages.success(request, "The stream is paused. It goes on where it is.")
    return redirect(_HOME, slug=access.tenant.slug)


@require_POST
def resumption(request: TenantRequest, stream: uuid.UUID) -> HttpResponse:
    """Go on where it was."""
    access = request.access
    services.resume_stream(tenant=access.tenant.id, stream=stream, by=access.actor, at=clock.now())
    messages.success(request, "The stream goes on where it was.")
    return redirect(_HOME, slug=access.tenant.slug)


@require_http_methods(["GET", "POST"])
def stream_removal(request: TenantRequest, stream: uuid.UUID) -> HttpResponse:
    """Send nothing there any more."""
    access = request.access
    if request.method == "POST":
        services.remove_stream(tenant=access.tenant.id, stream=stream, by=access.actor, at=clock.now())
        messages.success(request, "The stream is removed.")
        return redirect(_HOME, slug=access.tenant.slug)
    found = queries.stream(tenant=access.tenant.id, stream=stream)
    return _asked(request, "audit/_stream_removal.html", {"stream": found}, title="Remove this stream?")


@never_cache
@require_GET
def stream_secret(request: TenantRequest, stream: uuid.UUID) -> HttpResponse:
    """What its receiver checks signatures with."""
    sign_in.require_recent_sign_in(request)
    found = queries.stream(tenant=request.access.tenant.id, stream=stream)
    return _secret(request, found.destination)


@require_http_methods(["GET", "POST"])
def delivery_new(request: TenantRequest) -> HttpResponse:
    """Send checkpoints somewhere."""
    sign_in.require_recent_sign_in(request)
    form = CheckpointDeliveryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.set_checkpoint_delivery(
                tenant=request.access.tenant.id, **form.cleaned_data, by=request.access.actor, at=clock.now()
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, "The first checkpoint is sent within a minute.")
            return redirect(_HOME, slug=request.access.tenant.slug)
    context = {"form": form}
    return TemplateResponse(request, "audit/delivery_new.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "POST"])
def delivery_removal(request: TenantRequest, delivery: uuid.UUID) -> HttpResponse:
    """Send no more checkpoints there."""
    access = request.access
    if request.method == "POST":
        services.remove_checkpoint_delivery(tenant=access.tenant.id, delivery=delivery, by=access.actor, at=clock.now())
        messages.success(request, "No more checkpoints are sent there.")
        return redirect(_HOME, slug=access.tenant.slug)
    found = queries.delivery(tenant=access.tenant.id, delivery=delivery)
    return _asked(request, "audit/_delivery_removal.html", {"delivery": found}, title="Send no more there?")


@never_cache
@require_GET
def delivery_secret(request: TenantRequest, delivery: uuid.UUID) -> HttpResponse:
    """What its receiver checks signatures with; a mail has no such thing."""
    sign_in.require_recent_sign_in(request)
    found = queries.delivery(tenant=request.access.tenant.id, delivery=delivery)
    if found.channel != "webhook":
        raise NotFound("Only webhooks are signed.")
    return _secret(request, found.destination)


def _shown(request: TenantRequest, standing: StandingStream) -> dict[str, Any]:
    """A stream with the message that is on its way, whose attempts the outbox knows."""
    stream = standing.stream
    message = None
    if stream.message_id is not None:
        message = outbox.message(tenant=request.access.tenant.id, message=stream.message_id)
    return {
        "stream": stream,
        "behind": standing.behind,
        "format": _NAMES[ExportFormat(stream.format)],
        "message": message if message is not None and message.last_error else None,
    }


def _asked(request: TenantRequest, fragment: str, context: dict[str, Any], *, title: str) -> HttpResponse:
    back = (reverse(_HOME, args=[request.access.tenant.slug]), "Streaming")
    return question(request, fragment, context, title=title, back=back)


def _secret(request: TenantRequest, destination: str) -> HttpResponse:
    context = {"destination": destination, "secret": signing.secret(request.access.tenant.id, destination)}
    return TemplateResponse(request, "audit/secret.html", context)
