"""Minutes that cost far more than the hour before them are found while they last, once, and end when it is calm."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest

from agentops.budgets import queries, services, tasks
from agentops.budgets.models import Finding, ProductFinding, SpendMinute
from agentops.budgets.types import Charge, EntryKind
from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.money import NANO
from agentops.common.scope import staff_scope, tenant_scope
from tests.budgets.money import NOON, TOKEN, Purse
from tests.world import World

MINUTE = timedelta(minutes=1)


def spent(
    tenant: uuid.UUID, usd: float, *, at: datetime, agent: str = "bot", user: str = "u1", told: datetime | None = None
) -> None:
    """One observed call, charged as ingest charges it, at once or when it was `told`."""
    with tenant_scope(tenant):
        services.charge_many(tenant=tenant, charges=[one_call(usd, at=at, agent=agent, user=user)], at=told or at)


def one_call(usd: float, *, at: datetime, agent: str = "bot", user: str = "u1") -> Charge:
    return Charge(
        kind=EntryKind.CHARGE, occurred_at=at, run_id=new_id(), span_id=7, call_id="", agent=agent, user_id=user,
        model="m", provider="p", input_tokens=10, output_tokens=5, cache_read_tokens=0, cache_write_tokens=0,
        reasoning_tokens=0, amount_nano_usd=int(usd * 1000) * NANO // 1000, price_version="1",
    )  # fmt: skip


def watch(tenant: uuid.UUID, at: datetime) -> list[str]:
    with tenant_scope(tenant):
        services.add_up_minutes(tenant=tenant, minutes=10, at=at)
        return services.watch_minutes(tenant=tenant, at=at)


def found(tenant: uuid.UUID) -> list[Finding]:
    with tenant_scope(tenant):
        return list(Finding.objects.filter(tenant_id=tenant).order_by("found_at"))


def quiet_hour(tenant: uuid.UUID, *, usd: float = 0.3, agent: str = "bot") -> None:
    """The hour before noon, so much in each minute."""
    for back in range(63, 2, -1):
        spent(tenant, usd, at=NOON - back * MINUTE, agent=agent)
        if back % 8 == 3:
            watch(tenant, NOON - back * MINUTE)


def test_a_minute_above_five_times_its_hour_is_found_once_and_ends_when_it_is_calm(world: World) -> None:
    acme = world.acme.id
    quiet_hour(acme)
    assert watch(acme, NOON) == []
    spent(acme, 1.6, at=NOON + timedelta(seconds=5))
    assert watch(acme, NOON + timedelta(seconds=10)) == ["bot"]
    assert watch(acme, NOON + timedelta(seconds=20)) == [], "it is known"
    [finding] = found(acme)
    assert (finding.kind, finding.fingerprint, finding.ended_at) == ("minute_spike", "bot", None)
    assert finding.detail == "bot costs $1.60 in a minute; usual is $0.30, and $1.50 is the bound"
    assert finding.last_seen_at == NOON + timedelta(seconds=20)
    watch(acme, NOON + 3 * MINUTE)
    assert found(acme)[0].ended_at is None, "the spike is one of the minutes that are looked at"
    watch(acme, NOON + 5 * MINUTE)
    assert found(acme)[0].ended_at == NOON + 5 * MINUTE


def test_a_loop_does_not_become_what_is_usual(world: World) -> None:
    acme = world.acme.id
    quiet_hour(acme)
    for minute in range(90):
        spent(acme, 139, at=NOON + minute * MINUTE)
        if minute % 5 == 0:
            watch(acme, NOON + minute * MINUTE)
    [finding] = found(acme)
    assert finding.ended_at is None
    assert finding.data["bound_nano_usd"] == 1_500_000_000, "the bound is that of the hour before the loop"
    assert finding.data["spent_nano_usd"] > 80 * 139 * NANO


def test_cents_are_no_spike_and_a_new_agent_has_a_bound_in_dollars(world: World) -> None:
    acme = world.acme.id
    quiet_hour(acme, usd=0.001)
    spent(acme, 0.9, at=NOON)
    assert watch(acme, NOON) == [], "900 times as much as usual, and less than a dollar"
    spent(acme, 9, at=NOON, agent="new")
    assert watch(acme, NOON) == []
    spent(acme, 2, at=NOON, agent="new")
    assert watch(acme, NOON) == ["new"]


def test_what_is_held_counts_before_it_is_settled(purse: Purse) -> None:
    purse.reserve("a", "1", 11 * NANO // TOKEN, at=NOON + timedelta(seconds=5))
    assert watch(purse.tenant, NOON + timedelta(seconds=10)) == ["bot"]
    purse.settle("a", "1", 12)
    watch(purse.tenant, NOON + timedelta(seconds=20))
    with tenant_scope(purse.tenant):
        [minute] = SpendMinute.objects.filter(tenant_id=purse.tenant)
    assert minute.amount_nano_usd == 12 * TOKEN, "the hold is gone, the cost is there"


def test_a_minute_whose_only_call_was_released_is_empty(purse: Purse) -> None:
    purse.reserve("a", "1", 100)
    watch(purse.tenant, NOON)
    purse.settle("a", "1", 0, "cancelled")
    watch(purse.tenant, NOON)
    with tenant_scope(purse.tenant):
        assert sum(SpendMinute.objects.filter(tenant_id=purse.tenant).values_list("amount_nano_usd", flat=True)) == 0


def test_organisations_that_are_quiet_alone_are_a_spike_together(world: World) -> None:
    for organisation in (world.acme, world.globex):
        quiet_hour(organisation.id, usd=0.3)
        spent(organisation.id, 1.5, at=NOON)
        assert watch(organisation.id, NOON) == [], "at its bound, not above"
        spent(organisation.id, 1.6, at=NOON, agent="other")
        watch(organisation.id, NOON)
    with staff_scope():
        minutes = queries.product_minutes(since=NOON - timedelta(hours=12))
    assert services.watch_product_minutes(minutes=minutes, at=NOON) is True
    assert services.watch_product_minutes(minutes=minutes, at=NOON) is False
    [finding] = ProductFinding.objects.all()
    assert finding.detail == "All organisations together cost $6.20 in a minute; usual is $0.60, and $3.00 is the bound"
    services.watch_product_minutes(minutes={}, at=NOON + timedelta(minutes=10))
    finding.refresh_from_db()
    assert finding.ended_at == NOON + timedelta(minutes=10)


def test_the_task_finds_what_happens_now(world: World) -> None:
    now = clock.now()
    spent(world.acme.id, 139, at=now)
    assert tasks.watch_minutes() == 2, "of the agent, and of the product"
    assert tasks.watch_minutes() == 0
    assert [finding.fingerprint for finding in found(world.acme.id)] == ["bot"]
    assert found(world.globex.id) == []


@pytest.mark.parametrize("back", [timedelta(hours=13), timedelta(days=2)], ids=["13 hours", "2 days"])
def test_old_minutes_are_forgotten(world: World, back: timedelta) -> None:
    spent(world.acme.id, 1, at=NOON - back)
    watch(world.acme.id, NOON - back)
    watch(world.acme.id, NOON)
    with tenant_scope(world.acme.id):
        assert not SpendMinute.objects.filter(tenant_id=world.acme.id).exists()
