"""Overview, cohorts and drift findings."""

from evals.views import drift, overview, quality_staff
from tenants.access import staff_page, staff_tenant_page, tenant_page
from tenants.roles import Permission

_FINDING, _SEEN = "quality/drift/<uuid:finding>/", "quality/drift/<uuid:finding>/seen/"
READ, LABEL = Permission.QUALITY_READ, Permission.QUALITY_LABEL
STAFF, STAFF_LABEL = Permission.STAFF_QUALITY, Permission.STAFF_QUALITY_LABEL

urlpatterns = [
    tenant_page("quality/", overview.quality, name="quality", needs=READ),
    tenant_page("quality/compare/", overview.compare_cohorts, name="quality-compare", needs=READ),
    tenant_page("quality/drift/", drift.drift, name="drift", needs=READ),
    tenant_page(_FINDING, drift.drift_finding, name="drift-finding", needs=READ),
    tenant_page(_SEEN, drift.drift_finding_seen, name="drift-finding-seen", needs=LABEL),
    staff_page("quality/", quality_staff.quality, name="staff-quality", needs=STAFF, across_tenants=True),
    staff_tenant_page("quality/", overview.quality, name="staff-tenant-quality", needs=STAFF),
    staff_tenant_page("quality/compare/", overview.compare_cohorts, name="staff-tenant-quality-compare", needs=STAFF),
    staff_tenant_page("quality/drift/", drift.drift, name="staff-tenant-drift", needs=STAFF),
    staff_tenant_page(_FINDING, drift.drift_finding, name="staff-tenant-drift-finding", needs=STAFF),
    staff_tenant_page(
        _SEEN, drift.drift_finding_seen, name="staff-tenant-drift-finding-seen", needs=STAFF_LABEL, writes=True
    ),
]
