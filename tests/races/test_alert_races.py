"""Many detectors that see the same at once: one alert, each look counted, one page for each change."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from incidents.models import Alert, AlertOccurrence
from incidents.services import alerts
from incidents.types import OPEN_ALERT, AlertClass
from tenants.house import HOUSE_ID, house_scope
from tests.incidents.looks import after, look
from tests.races.test_ingest_races import at_once, deadlocks
from tests.world import World

pytestmark = pytest.mark.race

LOOKERS, LOOKS = 6, 5


def test_one_is_open_whatever_happens_at_once(world: World) -> None:
    before = deadlocks()

    def see(seconds: float, value: float) -> Any:
        with house_scope():
            return alerts.raise_alert(tenant=HOUSE_ID, seen=look(world.acme.id, value=value), at=after(seconds)).id

    def looks(number: int) -> set[Any]:
        return {see(number + turn, 10.0) for turn in range(LOOKS)}

    def ends() -> None:
        """Calm periods and a person, against those who look."""
        for turn in range(LOOKS):
            with house_scope():
                alerts.calm_alerts(
                    tenant=HOUSE_ID, alert_class=AlertClass.ERROR_RATE, still=set(), period=after(99), at=after(99)
                )
            with house_scope():
                for alert in Alert.objects.filter(tenant_id=HOUSE_ID, status__in=OPEN_ALERT):
                    alerts.resolve_alert(tenant=HOUSE_ID, alert_id=alert.id, by=world.sam.actor, at=after(99 + turn))

    found = at_once([partial(looks, number) for number in range(LOOKERS)])
    assert len(set.union(*found)) == 1
    with house_scope():
        alert = Alert.objects.get(tenant_id=HOUSE_ID)
        assert (alert.repeats, alert.state_number, alert.paged_value) == (LOOKERS * LOOKS, 1, 10.0)
        assert AlertOccurrence.objects.filter(tenant_id=HOUSE_ID, alert=alert).count() == LOOKERS * LOOKS

    at_once([partial(looks, number) for number in range(LOOKERS)] + [ends] * 2)
    with house_scope():
        alert = Alert.objects.get(tenant_id=HOUSE_ID)  # it came back within half an hour each time: it is the same
        assert alert.repeats == 2 * LOOKERS * LOOKS
    # Later than half an hour after its end, one look opens another, and the others join it.
    with house_scope():
        alerts.resolve_alert(tenant=HOUSE_ID, alert_id=alert.id, by=world.sam.actor, at=after(200))
    again = at_once([partial(see, 3_000 + number, 10.0) for number in range(LOOKERS)])
    assert len(set(again)) == 1 and again[0] != alert.id
    with house_scope():
        assert Alert.objects.filter(tenant_id=HOUSE_ID, status__in=OPEN_ALERT).count() == 1
    assert deadlocks() == before
