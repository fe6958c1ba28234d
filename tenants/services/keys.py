"""Keys of machines: made once, shown once, revoked for ever."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from agentops.common import scope
from agentops.common.errors import NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants import keys, machines
from tenants.errors import invalid
from tenants.house import refuse_house
from tenants.models import ApiKey
from tenants.roles import KeyScope
from tenants.types import NewKey


def create_key(*, tenant: uuid.UUID, name: str, scopes: Iterable[str], by: Actor, at: datetime) -> NewKey:
    """Make a key; its text is in the answer and nowhere else. Raises InvalidInput."""
    scope.require_tenant(tenant)
    refuse_house(tenant)
    name = name.strip()
    if not 1 <= len(name) <= 120:
        raise invalid("/name", "A key needs a name of 1 to 120 characters: what will use it?")
    wanted = _scopes(scopes)
    text = keys.mint(tenant)
    key = ApiKey.objects.create(
        tenant_id=tenant,
        name=name,
        prefix=keys.prefix(text),
        digest=keys.digest(text),
        scopes=wanted,
        created_at=at,
        created_by=by.label,
    )
    _record(key, "api_key.created", {"scopes": wanted}, by, at)
    return NewKey(key=key, text=text)


def revoke_key(*, tenant: uuid.UUID, key: uuid.UUID, by: Actor, at: datetime) -> ApiKey:
    """End a key. One that is revoked already stays as it is, without a second entry. Raises NotFound.

    Other processes may answer it for `machines.CACHE_SECONDS` more.
    """
    scope.require_tenant(tenant)
    is_ours = ApiKey.objects.filter(tenant_id=tenant, id=key, revoked_at__isnull=True).update(
        revoked_at=at, revoked_by=by.label
    )
    found = ApiKey.objects.filter(tenant_id=tenant, id=key).first()
    if found is None:
        raise NotFound("There is no such key.")
    if is_ours:
        _record(found, "api_key.revoked", {}, by, at)
        transaction.on_commit(machines.forget_cached_keys)  # before the commit, a request could cache it again
    return found


def _scopes(wanted: Iterable[str]) -> list[str]:
    chosen = set(wanted)
    unknown = sorted(chosen - set(KeyScope.values))
    if unknown:
        raise invalid("/scopes", f"{', '.join(unknown)}: no such scope; choose from {', '.join(KeyScope.values)}.")
    if not chosen:
        raise invalid("/scopes", "Choose at least one scope: a key without any opens nothing.")
    if {KeyScope.GUARD, KeyScope.PRESENT} <= chosen:
        raise invalid(
            "/scopes",
            "One key never has both guard and present: an agent could confirm its own actions. Make two keys.",
        )
    return [scope_ for scope_ in KeyScope.values if scope_ in chosen]


def _record(key: ApiKey, action: str, data: dict[str, list[str]], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=key.tenant_id,
        action=action,
        actor=by,
        target=Target(type="api_key", id=str(key.id)),
        outcome=Outcome.SUCCESS,
        data={"name": key.name, "prefix": key.prefix, **data},
        at=at,
    )
