"""Days above their baseline, weeks above plan, and plans that are about to be outgrown: found, told once, ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest

from agentops.budgets import alarms, services, tasks
from agentops.budgets.models import Finding, ProductFinding
from agentops.common import clock
from agentops.common.errors import InvalidInput
from agentops.common.money import NANO
from agentops.common.scope import tenant_scope
from agentops.outbox import queries as outbox
from tenants import services as tenant_services
from tests.budgets.money import NOON
from tests.budgets.test_minutes import spent
from tests.budgets.test_staff_pages import staff
from tests.world import OPERATOR, Organisation, World

DAY = timedelta(days=1)
WEDNESDAY = date(2026, 11, 25)
AT = clock.now()


def open_kinds() -> list[tuple[str, str]]:
    return sorted(ProductFinding.objects.filter(ended_at__isnull=True).values_list("kind", "fingerprint"))


def watch(today: date, amounts: dict[date, int], planned: int | None = None) -> None:
    services.watch_product_days(by_day=amounts, today=today, planned=planned, at=AT)


def days(*dollars: int, today: date = WEDNESDAY) -> dict[date, int]:
    """Amounts of today and the days before it."""
    return {today - back * DAY: amount * NANO for back, amount in enumerate(dollars)}


@pytest.mark.parametrize(
    ("dollars", "is_found"),
    [
        ((150, *[100] * 7), False),
        ((151, *[100] * 7), True),
        ((151, 100, 100), False),
        ((151, 100, 100, 100), True),
        ((149, 100, 100, 100), False),
        ((110, 100, 0, 100, 0, 0, 100, *[0] * 5, 100), True),
        ((9, 1, 1, 1, 1, 1, 1, 1), False),
        ((151, *[0] * 7), False),
    ],
    ids=[
        "at the bound",
        "above",
        "two days known",
        "three days known",
        "a new product goes on as it began",
        "days of nothing count",
        "small money",
        "nothing before",
    ],
)
@pytest.mark.django_db
def test_a_day_above_half_as_much_again(dollars: Sequence[int], is_found: bool) -> None:
    watch(WEDNESDAY, days(*dollars))
    assert open_kinds() == ([("day_above_baseline", "2026-11-25")] if is_found else [])


@pytest.mark.django_db
def test_a_day_is_found_once_and_ends_with_it() -> None:
    for more in (200, 300):
        watch(WEDNESDAY, days(more, *[100] * 7))
    [finding] = ProductFinding.objects.all()
    assert finding.detail == (
        "Wednesday, 25 November has cost $300.00 so far; the 7 days before cost $100.00 each, and $150.00 is the bound"
    )
    watch(WEDNESDAY + DAY, days(10, 300, *[100] * 6, today=WEDNESDAY + DAY))
    assert open_kinds() == []


@pytest.mark.django_db
def test_a_week_above_plan_counts_from_its_monday() -> None:
    amounts = days(40, 40, 21, 500)  # Wednesday, Tuesday, Monday, the Sunday before
    watch(WEDNESDAY, amounts)
    assert open_kinds() == [], "nobody planned"
    watch(WEDNESDAY, amounts, planned=101 * NANO)
    assert open_kinds() == []
    watch(WEDNESDAY, amounts, planned=100 * NANO)
    assert open_kinds() == [("week_above_plan", "2026-11-23")]
    watch(WEDNESDAY, amounts, planned=1000 * NANO)
    assert open_kinds() == [], "planned anew"


def test_the_task_reads_what_all_organisations_spent(world: World) -> None:
    now = clock.now()
    for organisation in (world.acme, world.globex):
        for back in range(1, 8):
            spent(organisation.id, 10, at=now - back * DAY)
        spent(organisation.id, 16, at=now)
    monday = now.date() - now.weekday() * DAY
    services.set_week_plan(starts_on=monday, weekly_nano_usd=NANO, by=OPERATOR, at=now)
    tasks.watch_product()
    assert [kind for kind, _ in open_kinds()] == ["day_above_baseline", "week_above_plan"]


@pytest.mark.django_db
@pytest.mark.parametrize(("day", "dollars"), [(WEDNESDAY, 1), (date(2026, 11, 23), 0)], ids=["no Monday", "nothing"])
def test_a_plan_begins_on_a_monday_and_is_something(day: date, dollars: int) -> None:
    with pytest.raises(InvalidInput):
        services.set_week_plan(starts_on=day, weekly_nano_usd=dollars * NANO, by=OPERATOR, at=AT)


# -- the tier of a plan -----------------------------------------------------------------------------------------------

MONTH = NOON.replace(day=1)
TENTH = MONTH + 9 * DAY


def tier(organisation: Organisation, at: datetime) -> list[str]:
    with tenant_scope(organisation.id):
        return services.watch_tier(tenant=organisation.id, plan=organisation.tenant.plan, at=at)


def mails(organisation: Organisation) -> list[str]:
    with tenant_scope(organisation.id):
        found = outbox.messages(tenant=organisation.id).messages
    return sorted(str(each.destination) for each in found if each.template == "budgets/mail/tier.txt")


def assign(organisation: Organisation, person: object) -> None:
    with tenant_scope(organisation.id):
        tenant_services.assign_success_manager(
            tenant=organisation.id, manager=getattr(person, "pk", None), by=OPERATOR, at=AT
        )


def test_a_success_manager_is_told_once_before_a_plan_is_outgrown(world: World) -> None:
    manager = staff("sue@agentops.example", "success_manager")
    assign(world.globex, manager.user)
    spent(world.globex.id, 79.99, at=TENTH)
    assert tier(world.globex, TENTH) == []
    spent(world.globex.id, 0.01, at=TENTH)
    assert tier(world.globex, TENTH) == ["plan_near"], "80 of the 100 dollars of the free plan"
    assert tier(world.globex, TENTH + DAY) == []
    assert mails(world.globex) == ["sue@agentops.example"]
    with tenant_scope(world.globex.id):
        [finding] = Finding.objects.filter(tenant_id=world.globex.id)
    assert finding.detail.endswith("are used: 80 %")
    assert tier(world.globex, MONTH + 35 * DAY) == [], "a new month"
    with tenant_scope(world.globex.id):
        assert Finding.objects.get(id=finding.id).ended_at == MONTH + 35 * DAY


def test_a_pace_that_would_pass_the_plan_is_told_while_there_is_time(world: World) -> None:
    manager = staff("sue@agentops.example", "success_manager")
    assign(world.globex, manager.user)
    for back in range(1, 8):
        spent(world.globex.id, 5, at=TENTH - back * DAY)
    assert tier(world.globex, TENTH) == ["plan_forecast"], "35 dollars now, 5 a day for twenty days more"
    assert mails(world.globex) == ["sue@agentops.example"]


def test_where_nobody_looks_after_it_the_mail_goes_out_as_soon_as_somebody_does(world: World) -> None:
    spent(world.globex.id, 90, at=TENTH)
    assert tier(world.globex, TENTH) == ["plan_near"]
    assert mails(world.globex) == []
    assign(world.globex, staff("sue@agentops.example", "success_manager").user)
    tier(world.globex, TENTH)
    assert mails(world.globex) == ["sue@agentops.example"]
    assert world.globex.actions() == ["tenant.success_manager_set"]


def test_only_success_managers_are_assigned(world: World) -> None:
    for person in (world.ada.user, world.sam.user):
        with pytest.raises(InvalidInput):
            assign(world.globex, person)
    assert world.globex.actions() == []


@pytest.mark.parametrize(
    ("month", "before", "day", "left", "is_found"),
    [
        (50, [10] * 13, 10, 5, False), (50, [10] * 13, 10, 6, True), (50, [10] * 13, 2, 20, False),
        (50, [40, 0, 0, 0, 0, 0, 40], 9, 9, False), (50, [20, 20, 20, *[0] * 10], 10, 3, True),
        (50, [20, 20, 20, *[0] * 9, 20], 10, 3, False),
    ],
    ids=["just fits", "passes", "too early", "two days known", "three days old", "a pause before"],
)  # fmt: skip
def test_the_forecast_of_a_plan(month: int, before: list[int], day: int, left: int, is_found: bool) -> None:
    found = alarms.plan_will_pass(month, 100, before=before, day_of_month=day, days_left=left)
    assert (found is not None) == is_found
