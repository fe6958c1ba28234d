"""The audit log for people and machines."""

from django.urls import URLPattern, URLResolver, path

from audit import api
from audit.views import entry, log, proofs, what, who
from tenants.access import View, staff_tenant_page, tenant_page
from tenants.roles import Permission

_ONE = "audit/entries/<uuid:entry>/"


def _read(route: str, view: View, *, name: str) -> list[URLPattern]:
    """A page of an organisation's log, which staff may open, too: their look is an entry of it."""
    return [
        tenant_page(route, view, name=name, needs=Permission.AUDIT_READ),
        staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=Permission.STAFF_AUDIT),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    *_read("audit/", log.log, name="audit-log"),
    *_read(_ONE, entry.entry, name="audit-entry"),
    *_read("audit/who/", who.who, name="audit-who"),
    *_read("audit/what/", what.what, name="audit-what"),
    *_read("audit/proofs/", proofs.proofs, name="audit-proofs"),
    *_read("audit/proofs.json", proofs.of_entries, name="audit-entry-proofs"),
    path("api/v1/audit/entries", api.EntriesView.as_view(), name="api-audit-entries"),
]
