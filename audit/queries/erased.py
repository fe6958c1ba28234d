"""Whom an erasure would find, and what it took: for who decides on it, and for who checks its certificate."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson
from django.db import connection

from audit.models import ErasedFields

NEWEST = 50_000
# The conditions of services/erasing.py, counted one by one over the newest entries: a look, not a walk of the log.
_LOOK = """
SELECT count(*), count(*) FILTER (WHERE is_actor), count(*) FILTER (WHERE is_behalf), count(*) FILTER (WHERE is_target),
       count(*) FILTER (WHERE is_reason), count(*) FILTER (WHERE is_data),
       count(*) FILTER (WHERE is_actor OR is_behalf OR is_target OR is_reason OR is_data)
FROM (
    SELECT private <> '{}' AND actor_type IN ('user', 'staff')
               AND %(person)s IN (lower(actor_id), lower(actor_label)) AS is_actor,
           strpos(private, '"on_behalf_of_id":') > 0 AND lower(on_behalf_of_id) = %(person)s AS is_behalf,
           strpos(private, '"target_id":') > 0 AND lower(target_id) = %(person)s AS is_target,
           strpos(private, '"reason":') > 0 AND strpos(lower(reason), %(person)s) > 0 AS is_reason,
           strpos(private, '"data.') > 0 AND (
               strpos(lower(private), %(quoted)s) > 0 OR strpos(lower(searched), %(person)s) > 0
               OR strpos(lower(searched), %(encoded)s) > 0
           ) AS is_data
    FROM (
        SELECT actor_type, actor_id, actor_label, on_behalf_of_id, target_id, reason, private,
               CASE WHEN strpos(private, '"data.what":') + strpos(private, '"data.query":') + strpos(private, '"data.filters":') > 0
                   THEN concat_ws(' ', private::jsonb #>> '{data.what,1}', private::jsonb #>> '{data.query,1}',
                                  private::jsonb #>> '{data.filters,1}')
                   ELSE '' END AS searched
        FROM audit_entry
        WHERE tenant_id = %(tenant)s ORDER BY recorded_at DESC, id DESC LIMIT %(most)s
    ) AS newest
) AS looked
"""


@dataclass(frozen=True, slots=True)
class Mentions:
    """In how many of the newest entries a person is named, and as what. `is_whole`: there are no older ones."""

    looked_at: int
    as_actor: int
    on_behalf: int
    as_target: int
    in_reason: int
    in_data: int
    entries: int

    @property
    def is_whole(self) -> bool:
        return self.looked_at < NEWEST

    @property
    def ways(self) -> list[tuple[str, int]]:
        """What an erasure would take, in words; an entry can count under several."""
        found = [
            ("as who acted", self.as_actor),
            ("as whom it was done for", self.on_behalf),
            ("as what it was done to", self.as_target),
            ("in a reason that somebody wrote", self.in_reason),
            ("in what was written down of it", self.in_data),
        ]
        return [(words, count) for words, count in found if count]


def mentions(*, tenant: uuid.UUID, person: str) -> Mentions:
    """Where the newest entries name a person, by what the log calls them."""
    sought = person.strip().lower()
    places: dict[str, Any] = {
        "tenant": tenant,
        "person": sought,
        "quoted": orjson.dumps(sought).decode(),
        "encoded": quote(sought, safe="").lower(),
        "most": NEWEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, places)
        return Mentions(*cursor.fetchone())


def erased_lines(*, tenant: uuid.UUID, erasure: uuid.UUID) -> Iterator[str]:
    """One line for each entry, `<entry>:<names of what went>`, sorted. SHA-256 of all lines is the digest of `privacy.erased`."""
    found = ErasedFields.objects.filter(tenant_id=tenant, erasure_id=erasure).order_by("entry_id")
    for entry, names in found.values_list("entry_id", "names").iterator(chunk_size=5_000):
        yield f"{entry}:{names}\n"
