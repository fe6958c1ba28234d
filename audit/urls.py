"""The audit log for people and machines."""

from django.urls import URLPattern, URLResolver, path

from audit.api import entries, proofs
from audit.views import entry, erasures, exports, log, retention, streams, what, who
from audit.views import proofs as proof_pages
from audit.views.verifier import verifier
from tenants.access import View, open_page, staff_tenant_page, tenant_page
from tenants.roles import Permission

_API = "api/v1/audit/"
_ONE = "audit/entries/<uuid:entry>/"
_RETENTION = "audit/retention/"
_HOLDS = f"{_RETENTION}holds/"
_ERASURES = "audit/erasures/"
_ERASURE = f"{_ERASURES}<uuid:erasure>/"
_CERTIFICATE = f"{_ERASURE}certificate"
_EXPORT, _STREAM = "audit/exports/<uuid:export>/", "audit/streams/<uuid:stream>/"
_DELIVERY = "audit/checkpoint-deliveries/<uuid:delivery>/"


def _read(route: str, view: View, *, name: str) -> list[URLPattern]:
    """A page of an organisation's log, which staff may open, too: their look is an entry of it."""
    return [
        tenant_page(route, view, name=name, needs=Permission.AUDIT_READ),
        staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=Permission.STAFF_AUDIT),
    ]


def _own(route: str, view: View, *, name: str) -> URLPattern:
    """A page that only the organisation's own people read: whom it was asked to forget is no business of ours."""
    return tenant_page(route, view, name=name, needs=Permission.AUDIT_READ)


def _export(route: str, view: View, *, name: str) -> URLPattern:
    return tenant_page(route, view, name=name, needs=Permission.AUDIT_EXPORT)


def _manage(route: str, view: View, *, name: str) -> URLPattern:
    return tenant_page(route, view, name=name, needs=Permission.AUDIT_MANAGE)


urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_API}entries", entries.EntriesView.as_view(), name="api-audit-entries"),
    path(f"{_API}entries/<uuid:entry_id>/proof", proofs.ProofView.as_view(), name="api-audit-proof"),
    path(f"{_API}checkpoint", proofs.CheckpointView.as_view(), name="api-audit-checkpoint"),
    path(f"{_API}checkpoints", proofs.CheckpointsView.as_view(), name="api-audit-checkpoints"),
    path(f"{_API}consistency", proofs.ConsistencyView.as_view(), name="api-audit-consistency"),
    path(".well-known/agentops-audit-keys.json", proofs.key_set, name="audit-keys"),
    open_page("audit-verifier.py", verifier, name="audit-verifier"),
    *_read("audit/", log.log, name="audit-log"),
    *_read(_ONE, entry.entry, name="audit-entry"),
    *_read("audit/who/", who.who, name="audit-who"),
    *_read("audit/what/", what.what, name="audit-what"),
    *_read("audit/proofs/", proof_pages.proofs, name="audit-proofs"),
    *_read("audit/proofs.json", proof_pages.of_entries, name="audit-entry-proofs"),
    *_read(_RETENTION, retention.retention, name="audit-retention"),
    _manage(f"{_RETENTION}period/", retention.retention_period, name="audit-retention-period"),
    _manage(f"{_HOLDS}new/", retention.hold_new, name="audit-hold-new"),
    _manage(f"{_HOLDS}<uuid:hold>/lift/", retention.hold_lift, name="audit-hold-lift"),
    _own(_ERASURES, erasures.erasures, name="audit-erasures"),
    _manage(f"{_ERASURES}new/", erasures.erasure_new, name="audit-erasure-new"),
    _own(_ERASURE, erasures.erasure, name="audit-erasure"),
    _manage(f"{_ERASURE}approval/", erasures.erasure_approval, name="audit-erasure-approval"),
    _manage(f"{_ERASURE}refusal/", erasures.erasure_refusal, name="audit-erasure-refusal"),
    _own(f"{_CERTIFICATE}/", erasures.certificate, name="audit-certificate"),
    _own(f"{_CERTIFICATE}.json", erasures.certificate_json, name="audit-certificate-json"),
    _own(f"{_CERTIFICATE}.txt", erasures.certificate_entries, name="audit-certificate-entries"),
    _export("audit/exports/", exports.exports, name="audit-exports"),
    _export("audit/exports/new/", exports.export_new, name="audit-export-new"),
    _export(_EXPORT, exports.export, name="audit-export"),
    _export(f"{_EXPORT}cancellation/", exports.cancellation, name="audit-export-cancellation"),
    _export(f"{_EXPORT}removal/", exports.removal, name="audit-export-removal"),
    _export(f"{_EXPORT}download/", exports.download, name="audit-export-download"),
    _export(f"{_EXPORT}files/<int:number>/", exports.file, name="audit-export-file"),
    tenant_page("audit/streams/", streams.streams, name="audit-streams", needs=Permission.AUDIT_READ),
    _manage("audit/streams/new/", streams.stream_new, name="audit-stream-new"),
    _manage(f"{_STREAM}pause/", streams.pause, name="audit-stream-pause"),
    _manage(f"{_STREAM}resumption/", streams.resumption, name="audit-stream-resumption"),
    _manage(f"{_STREAM}removal/", streams.stream_removal, name="audit-stream-removal"),
    _manage(f"{_STREAM}secret/", streams.stream_secret, name="audit-stream-secret"),
    _manage("audit/checkpoint-deliveries/new/", streams.delivery_new, name="audit-delivery-new"),
    _manage(f"{_DELIVERY}removal/", streams.delivery_removal, name="audit-delivery-removal"),
    _manage(f"{_DELIVERY}secret/", streams.delivery_secret, name="audit-delivery-secret"),
]
