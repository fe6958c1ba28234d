"""A part of `bench audit`: every question of the log's pages on ten million entries of two hundred uneven tenants.

Times are of the whole request at the server (session, scope, SQL, HTML or JSON), in one process, without the network.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import connection, connections
from django.test import Client

from agentops.common import clock
from agentops.common.cursors import Cursor
from agentops.common.memory import settle
from agentops.common.scope import tenant_scope
from agentops.portal.bench import audit_fill, fill
from agentops.portal.bench.machine import percentile
from audit.types import operator
from tenants import services
from tenants.roles import KeyScope, Role

SAMPLES = (0, 1, 9, 50, 150)  # places in the list of tenants, the largest first
PAGE = 50
DEEP = 99 * PAGE
_PASSWORD = "bench, never signed in with"  # noqa: S105
_SAMPLED = """
SELECT actor_id, action, outcome, on_behalf_of_id, target_type, target_id, run_id, recorded_at, id
FROM audit_entry WHERE tenant_id = %s AND recorded_at <= %s ORDER BY recorded_at DESC, id DESC LIMIT 1
"""
_DEEP = """
SELECT recorded_at, id FROM (
    SELECT recorded_at, id FROM audit_entry WHERE tenant_id = %s ORDER BY recorded_at DESC, id DESC LIMIT %s
) AS newest ORDER BY recorded_at, id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One entry of a tenant, whose values are asked for."""

    actor: str
    action: str
    outcome: int
    person: str
    target_type: str
    target_id: str
    run: str
    day: str
    id: uuid.UUID


def run(
    *, entries: int, tenants: int, repeat: int, keep: bool, fill_only: bool, say: Callable[[str], object]
) -> dict[str, Any]:
    """Fill (unless an earlier fill was kept), measure, and clean up unless told to keep."""
    made = audit_fill.filled_tenants()
    begun = time.perf_counter()
    if not made:
        say(f"filling {entries} entries for {tenants} tenants")
        made = audit_fill.fill(entries=entries, tenants=tenants, say=say)
    figures: dict[str, Any] = {"fill_seconds": round(time.perf_counter() - begun), "tenants": len(made), **_sizes()}
    if fill_only:
        return figures
    settle()  # as a web process does
    times: dict[str, list[float]] = {}
    for place in SAMPLES:
        if place < len(made):
            say(f"asking {made[place][1]}")
            _measure(*made[place], repeat, times)
    if not keep:
        fill.forget(made)
    everything = [each for found in times.values() for each in found]
    return figures | {
        "question_ms": {name: _told(found) for name, found in times.items()},
        "p50_ms": _ms(percentile(everything, 0.5)),
        "p95_ms": _ms(percentile(everything, 0.95)),
        "worst_question_p95_ms": max(_ms(percentile(found, 0.95)) for found in times.values()),
    }


def _sizes() -> dict[str, Any]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class WHERE relname ~ '^audit_entry_[0-9]+$'"
        )
        return {"entries_stored": cursor.fetchone()[0]}


def _measure(tenant: uuid.UUID, slug: str, repeat: int, times: dict[str, list[float]]) -> None:
    rng, (client, membership), key = random.Random(7), _auditor(tenant), _key(tenant)
    machine = Client(HTTP_HOST="localhost")
    for turn in range(-1, repeat):  # the first turn only warms what a running server has warm
        sample = _sample(tenant, rng)
        for name, path in _questions(tenant, sample):
            taken = _timed(client, f"/t/{slug}/audit/{path}", {})
            if turn >= 0:
                times.setdefault(name, []).append(taken)
        taken = _timed(machine, "/api/v1/audit/entries", {"Authorization": f"Bearer {key}"})
        if turn >= 0:
            times.setdefault("by API: lately", []).append(taken)
    with connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM tenants_membership WHERE id = %s", [membership])


def _questions(tenant: uuid.UUID, sample: Sample) -> Iterator[tuple[str, str]]:
    """What AUDIT.md says is asked, and two or three filters at once."""

    def where(**filters: str) -> str:
        return f"?{urlencode({name.rstrip('_'): value for name, value in filters.items()})}"

    outcome = "denied" if sample.outcome == 1 else "failure"
    yield "lately", ""
    yield "one old day", where(from_=sample.day, to=sample.day)
    yield "the hundredth page", where(cursor=_deep(tenant))
    yield "by one actor", where(actor=sample.actor)
    yield "for one user", where(person=sample.person or "user-1")
    yield "to one record", where(target_type=sample.target_type, target_id=sample.target_id)
    yield "to whatever has this id", where(target_id=sample.target_id)
    yield "in one run", where(run=sample.run)
    yield "agreements", where(category="approval")
    yield "what people changed", where(category="admin")
    yield "agreements, changes, failures", where(sensitive="1")
    yield "one action", where(action=sample.action)
    yield "a rare action", where(action="price.set")
    yield "staff's looks", where(action="staff.read")
    yield "an actor and an action", where(actor=sample.actor, action="approval.confirmed")
    yield "an actor and an outcome", where(actor=sample.actor, outcome=outcome)
    yield "a user and a tool", where(person=sample.person or "user-1", target_type="tool", target_id="tool-3")
    yield "an action, an outcome, an old day", where(action="tool.called", outcome="failure", from_=sample.day)
    yield "a rare action by an actor", where(actor=sample.actor, action="kill_switch.set")
    yield "a text that is often there", where(q="agent-3")
    yield "a text that is nowhere", where(q="no such thing")
    yield "what is refused, of one kind", where(category="agent", outcome="denied")
    yield "one entry", f"entries/{sample.id}/"
    yield "everything one did", "who/" + where(actor=sample.actor)
    yield "everything done to one thing", "what/" + where(target_type=sample.target_type, target_id=sample.target_id)


def _sample(tenant: uuid.UUID, rng: random.Random) -> Sample:
    at = clock.now() - rng.random() ** 2 * 0.95 * (clock.now() - _oldest(tenant))
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute(_SAMPLED, [tenant, at])
        row = cursor.fetchone()
    return Sample(
        actor=row[0],
        action=row[1],
        outcome=row[2],
        person=row[3],
        target_type=row[4],
        target_id=row[5],
        run=row[6].hex if row[6] else uuid.uuid4().hex,
        day=f"{row[7]:%Y-%m-%d}",
        id=row[8],
    )


def _oldest(tenant: uuid.UUID) -> Any:
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute("SELECT min(recorded_at) FROM audit_entry WHERE tenant_id = %s", [tenant])
        return cursor.fetchone()[0]


def _deep(tenant: uuid.UUID) -> str:
    with tenant_scope(tenant), connection.cursor() as cursor:
        cursor.execute(_DEEP, [tenant, DEEP])
        return Cursor(*cursor.fetchone()).encode()


def _auditor(tenant: uuid.UUID) -> tuple[Client, uuid.UUID]:
    """A signed-in auditor, and the membership that is to be taken away again."""
    with tenant_scope(tenant):
        added = services.add_member(
            tenant=tenant,
            email=f"{uuid.uuid4().hex[:8]}@bench.invalid",
            name="Bench",
            role=Role.AUDITOR,
            password=_PASSWORD,
            by=operator("bench"),
            at=clock.now(),
        )
    client = Client(HTTP_HOST="localhost")
    client.force_login(added.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client, added.membership.id


def _key(tenant: uuid.UUID) -> str:
    with tenant_scope(tenant):
        made = services.create_key(
            tenant=tenant, name="bench", scopes=[KeyScope.READ], by=operator("bench"), at=clock.now()
        )
    return made.text


def _timed(client: Client, path: str, headers: dict[str, str]) -> float:
    begun = time.perf_counter()
    answer = client.get(path, headers=headers)
    taken = time.perf_counter() - begun
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.content[:300]!r}")
    return taken


def _told(found: list[float]) -> str:
    return f"p50 {_ms(percentile(found, 0.5))} p95 {_ms(percentile(found, 0.95))}"


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
