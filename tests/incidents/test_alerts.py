"""From looks to alerts: repeats, pages, samples, hysteresis, and what people answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentops.common.errors import Conflict, InvalidInput, NotFound
from audit.models import Entry
from incidents.detecting import policy
from incidents.models import Alert, AlertOccurrence
from incidents.services import alerts, paging
from incidents.types import AlertClass, AlertStatus, ScopeType, Severity
from tenants.house import HOUSE_ID, house_scope
from tests.incidents.looks import AT, after, look, run
from tests.world import World


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    """What is asked of paging: action, because, number of the state, severity."""
    asked: list[tuple[Any, ...]] = []
    planned = paging.plan_pages

    def noted(**page: Any) -> Any:
        asked.append((page["action"].value, page["because"], page["state_number"], page["severity"]))
        return planned(**page)

    monkeypatch.setattr(paging, "plan_pages", noted)
    yield asked


def actions() -> list[str]:
    return list(
        Entry.objects.filter(tenant_id=HOUSE_ID, action__startswith="alert.")
        .order_by("id")
        .values_list("action", flat=True)
    )


def test_the_life_of_an_alert(world: World, pages: list[tuple[Any, ...]]) -> None:
    acme, by = world.acme.id, world.sam.actor

    def see(seconds: float, **changed: Any) -> Alert:
        return alerts.raise_alert(tenant=HOUSE_ID, seen=look(acme, **changed), at=after(seconds))

    def calm(seconds: float) -> list[Alert]:
        return alerts.calm_alerts(
            tenant=HOUSE_ID, alert_class=AlertClass.ERROR_RATE, still=set(), period=after(seconds), at=after(seconds)
        )

    with house_scope():
        opened = see(0, runs=(run(acme, 0, 1.0),))
        assert pages == [("trigger", "opened", 1, 2)]
        assert (opened.repeats, opened.tenants, opened.status) == (1, [acme], AlertStatus.OPEN)

        # One more look is one more look; it is told again only when it is worse in one of three ways.
        assert see(60, value=300.0).id == opened.id
        see(120, value=29.0, summary="refund-desk fails in 29 % of its runs.")
        assert len(pages) == 1
        see(180, value=311.0)
        see(240, value=3_000.0)  # ten times what was told last
        see(300, severity=Severity.SEV1)
        see(360, severity=Severity.SEV2)
        assert pages[1:] == [("trigger", "rate", 2, 2), ("trigger", "severity", 3, 1)]
        now = Alert.objects.get(tenant_id=HOUSE_ID, id=opened.id)
        assert (now.repeats, now.peak, now.severity, now.state_number) == (7, 3_000.0, 1, 3)
        assert AlertOccurrence.objects.filter(tenant_id=HOUSE_ID, alert=now).count() == 7

        # Somebody has it. The second who says so changes nothing.
        alerts.acknowledge_alert(tenant=HOUSE_ID, alert_id=now.id, by=by, at=after(370))
        again = alerts.acknowledge_alert(tenant=HOUSE_ID, alert_id=now.id, by=world.ada.actor, at=after(371))
        assert (again.acknowledged_by, again.acknowledged_via) == (world.sam.email, "page")
        assert pages[3:] == [("acknowledge", "acknowledged", 3, 1)]

        # Nine calm periods and a look do not end it; ten do. A period that is older than the last look does not count.
        for minute in range(9):
            assert calm(400 + minute) == []
        see(500)
        assert calm(499) == []
        ended = [calm(501 + minute) for minute in range(10)]
        assert [len(each) for each in ended] == [0] * 9 + [1]
        assert (ended[-1][0].resolved_by, pages[4:]) == ("agentops", [("resolve", "resolved", 3, 1)])

        # Back within half an hour it is the same one, told when its cooldown is over; later it is another.
        back = see(520)
        assert (back.id, back.reopened, back.status, back.acknowledged_at) == (opened.id, 1, AlertStatus.OPEN, None)
        assert len(pages) == 5
        see(600)
        assert pages[5:] == [("trigger", "reopened", 4, 2)]
        alerts.resolve_alert(tenant=HOUSE_ID, alert_id=back.id, by=by, at=after(610))
        alerts.resolve_alert(tenant=HOUSE_ID, alert_id=back.id, by=by, at=after(611))
        assert pages[6:] == [("resolve", "resolved", 4, 2)]
        later = see(610 + 1801)
        assert (later.id != opened.id, later.previous_id, later.state_number) == (True, opened.id, 1)

        # A verdict is given at one click, and may be given anew.
        for verdict, note in (("noise", ""), ("actionable", "a deploy"), ("actionable", "a deploy")):
            alerts.give_verdict(tenant=HOUSE_ID, alert_id=back.id, verdict=verdict, note=note, by=by, at=after(700))
        for wrong in (
            {"verdict": "fine"},
            {"verdict": "noise", "note": "\x00"},
            {"verdict": "noise", "note": "x" * 2001},
        ):
            with pytest.raises(InvalidInput):
                alerts.give_verdict(tenant=HOUSE_ID, alert_id=back.id, by=by, at=after(700), **wrong)
        with pytest.raises(Conflict):
            alerts.acknowledge_alert(tenant=HOUSE_ID, alert_id=back.id, by=by, at=after(700))
        late = alerts.acknowledge_alert(tenant=HOUSE_ID, alert_id=back.id, by=by, at=after(700), via="pagerduty")
        assert late.status == AlertStatus.RESOLVED
        with pytest.raises(NotFound):
            alerts.resolve_alert(tenant=HOUSE_ID, alert_id=HOUSE_ID, by=by, at=AT)
        assert actions() == [
            *("alert.opened", "alert.worsened", "alert.worsened", "alert.acknowledged", "alert.resolved"),
            *("alert.reopened", "alert.resolved", "alert.opened", "alert.judged", "alert.judged"),
        ]


def test_what_came_back_in_its_cooldown_is_told_after_it(world: World, pages: list[tuple[Any, ...]]) -> None:
    """Also where nothing is seen of it again: a run that ran away is seen once."""
    acme, by = world.acme.id, world.sam.actor

    def cooled(seconds: float, cooldown: int | None = 300) -> int:
        return alerts.tell_cooled(
            tenant=HOUSE_ID, alert_class=AlertClass.ERROR_RATE, cooldown=lambda _: cooldown, at=after(seconds)
        )

    with house_scope():
        first = alerts.raise_alert(tenant=HOUSE_ID, seen=look(acme), at=after(0))
        alerts.resolve_alert(tenant=HOUSE_ID, alert_id=first.id, by=by, at=after(10))
        back = alerts.raise_alert(tenant=HOUSE_ID, seen=look(acme, severity=Severity.SEV1), at=after(20))
        assert (back.id, [each[0] for each in pages]) == (first.id, ["trigger", "resolve"])
        assert (cooled(299), cooled(300, None), cooled(300), cooled(310)) == (0, 0, 1, 0)
        assert pages[2:] == [("trigger", "reopened", 2, 1)]
        # Who has it need not be told.
        alerts.resolve_alert(tenant=HOUSE_ID, alert_id=first.id, by=by, at=after(320))
        alerts.raise_alert(tenant=HOUSE_ID, seen=look(acme), at=after(330))
        alerts.acknowledge_alert(tenant=HOUSE_ID, alert_id=first.id, by=by, at=after(340))
        assert (cooled(900), len(pages)) == (0, 4)


def test_an_organisation_that_joins_is_told(world: World, pages: list[tuple[Any, ...]]) -> None:
    acme, globex = world.acme.id, world.globex.id
    everywhere = {"scope_type": ScopeType.PRODUCT, "scope_id": "", "agent": ""}
    with house_scope():
        for number, tenant in enumerate([acme, acme, globex, acme, globex]):
            seen = look(None, runs=(run(tenant, number),), **everywhere)
            alert = alerts.raise_alert(tenant=HOUSE_ID, seen=seen, at=after(number))
        assert alert.tenants == [acme, globex]
        assert pages == [("trigger", "opened", 1, 2), ("trigger", "tenant", 2, 2)]
        # The fingerprint is of what it is about, and of nothing that changes.
        assert look(acme, value=1.0, summary="x", since=after(9)).fingerprint == look(acme).fingerprint
        told_apart = [look(acme), look(globex), look(None), look(acme, agent="a|b"), look(acme, scope_id="", agent="|")]
        assert len({each.fingerprint for each in told_apart}) == len(told_apart)


def test_samples_are_the_first_the_worst_and_the_last(world: World) -> None:
    acme = world.acme.id
    values = [float(number * 37 % 101) for number in range(100)]
    with house_scope():
        for start in range(0, 100, 10):
            runs = tuple(run(acme, number, values[number]) for number in range(start, start + 10))
            alert = alerts.raise_alert(tenant=HOUSE_ID, seen=look(acme, runs=runs), at=after(start))
    kept = [int(each["run"][-8:], 16) - 1 for each in alert.sample_runs]
    worst = sorted(range(100), key=lambda number: -values[number])[: policy.WORST]
    assert kept == sorted({*range(policy.FIRST), *worst, *range(100 - policy.LAST, 100)})
