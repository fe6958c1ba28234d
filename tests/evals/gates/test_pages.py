"""The gates' pages, as Django serves them: what they say, who may do what, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from agentops.catalog.types import Gate
from agentops.common.scope import tenant_scope
from tenants.roles import StaffRole
from tests.evals.gates.acting import ask, decide, require
from tests.evals.gates.making import Desk, F, P, all_pass, keys
from tests.world import World

Sign = Callable[..., Client]


@pytest.fixture
def failing(desk: Desk) -> Desk:
    """Version 1 is approved; version 2 passes 57 of 60, one of them at times."""
    desk.version("1", approve=True)
    desk.version("2")
    revision = desk.eval_set("starter", keys(60))
    require(desk, "starter", least_rate=0.9, repeats=3)
    desk.suite("1", revision, all_pass(60, repeats=3, but={"case-31": [F, F, F]}))
    desk.suite(
        "2", revision, all_pass(60, repeats=3, but={"case-07": [F] * 3, "case-12": [P, F, P], "case-31": [F] * 3})
    )
    return desk


def words(client: Client, url: str, status: int = 200) -> str:
    answer = client.get(url)
    assert answer.status_code == status, answer.content[-2_000:]
    return " ".join(answer.content.decode().split())


def post(client: Client, url: str, **said: Any) -> Any:
    return client.post(url, said)


def url(desk: Desk, rest: str) -> str:
    return desk.organisation.url(f"quality/{rest}")


def test_the_list_says_what_each_agent_must_pass_and_where_it_stands(
    failing: Desk, world: World, client_for: Sign
) -> None:
    failing.version("1", agent="free-bot", approve=True)
    told = words(client_for(world.audrey), url(failing, "gates/"))
    assert told.index(">desk<") < told.index(">free-bot<")
    assert "No gate: whoever may approve, approves" in told
    assert "Must pass" in told
    decide(failing, "2")
    ask(failing, *_newest(failing), world.ada)
    assert "Waits for a second person" in words(client_for(world.ben), url(failing, "gates/"))


def _newest(desk: Desk) -> list[Any]:
    from evals.models import GateVerdict

    with tenant_scope(desk.id):
        return list(GateVerdict.objects.filter(tenant_id=desk.id).order_by("-at")[:1])


def test_the_page_of_an_agent_shows_its_suites_over_time_and_what_changed(
    failing: Desk, world: World, client_for: Sign
) -> None:
    told = words(client_for(world.audrey), url(failing, "gates/desk/"))
    assert "90 % pass, each 3 times; at most 10 points worse" in told
    assert "the prompt changed" in told
    assert "Ask for a suite" not in told  # an auditor looks


def test_the_page_of_a_version_names_the_cases_that_differ(failing: Desk, world: World, client_for: Sign) -> None:
    told = words(client_for(world.audrey), url(failing, "gates/desk/2/"))
    for expected in (
        "2 cases (case-07, case-12) pass on 1 and not here; it may be 11.4 points worse than 1, and 10 points are allowed.",
        "passes no more",
        "fails, as before",
        "2 of 3",
        "57 more pass, each time, here and there.",
        "57 of 60",
    ):
        assert expected in told
    assert "Decide now" not in told


def test_a_manager_decides_and_two_go_past_it(failing: Desk, world: World, client_for: Sign) -> None:
    ada, ben = client_for(world.ada), client_for(world.ben)
    version = url(failing, "gates/desk/2/")
    assert post(ada, f"{version}decision/").status_code == 302
    assert "It cannot be approved" in words(ada, version)
    assert post(ada, f"{version}override/", reason="short").status_code == 422
    assert post(ada, f"{version}override/", reason="both cases are out of date").status_code == 302
    told = words(ada, version)
    assert "Somebody else must agree" in told and "I agree" not in told
    with tenant_scope(failing.id):
        from evals.models import GateOverride

        override = GateOverride.objects.get(tenant_id=failing.id).id
    answer = url(failing, f"gate-overrides/{override}/")
    assert "Somebody else must look at it and agree." in words(ada, post(ada, answer, action="agree").url)
    assert "The version may be approved now." in words(ben, post(ben, answer, action="agree").url)
    told = words(client_for(world.audrey), version)
    assert f"{world.ada.email} and {world.ben.email}: both cases are out of date" in told
    with tenant_scope(failing.id):
        assert failing.standing("2").gate == Gate.OVERRIDDEN


def test_our_own_eval_owner_may_be_the_second_person(failing: Desk, world: World, client_for: Sign) -> None:
    from tests.world import _staff

    owner = _staff("eve@agentops.example", "Eve Marsh", StaffRole.EVAL_OWNER)
    override = ask(failing, decide(failing, "2"), world.ada)
    eve, sam = client_for(owner), client_for(world.sam)
    base = f"/staff/t/{failing.organisation.slug}/quality/"
    assert words(sam, f"{base}gates/desk/2/").count("I agree: let it through") == 0
    assert post(sam, f"{base}gate-overrides/{override.id}/", action="agree").status_code == 403
    assert "I agree: let it through" in words(eve, f"{base}gates/desk/2/")
    assert post(eve, f"{base}gate-overrides/{override.id}/", action="agree").status_code == 302
    with tenant_scope(failing.id):
        assert failing.standing("2").gate == Gate.OVERRIDDEN
    assert any("eve@agentops.example" in entry.actor_label for entry in world.acme.entries()[-3:])


def test_a_suite_is_asked_for_changed_and_taken_out(failing: Desk, world: World, client_for: Sign) -> None:
    ada = client_for(world.ada)
    page, form = url(failing, "gates/desk/"), url(failing, "gate-requirements/desk/")
    said = {"set": "starter", "mode": "plain", "least_rate": "80", "margin": "10", "repeats": "3"}
    refused = post(ada, form, **said)
    assert (refused.status_code, b"less is asked for than before: say why" in refused.content) == (422, True)
    assert post(ada, form, **said, reason="some cases are beyond it").status_code == 302
    assert "80 % pass, each 3 times" in words(ada, page)
    assert post(ada, form, **{**said, "mode": "chaos"}).status_code == 302
    assert "(tools fail)" in words(ada, page)
    for wrong in ({"margin": "101"}, {"least_rate": "x"}, {"repeats": "0"}, {"set": "nowhere"}):
        assert post(ada, form, **{**said, **wrong}).status_code == 422
    assert 'value="80' in words(ada, f"{form}?set=starter&mode=plain")
    for mode in ("plain", "chaos"):
        removal = f"{form}removal/?set=starter&mode={mode}"
        assert post(ada, removal, reason="").status_code == 422
        assert post(ada, removal, reason="not needed").status_code == 302
    assert "No gate stands before its versions" in words(ada, page)
    assert post(ada, f"{form}removal/?set=starter&mode=plain", reason="again").status_code == 302


def test_long_names_unknown_versions_and_agents_without_sets_have_their_page(
    desk: Desk, world: World, client_for: Sign
) -> None:
    ada = client_for(world.ada)
    assert "No agents yet" in words(ada, url(desk, "gates/"))
    desk.version("x" * 100, agent="a" * 100)
    assert "a" * 100 in words(ada, url(desk, "gates/"))
    assert "No suite is asked for" in words(ada, url(desk, f"gates/{'a' * 100}/{'x' * 100}/"))
    assert "No eval set yet" in words(ada, url(desk, f"gate-requirements/{'a' * 100}/"))
    words(ada, url(desk, "gates/nobody/"), 404)
    words(ada, url(desk, "gates/no%00body/"), 404)
    assert ada.post(url(desk, "gates/no%00body/1/override/"), {"reason": "it is late, and we ship"}).status_code == 404
    words(ada, url(desk, f"gates/{'a' * 100}/nothing/"), 404)
    override = url(desk, f"gates/{'a' * 100}/{'x' * 100}/override/")
    assert ada.get(override).status_code == 302  # nothing was decided
