"""`bench pages`: pages about spend over a year of hourly sums, staff's and customers', as whole requests at the server."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.test import Client
from django.urls import NoReverseMatch, reverse

from agentops.common import clock
from agentops.common.memory import settle
from agentops.common.scope import tenant_scope
from agentops.portal.bench import fill, spend_fill
from agentops.portal.bench.machine import percentile
from audit.types import operator
from tenants import services as tenants
from tenants.roles import Role, StaffRole
from tenants.types import User

TARGET_MS = 150
SAMPLES = 10  # tenants whose pages are asked for
STAFF_PAGES = ("staff-spend", "staff-spend-agents", "staff-spend-revenue", "staff-spend-plan", "staff-spend-findings")
STAFF_TENANT_PAGES = ("staff-tenant-spend",)
# Name and query of each page of a customer that is about money.
TENANT_PAGES = (
    ("budgets", ""), ("budgets", "?by=user"), ("budgets", "?by=agent"), ("budgets", "?by=model"), ("budgets", "?by=day"),
    ("budgets", "?period=week"), ("budgets", "?period=day"), ("budget-limits", ""), ("budget-notices", ""),
)  # fmt: skip
_PASSWORD = "bench, never signed in with"  # noqa: S105


def run(
    *, tenants: int, rows: int, repeat: int, keep: bool, fill_only: bool, say: Callable[[str], object]
) -> dict[str, Any]:
    """Fill (unless an earlier fill was kept), measure, and clean up unless told to keep."""
    begun = time.perf_counter()
    say(f"filling a year of hourly sums for {tenants} tenants, where an earlier fill has not")
    made = spend_fill.fill(tenants=tenants, rows=rows, say=say)
    figures: dict[str, Any] = {"tenants": len(made), "fill_seconds": round(time.perf_counter() - begun), **_sizes()}
    if fill_only:
        return figures
    settle()  # as a web process does
    try:
        times = _staff(made, repeat) | _customers(made[:: max(1, len(made) // SAMPLES)], repeat)
    finally:
        if not keep:
            fill.forget(made)
    worst = {name: percentile(found, 0.95) * 1000 for name, found in times.items()}
    return {
        **figures,
        "pages_ms": {name: _told(found) for name, found in times.items()},
        "worst_p95_ms": round(max(worst.values()), 1),
        "target_p95_ms": TARGET_MS,
        "over_target": sorted(name for name, found in worst.items() if found > TARGET_MS),
    }


def _sizes() -> dict[str, int]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "SELECT relname, greatest(reltuples, 0)::bigint FROM pg_class "
            "WHERE relname IN ('budgets_usagehour', 'budgets_usageday', 'budgets_agentday', 'budgets_spendday') ORDER BY 1"
        )
        return {f"{name}_rows": count for name, count in cursor.fetchall()}


def _staff(made: list[tuple[uuid.UUID, str]], repeat: int) -> dict[str, list[float]]:
    user = tenants.create_staff(
        email=f"{uuid.uuid4().hex[:8]}@bench.invalid", roles=[StaffRole.COST_OWNER], password=_PASSWORD,
        by=operator("bench"), at=clock.now(),
    )  # fmt: skip
    client = _signed_in(user)
    times = {name: _timed(client, reverse(name), repeat) for name in STAFF_PAGES}
    for name in STAFF_TENANT_PAGES:
        of_one = [_timed(client, reverse(name, kwargs={"slug": slug}), 2) for _, slug in made[:SAMPLES]]
        times[name] = [each for found in of_one for each in found]
    return times


def _customers(made: list[tuple[uuid.UUID, str]], repeat: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {}
    for tenant, slug in made:
        client = _signed_in(_auditor(tenant))
        for name, query in TENANT_PAGES:
            address = _address(name, slug)
            if address:
                times.setdefault(f"{name}{query}", []).extend(_timed(client, address + query, max(1, repeat // 5)))
    return times


def _address(name: str, slug: str) -> str:
    """A page of a customer; "" where this version has none of the name."""
    try:
        return reverse(name, kwargs={"slug": slug})
    except NoReverseMatch:
        return ""


def _auditor(tenant: uuid.UUID) -> User:
    with tenant_scope(tenant):
        added = tenants.add_member(
            tenant=tenant, email=f"{uuid.uuid4().hex[:8]}@bench.invalid", name="Bench", role=Role.AUDITOR,
            password=_PASSWORD, by=operator("bench"), at=clock.now(),
        )  # fmt: skip
    return added.user


def _signed_in(user: User) -> Client:
    client = Client(HTTP_HOST="localhost")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def _timed(client: Client, path: str, repeat: int) -> list[float]:
    """The first request of each page warms it and is not counted."""
    times = []
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        answer = client.get(path)
        times.append(time.perf_counter() - begun)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.content[:300]!r}")
    return times[1:]


def _told(found: list[float]) -> str:
    return f"p50 {percentile(found, 0.5) * 1000:.1f} p95 {percentile(found, 0.95) * 1000:.1f}"
