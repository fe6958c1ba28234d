"""Whom users know."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db import connection

from agentops.catalog.cache import Bounded
from agentops.catalog.errors import ContactsUnknown
from agentops.catalog.models import ContactSet
from agentops.catalog.types import Contacts

_SETS_MOST = 500
# Ids change with the content, so the content of an id that was read before need not be read again.
_IDS = "SELECT id, name FROM catalog_contactset WHERE tenant_id = %s AND user_id IN ('', %s)"
_CONTENT = "SELECT id, name, contacts FROM catalog_contactset WHERE tenant_id = %s AND user_id IN ('', %s)"
_sets: Bounded[uuid.UUID, frozenset[str]] = Bounded(_SETS_MOST)


def contacts(*, tenant: uuid.UUID, user: str) -> Mapping[str, frozenset[str]]:
    """The sets by name, each with what everybody and what this end user knows. One statement where they are known here.

    What is not known here is read again as a whole, in one snapshot: half a set would answer "not among them" wrongly.
    """
    with connection.cursor() as cursor:
        cursor.execute(_IDS, [tenant, user])
        found = [(name, _sets.get(set_id)) for set_id, name in cursor.fetchall()]
        if any(content is None for _, content in found):
            cursor.execute(_CONTENT, [tenant, user])
            found = [(name, _kept(set_id, values)) for set_id, name, values in cursor.fetchall()]
    sets: dict[str, frozenset[str]] = {}
    for name, content in found:
        if content is not None:
            sets[name] = sets[name] | content if name in sets else content
    return sets


def _kept(set_id: uuid.UUID, values: list[str]) -> frozenset[str]:
    content = frozenset(values)
    _sets.put(set_id, content)
    return content


def contact_set(*, tenant: uuid.UUID, name: str, user: str = "") -> Contacts:
    """One set, of everybody or of one end user. Raises ContactsUnknown."""
    found = ContactSet.objects.filter(tenant_id=tenant, name=name, user_id=user).first()
    if found is None:
        whose = f" of {user[:100]}" if user else ""
        raise ContactsUnknown(f"There is no set of contacts {name[:100]!r}{whose}.")
    return _value(found)


def contact_sets(*, tenant: uuid.UUID) -> list[Contacts]:
    """Every set, everybody's first."""
    return [_value(found) for found in ContactSet.objects.filter(tenant_id=tenant).order_by("user_id", "name")]


def _value(found: ContactSet) -> Contacts:
    return Contacts(
        name=found.name,
        user=found.user_id,
        contacts=found.contacts,
        set_at=found.set_at,
        set_by=found.set_by,
    )
