"""The pages about spend and budgets: what they say is what the ledger says, and a change is seen before it is made."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from agentops.budgets import queries, services
from agentops.budgets.types import Action, Charge, EntryKind, Period, Scope
from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.money import NANO, nano_usd
from agentops.common.scope import tenant_scope
from tenants import services as tenant_services
from tests.budgets.money import Purse
from tests.world import World

Clients = Callable[..., Client]
NOW = datetime(datetime.now(UTC).year, datetime.now(UTC).month, 15, 12, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def midmonth(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fifteenth of this month, at half past twelve: on the first, a month would be too short to look at."""
    monkeypatch.setattr(clock, "now", lambda: NOW)
    yield


@pytest.fixture
def acme(world: World) -> Purse:
    return Purse(world.acme.id, at=NOW)


@pytest.fixture
def ben(world: World, client_for: Clients) -> Client:
    return client_for(world.ben)


def spent(
    purse: Purse, usd: str, *, user: str = "u1", agent: str = "desk", model: str = "m", days_ago: int = 0, guarded: bool = False,
    unpriced: bool = False,
) -> None:  # fmt: skip
    """One call of a hundred tokens, half of them from the cache."""
    charge = Charge(
        kind=EntryKind.GUARDED if guarded else EntryKind.CHARGE, occurred_at=NOW - timedelta(days=days_ago), run_id=new_id(),
        span_id=0 if guarded else 7, call_id="c", agent=agent, user_id=user, model=model, provider="house", input_tokens=100,
        output_tokens=10, cache_read_tokens=50, cache_write_tokens=0, reasoning_tokens=0,
        amount_nano_usd=None if unpriced else nano_usd(usd), price_version="t", saved_nano_usd=nano_usd("0.25"),
    )  # fmt: skip
    with tenant_scope(purse.tenant):
        services.charge_many(tenant=purse.tenant, charges=[charge], at=NOW)


def words(answer: Any) -> str:
    text = re.sub(r"<script.*?</script>", " ", answer.content.decode(), flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).replace("\N{NO-BREAK SPACE}", " ")


def rows(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def change_url(world: World, budget: uuid.UUID) -> str:
    return world.acme.url(f"budgets/limits/{budget}/")


def seen(answer: Any) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]+)"', answer.content.decode())
    assert found
    return found[1]


# -- spend ------------------------------------------------------------------------------------------------------------


def test_the_month_stands_against_its_budget(world: World, acme: Purse, ben: Client) -> None:
    acme.budget(100, period=Period.MONTH)
    spent(acme, "62.000000001")
    spent(acme, "18", days_ago=1)
    page = words(ben.get(world.acme.url("budgets/")))
    assert "$80.00 80 % of $100.00" in page
    assert "Near its limit $20.00 left of $100.00" in page
    assert 'title="80.000000001 USD"' in ben.get(world.acme.url("budgets/")).content.decode()


@pytest.mark.parametrize("by", ["user", "agent", "model", "day"])
def test_every_breakdown_is_the_same_total_to_the_nano_dollar(world: World, acme: Purse, ben: Client, by: str) -> None:
    for place, usd in enumerate(("0.000000001", "3.5", "0.12", "1000")):
        spent(acme, usd, user=f"u{place}", agent=f"a{place % 2}", model=f"m{place}", days_ago=place)
    *lines, total = rows(ben.get(world.acme.url(f"budgets/spend.csv?by={by}")))
    assert sum(Decimal(line["cost_usd"]) for line in lines) == Decimal(total["cost_usd"]) == Decimal("1003.620000001")
    assert total["cost_usd"] == "1003.620000001"
    with tenant_scope(acme.tenant):
        charged = queries.total(
            tenant=acme.tenant, since=NOW.replace(day=1, hour=0, minute=0), until=NOW.replace(day=28)
        )
    assert charged.amount_nano_usd == acme.sum("SELECT sum(amount_nano_usd) FROM budgets_ledgerentry")
    assert 'title="1003.620000001 USD"' in ben.get(world.acme.url(f"budgets/?by={by}")).content.decode()


def test_what_is_not_divided_over_tools_yet_is_said_so_that_the_column_adds_up(
    world: World, acme: Purse, ben: Client
) -> None:
    spent(acme, "7.25")
    *lines, waiting, total = rows(ben.get(world.acme.url("budgets/spend.csv?by=tool")))
    assert (lines, waiting["tool"], waiting["cost_usd"], total["cost_usd"]) == (
        [],
        "not added up yet",
        "7.250000",
        "7.250000",
    )
    page = words(ben.get(world.acme.url("budgets/?by=tool")))
    assert "Not divided over tools yet $7.25 Total $7.25" in page


def test_of_many_users_a_page_is_read_and_the_others_are_one_line(world: World, acme: Purse, ben: Client) -> None:
    for place in range(45):
        spent(acme, str(100 - place), user=f"u{place:02}")
    first = words(ben.get(world.acme.url("budgets/")))
    assert "u19" in first and "u20" not in first
    assert "1 to 20 of 45" in first
    assert "25 others $1,700.00 Total $3,510.00" in first
    last = words(ben.get(world.acme.url("budgets/?page=3")))
    assert "u44" in last and "u39" not in last
    assert "41 to 45 of 45" in last
    assert ben.get(world.acme.url("budgets/?page=99")).status_code == 200


def test_htmx_gets_the_breakdown_alone(world: World, acme: Purse, ben: Client) -> None:
    spent(acme, "1")
    answer = ben.get(world.acme.url("budgets/?by=model"), headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith("<section")
    assert answer["Vary"] == "HX-Request, Cookie" or "HX-Request" in answer["Vary"]
    assert "Forecast" not in words(answer)


def test_agents_that_do_not_ask_the_guard_are_marked_advisory(world: World, acme: Purse, ben: Client) -> None:
    spent(acme, "1", agent="watched")
    spent(acme, "2", agent="held", guarded=True)
    spent(acme, "2", agent="both", guarded=True)
    spent(acme, "0.5", agent="both")
    page = words(ben.get(world.acme.url("budgets/?by=agent")))
    assert re.search(r"both \$2\.50 45 % Partly advisory", page)
    assert re.search(r"held \$2\.00 36 % Enforced", page)
    assert re.search(r"watched \$1\.00 18 % Advisory", page)
    assert "$1.50 27 % of it: alerted, not stopped" in page


def test_caches_are_told(world: World, acme: Purse, ben: Client) -> None:
    spent(acme, "1")
    spent(acme, "1")
    assert "Saved by caches $0.5000 50 % of the input was read from a cache" in words(
        ben.get(world.acme.url("budgets/"))
    )


def test_calls_without_a_price_are_loud(world: World, acme: Purse, ben: Client) -> None:
    spent(acme, "1")
    spent(acme, "0", unpriced=True)
    page = words(ben.get(world.acme.url("budgets/")))
    assert "1 call of 2 named a model without a price" in page
    assert "unknown, not zero" in page
    assert "and 1 unpriced" in page


def test_no_cell_of_a_file_is_a_formula(world: World, acme: Purse, ben: Client) -> None:
    spent(acme, "0.000000001", user="=HYPERLINK(1)")
    line, _ = rows(ben.get(world.acme.url("budgets/spend.csv?by=user")))
    assert (line["user"], line["cost_usd"]) == ("'=HYPERLINK(1)", "0.000000001")


def test_periods_are_chosen_by_the_address_and_none_is_to_come(world: World, acme: Purse, ben: Client) -> None:
    spent(acme, "4", days_ago=1)
    yesterday = NOW.date() - timedelta(days=1)
    page = words(ben.get(world.acme.url(f"budgets/?period=day&of={yesterday}")))
    assert f"{yesterday:%A, %-d %b %Y}" in page and "$4.00" in page and "Forecast" not in page
    assert "Nothing was spent." in words(ben.get(world.acme.url("budgets/?period=day")))
    for nonsense in (
        "?period=year",
        "?of=2999-01-01",
        "?of=0001-01-01",
        "?of=x",
        "?by=moon",
        "?page=-1",
        "?page=9" * 3,
    ):
        assert f"{NOW:%B %Y}" in words(ben.get(world.acme.url(f"budgets/{nonsense}")))


def test_who_is_near_a_limit_is_named_by_the_limit_that_holds_for_them(world: World, acme: Purse, ben: Client) -> None:
    acme.budget(10, scope=Scope.USER, period=Period.MONTH)
    acme.budget(100, scope=Scope.USER, of="rich", period=Period.MONTH)
    for user, usd in (("poor", "8"), ("rich", "20"), ("over", "12"), ("fine", "7.49")):
        spent(acme, usd, user=user)
    page = words(ben.get(world.acme.url("budgets/"))).split("Who is near a limit")[1].split("What spent it")[0]
    assert re.search(r"End user over At its ceiling 120 % .* End user poor Near its limit 80 % ", page)
    assert "rich" not in page and "fine" not in page


def test_another_organisation_sees_its_own(world: World, acme: Purse, client_for: Clients) -> None:
    spent(acme, "5", user="acme-user")
    page = words(client_for(world.cleo).get(world.globex.url("budgets/")))
    assert "acme-user" not in page and "Nothing was spent" in page


# -- budgets ----------------------------------------------------------------------------------------------------------


def test_a_change_is_looked_at_before_it_is_saved(world: World, acme: Purse, ben: Client) -> None:
    budget = acme.budget(100, scope=Scope.USER, of="u1", period=Period.DAY, action=Action.BLOCK)
    for day in range(10):
        spent(acme, "30", days_ago=day)
    terms = {"limit_usd": "20", "action": "throttle", "ceiling_usd": "", "thresholds": "50, 80"}
    looked = ben.post(change_url(world, budget), terms)
    page = words(looked)
    assert looked.status_code == 200
    assert "Days in which the limit was reached 0 of 30 10 of 30" in page
    assert "Spent after the limit was reached $0.00 $100.00" in page
    assert "Of that beyond the ceiling, which is refused $0.00 $80.00" in page
    assert "$30.00 is used already, which is the ceiling or more: every call is refused at once" in page
    assert world.acme.actions()[-1] == "budget.set" and world.acme.actions().count("budget.set") == 1

    assert ben.post(change_url(world, budget), {**terms, "seen": seen(looked), "limit_usd": "21"}).status_code == 200
    assert world.acme.actions().count("budget.set") == 1, "something else than what was looked at is looked at first"

    saved = ben.post(change_url(world, budget), {**terms, "seen": seen(looked)})
    assert saved.status_code == 302
    assert world.acme.actions().count("budget.set") == 2
    with tenant_scope(acme.tenant):
        found = queries.budget_state(tenant=acme.tenant, budget_id=budget, at=NOW).terms
    assert (found.limit_nano_usd, found.ceiling_nano_usd) == (20 * NANO, 22 * NANO)
    assert (found.action, found.thresholds, found.scope_id) == (Action.THROTTLE, (50, 80), "u1")


def test_the_preview_alone_comes_while_typing_with_what_is_wrong(world: World, acme: Purse, ben: Client) -> None:
    budget = acme.budget(100)
    htmx = {"HX-Request": "true"}
    good = {"step": "preview", "limit_usd": "7", "action": "block", "thresholds": "", "ceiling_usd": ""}
    answer = ben.post(change_url(world, budget), good, headers=htmx)
    assert answer.content.decode().lstrip().startswith("<section")
    assert "As it is As here" in words(answer)
    bad = ben.post(change_url(world, budget), {**good, "limit_usd": "seven", "thresholds": "half"}, headers=htmx)
    assert "This cannot be saved" in words(bad) and "Whole percentages" in words(bad)


@pytest.mark.parametrize(
    "wrong",
    [{"limit_usd": ""}, {"limit_usd": "-1"}, {"limit_usd": "NaN"}, {"ceiling_usd": "1"}, {"thresholds": "0"},
     {"limit_usd": "99999999999"}, {"action": "dance"}],
    ids=lambda wrong: "-".join(f"{name}={value}" for name, value in wrong.items()),
)  # fmt: skip
def test_nonsense_is_refused_beside_the_field(world: World, acme: Purse, ben: Client, wrong: dict[str, str]) -> None:
    budget = acme.budget(100, action=Action.THROTTLE)
    terms = {"limit_usd": "20", "action": "throttle", "ceiling_usd": "", "thresholds": "50", **wrong}
    looked = ben.post(change_url(world, budget), terms)
    if 'name="seen"' in looked.content.decode():
        looked = ben.post(change_url(world, budget), {**terms, "seen": seen(looked)})
    assert looked.status_code == 422
    assert world.acme.actions().count("budget.set") == 1


def test_a_budget_for_each_user_says_how_many_would_have_reached_it(world: World, acme: Purse, ben: Client) -> None:
    acme.budget(50, scope=Scope.USER, of="own", period=Period.MONTH)
    for user, usd in (("a", "12"), ("b", "10"), ("c", "9.99"), ("own", "40"), ("", "99")):
        spent(acme, usd, user=user)
    terms = {
        "whose_choice": "each_user", "name": "", "period": "month", "limit_usd": "10", "action": "block", "thresholds": "50",
        "ceiling_usd": "",
    }  # fmt: skip
    looked = ben.post(world.acme.url("budgets/limits/new/"), terms)
    assert "End users who reached it 2" in words(looked), "not who has their own, nor calls of nobody"
    assert "Spent after the limit was reached $2.00" in words(looked)
    assert ben.post(world.acme.url("budgets/limits/new/"), {**terms, "seen": seen(looked)}).status_code == 302
    cards = words(ben.get(world.acme.url("budgets/limits/")))
    assert "Each end user $10.00 a month" in cards
    assert re.search(r"3 with 75 % or more of it: a \$12\.00 , b \$10\.00 , c \$9\.99", cards)


def test_a_new_budget_says_what_it_replaces_and_what_holds_before_it(world: World, acme: Purse, ben: Client) -> None:
    acme.budget(100, period=Period.MONTH)
    acme.budget(20, scope=Scope.AGENT, of="desk", period=Period.MONTH)
    terms = {
        "whose_choice": "agent", "name": "desk", "period": "month", "limit_usd": "150", "action": "throttle",
        "thresholds": "50", "ceiling_usd": "",
    }  # fmt: skip
    page = words(ben.post(world.acme.url("budgets/limits/new/"), terms))
    assert "There is one of $20.00: this replaces it." in page
    assert "The organisation&#x27;s limit for the same time is $100.00: it is reached before this one." in page
    nameless = ben.post(world.acme.url("budgets/limits/new/"), {**terms, "name": " "})
    assert nameless.status_code == 422 and "Say which one." in words(nameless)


def test_budgets_of_thousands_are_listed_a_page_at_a_time(world: World, acme: Purse, ben: Client) -> None:
    for place in range(25):
        acme.budget(1, scope=Scope.USER, of=f"user-{place:02}")
    acme.budget(1, period=Period.MONTH)
    first, second = (words(ben.get(world.acme.url(f"budgets/limits/?page={page}"))) for page in (1, 2))
    assert first.index("The whole organisation") < first.index("user-00")
    assert "user-18" in first and "user-19" not in first and "user-24" in second
    assert "user-07" in (found := words(ben.get(world.acme.url("budgets/limits/?q=r-07")))) and "user-08" not in found
    assert "No budget is like this" in words(ben.get(world.acme.url("budgets/limits/?scope=agent")))


def test_a_removed_budget_holds_no_more(world: World, acme: Purse, ben: Client) -> None:
    budget = acme.budget(3)
    address = change_url(world, budget) + "removal/"
    assert "nothing holds this limit any more" in words(ben.get(address))
    assert ben.post(address).status_code == 302
    assert world.acme.actions()[-1] == "budget.removed"
    assert ben.get(change_url(world, budget)).status_code == 404


def test_an_auditor_reads_and_changes_nothing(world: World, acme: Purse, client_for: Clients) -> None:
    budget, audrey = acme.budget(3), client_for(world.audrey)
    for path in ("budgets/", "budgets/limits/", "budgets/notices/", "budgets/spend.csv"):
        assert audrey.get(world.acme.url(path)).status_code == 200
    assert "Change" not in words(audrey.get(world.acme.url("budgets/limits/")))
    assert audrey.post(change_url(world, budget), {"limit_usd": "9"}).status_code == 403


# -- notices ----------------------------------------------------------------------------------------------------------


def test_a_limit_is_raised_from_the_notice(world: World, acme: Purse, ben: Client) -> None:
    each = acme.budget(10, scope=Scope.USER, period=Period.MONTH, action=Action.BLOCK)
    acme.budget("0.003", scope=Scope.USER, of="tiny", period=Period.MONTH, action=Action.THROTTLE, ceiling=0.004)
    spent(acme, "0.0023", user="tiny")
    spent(acme, "7.6", user="keen")
    page = ben.get(world.acme.url("budgets/notices/"))
    assert re.search(r"75 % · End user keen of \$10\.00 a month \$7\.60 Spent", words(page))
    address = re.search(r'href="([^"]+)" aria-label="Raise the limit: End user keen"', page.content.decode())
    assert address
    form = ben.get(address[1].replace("&amp;", "&")).content.decode()
    assert 'value="keen"' in form and 'value="15.00"' in form, "for them alone, half as much again"
    assert re.search(r'value="block"[^>]* checked', form), "what stops at its limit still does"
    address = re.search(r'href="([^"]+)" aria-label="Raise the limit: End user tiny"', page.content.decode())
    assert address
    form = ben.get(address[1].replace("&amp;", "&")).content.decode()
    assert 'name="limit_usd" value="0.01"' in form, "cents are rounded up: nothing is raised to less than it was"
    assert 'value="0.004"' not in form, "a ceiling below the new limit would refuse it"

    acme._do(services.remove_budget, budget_id=each, by=world.ben.actor, at=NOW)
    assert "Raise the limit: End user keen" not in ben.get(world.acme.url("budgets/notices/")).content.decode()


# -- my usage ---------------------------------------------------------------------------------------------------------


def test_an_end_user_sees_what_is_theirs_and_nothing_else(world: World, acme: Purse, client_for: Clients) -> None:
    uma = client_for(world.uma)
    assert "No agent knows you yet" in words(uma.get(world.acme.url("usage/")))
    assert world.uma.membership_id
    with tenant_scope(acme.tenant):
        tenant_services.link_end_user(
            tenant=acme.tenant, member=world.uma.membership_id, external_id="uma-1", by=world.ben.actor, at=NOW
        )
    acme.budget(1000, period=Period.MONTH)
    acme.budget(10, scope=Scope.USER, period=Period.MONTH, action=Action.THROTTLE)
    spent(acme, "8.5", user="uma-1", agent="desk")
    spent(acme, "400", user="somebody-else", agent="secret-agent")
    page = words(uma.get(world.acme.url("usage/")))
    assert "$1.50 left of $10.00 a month Near its limit" in page
    assert "85 % used: $8.50 , with what calls in progress hold. It begins anew" in page
    assert "desk 1 $8.50" in page
    for hidden in ("somebody-else", "secret-agent", "$400.00", "$1,000.00", "$408.50"):
        assert hidden not in page
    assert uma.get(world.acme.url("budgets/")).status_code == 403


def test_usage_by_day_is_the_same_sums_for_machines(world: World, acme: Purse, client_for: Clients) -> None:
    for day in range(3):
        spent(acme, "1.000000001", days_ago=day)
    client = client_for(None)
    headers = {"Authorization": f"Bearer {world.acme.keys['read']}"}
    first = client.get("/api/v1/usage?by=day&limit=2", headers=headers).json()
    assert [row["day"] for row in first["results"]] == [
        (NOW - timedelta(days=day)).date().isoformat() for day in (0, 1)
    ]
    assert first["results"][0]["cost_usd"] == "1.000000001" and first["results"][0]["saved_usd"] == "0.250000"
    rest = client.get(first["next"], headers=headers).json()
    assert len(rest["results"]) == 1 and rest["next"] is None
    assert client.get("/api/v1/usage?by=year", headers=headers).status_code == 400
    assert "hour" in client.get("/api/v1/usage", headers=headers).json()["results"][0]
