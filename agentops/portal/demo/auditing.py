"""The auditor's bundle: an export of the audit log, once there is something in it."""

from __future__ import annotations

from datetime import datetime

from agentops.common.scope import tenant_scope
from agentops.portal.demo import cast
from audit import queries, services
from audit.searching import Filters
from audit.types import Actor, ExportFormat
from tenants import queries as tenants
from tenants.roles import Role


def ask_export(*, at: datetime) -> None:
    """One of each organisation, by its auditor, where nobody has asked for any."""
    for organisation in cast.ORGANISATIONS:
        tenant = tenants.tenant_called(organisation.slug).id
        with tenant_scope(tenant):
            if queries.all_exports(tenant=tenant):
                continue
            user = next(one.user for one in tenants.members(tenant) if one.role == Role.AUDITOR)
            by = Actor(type="user", id=f"user:{user.pk}", label=user.email)
            services.ask_export(tenant=tenant, form=ExportFormat.BUNDLE, filters=Filters(), by=by, at=at)
