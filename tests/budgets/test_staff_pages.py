"""Pages of our own people: all organisations' spend, to the nano-dollar the same as the ledger's, and every way down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db import connection, connections
from django.test import Client

from agentops.budgets import across, queries, services
from agentops.budgets.across import Month, Quarter
from agentops.budgets.types import SUMS, SpentOn
from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from agentops.runtime import services as runtime
from tenants import services as tenant_services
from tenants.models import Tenant
from tests.budgets.test_minutes import spent
from tests.ingest.test_ledger_check import check
from tests.world import MADE_AT, OPERATOR, PASSWORD, Person, World

Clients = Callable[..., Client]
DAY = timedelta(days=1)


def staff(email: str, *roles: str) -> Person:
    return Person(
        tenant_services.create_staff(email=email, name="", roles=roles, password=PASSWORD, by=OPERATOR, at=MADE_AT)
    )


@pytest.fixture
def owner(world: World) -> Person:
    return staff("cora@agentops.example", "cost_owner")


def fold(world: World) -> None:
    """What the sweeps do at night."""
    for organisation in (world.acme, world.globex):
        with tenant_scope(organisation.id):
            services.fold_days(tenant=organisation.id, at=clock.now())
        with tenant_scope(organisation.id):
            services.add_up_agent_days(tenant=organisation.id)


def by_organisation(since: date, until: date, world: World) -> dict[str, int]:
    names = {world.acme.id: "acme", world.globex.id: "globex"}
    with staff_scope():
        rows = queries.product_sums(tenants=list(names), since=since, until=until, by=("tenant_id",))
    return {names[row.tenant_id]: row.amount_nano_usd for row in rows if row.tenant_id}


def ledger(world: World) -> dict[str, int]:
    found = {}
    for organisation in (world.acme, world.globex):
        with tenant_scope(organisation.id), connection.cursor() as cursor:
            cursor.execute("SELECT sum(amount_nano_usd) FROM budgets_ledgerentry")
            found[organisation.slug] = int(cursor.fetchone()[0])
    return found


def months_are_their_days(world: World) -> bool:
    """Read as they stand: what is charged late has left both."""
    names = ", ".join(f"sum({name})" for name in SUMS)
    rows = []
    for table, month in (("agentmonth", "month"), ("agentday", "date_trunc('month', day::timestamp)::date")):
        with connection.cursor() as cursor, staff_scope():
            cursor.execute(
                f"SELECT tenant_id, {month}, agent, provider, model, {names} FROM budgets_{table} "
                "GROUP BY 1, 2, 3, 4, 5 HAVING sum(calls) <> 0 ORDER BY 1, 2, 3, 4, 5"
            )
            rows.append(cursor.fetchall())
    with connection.cursor() as cursor, staff_scope():
        cursor.execute(
            f"SELECT tenant_id, month, sum(days), {names} FROM budgets_agentmonthdone WHERE days <> 0 GROUP BY 1, 2 ORDER BY 1, 2"
        )
        counted = cursor.fetchall()
        cursor.execute(
            f"SELECT tenant_id, date_trunc('month', day::timestamp)::date, count(*), {names} FROM budgets_agentdaydone "
            "GROUP BY 1, 2 ORDER BY 1, 2"
        )
        assert counted == cursor.fetchall()
    return rows[0] == rows[1] and len(rows[0]) > 1


def test_sums_over_all_are_the_ledger_folded_or_not_and_after_a_late_charge(world: World) -> None:
    now = clock.now()
    since, until = (now - 60 * DAY).date(), (now + 2 * DAY).date()
    for back in (0, 1, 3, 9, 30, 31):
        spent(world.acme.id, 1.25, at=now - back * DAY)
        spent(world.globex.id, 0.5, at=now - back * DAY, agent="other")
    before = ledger(world)
    assert by_organisation(since, until, world) == before, "from the hours"
    fold(world)
    with connection.cursor() as cursor, staff_scope():
        cursor.execute("SELECT count(*) FROM budgets_agentday")
        assert cursor.fetchone()[0] == 8, "four days of each are folded"
    assert by_organisation(since, until, world) == before, "from the days"
    spent(world.acme.id, 7, at=now - 9 * DAY, told=now)
    after = ledger(world)
    assert after["acme"] == before["acme"] + 7_000_000_000
    assert by_organisation(since, until, world) == after, "the day of the late charge is read by its hours"
    assert months_are_their_days(world), "and its month is without it"
    fold(world)
    assert by_organisation(since, until, world) == after
    assert months_are_their_days(world)
    for first, end in [(since.replace(day=1), until), (since, until.replace(day=1)), (since, until)]:
        expected = {
            slug: amount
            for slug in before
            if (
                amount := sum(
                    by_organisation(first + n * DAY, first + (n + 1) * DAY, world).get(slug, 0)
                    for n in range((end - first).days)
                )
            )
        }
        assert by_organisation(first, end, world) == expected, "whole months and days add up to the same"


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        ("UPDATE budgets_agentday SET amount_nano_usd = amount_nano_usd + 1", "agents' days and folded days"),
        ("UPDATE budgets_agentmonth SET saved_nano_usd = saved_nano_usd + 1", "agents' months and days"),
        ("UPDATE budgets_agentdaydone SET amount_nano_usd = amount_nano_usd + 1", "whole days and their agents"),
        ("UPDATE budgets_agentmonthdone SET days = days - 1", "whole months and days"),
        ("UPDATE budgets_outcomemonth SET amount_nano_usd = amount_nano_usd + 1", "outcomes and tools"),
        ("UPDATE budgets_outcomeday SET amount_nano_usd = amount_nano_usd - 1", "outcomes and tools"),
    ],
    ids=["agent's day", "agent's month", "whole day", "whole month", "month's outcome", "day's outcome"],
)
def test_the_ledgers_check_reads_what_these_pages_read(world: World, damage: str, where: str) -> None:
    now = clock.now()
    for back in (3, 40):
        spent(world.acme.id, 1.5, at=now - back * DAY)
        spent(world.acme.id, 0.5, at=now - back * DAY, agent="cat", user="u2")
    fold(world)
    runtime.add_up_days(tenant=world.acme.id, at=now)
    spent(world.acme.id, 2, at=now - 3 * DAY, told=now)  # takes a day away
    assert check()["equal"]
    with connections["owner"].cursor() as cursor:
        cursor.execute(damage)
        assert cursor.rowcount
    assert {each["what"] for each in check()["checks"] if each["differing"]} >= {where}


def test_days_are_those_of_each_organisations_own_calendar(world: World) -> None:
    at = (clock.now() - 5 * DAY).replace(hour=20, minute=0)
    for organisation in (world.acme, world.globex):
        spent(organisation.id, 1, at=at)
    with tenant_scope(world.acme.id):
        services.adopt_calendar(tenant=world.acme.id, time_zone="Asia/Kolkata", at=clock.now())
    day = at.date()
    expected = [(day, {"globex": 10**9}), (day + DAY, {"acme": 10**9})]
    assert [(each, by_organisation(each, each + DAY, world)) for each, _ in expected] == expected
    fold(world)
    assert [(each, by_organisation(each, each + DAY, world)) for each, _ in expected] == expected


def test_the_page_tells_the_month_and_leads_to_the_organisation(world: World, client_for: Clients) -> None:
    now = clock.now()
    spent(world.acme.id, 3, at=now)
    spent(world.globex.id, 1, at=now)
    page = client_for(world.sam).get("/staff/spend/").content.decode()
    assert 'title="4.000000 USD"' in page
    assert f'href="/staff/t/acme/spend/?month={now:%Y-%m}"' in page
    one = client_for(world.sam).get("/staff/t/acme/spend/").content.decode()
    assert 'title="3.000000 USD"' in one and "bot" in one
    assert [entry.action for entry in world.acme.entries()] == ["staff.read"]


def test_orders_put_the_right_organisation_first(world: World, client_for: Clients) -> None:
    spent(world.acme.id, 30, at=clock.now())
    spent(world.globex.id, 20, at=clock.now())

    def first(order: str) -> str:
        lines = client_for(world.sam).get(f"/staff/spend/?order={order}").context["lines"]
        return str(lines[0].tenant.slug)

    assert first("spent") == "acme"
    assert first("moved") == "acme"
    assert first("plan") == "globex", "the free plan gives less"


def test_failed_and_aborted_runs_and_what_a_success_costs(world: World, client_for: Clients) -> None:
    today = clock.now().date()
    rows = [
        SpentOn("bot", "ok", "", 4, 6_000_000_000),
        SpentOn("bot", "error", "", 1, 1_000_000_000),
        SpentOn("bot", "aborted", "refund", 1, 3_000_000_000),
    ]
    spent(world.acme.id, 10, at=clock.now())
    with tenant_scope(world.acme.id):
        services.write_spend_day(tenant=world.acme.id, day=today, rows=rows)
    with staff_scope():
        [line], _ = across.agent_and_model_lines(Month.of("", today))
    assert (line.outcomes.error_nano_usd, line.outcomes.aborted_nano_usd) == (10**9, 3 * 10**9)
    assert line.outcomes.per_success_nano_usd == 2_500_000_000, "all that was spent, over four successes"
    page = client_for(world.sam).get("/staff/spend/agents/").content.decode()
    assert 'title="2.500000 USD"' in page
    spend = client_for(world.sam).get("/staff/spend/")
    assert spend.context["waiting_nano_usd"] == 0


def test_what_a_drill_tells_is_nobodys_spend(world: World, client_for: Clients) -> None:
    today = clock.now().date()
    spent(world.acme.id, 10, at=clock.now())
    spent(world.globex.id, 130, at=clock.now())
    Tenant.objects.filter(id=world.globex.id).update(is_drill=True)
    with staff_scope():
        found = across.spending(Month.of("", today))
        agents, _ = across.agent_and_model_lines(Month.of("", today))
    assert (found.total_nano_usd, [line.tenant.slug for line in found.lines]) == (10 * 10**9, ["acme"])
    assert [line.tenant.slug for line in agents] == ["acme"]
    assert client_for(world.sam).get("/staff/spend/").status_code == 200
    assert client_for(world.sam).get("/staff/t/globex/spend/").status_code == 200, "looked at by itself, it is there"


def test_what_is_not_added_up_yet_is_said(world: World, client_for: Clients) -> None:
    spent(world.acme.id, 10, at=clock.now())
    assert client_for(world.sam).get("/staff/spend/").context["waiting_nano_usd"] == 10 * 10**9


@pytest.mark.parametrize("by", ["organisation", "agent", "model", "day", "quarter"])
def test_files_hold_exact_amounts_and_no_formula(world: World, client_for: Clients, by: str) -> None:
    spent(world.acme.id, 0.123, at=clock.now(), agent="=cmd()")
    answer = client_for(world.sam).get(f"/staff/spend/spend.csv?by={by}")
    assert answer["Content-Type"].startswith("text/csv")
    text = answer.content.decode("utf-8-sig")
    assert "0.123" in text
    assert ("'=cmd()" in text) == (by == "agent")
    assert ",=" not in text


def test_an_unknown_file_or_month_is_refused(world: World, client_for: Clients) -> None:
    client = client_for(world.sam)
    assert client.get("/staff/spend/spend.csv?by=shoe").status_code == 400
    for month in ("2026-13", "nonsense", "2099-01", "0000-01"):
        assert client.get("/staff/spend/", {"month": month}).status_code == 400


def test_a_past_month_is_compared_whole(world: World) -> None:
    month = Month.of("2026-02", date(2026, 11, 26))
    assert (month.days, month.is_present, month.before.key, month.after) == (
        28,
        False,
        "2026-01",
        Month(date(2026, 3, 1), date(2026, 11, 26)),
    )
    assert Month.of("", date(2026, 11, 26)).after is None
    assert Quarter.around(date(2026, 11, 26)).key == "2026-Q4"
    assert Quarter.around(date(2026, 1, 3)).before.key == "2025-Q4"


def test_week_plans_are_made_by_cost_owners(world: World, client_for: Clients, owner: Person) -> None:
    monday = clock.now().date() - clock.now().date().weekday() * DAY
    form = {"starts_on": monday.isoformat(), "weekly_usd": "5000"}
    assert client_for(world.sam).post("/staff/spend/plan/", form).status_code == 403
    assert client_for(owner).post("/staff/spend/plan/", form).status_code == 302
    assert queries.planned_week(day=monday + 3 * DAY) == 5000 * 10**9
    assert queries.planned_week(day=monday - DAY) is None
    wrong = client_for(owner).post("/staff/spend/plan/", {**form, "starts_on": (monday + DAY).isoformat()})
    assert wrong.status_code == 422
    assert "A week begins on a Monday." in wrong.content.decode()
    assert "In force" in client_for(world.sam).get("/staff/spend/plan/").content.decode()


def test_findings_are_shown_on_every_tab(world: World, client_for: Clients) -> None:
    at = clock.now()
    services.note_product_finding(kind="week_above_plan", fingerprint="x", detail="Too much", data={}, at=at)
    with tenant_scope(world.acme.id):
        services.note_finding(
            tenant=world.acme.id, kind="minute_spike", fingerprint="bot", detail="bot burns", data={}, at=at
        )
    page = ""
    for address in ("", "agents/", "revenue/", "plan/", "findings/"):
        page = client_for(world.sam).get(f"/staff/spend/{address}").content.decode()
        assert "Too much" in page
    assert "bot burns" in page
    assert "bot burns" in client_for(world.sam).get("/staff/t/acme/spend/").content.decode()
