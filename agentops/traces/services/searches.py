"""Saved searches."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import IntegrityError, transaction

from agentops.common import scope
from agentops.common.errors import Conflict, Forbidden, InputProblem, InvalidInput, NotFound
from agentops.traces.models import SavedSearch
from audit import services as audit
from audit.types import Outcome, Target
from tenants import access
from tenants.access import Access

_VIEW = "traces.view_savedsearch"
NAME_LENGTH = 80


def save_search(*, by: Access, name: str, query: str, at: datetime) -> SavedSearch:
    """Keep a search under a name. Raises InvalidInput for an empty or long name, Conflict for one in use."""
    scope.require_tenant(by.tenant.id)
    name = " ".join(name.split())
    if not name or len(name) > NAME_LENGTH:
        problem = InputProblem("/name", "invalid", f"Give it a name of at most {NAME_LENGTH} characters.")
        raise InvalidInput(problem.detail, problems=(problem,))
    try:
        with transaction.atomic():
            search = SavedSearch.objects.create(
                tenant_id=by.tenant.id, name=name, query=query[:4000], user=by.user, created_at=at
            )
    except IntegrityError as error:
        raise Conflict(f"You already have a search called “{name}”.") from error
    _record(by, "search.saved", search, {"name": name, "query": search.query}, at)
    return search


def delete_search(*, by: Access, search_id: uuid.UUID, at: datetime) -> None:
    """Raises NotFound, and Forbidden for somebody else's."""
    search = _own(by, search_id)
    _record(by, "search.deleted", search, {"name": search.name}, at)
    search.delete()


def share_search(*, by: Access, search_id: uuid.UUID, with_user: int, at: datetime) -> None:
    """Let a colleague see a search. Raises NotFound where the search or the member does not exist."""
    search = _own(by, search_id)
    colleague = access.members_by_id(by.tenant.id, [with_user]).get(with_user)
    if colleague is None:
        raise NotFound("There is no such member.")
    access.grant(to=colleague, permission=_VIEW, target=search)
    _record(by, "search.shared", search, {"name": search.name, "member": colleague.email}, at)


def _own(by: Access, search_id: uuid.UUID) -> SavedSearch:
    scope.require_tenant(by.tenant.id)
    search = SavedSearch.objects.filter(tenant_id=by.tenant.id, id=search_id).first()
    if search is None:
        raise NotFound("There is no such search.")
    if search.user_id != by.user.pk:
        raise Forbidden("Only the person who saved a search can change it.")
    return search


def _record(by: Access, action: str, search: SavedSearch, data: dict[str, str], at: datetime) -> None:
    audit.record(
        tenant=by.tenant.id,
        action=action,
        actor=by.actor,
        target=Target(type="saved_search", id=str(search.id)),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
    )
