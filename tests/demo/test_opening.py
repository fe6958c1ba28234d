"""What the demo's organisations have behind them: limits that come near, one that is passed, somebody who was stopped, revenue."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import pytest
from django.core.management import call_command
from django.test import Client

from agentops.budgets import queries as budgets
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.portal.demo import auditing, cast, keyfile, opening
from agentops.portal.demo.guard import plays
from agentops.portal.demo.guard.caller import Caller
from agentops.runtime.models import Decision
from audit import queries as audit
from tenants import queries as tenants
from tests.server import Portal


@pytest.fixture
def callers(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live_portal: Portal) -> dict[str, Caller]:
    monkeypatch.setenv("AGENTOPS_DATA_DIR", str(tmp_path))
    call_command("demo_world", stdout=io.StringIO())
    keys = keyfile.read()
    assert keys is not None
    return {slug: Caller(live_portal.url, texts) for slug, texts in keys.keys.items()}


def _percent(slug: str, user: str) -> float:
    tenant = tenants.tenant_called(slug).id
    with tenant_scope(tenant):
        (one,) = budgets.standings_of_user(tenant=tenant, user=user, at=clock.now())
    assert one.place.terms.scope_id == user
    return 100 * one.used_nano_usd / one.place.terms.limit_nano_usd


def test_limits_come_near_one_is_passed_and_somebody_is_stopped_once(callers: dict[str, Caller]) -> None:
    for _ in range(2):  # a second start says nothing anew
        opening.play(callers, at=clock.now())
    assert 75 < _percent(cast.NORTHWIND, cast.ELLA) < 90
    assert 75 < _percent(cast.KESTREL, cast.MAEVE) < 90
    assert 100 < _percent(cast.NORTHWIND, cast.BUSY) < 110
    for _ in plays.past_limit(callers[cast.NORTHWIND], Random(1)):
        pass
    tenant = tenants.tenant_called(cast.NORTHWIND).id
    with tenant_scope(tenant):
        told = {(one.subject, one.percent) for one in budgets.notices(tenant=tenant, limit=50).notices}
        refused = list(
            Decision.objects.exclude(decision="allow").order_by("decided_at").values_list("decision", flat=True)
        )
    assert {(cast.ELLA, 50), (cast.ELLA, 75), (cast.BUSY, 100)} <= told and (cast.ELLA, 100) not in told
    assert refused == ["abort", "throttle"]
    client = Client()
    assert client.login(email="admin@northwind.example", password=cast.PASSWORD)
    assert f"Raise the limit: End user {cast.ELLA}" in client.get("/t/northwind/budgets/notices/").content.decode()
    assert cast.STOPPED in client.get("/t/northwind/kill-switches/").content.decode()


def test_what_was_paid_is_booked_and_each_auditor_asks_for_one_export(callers: dict[str, Caller]) -> None:
    for _ in range(2):
        auditing.ask_export(at=clock.now())
    for organisation in cast.ORGANISATIONS:
        tenant = tenants.tenant_called(organisation.slug).id
        with tenant_scope(tenant):
            (export,) = audit.all_exports(tenant=tenant)
            assert len(budgets.revenue_lines(tenant=tenant)) == 4
        assert export.asked_by_label.startswith("auditor@")
