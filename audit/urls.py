from django.urls import URLPattern, URLResolver, path

from audit import api
from audit.views import erasures, retention
from tenants.access import staff_tenant_page, tenant_page
from tenants.roles import Permission

_API = "api/v1/audit/"
_RETENTION = "audit/retention/"
_HOLDS = f"{_RETENTION}holds/"
_ERASURES = "audit/erasures/"
_ERASURE = f"{_ERASURES}<uuid:erasure>/"
_CERTIFICATE = f"{_ERASURE}certificate"
_READ, _MANAGE, _STAFF = Permission.AUDIT_READ, Permission.AUDIT_MANAGE, Permission.STAFF_AUDIT

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_API}checkpoint", api.CheckpointView.as_view(), name="api-audit-checkpoint"),
    path(f"{_API}checkpoints", api.CheckpointsView.as_view(), name="api-audit-checkpoints"),
    path(f"{_API}consistency", api.ConsistencyView.as_view(), name="api-audit-consistency"),
    path(f"{_API}entries/<uuid:entry_id>/proof", api.ProofView.as_view(), name="api-audit-proof"),
    path(".well-known/agentops-audit-keys.json", api.key_set, name="audit-keys"),
    tenant_page(_RETENTION, retention.retention, name="audit-retention", needs=_READ),
    staff_tenant_page(_RETENTION, retention.retention, name="staff-tenant-audit-retention", needs=_STAFF),
    tenant_page(f"{_RETENTION}period/", retention.retention_period, name="audit-retention-period", needs=_MANAGE),
    tenant_page(f"{_HOLDS}new/", retention.hold_new, name="audit-hold-new", needs=_MANAGE),
    tenant_page(f"{_HOLDS}<uuid:hold>/lift/", retention.hold_lift, name="audit-hold-lift", needs=_MANAGE),
    tenant_page(_ERASURES, erasures.erasures, name="audit-erasures", needs=_READ),
    tenant_page(f"{_ERASURES}new/", erasures.erasure_new, name="audit-erasure-new", needs=_MANAGE),
    tenant_page(_ERASURE, erasures.erasure, name="audit-erasure", needs=_READ),
    tenant_page(f"{_ERASURE}approval/", erasures.erasure_approval, name="audit-erasure-approval", needs=_MANAGE),
    tenant_page(f"{_ERASURE}refusal/", erasures.erasure_refusal, name="audit-erasure-refusal", needs=_MANAGE),
    tenant_page(f"{_CERTIFICATE}/", erasures.certificate, name="audit-certificate", needs=_READ),
    tenant_page(f"{_CERTIFICATE}.json", erasures.certificate_json, name="audit-certificate-json", needs=_READ),
    tenant_page(f"{_CERTIFICATE}.txt", erasures.certificate_entries, name="audit-certificate-entries", needs=_READ),
]
