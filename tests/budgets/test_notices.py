"""Thresholds are told once in a period for each limit, in order, to those whom they concern."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentops.budgets import queries, services, tasks
from agentops.budgets.models import Notice
from agentops.budgets.plans import PLAN_LIMITS
from agentops.budgets.services import sweeping
from agentops.budgets.types import Action, Charge, EntryKind, Period, Scope
from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from tenants.services import link_end_user
from tests.budgets.money import MODEL, TOKEN, Purse
from tests.world import OPERATOR, World


def spend(purse: Purse, tokens: int, *users: str, agent: str = "bot") -> None:
    """An observed call of each user, as ingest charges them: in one batch."""
    charges = [
        Charge(
            kind=EntryKind.CHARGE, occurred_at=purse.at, run_id=new_id(), span_id=7, call_id="", agent=agent,
            user_id=user, model=MODEL, provider="house", input_tokens=0, output_tokens=tokens, cache_read_tokens=0,
            cache_write_tokens=0, reasoning_tokens=0, amount_nano_usd=tokens * TOKEN, price_version="",
        )
        for user in users or ("u1",)
    ]  # fmt: skip
    with tenant_scope(purse.tenant):
        services.charge_many(tenant=purse.tenant, charges=charges, at=purse.at)


def told(purse: Purse) -> list[tuple[str, int, str]]:
    with tenant_scope(purse.tenant):
        rows = Notice.objects.filter(tenant_id=purse.tenant).order_by("crossed_at", "id")
        return [(row.subject, row.percent, row.because) for row in rows]


def mails(purse: Purse) -> list[tuple[str, Any]]:
    return purse.rows("SELECT destination, context ->> 'percent' FROM outbox_message ORDER BY created_at, id")


def test_what_is_only_observed_tells_each_threshold_as_it_is_crossed(purse: Purse) -> None:
    purse.budget("0.001")
    for tokens, percents in (
        (499, []),
        (1, [50]),
        (200, [50]),
        (50, [50, 75]),
        (900, [50, 75, 100]),
        (900, [50, 75, 100]),
    ):
        spend(purse, tokens)
        assert [percent for _, percent, _ in told(purse)] == percents


def test_counters_that_begin_in_one_batch_know_what_each_has_spent_and_holds(purse: Purse) -> None:
    for number, user in enumerate(("ann", "bob", "cid"), start=1):
        spend(purse, 100 * number, user)
        purse.reserve(user, "call", 200, user=user)
    purse.close("ann", "bob", "cid")
    limits = {Period.DAY: "0.001", Period.MONTH: "0.0005"}
    budgets = {purse.budget(usd, scope=Scope.USER, period=period): period for period, usd in limits.items()}
    assert purse.rows("SELECT count(*) FROM budgets_counter WHERE is_based") == [(0,)]
    spend(purse, 50, "cid", "ann", "dan", "bob", "bob")
    for user, charged, held in (("ann", 150, 200), ("bob", 300, 200), ("cid", 350, 200), ("dan", 50, 0)):
        rows = purse.rows(
            "SELECT c.budget_id, c.charged_nano_usd, (SELECT coalesce(sum(l.held_nano_usd), 0)::int8 FROM budgets_lease l "
            "WHERE c.id = ANY(l.counters)) FROM budgets_counter c WHERE c.subject = %s AND c.is_based",
            user,
        )
        assert sorted(rows) == [(budget, charged * TOKEN, held * TOKEN) for budget in sorted(budgets)]
    # Of the month's 500 tokens: bob is at 300, cid crossed 250 with what is charged now, and nobody is at half of a day's 1000.
    with tenant_scope(purse.tenant):
        rows = Notice.objects.filter(tenant_id=purse.tenant).order_by("subject")
        crossed = [(row.subject, budgets[row.budget_id], row.percent) for row in rows]
    assert crossed == [("bob", Period.MONTH, 50), ("cid", Period.MONTH, 50)]
    for user in ("ann", "bob", "cid"):
        purse.settle(user, "call", 200)
    assert purse.rows("SELECT subject, sum(charged_nano_usd)::int8 FROM budgets_counter GROUP BY 1 ORDER BY 1") == [
        (user, 2 * tokens * TOKEN) for user, tokens in (("ann", 350), ("bob", 500), ("cid", 550), ("dan", 50))
    ]
    assert purse.held() == 0


def test_one_charge_that_jumps_over_two_tells_both_in_order(purse: Purse) -> None:
    purse.budget("0.001")
    spend(purse, 1)
    spend(purse, 990)
    assert told(purse) == [("", 50, "spent"), ("", 75, "spent")]


def test_the_next_period_tells_anew(purse: Purse) -> None:
    purse.budget("0.001")
    spend(purse, 600)
    purse.at += timedelta(days=1)
    spend(purse, 10)
    assert len(told(purse)) == 1
    spend(purse, 600)
    assert [percent for _, percent, _ in told(purse)] == [50, 50]


def test_a_limit_that_is_raised_is_told_of_only_when_it_is_near(purse: Purse) -> None:
    purse.budget("0.001")
    spend(purse, 800)
    purse.budget("0.0016")  # 800 are half of it; that half was told
    spend(purse, 10)
    assert [percent for _, percent, _ in told(purse)] == [50, 75]
    spend(purse, 400)
    assert [percent for _, percent, _ in told(purse)] == [50, 75, 75]


def test_a_limit_below_what_is_spent_is_told_of_at_once(purse: Purse) -> None:
    purse.at = clock.now()
    purse.budget("1")
    spend(purse, 600)
    purse.budget("0.0005")
    assert tasks.look_at_thresholds() == 1
    assert told(purse) == [("", 50, "changed"), ("", 75, "changed"), ("", 100, "changed")]
    assert tasks.look_at_thresholds() == 0


def test_counters_that_wait_for_another_limit_to_go_keep_nobody_from_beginning(
    purse: Purse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_AT_ONCE", 2)
    purse.budget("0.001", scope=Scope.USER)
    spend(purse, 600, "ann", "bob", "cid", "dan")
    for user in ("ann", "bob"):
        purse.budget("0.001", scope=Scope.USER, of=user)
    with tenant_scope(purse.tenant):
        while services.begin_counters(tenant=purse.tenant, at=purse.at):
            pass
    own = "SELECT subject FROM budgets_counter WHERE is_based ORDER BY 1"
    assert [user for (user,) in purse.rows(own)] == ["ann", "bob", "cid", "dan"]


def test_who_loses_a_budget_of_their_own_is_told_of_the_one_for_everybody(purse: Purse) -> None:
    purse.at = clock.now()
    purse.budget("0.001", scope=Scope.AGENT)
    own = purse.budget("1", scope=Scope.AGENT, of="cat")
    spend(purse, 800, agent="cat")
    assert told(purse) == []
    with tenant_scope(purse.tenant):
        services.remove_budget(tenant=purse.tenant, budget_id=own, by=OPERATOR, at=purse.at)
    tasks.look_at_thresholds()
    assert told(purse) == [("cat", 50, "changed"), ("cat", 75, "changed")]


def test_what_is_spent_in_an_open_slice_is_found_by_the_sweep(purse: Purse) -> None:
    purse.budget("0.001")
    purse.reserve("r", "c", 100), purse.settle("r", "c", 0)
    assert told(purse) == []
    for n in range(6):
        purse.reserve("r", f"c{n}", 90), purse.settle("r", f"c{n}", 90)
    tasks.look_at_thresholds()
    assert told(purse)[0] == ("", 50, "spent")
    purse.close("r")
    assert len(told(purse)) == 1


def test_a_call_that_is_too_large_for_an_empty_budget_reaches_no_limit(purse: Purse) -> None:
    purse.budget("0.001")
    purse.reserve("r", "c", 5_000)
    assert told(purse) == []
    spend(purse, 950)
    purse.reserve("r", "c2", 5_000)
    assert [percent for _, percent, _ in told(purse)] == [50, 75, 100]


def test_admins_hear_of_the_organisation_and_a_user_of_their_own(world: World, purse: Purse) -> None:
    with tenant_scope(purse.tenant):
        link_end_user(
            tenant=purse.tenant, member=world.uma.membership_id, external_id="u1", by=OPERATOR, at=clock.now()
        )
    purse.budget("0.001", scope=Scope.USER, action=Action.THROTTLE)
    spend(purse, 500)
    assert mails(purse) == [(world.uma.email, "50")]
    spend(purse, 500)
    after = mails(purse)[1:]
    assert {address for address, percent in after if percent == "100"} >= {world.uma.email, world.ada.email}
    assert all(address == world.uma.email for address, percent in after if percent == "75")
    assert world.acme.actions().count("budget.threshold_crossed") == 3


@pytest.mark.parametrize("plan", sorted(PLAN_LIMITS))
def test_a_plan_gives_budgets_until_somebody_sets_one(world: World, purse: Purse, plan: str) -> None:
    with tenant_scope(purse.tenant):
        assert services.apply_plan(tenant=purse.tenant, plan=plan, at=purse.at) == 2
        assert services.apply_plan(tenant=purse.tenant, plan=plan, at=purse.at) == 0
        states = queries.budget_states(tenant=purse.tenant, at=purse.at)
    limits = {state.terms.scope: state.terms.limit_nano_usd for state in states}
    assert limits == PLAN_LIMITS[plan] and all(state.is_plan_default for state in states)
    own = purse.budget("5", period=Period.MONTH, action=Action.THROTTLE)
    with tenant_scope(purse.tenant):
        services.apply_plan(tenant=purse.tenant, plan="enterprise", at=purse.at)
        states = queries.budget_states(tenant=purse.tenant, at=purse.at)
    assert {(state.terms.scope, state.is_plan_default) for state in states} == {("tenant", False), ("user", True)}
    assert next(state for state in states if state.terms.scope == "user").terms.limit_nano_usd == 5_000_000_000
    with tenant_scope(purse.tenant):
        services.remove_budget(tenant=purse.tenant, budget_id=own, by=OPERATOR, at=purse.at)
    assert tasks.apply_plans() >= 1
    with tenant_scope(purse.tenant):
        states = queries.budget_states(tenant=purse.tenant, at=purse.at)
    plan_here = world.acme.tenant.plan
    assert {state.terms.scope: state.terms.limit_nano_usd for state in states} == PLAN_LIMITS[plan_here]
