"""Drills: played through a real server, seen by the real detectors, told to a real (if only listening) pager."""

from __future__ import annotations

import io
import json
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from agentops.common.scope import tenant_scope
from agentops.outbox.tasks import sweep
from agentops.portal.drills import drill, ground, interfaces, modes, pager
from agentops.runtime.models import KillSwitch
from incidents.models import Alert, Incident, Page, PagingTarget
from incidents.tasks.alerts import watch_runs
from tenants import queries, services
from tenants.house import house_scope
from tenants.models import ApiKey
from tests.server import Portal
from tests.world import World


@contextmanager
def workers() -> Iterator[None]:
    """What beat and the workers do for a drill, round after round."""
    over = threading.Event()

    def work() -> None:
        try:
            while not over.is_set():
                watch_runs()
                sweep()
                over.wait(0.2)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def play(portal: Portal, *names: str) -> tuple[int, str, list[dict[str, Any]]]:
    """The exit code, what was printed, and the results."""
    out, code = io.StringIO(), 0
    try:
        call_command("drill", *names, base_url=portal.url, json=True, stdout=out)
    except SystemExit as end:
        code = int(end.code or 0)
    printed = out.getvalue()
    return code, printed, json.loads(printed.strip().splitlines()[-1])


def killed_before(portal: Portal) -> uuid.UUID:
    """A drill that was killed after it pressed its switch; answers its incident."""
    tenant, agent, at = ground._tenant(), "of-a-killed-drill", interfaces.now()
    with tenant_scope(tenant.id):
        key = services.create_key(
            tenant=tenant.id, name="Drill of 1 Jan, 10:00", scopes=["admin", "guard"], by=ground.BY, at=at
        )
    place = ground.Ground(tenant, {"admin": key.text})
    ground.register(place, agent)
    begun = drill.Begun(modes.BY_NAME["wrong_email"], agent, modes.Played(at, at, [], ""))
    incident, _ = drill._declare(begun, place, None)
    interfaces.Interfaces(portal.url, place.keys).press(agent, ground.SWITCH_REASON)
    return incident


def test_a_drill_is_seen_told_and_stopped_and_leaves_only_its_record(
    live_portal: Portal, settings: Any, world: World
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = []
    left = killed_before(live_portal)
    with workers():
        code, printed, (runaway, letter) = play(live_portal, "runaway", "wrong_email")
    assert code == 0, printed
    assert "call 7, where 6 are allowed (abort step_cap_reached)" in printed and "last step: " in printed
    assert 0 <= runaway["detect_seconds"] <= 5 and runaway["detect_seconds"] <= runaway["page_seconds"] <= 15
    assert (runaway["last_step_seconds"] or 0) <= 1 and runaway["contain_seconds"] > 0
    assert letter["detect_seconds"] is None and letter["page_seconds"] > 0 and "held for a person" in letter["stopped"]

    place = queries.tenant_called(ground.SLUG)
    assert place.is_drill
    with tenant_scope(place.id):
        assert [each.revoked_at is not None for each in ApiKey.objects.filter(tenant_id=place.id)] == [True] * 2
        assert all(each.lifted_at for each in KillSwitch.objects.filter(tenant_id=place.id))
    with house_scope():
        alert = Alert.objects.get(about_tenant=place.id)
        assert (alert.status, alert.verdict, alert.verdict_note) == ("resolved", "expected", "A drill.")
        assert Incident.objects.get(id=left).status == "cancelled", "also what the one that was killed left"
        incidents = list(Incident.objects.exclude(id=left).order_by("number"))
        assert [(each.is_drill, each.status, each.tenants) for each in incidents] == [
            (True, "cancelled", [place.id]),
            (True, "cancelled", [place.id]),
        ]
        target = PagingTarget.objects.get()
        assert target.name == drill.TARGET and not target.is_on
        told = Page.objects.filter(action="trigger").order_by("created_at")
        assert [each.subject_id for each in told] == [alert.id, incidents[0].id, incidents[1].id]


def test_what_is_not_found_in_time_fails_and_is_named(
    live_portal: Portal, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """Without a worker nobody finds it."""
    monkeypatch.setattr(drill, "_GRACE_SECONDS", 0.1)
    hurried = replace(modes.BY_NAME["privilege"], alert_seconds=0.1, page_seconds=0.1)
    monkeypatch.setitem(modes.BY_NAME, "privilege", hurried)
    code, printed, (found,) = play(live_portal, "privilege")
    assert code == 1 and not found["is_sound"] and "no alert of the class 'Runaway' within 0.1 s" in printed
    assert "update_account refused" in found["stopped"]  # the guard needs nobody
    with house_scope():
        assert Incident.objects.get().status == "cancelled" and not PagingTarget.objects.get().is_on

    customer = queries.tenant_called(ground.SLUG)
    customer.is_drill = False
    customer.save()
    with pytest.raises(CommandError, match="no drills may be played"):
        call_command("drill", "runaway", base_url=live_portal.url)
    with pytest.raises(CommandError, match="there is no mode 'flood'"):
        call_command("drill", "flood")
    with pytest.raises(CommandError, match="which mode"):
        call_command("drill")
    out = io.StringIO()
    call_command("drill", list=True, stdout=out)
    assert [int(line.split()[1]) for line in out.getvalue().splitlines()] == list(range(1, 9))


def test_the_pager_listens_and_refuses_what_is_no_event() -> None:
    def ring(address: str, body: bytes) -> int:
        try:
            with urllib.request.urlopen(f"{address}/v2/enqueue", body, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    with pager.listening(0) as listening:
        event = {"event_action": "trigger", "dedup_key": "agentops/alert/7", "payload": {"summary": "A loop"}}
        assert ring(listening.address, json.dumps(event).encode()) == 202
        for wrong in (
            b"",
            b"[]",
            b"\xff",
            b'{"payload": 7}',
            b'{"event_action": "trigger", "dedup_key": "k", "payload": 7}',
        ):
            assert ring(listening.address, wrong) == 400
        found = listening.rung_about("7", since=0)
        assert found is not None and found.summary == "A loop" and listening.rung_about("8", since=0) is None
