"""Known contacts, pushed by the customer's own systems."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from datetime import datetime

from agentops.catalog.errors import ContactsUnknown, invalid
from agentops.catalog.models import ContactSet
from agentops.catalog.services import changes
from agentops.catalog.types import Contacts
from agentops.common.ids import new_id
from audit.types import Actor, Target

CONTACTS_MOST = 20_000
CONTACT_LENGTH = 320  # characters; an e-mail address has at most so many
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_USER_LENGTH = 200


def set_contacts(
    *, tenant: uuid.UUID, name: str, user: str = "", contacts: Iterable[str], by: Actor, at: datetime
) -> Contacts:
    """Replace a set: everybody's, or with `user` that of one end user, who knows both. The same again changes nothing.

    Raises InvalidInput.
    """
    changes.begin(tenant)
    if not NAME.fullmatch(name):
        raise invalid("/name", "a name of letters, digits and underscores is expected, as rules say contacts.NAME")
    if len(user) > _USER_LENGTH or "\0" in user:
        raise invalid("/user", f"an end user's name of at most {_USER_LENGTH} characters is expected")
    values = _values(contacts)
    found = ContactSet.objects.filter(tenant_id=tenant, name=name, user_id=user).first()
    if found is None or found.contacts != values:
        # another id, so that nobody takes what they have read before for this
        ContactSet.objects.filter(tenant_id=tenant, name=name, user_id=user).delete()
        found = ContactSet.objects.create(
            id=new_id(),
            tenant_id=tenant,
            name=name,
            user_id=user,
            contacts=values,
            set_at=at,
            set_by=by.label[:200],
        )
        data = {"name": name, "user": user, "count": len(values)}
        changes.record(tenant, "contacts.set", Target(type="contacts", id=name), data, by, at)
    return Contacts(name=name, user=user, contacts=found.contacts, set_at=found.set_at, set_by=found.set_by)


def remove_contacts(*, tenant: uuid.UUID, name: str, user: str = "", by: Actor, at: datetime) -> None:
    """Remove a set; rules that ask for it refuse from now on. Raises ContactsUnknown."""
    changes.begin(tenant)
    count, _ = ContactSet.objects.filter(tenant_id=tenant, name=name, user_id=user).delete()
    if not count:
        raise ContactsUnknown(f"There is no set of contacts {name[:100]!r}.")
    data = {"name": name, "user": user}
    changes.record(tenant, "contacts.removed", Target(type="contacts", id=name), data, by, at)


def _values(contacts: Iterable[str]) -> list[str]:
    kept = set()
    for place, contact in enumerate(contacts):
        if place >= CONTACTS_MOST:
            raise invalid("/contacts", f"at most {CONTACTS_MOST} contacts are taken in one set", "too_many")
        if not isinstance(contact, str) or not 1 <= len(contact) <= CONTACT_LENGTH or "\0" in contact:
            raise invalid(f"/contacts/{place}", f"a text of 1 to {CONTACT_LENGTH} characters is expected", "type")
        kept.add(contact)
    return sorted(kept)
