"""Forgetting a person: their values and the salts of their commitments are destroyed, and the log can still be checked.

One asks, another agrees (a constraint of the table holds it), the owner of the tables does it. What remains of a value is
its commitment, which without the salt can be matched with nothing. What was erased from which entry is listed
(`audit_erasedfields`: names of fields only), and the entry `privacy.erased` commits to that list: a value that is missing
and not listed was taken by somebody else.

The other apps come first (forgetting.py), slice by slice; those that stand in `settings.FORGETTERS` forget the person in the last
transaction, the log's own: done means done there, too.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson
from celery import signature
from django.conf import settings
from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper
from django.utils.module_loading import import_string

from agentops.common import scope
from agentops.common.errors import Conflict, Forbidden, InputProblem, InvalidInput, NotFound
from agentops.common.queues import Queue, ring_on_commit
from agentops.common.scope import tenant_scope
from audit.models import Entry, Erasure, Hold
from audit.services import forgetting
from audit.services.recording import record
from audit.types import SYSTEM, Actor, ErasureState, Outcome, Target

OWNER = "owner"
ERASE = "audit.tasks.erase"
ERASED = "privacy.erased"
_PERSON_MOST, _BASIS_MOST = 200, 300
_AT_ONCE = 2_000
_SEARCHES = frozenset({"data.what", "data.query", "data.filters"})  # a page, a saved search, an export
_COLUMNS = ("actor_label", "on_behalf_of_id", "target_id", "reason", "src_ip", "user_agent")

# A look at every entry of the tenant: there is no index over what people are called, on purpose.
_FIND = f"""
DECLARE people NO SCROLL CURSOR FOR
SELECT recorded_at, id, run_id, actor_type, actor_id, private, {", ".join(_COLUMNS)} FROM audit_entry
WHERE tenant_id = %(tenant)s AND private <> '{{}}' AND (
    lower(on_behalf_of_id) = %(person)s OR lower(actor_id) = %(person)s OR lower(actor_label) = %(person)s
    OR lower(target_id) = %(person)s OR strpos(lower(reason), %(person)s) > 0
    OR strpos(lower(private), %(bare)s) > 0 OR strpos(lower(private), %(encoded)s) > 0
)
"""  # noqa: S608  constants only
_WIPE = f"""
UPDATE audit_entry e SET private = n.private, {", ".join(f"{name} = n.{name}" for name in _COLUMNS)}
FROM unnest(%s::timestamptz[], %s::uuid[], %s::text[], {", ".join(["%s::text[]"] * len(_COLUMNS))})
    AS n (recorded_at, id, private, {", ".join(_COLUMNS)})
WHERE e.tenant_id = %s AND e.recorded_at = n.recorded_at AND e.id = n.id
"""  # noqa: S608  constants only
_LIST = """
INSERT INTO audit_erasedfields (tenant_id, erasure_id, entry_id, names)
SELECT %s, %s, n.* FROM unnest(%s::uuid[], %s::text[]) AS n
"""
_DONE = """
UPDATE audit_erasure SET state = 'done', done_at = %s, entries = %s, fields = %s, entry_id = %s, progress = %s, person = '', why_not = ''
WHERE tenant_id = %s AND id = %s
"""
# What stands beside the log of who asked for erasures and exports, and what they searched for.
_FORGET_ASKERS = """
UPDATE audit_erasure SET
    asked_by_label = CASE WHEN lower(asked_by_label) = %(person)s THEN '(erased)' ELSE asked_by_label END,
    decided_by_label = CASE WHEN lower(decided_by_label) = %(person)s THEN '(erased)' ELSE decided_by_label END
WHERE tenant_id = %(tenant)s AND %(person)s IN (lower(asked_by_label), lower(decided_by_label))
"""
_FORGET_SEARCHES = """
UPDATE audit_export SET
    asked_by_label = CASE WHEN lower(asked_by_label) = %(person)s THEN '(erased)' ELSE asked_by_label END,
    filters = CASE WHEN strpos(lower(filters::text), %(bare)s) > 0 THEN '{}' ELSE filters END
WHERE tenant_id = %(tenant)s AND (lower(asked_by_label) = %(person)s OR strpos(lower(filters::text), %(bare)s) > 0)
"""
# Copies of the log that still lie here hold what was erased.
_FORGET_EXPORTS = """
WITH gone AS (DELETE FROM audit_exportpart WHERE tenant_id = %(tenant)s RETURNING export_id)
UPDATE audit_export SET state = 'cancelled', ended_at = coalesce(ended_at, %(at)s),
    error = 'removed, because a person was erased; export again'
WHERE tenant_id = %(tenant)s AND (id IN (SELECT export_id FROM gone) OR state IN ('waiting', 'running'))
"""


def ask_erasure(*, tenant: uuid.UUID, person: str, legal_basis: str, by: Actor, at: datetime) -> Erasure:
    """Ask for a person to be erased, by what the log calls them: an address, a user's id, user:12.

    Raises InvalidInput, and Conflict where the same was asked for already.
    """
    scope.require_tenant(tenant)
    person, legal_basis = person.strip(), legal_basis.strip()
    problems = []
    if not 3 <= len(person) <= _PERSON_MOST:
        accepted = f"is what the log calls the person, 3 to {_PERSON_MOST} characters: an e-mail address, a user's id"
        problems.append(InputProblem("/person", "invalid", accepted))
    if not 1 <= len(legal_basis) <= _BASIS_MOST:
        accepted = (
            f"says on what ground, up to {_BASIS_MOST} characters, such as: GDPR article 17(1)(b), request of 3 May"
        )
        problems.append(InputProblem("/legal_basis", "invalid", accepted))
    if problems:
        raise InvalidInput("The request is not complete.", problems=tuple(problems))
    open_ones = Erasure.objects.filter(tenant_id=tenant, state__in=[ErasureState.ASKED, ErasureState.APPROVED])
    if open_ones.filter(person__iexact=person).exists():
        raise Conflict("This was asked for already, and is not done yet.")
    made = Erasure.objects.create(
        tenant_id=tenant, person=person, legal_basis=legal_basis, asked_at=at, asked_by=by.id, asked_by_label=by.label
    )
    _record(made, "privacy.erasure_requested", {"erasure": str(made.id), "legal_basis": legal_basis}, by, at)
    return made


def approve_erasure(*, tenant: uuid.UUID, erasure: uuid.UUID, by: Actor, at: datetime) -> None:
    """Agree to it; it is done soon after. Raises Forbidden for whoever asked, Conflict where it was decided."""
    scope.require_tenant(tenant)
    found = _undecided(tenant, erasure, by)
    _refuse_held(tenant)
    _decide(found, ErasureState.APPROVED, by, at)
    data = {"erasure": str(found.id), "legal_basis": found.legal_basis}
    _record(found, "privacy.erasure_approved", data, by, at)
    ring_on_commit(signature(ERASE, queue=Queue.MAINTENANCE.value))


def refuse_erasure(*, tenant: uuid.UUID, erasure: uuid.UUID, reason: str, by: Actor, at: datetime) -> None:
    """Do not erase. Whoever asked may take it back this way, too."""
    scope.require_tenant(tenant)
    found = _undecided(tenant, erasure, by=None)
    found.why_not, found.person = reason.strip(), ""
    if by.id == found.asked_by:
        found.state = ErasureState.REFUSED
        found.save(update_fields=["state", "why_not", "person"])
    else:
        _decide(found, ErasureState.REFUSED, by, at)
    _record(found, "privacy.erasure_refused", {"erasure": str(found.id)}, by, at, reason=reason.strip())


def erase(*, tenant: uuid.UUID, erasure: uuid.UUID, at: datetime, until: float = math.inf) -> bool:
    """Do what was agreed to; False where it is done, the time is over (it goes on where it was), or something forbids it
    (the row says so then).

    It works as the owner: the tables of other apps in slices, then the log in one transaction, which opens the tenant's scope
    for the entry that says what was done.
    """
    if not forgetting.walk(tenant=tenant, erasure=erasure, at=at, until=until):
        return False
    try:
        done: bool = forgetting.retried(lambda: _finish(tenant, erasure, at))
    except forgetting.MustWait as wait:
        forgetting.note(tenant=tenant, erasure=erasure, why_not=str(wait))
        return False
    return done


def _finish(tenant: uuid.UUID, erasure: uuid.UUID, at: datetime) -> bool:
    with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
        found = forgetting.locked(cursor, tenant, erasure, at)
        if found is None:
            return False
        who, person, legal_basis, progress = found
        kept = forgetting.kept(cursor, who)
        for forgetter in settings.FORGETTERS:  # first: it asks whose the runs are, which the walk makes nobody's
            import_string(forgetter)(cursor, who=who, person=person)
        rows = forgetting.walk_again(cursor, who, progress.get("rows", {}))
        listed = sorted(_wipe_all(cursor, tenant, erasure, person, who.held))
        digest = hashlib.sha256("".join(f"{entry}:{names}\n" for entry, names in listed).encode()).hexdigest()
        count = sum(names.count(",") + 1 for _, names in listed)
        cursor.execute(_FORGET_EXPORTS, {"tenant": tenant, "at": at})
        spelled: dict[str, Any] = {"tenant": tenant, **_spellings(person)}
        cursor.execute(_FORGET_ASKERS, spelled)
        cursor.execute(_FORGET_SEARCHES, spelled)
        data = {
            "erasure": str(erasure), "legal_basis": legal_basis, "entries": len(listed), "fields": count, "digest": digest,
            "rows": sum(rows.values()), "kept": kept,
        }  # fmt: skip
        entry = _tell(tenant, erasure, data, at)
        told = orjson.dumps({"rows": rows, "kept": kept}).decode()
        cursor.execute(_DONE, [at, len(listed), count, entry, told, tenant, erasure])
    return True


# -- what is erased ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Found:
    """An entry that names the person, and what remains of it."""

    recorded_at: datetime
    id: uuid.UUID
    private: dict[str, Any]
    columns: dict[str, str]
    names: list[str]


def _wipe_all(
    cursor: CursorWrapper, tenant: uuid.UUID, erasure: uuid.UUID, person: str, held: Collection[uuid.UUID]
) -> list[tuple[str, str]]:
    """Erase the person from every entry that is not held; answers entries and the names of what went."""
    spelled = _spellings(person)
    cursor.execute(_FIND, {"tenant": tenant, **spelled})
    listed = []
    while rows := _fetched(cursor):
        found = [one for row in rows if row[2] not in held and (one := _named(row, spelled)) is not None]
        if found:
            _wipe(cursor, tenant, erasure, found)
        listed += [(str(one.id), ",".join(one.names)) for one in found]
    cursor.execute("CLOSE people")
    return listed


def _fetched(cursor: CursorWrapper) -> list[Sequence[Any]]:
    cursor.execute(f"FETCH {_AT_ONCE} FROM people")
    return list(cursor.fetchall())


def _spellings(person: str) -> dict[str, str]:
    """How a person is written in a column, inside a JSON text, and in an address of a page."""
    sought = person.lower()
    return {"person": sought, "bare": orjson.dumps(sought).decode()[1:-1], "encoded": quote(sought, safe="").lower()}


def _named(row: Sequence[Any], spelled: dict[str, str]) -> _Found | None:
    """What of an entry is about the person; None where it only looked so."""
    person = spelled["person"]
    recorded_at, entry, _, actor_type, actor_id, private_text, *values = row
    columns, private = dict(zip(_COLUMNS, values, strict=True)), orjson.loads(private_text)
    is_actor = actor_type in ("user", "staff") and person in (actor_id.lower(), columns["actor_label"].lower())
    about: set[str] = {name for name in ("on_behalf_of_id", "target_id") if columns[name].lower() == person}
    if is_actor:
        about |= {"actor_label", "src_ip", "user_agent"}
    if person in columns["reason"].lower():
        about.add("reason")
    about |= {name for name, kept in private.items() if name.startswith("data.") and _names_person(kept[1], person)}
    searched = _SEARCHES & private.keys()
    about |= {name for name in searched if _is_sought(private[name][1], person, spelled["encoded"])}
    names = sorted(about & private.keys())  # what was never committed to stands in the envelope, and names nobody
    if not names:
        return None
    for name in names:
        del private[name]
        if name in columns:
            columns[name] = ""
    return _Found(recorded_at, entry, private, columns, names)


def _names_person(value: Any, person: str) -> bool:
    if isinstance(value, str):
        return value.lower() == person
    if isinstance(value, list):
        return any(_names_person(one, person) for one in value)
    return isinstance(value, dict) and any(_names_person(one, person) for one in value.values())


def _is_sought(value: Any, *written: str) -> bool:
    """Was the person searched for? Whatever else was, goes with it."""
    if isinstance(value, dict):
        return any(_is_sought(one, *written) for one in value.values())
    return isinstance(value, str) and any(each in value.lower() for each in written)


def _wipe(cursor: CursorWrapper, tenant: uuid.UUID, erasure: uuid.UUID, found: Sequence[_Found]) -> None:
    columns = [[one.columns[name] for one in found] for name in _COLUMNS]
    private = [orjson.dumps(one.private).decode() for one in found]
    ids = [one.id for one in found]
    cursor.execute(_WIPE, [[one.recorded_at for one in found], ids, private, *columns, tenant])
    if cursor.rowcount != len(found):
        raise RuntimeError(
            f"{len(found)} entries of tenant {tenant} were to be erased from, and {cursor.rowcount} were"
        )
    cursor.execute(_LIST, [tenant, erasure, ids, [",".join(one.names) for one in found]])


# -- words ------------------------------------------------------------------------------------------------------------


def _undecided(tenant: uuid.UUID, erasure: uuid.UUID, by: Actor | None) -> Erasure:
    found = Erasure.objects.select_for_update().filter(tenant_id=tenant, id=erasure).first()
    if found is None:
        raise NotFound("There is no such request.")
    if found.state != ErasureState.ASKED:
        raise Conflict(f"The request is decided already: {found.get_state_display().lower()}.")
    if by is not None and by.id == found.asked_by:
        raise Forbidden("Whoever asked for it cannot agree to it: a second person has to.")
    return found


def _refuse_held(tenant: uuid.UUID) -> None:
    if Hold.objects.filter(tenant_id=tenant, run_id=None, lifted_at=None).exists():
        raise Conflict("The whole log is under a legal hold: nobody can be erased until it is lifted.")


def _decide(found: Erasure, state: ErasureState, by: Actor, at: datetime) -> None:
    found.state, found.decided_at, found.decided_by, found.decided_by_label = state, at, by.id, by.label
    found.save(update_fields=["state", "decided_at", "decided_by", "decided_by_label", "why_not", "person"])


def _tell(tenant: uuid.UUID, erasure: uuid.UUID, data: dict[str, Any], at: datetime) -> uuid.UUID:
    """Committed before the rest is: who is killed in between has said it, and says it no second time."""
    target = Target("erasure", str(erasure))
    with tenant_scope(tenant):
        said = Entry.objects.filter(tenant_id=tenant, action=ERASED, target_type=target.type, target_id=target.id)
        for entry in said.order_by("recorded_at", "id"):
            if entry.told() == data:
                found: uuid.UUID = entry.id
                return found
        return record(
            tenant=tenant, action=ERASED, actor=SYSTEM, target=target, outcome=Outcome.SUCCESS, data=data, at=at
        )


def _record(erasure: Erasure, action: str, data: dict[str, Any], by: Actor, at: datetime, *, reason: str = "") -> None:
    record(
        tenant=erasure.tenant_id,
        action=action,
        actor=by,
        target=Target("erasure", str(erasure.id)),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
        reason=reason,
    )
