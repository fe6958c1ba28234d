"""Holding and settling: what fits, what does not, and that nothing is lost on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError

from agentops.budgets import services
from agentops.budgets.errors import AlreadySettled, HoldUnknown
from agentops.budgets.types import Action, Hold, Period, Refused, Scope
from agentops.common import clock
from agentops.common.scope import tenant_scope
from tests.budgets.money import HOUR, NOON, TOKEN, Purse


def test_a_hold_that_fits_is_taken_and_its_rest_comes_back(purse: Purse) -> None:
    budget = purse.budget("0.001")  # 1000 tokens
    assert isinstance(purse.reserve("r", "c1", 600), Hold)
    assert (purse.used(budget), purse.held()) == (600, 600)
    settled = purse.settle("r", "c1", 100)
    assert (settled.state, settled.cost_nano_usd, settled.debt_nano_usd) == ("settled", 100 * TOKEN, 0)
    assert (purse.used(budget), purse.held(), purse.charged()) == (100, 0, 100)


def test_what_does_not_fit_is_refused_with_what_is_left(purse: Purse) -> None:
    purse.budget("0.001")
    purse.reserve("r", "c1", 600)
    refused = purse.reserve("other", "c1", 600)
    assert isinstance(refused, Refused)
    assert (refused.is_ceiling, refused.free_nano_usd, refused.used_nano_usd) == (True, 400 * TOKEN, 600 * TOKEN)
    assert refused.resets_at == NOON.replace(hour=0, minute=0) + timedelta(days=1)
    assert isinstance(purse.reserve("other", "c1", 400), Hold)
    assert purse.held() == 1000


def test_what_an_idle_run_keeps_is_taken_back_before_anybody_is_refused(purse: Purse) -> None:
    budget = purse.budget("0.001")
    purse.reserve("idle", "c1", 2)
    assert purse.sum("SELECT amount_nano_usd FROM budgets_lease") > 2 * TOKEN
    assert isinstance(purse.reserve("busy", "c1", 998), Hold)
    assert purse.used(budget) == 1000
    assert isinstance(purse.reserve("idle", "c2", 1), Refused)


def test_all_budgets_or_none(purse: Purse) -> None:
    tenant = purse.budget(1)
    user = purse.budget("0.0001", scope=Scope.USER, of="u1")
    refused = purse.reserve("r", "c1", 200)
    assert isinstance(refused, Refused)
    assert (refused.scope, refused.scope_id) == (Scope.USER, "u1")
    assert (purse.used(tenant), purse.used(user), purse.held()) == (0, 0, 0)
    assert purse.rows("SELECT 1 FROM budgets_reservation") == []


def test_a_budget_with_a_name_stands_instead_of_the_one_for_everybody(purse: Purse) -> None:
    purse.budget("0.0001", scope=Scope.USER)
    purse.budget("0.0005", scope=Scope.USER, of="rich")
    assert isinstance(purse.reserve("a", "c", 200, user="poor"), Refused)
    assert isinstance(purse.reserve("b", "c", 200, user="rich"), Hold)
    assert isinstance(purse.reserve("d", "c", 100, user="poor"), Hold)
    assert isinstance(purse.reserve("e", "c", 1, user="poor"), Refused)
    assert isinstance(purse.reserve("f", "c", 100, user="other"), Hold)  # each has a purse of their own


def test_at_the_limit_the_caller_may_choose_to_go_on_and_at_the_ceiling_not(purse: Purse) -> None:
    purse.budget("0.001", action=Action.THROTTLE)
    purse.reserve("r", "c1", 990)
    refused = purse.reserve("r", "c2", 50)
    assert isinstance(refused, Refused)
    assert (refused.is_ceiling, refused.action, refused.free_nano_usd) == (False, Action.THROTTLE, 10 * TOKEN)
    assert isinstance(purse.reserve("r", "c2", 50, past_limit=True), Hold)
    refused = purse.reserve("r", "c3", 61, past_limit=True)
    assert isinstance(refused, Refused)
    assert (refused.is_ceiling, refused.free_nano_usd) == (True, 60 * TOKEN)
    assert isinstance(purse.reserve("r", "c3", 60, past_limit=True), Hold)


def test_what_comes_back_beyond_the_limit_is_not_drawn_from_without_asking(purse: Purse) -> None:
    purse.budget("0.001", action=Action.DOWNGRADE)
    purse.reserve("r", "c1", 1000)
    purse.reserve("r", "c2", 100, past_limit=True)
    purse.settle("r", "c2", 1)
    assert isinstance(purse.reserve("r", "c3", 10), Refused)
    assert isinstance(purse.reserve("r", "c3", 10, past_limit=True), Hold)


def test_a_cost_beyond_its_hold_is_a_debt_that_blocks(purse: Purse) -> None:
    budget = purse.budget("0.001")
    purse.reserve("r", "c1", 500)
    settled = purse.settle("r", "c1", 1200)
    assert settled.debt_nano_usd == 700 * TOKEN
    assert purse.used(budget) == 1200
    for run in ("r", "other"):
        refused = purse.reserve(run, "c2", 1)
        assert isinstance(refused, Refused)
        assert refused.free_nano_usd == 0
    purse.at += timedelta(days=1)
    assert isinstance(purse.reserve("r", "c2", 1), Hold)


@pytest.mark.parametrize(
    ("outcome", "tokens", "state", "cost"),
    [
        ("ok", 30, "settled", 30),
        ("error", 30, "settled", 30),
        ("error", 0, "settled", 0),
        ("cancelled", None, "released", 0),
        ("cancelled", 30, "settled", 30),
        ("ok", None, "unknown", 100),
        ("unknown", None, "unknown", 100),
        ("unknown", 30, "unknown", 100),
    ],
)
@pytest.mark.parametrize("is_closed", [False, True])
def test_how_a_hold_ends(
    purse: Purse, outcome: str, tokens: int | None, state: str, cost: int, is_closed: bool
) -> None:
    budget = purse.budget("0.001")
    purse.reserve("r", "c", 100)
    if is_closed:
        purse.close("r")
        assert purse.used(budget) == 100
    settled = purse.settle("r", "c", tokens, outcome)
    assert (settled.state, settled.cost_nano_usd, settled.was_unknown) == (state, cost * TOKEN, False)
    assert (purse.used(budget), purse.charged(), purse.held()) == (cost, cost, 0)
    assert purse.sum("SELECT count(*) FROM budgets_ledgerentry") == (0 if state == "released" else 1)
    assert purse.sum("SELECT sum(calls) FROM budgets_usagehour") == (0 if state == "released" else 1)


def test_a_hold_nobody_settles_is_charged_once_and_corrected_when_they_do(purse: Purse) -> None:
    budget = purse.budget("0.001")
    purse.reserve("r", "c", 100)
    assert purse.expire("r", "c", after=timedelta(minutes=9)) is None
    assert purse.expire("r", "c") == 100 * TOKEN
    assert purse.expire("r", "c") is None
    assert (purse.used(budget), purse.charged(), purse.held()) == (100, 100, 0)
    settled = purse.settle("r", "c", 30)
    assert (settled.state, settled.cost_nano_usd, settled.was_unknown) == ("settled", 30 * TOKEN, True)
    assert (purse.used(budget), purse.charged()) == (30, 30)
    kinds = purse.rows("SELECT kind, amount_nano_usd FROM budgets_ledgerentry ORDER BY id")
    assert kinds == [(3, 100 * TOKEN), (2, -100 * TOKEN), (3, 30 * TOKEN)]
    assert purse.sum("SELECT sum(calls) FROM budgets_usagehour") == 1


def test_a_late_word_that_the_call_was_never_made_takes_all_back(purse: Purse) -> None:
    budget = purse.budget("0.001")
    purse.reserve("r", "c", 100)
    purse.expire("r", "c")
    assert purse.settle("r", "c", None, "unknown").was_unknown
    assert purse.settle("r", "c", None, "cancelled").state == "released"
    assert (purse.used(budget), purse.charged()) == (0, 0)
    assert purse.sum("SELECT sum(calls) FROM budgets_usagehour") == 0


def test_a_call_is_settled_once_and_only_if_it_was_held(purse: Purse) -> None:
    purse.reserve("r", "c", 100)
    purse.settle("r", "c", 10)
    with pytest.raises(AlreadySettled):
        purse.settle("r", "c", 10)
    with pytest.raises(HoldUnknown):
        purse.settle("r", "never", 10)
    with pytest.raises(IntegrityError):
        purse.reserve("r", "c", 100)
    assert purse.charged() == 10


def test_a_charge_counts_in_the_period_of_its_reservation(purse: Purse) -> None:
    day, month = purse.budget("0.001"), purse.budget("0.01", period=Period.MONTH)
    purse.at = NOON.replace(hour=23, minute=59)
    purse.reserve("r", "late", 100)
    purse.at += timedelta(minutes=2)
    assert (purse.used(day), purse.used(month)) == (0, 100)
    purse.reserve("r", "early", 7)
    assert (purse.used(day), purse.used(month)) == (7, 107)
    purse.settle("r", "late", 60)
    assert (purse.used(day), purse.used(month)) == (7, 67)
    purse.settle("r", "early", 5)
    assert (purse.used(day), purse.used(month)) == (5, 65)
    hours = purse.rows("SELECT hour, amount_nano_usd FROM budgets_usagehour ORDER BY hour")
    assert hours == [
        (NOON.replace(hour=23, minute=0), 60 * TOKEN),
        (NOON.replace(hour=0, minute=0) + timedelta(days=1), 5 * TOKEN),
    ]


def test_a_budget_that_is_set_late_knows_what_was_spent_and_held_calls_charge_it(purse: Purse) -> None:
    purse.reserve("r", "c1", 100)
    purse.settle("r", "c1", 40)
    purse.reserve("r", "c2", 100)
    budget = purse.budget("0.0002")
    assert purse.used(budget) == 140
    refused = purse.reserve("other", "c", 70)
    assert isinstance(refused, Refused)
    assert refused.free_nano_usd == 60 * TOKEN
    purse.settle("r", "c2", 50)
    assert purse.used(budget) == 90
    assert purse.held() == 0


def test_a_raised_limit_holds_at_once_and_a_lowered_one_too(purse: Purse) -> None:
    budget = purse.budget("0.001")
    purse.reserve("r", "c1", 100)
    assert purse.budget("0.0001") == budget
    assert isinstance(purse.reserve("r", "c2", 1), Refused)
    purse.budget("0.0002")
    assert isinstance(purse.reserve("r", "c2", 100), Hold)
    assert purse.used(budget) == 200


def test_an_ended_run_leaves_nothing_behind(purse: Purse) -> None:
    budget = purse.budget("0.001")
    for call in range(3):
        purse.reserve("r", f"c{call}", 10)
    purse.settle("r", "c0", 4)
    purse.close("r")
    assert purse.used(budget) == 24
    purse.settle("r", "c1", 5)
    purse.expire("r", "c2")
    assert purse.used(budget) == 19
    assert purse.rows("SELECT 1 FROM budgets_lease") == []


def test_without_budgets_calls_are_held_and_charged_all_the_same(purse: Purse) -> None:
    purse.reserve("r", "c", 10**9)
    assert purse.held() == 10**9
    purse.settle("r", "c", 5)
    purse.close("r")
    assert (purse.charged(), purse.held()) == (5, 0)
    assert purse.rows("SELECT 1 FROM budgets_counter UNION SELECT 1 FROM budgets_lease") == []


def test_expired_holds_are_found_by_the_databases_clock(purse: Purse) -> None:
    from agentops.budgets import queries
    from agentops.common import clock
    from agentops.common.scope import tenant_scope

    now = clock.now()
    purse.reserve("r", "old", 1, at=now - HOUR)
    purse.reserve("r", "new", 1, at=now)
    with tenant_scope(purse.tenant):
        assert queries.due_holds(tenant=purse.tenant, most=5) == [(purse.run("r"), "old")]


def test_settled_calls_are_forgotten_after_three_months_and_their_charges_stay(purse: Purse) -> None:
    budget = purse.budget(1)
    purse.reserve("done", "c1", 100)
    purse.settle("done", "c1", 100)
    purse.reserve("open", "c1", 50)
    now = clock.now()
    with tenant_scope(purse.tenant):
        assert services.forget_old(tenant=purse.tenant, at=now + timedelta(days=91)) == 0
        assert services.forget_old(tenant=purse.tenant, at=now + timedelta(days=93)) == 1
        assert services.forget_old(tenant=purse.tenant, at=now + timedelta(days=93)) == 0
    assert purse.rows("SELECT run_id FROM budgets_reservation") == [(purse.run("open"),)]
    assert (purse.charged(), purse.used(budget), purse.held()) == (100, 150, 50)
