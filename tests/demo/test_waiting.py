"""Something of every tier always waits for the demo's people, and they have what it takes to decide it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from agentops.confirmations.models import Confirmation
from agentops.portal.demo import authenticators, cast, keyfile
from agentops.portal.demo.guard import waiting
from agentops.portal.demo.guard.caller import Caller
from agentops.portal.demo.guard.waiting import WISHES, WaitingRoom
from tenants import queries
from tenants.models import EndUser
from tenants.roles import APPROVER_ROLES
from tests.server import Portal

WANTED = {(wish.tenant, wish.tier) for wish in WISHES}


@pytest.fixture
def demo(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The demo's world; what the command printed."""
    monkeypatch.setenv("AGENTOPS_DATA_DIR", str(tmp_path))
    out = io.StringIO()
    call_command("demo_world", stdout=out)
    return out.getvalue()


@pytest.fixture
def callers(demo: str, live_portal: Portal) -> Iterator[dict[str, Caller]]:
    keys = keyfile.read()
    assert keys is not None
    made = {slug: Caller(live_portal.url, texts) for slug, texts in keys.keys.items()}
    yield made
    for caller in made.values():
        caller.stop()


@pytest.fixture
def room(callers: dict[str, Caller], monkeypatch: pytest.MonkeyPatch) -> WaitingRoom:
    monkeypatch.setattr(waiting, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "_REST_SECONDS", 0.0)
    made = WaitingRoom(callers, Random(7))
    made.advance()
    return made


def waits() -> Counter[tuple[str, int]]:
    with staff_scope():
        rows = list(Confirmation.objects.filter(state="pending").values_list("tenant_id", "tier"))
    slugs = {queries.tenant_called(slug).id: slug for slug in (cast.NORTHWIND, cast.KESTREL)}
    return Counter((slugs[tenant], tier) for tenant, tier in rows)


def decide(slug: str, tier: int, **values: Any) -> Confirmation:
    """What people's pages do: here only its outcome."""
    tenant = queries.tenant_called(slug).id
    with tenant_scope(tenant):
        found = Confirmation.objects.get(tenant_id=tenant, tier=tier, state="pending")
        Confirmation.objects.filter(id=found.id).update(**values)
    return found


def state_of(slug: str, confirmation: Confirmation) -> str:
    with tenant_scope(queries.tenant_called(slug).id):
        return str(Confirmation.objects.values_list("state", flat=True).get(id=confirmation.id))


def test_both_organisations_have_one_of_each_tier_waiting(room: WaitingRoom) -> None:
    assert {tier for _, tier in WANTED} == {2, 3, 4}
    assert waits() == Counter(WANTED)
    room.advance()
    assert waits() == Counter(WANTED), "one of each, not one more with each look"


def test_what_was_approved_is_taken_up_and_the_next_one_waits(room: WaitingRoom) -> None:
    done = decide(cast.KESTREL, 3, state="approved", decided_at=clock.now())
    room.advance()
    assert state_of(cast.KESTREL, done) == "executed"
    room.advance()
    assert waits() == Counter(WANTED)


@pytest.mark.parametrize(
    "values",
    [{"state": "refused"}, {"state": "cancelled"}, {"expires_at": clock.now() - timedelta(minutes=1)}],
    ids=["refused", "cancelled", "lapsed"],
)
def test_what_was_refused_or_lapsed_is_asked_for_anew(room: WaitingRoom, values: dict[str, Any]) -> None:
    ended = decide(cast.NORTHWIND, 2, **values)
    room.advance()
    room.advance()
    assert state_of(cast.NORTHWIND, ended) not in ("executing", "executed")
    with tenant_scope(queries.tenant_called(cast.NORTHWIND).id):
        latest = Confirmation.objects.filter(tier=2).order_by("requested_at").last()
    assert latest is not None and latest.id != ended.id and latest.state == "pending"


def test_those_in_whose_name_agents_act_have_an_account(demo: str) -> None:
    for slug, external_id in ((cast.NORTHWIND, cast.ELLA), (cast.KESTREL, cast.MAEVE)):
        tenant = queries.tenant_called(slug).id
        with tenant_scope(tenant):
            found = EndUser.objects.select_related("user").get(tenant_id=tenant, external_id=external_id)
        assert found.user is not None and found.user.email == f"user@{slug}.example"
        assert {wish.user for wish in WISHES if wish.tenant == slug} == {external_id}


def test_each_organisation_has_two_approvers_with_a_second_factor_which_is_printed(demo: str) -> None:
    for organisation in cast.ORGANISATIONS:
        with_factor = [member for member in organisation.members if member.has_authenticator]
        assert len(with_factor) >= 2
        assert all(member.role in APPROVER_ROLES for member in with_factor)
        assert all(authenticators.secret_of(member) in demo for member in with_factor)


def test_an_approver_signs_in_with_the_code_that_is_printed(demo: str) -> None:
    out = io.StringIO()
    call_command("demo_codes", stdout=out)
    codes = {email: code for code, email in (line.split() for line in out.getvalue().splitlines())}
    email = "second@kestrel.example"
    browser = Client()
    response = browser.post("/accounts/login/", {"login": email, "password": cast.PASSWORD})
    assert response["Location"].startswith("/accounts/2fa/authenticate/")
    assert browser.get("/t/kestrel/inbox/")["Location"].startswith("/accounts/login/")
    assert browser.post(response["Location"], {"code": codes[email]}).status_code == 302
    assert browser.get("/t/kestrel/inbox/").status_code == 200
