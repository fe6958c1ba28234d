"""Days, weeks and months begin by the organisation's clock, and sums are the same however they are read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from agentops.budgets import queries, services
from agentops.budgets.policies import bounds, hour_of, start_of
from agentops.budgets.types import Hold, Period, Scope
from agentops.common.scope import staff_scope, tenant_scope
from tests.budgets.money import NOON, TOKEN, Purse
from tests.ingest.test_ledger_check import check
from tests.world import World

DAY = timedelta(days=1)
NEW_YORK, KOLKATA, HAVANA = ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Havana")


@pytest.mark.parametrize(
    ("zone", "at", "period", "start", "hours"),
    [
        (UTC, "2026-03-08T12:00", Period.DAY, "2026-03-08T00:00", 24),
        (NEW_YORK, "2026-03-08T12:00", Period.DAY, "2026-03-08T05:00", 23),  # the clocks go forward
        (NEW_YORK, "2026-11-01T12:00", Period.DAY, "2026-11-01T04:00", 25),  # and back
        (NEW_YORK, "2026-03-01T04:59", Period.MONTH, "2026-02-01T05:00", 28 * 24),  # still February there
        (NEW_YORK, "2026-03-09T03:00", Period.WEEK, "2026-03-02T05:00", 7 * 24 - 1),  # Sunday evening there
        (KOLKATA, "2026-11-26T18:29", Period.DAY, "2026-11-25T18:30", 24),
        (HAVANA, "2026-11-01T05:30", Period.DAY, "2026-11-01T04:00", 25),  # midnight comes twice
    ],
)
def test_a_period_begins_and_ends_by_the_clocks_of_its_zone(
    zone: ZoneInfo, at: str, period: Period, start: str, hours: int
) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    begin, end = bounds(period, moment, zone)
    assert begin == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert end - begin == timedelta(hours=hours)
    assert begin <= moment < end
    assert bounds(period, end, zone)[0] == end, "periods have no gap between them"


def test_an_hour_that_clocks_show_twice_is_two_hours() -> None:
    first = datetime(2026, 11, 1, 5, 20, tzinfo=UTC)  # 1:20 in New York, and an hour later again
    assert [hour_of(first + timedelta(hours=n), NEW_YORK) for n in (0, 1)] == [
        datetime(2026, 11, 1, hour, tzinfo=UTC) for hour in (5, 6)
    ]
    assert hour_of(datetime(2026, 11, 26, 18, 45, tzinfo=UTC), KOLKATA) == datetime(2026, 11, 26, 18, 30, tzinfo=UTC)


def test_a_day_whose_midnight_comes_twice_has_both_hours_on_the_pages_of_all(purse: Purse) -> None:
    adopt(purse, "America/Havana")
    for day in range(4, 7):  # from the hour before the first midnight to the hour after the second
        purse.rows(
            "INSERT INTO budgets_usagehour (tenant_id, hour, agent, user_id, provider, model, calls, unpriced_calls, "
            "input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, amount_nano_usd, "
            "saved_nano_usd, guarded_nano_usd, cached_answers) VALUES (%s, %s, 'a', 'u', 'p', 'm', 1, 0, 1, 1, 0, 0, 0, %s, "
            "0, 0, 0) RETURNING 1",
            purse.tenant, datetime(2026, 11, 1, day - 1, tzinfo=UTC), 10**day,
        )  # fmt: skip
    first = date(2026, 11, 1)
    with staff_scope():
        days = {
            day: queries.product_sums(tenants=[purse.tenant], since=day, until=day + DAY)[0].amount_nano_usd
            for day in (first - DAY, first)
        }
    assert days == {first - DAY: 10**4, first: 10**5 + 10**6}
    with tenant_scope(purse.tenant):
        assert set(queries.days_since_added_up(tenant=purse.tenant)) == set(days)


def adopt(purse: Purse, zone: str) -> None:
    from tenants.models import TenantSettings

    with tenant_scope(purse.tenant):
        TenantSettings.objects.filter(tenant_id=purse.tenant).update(time_zone=zone)
        services.adopt_calendar(tenant=purse.tenant, time_zone=zone, at=purse.at)


def test_a_budget_of_a_day_starts_anew_at_midnight_there_and_not_here(purse: Purse) -> None:
    adopt(purse, "Asia/Kolkata")
    budget = purse.budget("0.0001")
    purse.at = start_of(NOON.date(), KOLKATA) + timedelta(hours=23, minutes=59)
    assert isinstance(purse.reserve("r", "c1", 100), Hold)
    purse.at += timedelta(seconds=59)
    assert not isinstance(purse.reserve("r", "c2", 100), Hold)
    purse.at += timedelta(seconds=1)  # 18:30 by UTC
    assert isinstance(purse.reserve("r", "c3", 100), Hold)
    assert purse.used(budget) == 100


def test_another_clock_holds_at_once_for_all_that_was_spent(purse: Purse) -> None:
    budget = purse.budget("0.001")
    purse.at = NOON.replace(hour=23, minute=30)
    purse.reserve("r", "c1", 100), purse.settle("r", "c1", 60)
    purse.at += timedelta(hours=1)  # the next day by UTC, the same in New York
    purse.reserve("r", "c2", 100), purse.settle("r", "c2", 7)
    purse.reserve("r", "open", 20)
    assert purse.used(budget) == 27
    adopt(purse, "America/New_York")
    assert purse.used(budget) == 87
    adopt(purse, "Asia/Kathmandu")  # hours begin at a quarter there
    assert purse.sum("SELECT count(*) FROM budgets_usagehour WHERE extract(minute FROM hour) = 15") == 2
    purse.settle("r", "open", 20)
    adopt(purse, "UTC")
    assert purse.used(budget) == 27
    purse.close("r")
    assert check()["equal"]


def test_what_is_held_counts_in_the_day_that_it_has_by_the_new_clock(purse: Purse) -> None:
    adopt(purse, "Asia/Kolkata")
    budget = purse.budget("0.001")
    purse.at = NOON.replace(hour=9, minute=50)  # 23:35 of the same day in the Chatham islands, or 22:35
    purse.reserve("r", "before", 30)
    purse.at = NOON.replace(hour=13)
    purse.reserve("r", "after", 50)
    assert purse.used(budget) == 80
    adopt(purse, "Pacific/Chatham")  # its midnight lies between the two
    assert isinstance(purse.reserve("r2", "c", 0), Hold)
    assert purse.used(budget) == 50
    purse.settle("r", "after", 20), purse.settle("r", "before", 30), purse.settle("r2", "c", 0)
    assert purse.used(budget) == 20 and purse.held() == 0
    purse.close("r", "r2")
    assert purse.rows("SELECT 1 FROM budgets_lease") == [] and check()["equal"]


def test_whatever_is_folded_the_sums_are_the_same_and_a_late_charge_is_in_both(purse: Purse) -> None:
    adopt(purse, "America/New_York")
    began = purse.at
    for day in range(6):
        purse.at = began + day * DAY
        purse.reserve("r", f"c{day}", 50, user=f"u{day % 2}"), purse.settle("r", f"c{day}", 10 + day)
        if day == 1:
            purse.reserve("r", "late", 50, user="u1"), purse.expire("r", "late")
    purse.close("r")
    since, until = start_of(began.date(), NEW_YORK), start_of((began + 10 * DAY).date(), NEW_YORK)

    def read() -> dict[tuple[date | None, str], int]:
        with tenant_scope(purse.tenant):
            rows = queries.sums(tenant=purse.tenant, since=since, until=until, by=("day", "user_id"))
            hours = queries.sums(tenant=purse.tenant, since=since, until=until, by=("hour",))
        assert sum(row.amount_nano_usd for row in rows) == sum(row.amount_nano_usd for row in hours)
        return {(row.day, row.user_id): row.amount_nano_usd // TOKEN for row in rows}

    before = read()
    assert sum(before.values()) == 75 + 50 and len(before) == 6
    with tenant_scope(purse.tenant):
        assert queries.stale_days(tenant=purse.tenant, most=9) == []
        assert services.fold_days(tenant=purse.tenant, at=purse.at) == 4  # today and yesterday are not over
        assert services.fold_days(tenant=purse.tenant, at=purse.at) == 0
    assert read() == before
    purse.settle("r", "late", 20)  # nobody knew, so it was charged at its hold, on a day that is folded
    after = read()
    changed = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert list(changed.values()) == [(50 + 11, 20 + 11)]
    with tenant_scope(purse.tenant):
        assert queries.stale_days(tenant=purse.tenant, most=9) == [(began + DAY).astimezone(NEW_YORK).date()]
    assert check()["equal"]


def test_a_day_with_something_held_is_not_folded_until_it_is_settled(purse: Purse) -> None:
    purse.reserve("r", "c", 50)
    purse.at += 4 * DAY
    with tenant_scope(purse.tenant):
        assert services.fold_days(tenant=purse.tenant, at=purse.at) == 0
    purse.reserve("r", "later", 1), purse.settle("r", "later", 1)
    purse.settle("r", "c", 30)
    with tenant_scope(purse.tenant):
        assert services.fold_days(tenant=purse.tenant, at=purse.at) == 3
    purse.close("r")
    assert purse.charged() == 31 and check()["equal"]


def test_the_settings_page_moves_the_clock_of_budgets(world: World, purse: Purse) -> None:
    purse.budget("0.001", scope=Scope.USER)
    client = Client()
    client.force_login(world.ada.user)
    form = {"masking": "mask", "time_zone": "Europe/Berlin", "idle_minutes": "15", "retention_days": ""}
    assert client.post(world.acme.url("settings/changes/"), form).status_code == 302
    with tenant_scope(purse.tenant):
        assert str(queries.calendar(tenant=purse.tenant)) == "Europe/Berlin"
    assert check()["equal"]
