"""The audit log for people and machines."""

from django.urls import URLPattern, URLResolver, path

from audit.api import entries, proofs
from audit.views import entry, log, what, who
from audit.views import proofs as proof_pages
from audit.views.verifier import verifier
from tenants.access import View, open_page, staff_tenant_page, tenant_page
from tenants.roles import Permission

_API = "api/v1/audit/"
_ONE = "audit/entries/<uuid:entry>/"


def _read(route: str, view: View, *, name: str) -> list[URLPattern]:
    """A page of an organisation's log, which staff may open, too: their look is an entry of it."""
    return [
        tenant_page(route, view, name=name, needs=Permission.AUDIT_READ),
        staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=Permission.STAFF_AUDIT),
    ]


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
]
