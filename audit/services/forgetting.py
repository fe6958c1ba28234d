"""A person is forgotten in the tables of the other apps: slice by slice, each in a transaction of its own.

What apps list (settings.FORGOTTEN_TABLES) is walked in their order; how far it is stands in the erasure and is committed with each
slice, so whoever is killed goes on. The last transaction, audit's own, walks everything once more: what came in meanwhile is
reached, and since little is left, it is little.
"""

from __future__ import annotations

import importlib
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.db import OperationalError, connections, transaction
from django.db.backends.utils import CursorWrapper

from agentops.common.forgetting import Forgotten, Step, forgotten

T = TypeVar("T")
OWNER = "owner"
_RETRIES = 20
_LOCK = (
    "SELECT person, legal_basis, progress::text FROM audit_erasure "
    "WHERE tenant_id = %s AND id = %s AND state = 'approved' FOR UPDATE"
)
_HOLDS = "SELECT run_id FROM audit_hold WHERE tenant_id = %s AND lifted_at IS NULL"
_NOTE = "UPDATE audit_erasure SET progress = %s, why_not = %s WHERE tenant_id = %s AND id = %s"
ALL_HELD = "the whole log is under a legal hold; it is done when that is lifted"


class MustWait(Exception):
    """Not now: the sentence says for what."""


def step_names() -> list[str]:
    """The tables in the order in which they are walked."""
    return [step.name for step in _steps()]


def walk(*, tenant: uuid.UUID, erasure: uuid.UUID, at: datetime, until: float) -> bool:
    """Forget the person in every slice of every table; False where it has to wait, or the time is over."""
    while True:
        done = retried(lambda: _next_slice(tenant, erasure, at))
        if done is not None:
            return done
        if time.monotonic() >= until:
            return False


def retried(work: Callable[[], T]) -> T:
    """Somebody else booked or changed what the snapshot had: again, with a new one."""
    for _ in range(_RETRIES - 1):
        try:
            return work()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") not in ("40001", "40P01"):
                raise
    return work()


def locked(cursor: CursorWrapper, tenant: uuid.UUID, erasure: uuid.UUID, at: datetime) -> tuple[Any, ...] | None:
    """The erasure, under its lock and one snapshot: (whom, person, legal basis, progress); None where it is not to be done.

    Raises MustWait where a hold or something that has to end first forbids it.
    """
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute(_LOCK, [tenant, erasure])
    row = cursor.fetchone()
    if row is None:
        return None
    person, legal_basis, progress = row
    cursor.execute(_HOLDS, [tenant])
    held = {run for (run,) in cursor.fetchall()}
    if None in held:
        raise MustWait(ALL_HELD)
    who = forgotten(cursor, tenant=tenant, person=person, erasure=erasure, held=held, at=at)
    for why, statement in _told("WAITS"):
        cursor.execute(f"SELECT EXISTS ({statement})", who.params)
        if cursor.fetchone()[0]:
            raise MustWait(f"{why}; it goes on when that has ended")
    return who, person, legal_basis, orjson.loads(progress)


def walk_again(cursor: CursorWrapper, who: Forgotten, rows: dict[str, int]) -> dict[str, int]:
    """What came in since a table was walked, in the transaction that ends it; answers the rows of each table."""
    for step in _steps():
        after: list[str] | None = []
        while after is not None:
            after, changed = step.slice(cursor, who, after)
            _add(rows, step.name, changed)
    return rows


def kept(cursor: CursorWrapper, who: Forgotten) -> list[str]:
    """What is left, and why, in sentences that name nobody."""
    found = [f"run {run} and what belongs to it, under a legal hold" for run in _held_of_theirs(cursor, who)]
    for why, statement in _told("KEPT"):
        cursor.execute(statement, who.params)
        if count := cursor.fetchone()[0]:
            found.append(f"{count}: {why}")
    return found


def note(*, tenant: uuid.UUID, erasure: uuid.UUID, why_not: str) -> None:
    """Say on the request why it waits."""
    with connections[OWNER].cursor() as cursor:
        cursor.execute(
            "UPDATE audit_erasure SET why_not = %s WHERE tenant_id = %s AND id = %s AND state = 'approved'",
            [why_not, tenant, erasure],
        )


def _next_slice(tenant: uuid.UUID, erasure: uuid.UUID, at: datetime) -> bool | None:
    """True: all are done. False: it waits, or is none. None: there is more."""
    steps = list(_steps())
    try:
        with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
            found = locked(cursor, tenant, erasure, at)
            if found is None:
                return False
            who, progress = found[0], found[3]
            place = progress.get("step", 0)
            if place >= len(steps):
                return True
            after, changed = steps[place].slice(cursor, who, progress.get("after", []))
            _add(progress.setdefault("rows", {}), steps[place].name, changed)
            progress |= {"step": place + (after is None), "after": after or [], "of": len(steps)}
            cursor.execute(_NOTE, [orjson.dumps(progress).decode(), "", tenant, erasure])
    except MustWait as wait:
        note(tenant=tenant, erasure=erasure, why_not=str(wait))
        return False
    return None


def _held_of_theirs(cursor: CursorWrapper, who: Forgotten) -> list[uuid.UUID]:
    cursor.execute(
        "SELECT run_id FROM traces_run WHERE tenant_id = %(tenant)s AND run_id = ANY(%(held)s::uuid[]) AND lower(user_id) = ANY(%(names)s) "
        "UNION SELECT run_id FROM runtime_guardedrun WHERE tenant_id = %(tenant)s AND run_id = ANY(%(held)s::uuid[]) "
        "AND lower(user_id) = ANY(%(names)s) ORDER BY run_id",
        who.params,
    )
    return [run for (run,) in cursor.fetchall()]


def _steps() -> Iterator[Step]:
    for name in settings.FORGOTTEN_TABLES:
        yield from importlib.import_module(name).STEPS


def _told(what: str) -> Iterator[tuple[str, str]]:
    for name in settings.FORGOTTEN_TABLES:
        yield from getattr(importlib.import_module(name), what, ())


def _add(rows: dict[str, int], name: str, changed: int) -> None:
    if changed:
        rows[name] = rows.get(name, 0) + changed
