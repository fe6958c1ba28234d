"""At the end of a guarded run, one entry that says what the log holds of it: so that what is missing shows.

A tree proves that nothing was taken out; it cannot say that something never came. The manifest counts a run's entries,
and commits to their ids. It follows the sealer, not the guard: a run that has ended is found among the leaves, and what
is counted are leaves, so that whoever holds the log up to `last_entry` can count again.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.common import scope
from audit.models import ManifestCursor
from audit.services.recording import NewEntry, record_many
from audit.types import Actor, Outcome, Target

LEAVES = 20_000  # looked at in one transaction
GRACE = timedelta(minutes=1)  # for what is told right after the end: the last result, a settlement

_FAR_ENOUGH = """
SELECT tree_size FROM audit_checkpoint WHERE tenant_id = %s AND sealed_at <= %s
ORDER BY sealed_at DESC, tree_size DESC LIMIT 1
"""
_TIMES = """
SELECT min(recorded_at), max(recorded_at) FROM audit_leaf WHERE tenant_id = %s AND leaf_index >= %s AND leaf_index < %s
"""
# An entry's place is looked up by the entry (OFFSET 0 keeps the planner from anything else). For a tenant it knows nothing
# of, it takes the leaves before `upto` for a handful, and would walk them all for each entry: that took minutes.
_PLACE_OF_E = """
CROSS JOIN LATERAL (
    SELECT p.leaf_index FROM audit_leaf p WHERE p.tenant_id = %(tenant)s AND p.entry_id = e.id OFFSET 0
) AS l
"""
# The digest is SHA-256 over the ids in their order, each as text and with a line break behind it.
_ENDED = f"""
WITH ended AS (
    SELECT DISTINCT ON (e.run_id) e.run_id, e.actor_type, e.actor_id, e.actor_label, e.on_behalf_of_id, e.target_type,
           e.target_id
    FROM audit_entry e {_PLACE_OF_E}
    WHERE e.tenant_id = %(tenant)s AND e.action = 'run.ended' AND e.run_id IS NOT NULL
      AND e.recorded_at BETWEEN %(since)s AND %(until)s AND l.leaf_index >= %(first)s AND l.leaf_index < %(upto)s
      AND NOT EXISTS (
          SELECT FROM audit_entry m WHERE m.tenant_id = e.tenant_id AND m.run_id = e.run_id AND m.action = 'run.manifest'
      )
    ORDER BY e.run_id, e.recorded_at, e.id
)
SELECT r.run_id, r.actor_type, r.actor_id, r.actor_label, r.on_behalf_of_id, r.target_type, r.target_id, count(*),
       count(*) FILTER (WHERE e.action IN ('tool.called', 'tool.observed', 'side_effect.observed')),
       count(*) FILTER (WHERE e.outcome = %(denied)s),
       count(*) FILTER (WHERE e.action IN ('approval.confirmed', 'approval.stood')),
       (array_agg(e.id ORDER BY l.leaf_index DESC))[1],
       encode(sha256(convert_to(string_agg(e.id::text || E'\\n', '' ORDER BY e.id), 'UTF8')), 'hex')
FROM ended r
JOIN audit_entry e ON e.tenant_id = %(tenant)s AND e.run_id = r.run_id {_PLACE_OF_E}
WHERE l.leaf_index < %(upto)s
GROUP BY r.run_id, r.actor_type, r.actor_id, r.actor_label, r.on_behalf_of_id, r.target_type, r.target_id
ORDER BY r.run_id
"""  # noqa: S608  our own words


def write_manifests(*, tenant: uuid.UUID, at: datetime) -> tuple[int, bool]:
    """Manifests of the runs that ended among the next leaves: how many, and whether there are more leaves to look at.

    Where another worker is at it, there is nothing to do.
    """
    scope.require_tenant(tenant)
    if not _is_ours(tenant):
        return 0, False
    place, _ = ManifestCursor.objects.get_or_create(tenant_id=tenant)
    first, sealed = place.next_leaf, _sealed_before(tenant, at - GRACE)
    upto = min(first + LEAVES, sealed)
    if upto <= first:
        return 0, False
    entries = [_manifest(row, at) for row in _ended(tenant, first, upto)]
    if entries:
        record_many(tenant=tenant, entries=entries)
    ManifestCursor.objects.filter(tenant_id=tenant).update(next_leaf=upto)
    return len(entries), upto < sealed


def _is_ours(tenant: uuid.UUID) -> bool:
    """Until this transaction ends. Not a lock on the cursor's row, which the first to come here has only just made."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 9))", [f"manifests:{tenant}"])
        return bool(cursor.fetchone()[0])


def _sealed_before(tenant: uuid.UUID, moment: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_FAR_ENOUGH, [tenant, moment])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _ended(tenant: uuid.UUID, first: int, upto: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_TIMES, [tenant, first, upto])
        since, until = cursor.fetchone()
        places = {"tenant": tenant, "since": since, "until": until, "first": first, "upto": upto}
        cursor.execute(_ENDED, {**places, "denied": Outcome.DENIED.value})
        return list(cursor.fetchall())


def _manifest(row: tuple[Any, ...], at: datetime) -> NewEntry:
    run, actor_type, actor_id, label, on_behalf_of, target_type, target_id, *counts, last, digest = row
    entries, actions, refusals, approvals = counts
    return NewEntry(
        action="run.manifest",
        actor=Actor(type=actor_type, id=actor_id, label=label),
        target=Target(target_type, target_id),
        outcome=Outcome.SUCCESS,
        data={
            "entries": entries,
            "actions": actions,
            "refusals": refusals,
            "approvals": approvals,
            "last_entry": str(last),
            "digest": digest,
        },
        at=at,
        run=run,
        on_behalf_of=on_behalf_of,
    )
