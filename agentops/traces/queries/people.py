"""What the trace pages need to know of people and organisations."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from agentops.traces.models import Run, SavedSearch
from agentops.traces.models.saved_search import SavedSearchUserPermission
from tenants import access as doors
from tenants import queries as tenants
from tenants.access import Access
from tenants.types import Tenant, User


@dataclass(frozen=True, slots=True)
class SavedSearches:
    """A person's own searches, and those that colleagues share with them."""

    own: list[SavedSearch]
    shared: list[SavedSearch]


def searches_of(*, access: Access) -> SavedSearches:
    rows = SavedSearch.objects.filter(tenant_id=access.tenant.id).select_related("user").order_by("name", "id")
    shared = doors.visible_to(user=access.user, permission="traces.view_savedsearch", rows=rows)
    return SavedSearches(
        own=list(rows.filter(user=access.user)),
        shared=[search for search in shared if search.user_id != access.user.pk],
    )


def colleagues(*, access: Access) -> list[User]:
    """The other members of the organisation, by name."""
    return [m.user for m in tenants.members(access.tenant.id) if m.user_id != access.user.pk]


def shares_of(*, tenant: uuid.UUID, searches: Iterable[SavedSearch]) -> dict[uuid.UUID, list[User]]:
    """With whom searches are shared, by search."""
    rows = SavedSearchUserPermission.objects.filter(
        tenant_id=tenant, content_object__in=[search.id for search in searches]
    )
    found: dict[uuid.UUID, list[User]] = {}
    for row in rows.select_related("user").order_by("user__name", "id"):
        found.setdefault(row.content_object_id, []).append(row.user)
    return found


def runs_by_id(*, run_id: uuid.UUID) -> list[Run]:
    """The runs of all tenants under one trace id. Needs staff's scope."""
    return list(Run.objects.filter(run_id=run_id).order_by("tenant_id")[:20])


def tenants_by_id(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Tenant]:
    return tenants.tenants_by_id(ids)


def all_tenants() -> list[Tenant]:
    return tenants.active_tenants()
