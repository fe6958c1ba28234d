"""The demo: its world, and the traffic that its agents send through the public interface."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum
from django.test import Client

from agentops.common.scope import staff_scope, tenant_scope
from agentops.portal.demo import cast, keyfile, timetable
from agentops.portal.demo.scenarios import SCENARIOS
from agentops.traces.models import DeadLetter, IngestMinute
from audit.models import Entry
from tenants import queries
from tenants.models import Membership, StaffAssignment, User
from tenants.roles import Role, StaffRole
from tests import engines
from tests.server import Portal

Get = Callable[..., Any]


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTOPS_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def demo(db: None, data_dir: Path) -> str:
    """The demo's world; what the command printed."""
    return make_world()


def make_world() -> str:
    out = io.StringIO()
    call_command("demo_world", stdout=out)
    return out.getvalue()


@pytest.fixture
def get(demo: str, live_portal: Portal) -> Get:
    """`get(slug, path, **params)`: the portal's JSON answer to the organisation's reporting key."""
    keys = keyfile.read()
    assert keys is not None

    def answer(slug: str, path: str, **params: str) -> Any:
        request = urllib.request.Request(
            f"{live_portal.url}/api/v1/{path}?{urllib.parse.urlencode(params)}",
            headers={"Authorization": f"Bearer {keys.keys[slug]['read']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    return answer


# -- the world --------------------------------------------------------------------------------------------------------


def _rows() -> tuple[Any, ...]:
    with staff_scope():
        members = sorted(Membership.objects.values_list("tenant_id", "user__email", "role"))
        entries = Entry.objects.count()
    people = sorted(User.objects.values_list("email", "password"))
    return members, entries, people, sorted(StaffAssignment.objects.values_list("user_id", "role"))


def test_the_world_has_people_of_every_role_and_a_second_start_changes_nothing(demo: str, data_dir: Path) -> None:
    before, file = _rows(), (data_dir / "secrets/demo_keys.json").read_bytes()
    assert {role for _, _, role in before[0]} == set(Role.values)
    assert {role for _, role in before[3]} == set(StaffRole.values)
    assert make_world() == demo
    assert (_rows(), (data_dir / "secrets/demo_keys.json").read_bytes()) == (before, file)


def test_everybody_signs_in_with_the_printed_password(demo: str) -> None:
    printed = [line.split()[-1] for line in demo.splitlines() if "@" in line]
    assert sorted(printed) == sorted(User.objects.values_list("email", flat=True))
    assert cast.PASSWORD in demo
    for email in printed:
        assert Client().login(email=email, password=cast.PASSWORD), email


def test_only_our_user_reads_the_keys_and_they_are_made_anew_where_they_are_lost(demo: str, data_dir: Path) -> None:
    path = data_dir / "secrets/demo_keys.json"
    assert path.stat().st_mode & 0o777 == 0o600
    before, first = _rows(), keyfile.read()
    path.unlink()
    make_world()
    second = keyfile.read()
    assert first is not None and second is not None and first.keys != second.keys
    after = _rows()
    assert (after[0], after[2], after[3]) == (before[0], before[2], before[3])


def test_without_keys_the_traffic_says_who_makes_them(data_dir: Path) -> None:
    with pytest.raises(CommandError, match="up --demo"):
        call_command("demo_traffic", "--once")


# -- the traffic ------------------------------------------------------------------------------------------------------


def test_one_run_of_every_kind_shows_all_that_a_page_can_show(get: Get, live_portal: Portal) -> None:
    call_command("demo_traffic", "--once", "--base-url", live_portal.url)
    for slug in (cast.NORTHWIND, cast.KESTREL):
        assert get(slug, "runs")["results"]
        tenant = queries.tenant_called(slug).id
        with tenant_scope(tenant):
            codes = set(DeadLetter.objects.filter(tenant_id=tenant).values_list("code", flat=True))
            repeated = IngestMinute.objects.filter(tenant_id=tenant).aggregate(sum=Sum("duplicates"))["sum"]
        assert {"invalid_id", "time_out_of_range", "time_reversed", "required"} <= codes
        assert repeated >= 2
    _shows_each_scenario(get)
    _shows_masked_values(get)
    screened = get(cast.KESTREL, "runs", agent="kyc-screening")["results"][0]
    assert screened["cost_state"] == "unpriced"
    assert all(not span.get("input") for span in get(cast.KESTREL, f"runs/{screened['run_id']}/spans")["results"])
    assert get(cast.NORTHWIND, "runs", user="nightly-catalogue")["results"][0]["span_count"] > 3000
    turns = get(cast.KESTREL, "runs", agent="payments-copilot")["results"]
    assert len({run["session"] for run in turns}) < len(turns)
    assert "Traceback" not in live_portal.log_text()


def _shows_each_scenario(get: Get) -> None:
    assert len(SCENARIOS) == 8
    for scenario in SCENARIOS:
        found = get(scenario.tenant, "runs", **scenario.look_for)["results"]
        labels = {
            span.get("attributes", {}).get("demo.scenario")
            for run in found
            for span in get(scenario.tenant, f"runs/{run['run_id']}/spans")["results"]
            if not span.get("parent_span_id")
        }
        assert scenario.name in labels, scenario.name


def _shows_masked_values(get: Get) -> None:
    assert get(cast.NORTHWIND, "runs", q="[hash:email:")["results"]
    assert get(cast.NORTHWIND, "runs", q="[hash:card:")["results"]
    for rule in ("email", "phone", "iban", "secret"):
        assert get(cast.KESTREL, "runs", q=f"[masked:{rule}]")["results"], rule
    for raw in ("@post.example", "@mail.example", "sk_live_", "4111 1111"):
        assert not any(get(slug, "runs", q=raw)["results"] for slug in (cast.NORTHWIND, cast.KESTREL)), raw


@pytest.fixture
def agents(demo: str, live_portal: Portal, data_dir: Path, django_db_setup: str) -> Iterator[subprocess.Popen[bytes]]:
    """`demo_traffic` as `up` starts it, with a little past and more runs per second."""
    running = subprocess.Popen(
        [
            *(sys.executable, "manage.py", "demo_traffic", "--base-url", live_portal.url),
            *("--backfill-hours", "0.75", "--rate", "12"),
        ],
        env={**engines.environment(django_db_setup), "AGENTOPS_DATA_DIR": str(data_dir)},
    )
    yield running
    running.kill()
    running.wait()


def test_live_traffic_begins_with_the_past_and_ends_cleanly(agents: subprocess.Popen[bytes], get: Get) -> None:
    until = time.monotonic() + 60
    while not get(cast.KESTREL, "runs", status="running")["results"]:
        assert agents.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    assert get(cast.NORTHWIND, "runs", to="1h")["results"] == []
    quarter_past = (datetime.now(UTC) - timedelta(minutes=15)).isoformat()
    assert any(get(slug, "runs", to=quarter_past)["results"] for slug in (cast.NORTHWIND, cast.KESTREL))
    agents.send_signal(signal.SIGTERM)
    assert agents.wait(30) == 0
    for slug in (cast.NORTHWIND, cast.KESTREL):
        assert get(slug, "runs")["results"]
        assert get(slug, "runs", status="running")["results"] == []  # what had begun was ended and sent


# -- the timetable ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [timetable.PAST, timetable.LIVE])
def test_the_timetable_tells_the_same_past_however_it_is_asked(pace: timetable.Pace) -> None:
    begin, middle, end = 1_795_500_000.0, 1_795_500_777.7, 1_795_509_000.0
    whole = timetable.between(begin, end, pace)
    assert whole == timetable.between(begin, middle, pace) + timetable.between(middle, end, pace)
    assert {"run", "scenario"} <= {booking.what for booking in whole}
    assert len({booking.seed for booking in whole}) == len(whole)


def test_two_days_hold_about_fifteen_hundred_runs_and_every_scenario_many_times() -> None:
    bookings = timetable.between(1_795_300_000, 1_795_300_000 + 48 * 3600, timetable.PAST)
    kinds = [booking.what for booking in bookings]
    assert 1_000 < kinds.count("run") < 1_700
    assert kinds.count("nightly") == 2
    assert kinds.count("scenario") > 8 * 10
