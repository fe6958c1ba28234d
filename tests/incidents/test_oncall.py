"""On-call as people use it: a rotation, who takes over, the chain, the hand-over, and the calendar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client
from icalendar import Calendar

from agentops.common import clock
from agentops.common.errors import Conflict, Forbidden, InvalidInput
from audit.models import Entry
from incidents.models import Alert, CalendarFeed, Handover, Incident, Rotation
from incidents.queries import calendar_feeds
from incidents.queries.handovers import present_change
from incidents.queries.oncall import chain, on_call_now
from incidents.queries.rotas import rota_of
from incidents.services import covers, handovers, rotations
from tenants import services as tenants
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import StaffRole
from tests.world import OPERATOR, PASSWORD, Person, World

Clients = Callable[..., Client]
DAY = timedelta(days=1)


def staff(name: str, *roles: StaffRole) -> Person:
    user = tenants.create_staff(
        email=f"{name.lower()}@agentops.example",
        name=name,
        roles=list(roles),
        password=PASSWORD,
        by=OPERATOR,
        at=clock.now(),
    )
    return Person(user)


def rotate(*people: Person, begin: datetime, **changes: Any) -> Any:
    terms: dict[str, Any] = {
        "name": "Primary", "role": StaffRole.ON_CALL, "time_zone": "UTC", "starts_on": begin.date(), "turn_days": 7,
        "handover_at": begin.time(), "members": [person.user.pk for person in people],
    }  # fmt: skip
    rotation = changes.pop("rotation", None)
    with house_scope() as tenant:
        return rotations.set_rotation(
            tenant=tenant,
            terms=rotations.RotationTerms(**{**terms, **changes}),
            rotation=rotation,
            by=OPERATOR,
            at=clock.now(),
        )


def asked(at: datetime) -> list[tuple[str, int]]:
    with house_scope():
        return [(user.name, seconds) for user, seconds in chain(at=at)]


def actions() -> list[str]:
    with house_scope():
        found = Entry.objects.filter(tenant_id=HOUSE_ID).exclude(action="tenant.created")
        return list(found.order_by("id").values_list("action", flat=True))


@pytest.fixture
def begin() -> datetime:
    """When the first turn began: three days ago."""
    return (clock.now() - 3 * DAY).replace(hour=0, minute=0, second=0, microsecond=0)


def test_a_rotation_from_its_form_to_who_is_asked(world: World, client_for: Clients, begin: datetime) -> None:
    bea, cid = staff("Bea", StaffRole.ON_CALL), staff("Cid", StaffRole.INCIDENT_COMMANDER)
    at, client = clock.now(), client_for(world.sam)
    assert asked(at) == [("Sam Ito", 0), ("Bea", 0), ("Cid", 300)] or asked(at) == [
        ("Bea", 0),
        ("Sam Ito", 0),
        ("Cid", 300),
    ]
    assert "Nobody takes turns yet" in client.get("/staff/on-call/").content.decode()
    form = {
        "name": "Primary", "role": "on_call", "members": f"{world.sam.email}\n{bea.email}", "time_zone": "Europe/Berlin",
        "starts_on": begin.date().isoformat(), "handover_at": "00:00", "turn_days": "7", "escalate_after_seconds": "120", "is_on": "on",
    }  # fmt: skip
    wrong = {
        "members": [cid.email, "nobody@x.example", f"{bea.email}\n{bea.email}"], "time_zone": ["Mars/Olympus", "../etc/passwd", ""],
        "turn_days": ["0", "61", "1e3"], "escalate_after_seconds": ["1"], "starts_on": ["0001-01-01", "x"], "role": ["king"], "name": ["", "x" * 81],
    }  # fmt: skip
    for field, values in wrong.items():
        for value in values:
            refused = client.post("/staff/on-call/rotations/", {**form, field: value})
            assert refused.status_code == 422, (field, value)
            assert refused.context["form"].errors.keys() == {field}, (field, value)
    assert actions() == []
    assert client.post("/staff/on-call/rotations/", form).status_code == 302
    assert actions() == ["rotation.set"]
    with house_scope():
        assert [user.name for user in on_call_now(at=at)] == ["Sam Ito"]
        assert [user.name for user in on_call_now(at=at + 7 * DAY)] == ["Bea"]
        assert on_call_now(at=at, role=StaffRole.COST_OWNER) == []
    assert asked(at) == [("Sam Ito", 0), ("Bea", 120), ("Cid", 420)]
    again = client.post("/staff/on-call/rotations/", form)
    assert again.status_code == 422 and "name" in again.context["form"].errors

    # A second rotation above it: asked before the next in line. A circle is refused.
    dot = staff("Dot", StaffRole.ON_CALL)
    first = rota_id("Primary")
    second = rotate(dot, begin=begin, name="Secondary").id
    rotate(world.sam, bea, begin=begin, rotation=first, escalates_to=second, escalate_after_seconds=60)
    with pytest.raises(InvalidInput):
        rotate(dot, begin=begin, name="Secondary", rotation=second, escalates_to=first)
    assert asked(at) == [("Sam Ito", 0), ("Dot", 0), ("Bea", 360), ("Cid", 660)]
    shown = client.get("/staff/on-call/").content.decode()
    assert "Secondary" in shown and "after" in shown

    # Somebody takes over; who has left is passed over, at once.
    url = f"/staff/on-call/rotations/{first}/overrides/"
    span = {"user": bea.user.pk, "starts_at": (at - DAY).strftime("%Y-%m-%dT%H:%M"), "ends_at": (at + DAY).strftime("%Y-%m-%dT%H:%M"), "reason": "a wedding"}  # fmt: skip
    for change in ({"user": cid.user.pk}, {"ends_at": span["starts_at"]}, {"starts_at": "2020-01-01T00:00"}, {"starts_at": "x"}):  # fmt: skip
        assert client.post(url, {**span, **change}).status_code == 422, change
    assert client.post(url, span).status_code == 302
    assert asked(at)[0] == ("Bea", 0)
    assert "a wedding" in client.get("/staff/on-call/").content.decode()
    with house_scope():
        override = rota_of(first, at=at).overrides[0].id
    for _ in range(2):
        assert client.post(f"/staff/on-call/overrides/{override}/cancellation/").status_code == 302
    assert asked(at)[0] == ("Sam Ito", 0)
    world.sam.user.is_active = False
    world.sam.user.save()
    assert asked(at)[0] == ("Bea", 0)
    assert actions()[-2:] == ["on_call.covered", "on_call.cover_cancelled"]


def rota_id(name: str) -> Any:
    with house_scope():
        return Rotation.objects.values_list("id", flat=True).get(name=name)


def test_a_hand_over_is_frozen_by_the_one_who_leaves_and_signed_by_both(
    world: World, client_for: Clients, begin: datetime
) -> None:
    bea, at = staff("Bea", StaffRole.ON_CALL), clock.now()
    rotation = rotate(world.sam, bea, begin=begin - 7 * DAY).id  # Sam handed over to Bea three days ago
    with house_scope() as tenant:
        Incident.objects.create(
            tenant_id=tenant, year=2026, number=7, title="Refunds twice", severity=1, declared_at=at, declared_by="x"
        )
        for number in range(3):
            Alert.objects.create(
                tenant_id=tenant, fingerprint=f"{number}", alert_class="queue_lag", scope_type="product", severity=3,
                summary="Late", first_seen_at=at, opened_at=at - 5 * DAY, last_seen_at=at, status="resolved", resolved_at=at, resolved_by="x",
            )  # fmt: skip
        change = present_change(rota_of(rotation, at=at), at=at)
    assert change and (change.outgoing, change.incoming, change.at) == (world.sam.user, bea.user, begin)
    url, sam, hers = f"/staff/on-call/rotations/{rotation}/hand-over/", client_for(world.sam), client_for(bea)
    assert "Sam Ito to Bea" in sam.get("/staff/on-call/").content.decode()
    shown = sam.get(url).content.decode()
    assert "INC-2026-0007: Refunds twice" in shown and "Queue late: noisy" in shown
    form = {"changes_at": change.at.isoformat(), "notes": "<b>Look at refunds</b>"}
    assert hers.post(url, {**form, "side": "in"}).status_code == 422  # the one who leaves signs first
    assert hers.post(url, {**form, "side": "out"}).status_code == 422  # and not the one who comes
    assert sam.post(url, {**form, "changes_at": at.isoformat()}).status_code == 422
    assert sam.post(url, {**form, "changes_at": "yesterday"}).status_code == 422
    assert sam.post(url, {**form, "notes": "x" * 10_001}).status_code == 422
    assert actions() == ["rotation.set"]
    assert sam.post(url, {**form, "side": "out"}).status_code == 302
    with house_scope():
        Incident.objects.update(title="Changed since")
    read = hers.get(url).content.decode()
    assert "Refunds twice" in read and "Changed since" not in read and "&lt;b&gt;Look at refunds" in read
    assert sam.post(url, {**form, "side": "in"}).status_code == 422
    assert hers.post(url, {**form, "side": "in"}).status_code == 302
    assert hers.post(url, {**form, "side": "in"}).status_code == 302  # again: nothing
    assert actions() == ["rotation.set", "on_call.handed_over", "on_call.handed_over"]
    assert "Sam Ito to Bea" not in sam.get("/staff/on-call/").content.decode()
    with house_scope() as tenant:
        kept = Handover.objects.get()
        assert (kept.signed_out_by, kept.signed_in_by) == (world.sam.user.pk, bea.user.pk)
        said: dict[str, Any] = {
            "tenant": tenant,
            "rotation": rotation,
            "notes": "",
            "by": OPERATOR,
            "at": begin + 6.6 * DAY,
        }
        with pytest.raises(Conflict):  # the next change is the present one twelve hours before it
            handovers.sign_handover(changes_at=change.at, side="out", user=bea.user.pk, **said)
        with pytest.raises(Forbidden):
            handovers.sign_handover(changes_at=begin + 7 * DAY, side="out", user=world.sam.user.pk, **said)
    assert "as it was signed" in sam.get(f"/staff/on-call/hand-overs/{kept.id}/").content.decode()


def test_a_calendar_reads_ones_own_turns_by_a_secret_address(
    world: World, client_for: Clients, begin: datetime
) -> None:
    bea = staff("Bea", StaffRole.ON_CALL)
    rotation = rotate(world.sam, bea, begin=begin, time_zone="America/New_York", handover_at=time(9)).id
    at = clock.now()
    with house_scope() as tenant:
        covers.take_over(
            tenant=tenant, rotation=rotation, user=world.sam.user.pk, starts_at=begin + 8 * DAY, ends_at=begin + 9 * DAY,
            reason="", by=OPERATOR, at=at,
        )  # fmt: skip
    client = client_for(world.sam)
    made = client.post("/staff/on-call/feeds/")
    address = made.context["address"]
    token = address.rsplit("/", 1)[1].removesuffix(".ics")
    with house_scope():
        assert token not in CalendarFeed.objects.get().token_digest
    answer = Client().get(address)
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/calendar")
    calendar = Calendar.from_ical(answer.content)
    events = {str(event["UID"]): event for event in calendar.walk("VEVENT")}
    assert {str(event["SUMMARY"]) for event in events.values()} == {
        "On call: Primary",
        "On call: Primary (taking over)",
    }
    assert all(event.start.tzinfo is not None and event.start < event.end for event in events.values())
    assert len(events) == 8  # seven turns of two weeks' rhythm in twelve weeks, and one override
    with house_scope():
        later = Calendar.from_ical(calendar_feeds.calendar_of(world.sam.user.pk, at=at + 5 * DAY))
        theirs = Calendar.from_ical(calendar_feeds.calendar_of(bea.user.pk, at=at))
        feed = CalendarFeed.objects.get()
    assert set(events) <= {str(event["UID"]) for event in later.walk("VEVENT")}
    assert not set(events) & {str(event["UID"]) for event in theirs.walk("VEVENT")}
    assert feed.read_at is not None and feed.read_at.tzinfo == UTC
    # Another's cannot be revoked; revoked, it is not there.
    assert client_for(bea).post(f"/staff/on-call/feeds/{feed.id}/revocation/").status_code == 404
    assert Client().get(address).status_code == 200
    assert client.post(f"/staff/on-call/feeds/{feed.id}/revocation/").status_code == 302
    assert Client().get(address).status_code == 404
    assert Client().get("/calendar/%00.ics").status_code == 404
    assert actions()[-2:] == ["on_call.feed_made", "on_call.feed_revoked"]
