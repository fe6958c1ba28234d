"""Evidence of an incident: what is kept, is it sound, reading it, and letting it go."""

from __future__ import annotations

import io
import tempfile
import uuid
import zipfile
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import FileResponse, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from agentops.common import clock
from agentops.common.errors import DomainError, NotFound
from agentops.common.pages import older_url, question, show_refusal
from agentops.common.scope import staff_scope, tenant_scope
from incidents.forms.evidence import ReasonForm
from incidents.models import Evidence, Incident
from incidents.queries import custody
from incidents.queries import evidence as queries
from incidents.queries.named import incident_called
from incidents.services import evidence as services
from incidents.types import EvidenceKind, SnapshotState
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import Permission

if TYPE_CHECKING:
    from tenants.models import Tenant

ROWS = 50
_IN_MEMORY = 8 * 1024 * 1024
_README = """Evidence of {ref}.

manifest-<n>.json is the manifest of snapshot n, as it was hashed: RFC 8785 JSON. Its SHA-256 is the digest in the audit log of
agentops (action evidence.taken); each organisation's log has the digest of the part that is about it. Every file stands in the
manifest with its own SHA-256. `sha256sum` is all that is needed to check.
"""


@require_GET
def evidence(request: StaffRequest, ref: str) -> HttpResponse:
    incident = incident_called(ref)
    kind = request.GET.get("kind", "")
    kind = kind if kind in EvidenceKind.values else ""
    after = _uuid(request.GET.get("after", ""))
    rows, more = queries.items(incident, kind=kind, after=after, most=ROWS)
    kept = queries.kept_by_kind(incident)
    snapshots = queries.snapshots(incident)
    here = reverse("incident-evidence", kwargs={"ref": incident.ref})
    items, size = queries.sizes(kept)
    names = tenants.tenants_by_id({row.about_tenant for row in rows if row.about_tenant})
    context = {
        "incident": incident,
        "snapshots": snapshots,
        "is_taking": any(one.state == SnapshotState.PLANNED for one in snapshots),
        "kept": kept,
        "items": items,
        "size": size,
        "kind": kind,
        "rows": [(row, _organisation(row, names)) for row in rows],
        "hold": queries.hold_of(incident),
        "here": here,
        "first_url": f"{here}?kind={kind}" if after else "",
        "older_url": older_url(here, f"kind={kind}", "x").replace("cursor=x", f"after={more}") if more else "",
        "may_respond": request.staff.may(Permission.STAFF_RESPOND),
        "may_read": request.staff.may(Permission.STAFF_RUNS),
        "may_command": request.staff.may(Permission.STAFF_COMMAND),
    }
    return TemplateResponse(request, "incidents/evidence.html", context)


@require_POST
def snapshot(request: StaffRequest, ref: str) -> HttpResponse:
    """Take evidence once more: of what happened since."""
    incident = incident_called(ref)
    reason = request.POST.get("reason", "")[:500].replace("\0", "") or "asked for"
    services.plan_snapshot(
        tenant=HOUSE_ID, incident_id=incident.id, reason=reason, by=request.staff.actor, at=clock.now()
    )
    messages.success(request, "It is being taken. This page shows how far it is.")
    return _back(ref)


@require_POST
def check(request: StaffRequest, ref: str) -> HttpResponse:
    """Recompute every digest, and compare with the logs. It opens its scopes itself."""
    results = custody.check(_incident(ref))
    for result in results:
        for problem in result.problems[:10]:
            messages.error(request, f"Snapshot {result.number}: {problem}.")
        if not result.problems:
            said = f"Snapshot {result.number}: {result.items} items are what was kept, and {result.logs} audit logs say so."
            messages.success(request, said)
    if not results:
        messages.warning(request, "Nothing is complete yet: there is nothing to check.")
    return _back(ref)


@require_GET
def item(request: StaffRequest, ref: str, evidence_id: uuid.UUID) -> HttpResponse:
    """One item as it was kept. Who reads it stands in the organisation's audit log first."""
    with house_scope():
        incident = incident_called(ref)
        about = queries.item(incident, evidence=evidence_id).about_tenant
    _note_read(request, incident, {about} if about else (), {about: 1} if about else {}, 1)
    with house_scope():
        found = queries.item(incident, evidence=evidence_id)
        text = queries.content(found)
    if text is None:
        raise NotFound("Its bytes were let go; the digest is what is left of it.")
    return _download(HttpResponse(text, content_type="application/x-ndjson"), _name(found))


@require_GET
def download(request: StaffRequest, ref: str) -> HttpResponse | FileResponse:
    """Everything, with its manifests, as one archive."""
    with house_scope():
        incident = incident_called(ref)
        rows = [one for one in queries.snapshots(incident) if one.state == SnapshotState.COMPLETE]
        manifests = {one.number: queries.manifest_of(one) for one in rows}
    if not rows:
        messages.warning(request, "Nothing is complete yet: there is nothing to download.")
        return _back(ref)
    counts: dict[uuid.UUID, int] = {}
    for manifest in manifests.values():
        for each in manifest.items:
            if each.about is not None:
                counts[each.about] = counts.get(each.about, 0) + 1
    _note_read(request, incident, counts, counts, sum(len(one.items) for one in manifests.values()))
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  the response closes it
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive, house_scope():
        archive.writestr("README.txt", _README.format(ref=incident.ref))
        for one in rows:
            archive.writestr(f"manifest-{one.number}.json", manifests[one.number].text)
            for item in queries.all_items(one):
                text = queries.content(item)
                if text is not None:
                    archive.writestr(f"{one.number}/{_name(item)}", text)
    file.seek(0, io.SEEK_SET)
    return FileResponse(
        file, as_attachment=True, filename=f"{incident.ref}-evidence.zip", content_type="application/zip"
    )


@require_http_methods(["GET", "POST"])
def release(request: StaffRequest, ref: str) -> HttpResponse:
    """GET asks why; POST deletes the bytes and keeps the digests."""
    incident = incident_called(ref)
    form = ReasonForm(request.POST or None)
    here = reverse("incident-evidence", kwargs={"ref": incident.ref})
    if request.method == "POST" and form.is_valid():
        try:
            count = services.release_hold(
                tenant=HOUSE_ID,
                incident_id=incident.id,
                reason=form.cleaned_data["reason"],
                by=request.staff.actor,
                at=clock.now(),
            )
        except DomainError as refusal:
            show_refusal(form, refusal)
        else:
            messages.success(request, f"{count} items were deleted. Their digests stay.")
            return HttpResponseRedirect(here)
    context: dict[str, Any] = {"form": form, "incident": incident, "action": request.path}
    return question(
        request,
        "incidents/_evidence_release.html",
        context,
        title=f"Let the evidence of {incident.ref} go?",
        back=(here, "Evidence"),
        status=422 if form.is_bound else 200,
    )


def _note_read(
    request: StaffRequest, incident: Incident, about: Iterable[uuid.UUID], counts: dict[uuid.UUID, int], items: int
) -> None:
    """Committed before anything is read: in each organisation's log, then in ours."""
    at, by = clock.now(), request.staff.actor
    with staff_scope():
        known = custody.known_organisations(about)
    for each in known:
        with tenant_scope(each):
            services.note_read(tenant=each, incident_ref=incident.ref, items=counts[each], by=by, at=at)
    with house_scope() as house:
        services.note_read(tenant=house, incident_ref=incident.ref, items=items, by=by, at=at)


def _incident(ref: str) -> Incident:
    with house_scope():
        return incident_called(ref)


def _organisation(row: Evidence, names: dict[uuid.UUID, Tenant]) -> str:
    if row.about_tenant is None:
        return "Our own"
    return names[row.about_tenant].name if row.about_tenant in names else "An organisation that is gone"


def _back(ref: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("incident-evidence", kwargs={"ref": ref}))


def _name(found: Evidence) -> str:
    safe = "".join(letter if letter.isalnum() or letter in "-._@" else "-" for letter in found.source)
    return f"{found.kind}-{safe[:120]}-{found.sha256[:8]}.ndjson"


def _download(response: HttpResponse, name: str) -> HttpResponse:
    response["Content-Disposition"] = f'attachment; filename="{name.encode("ascii", "replace").decode()}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text)) if text else ""
    except ValueError:
        return ""
