"""The starter pack: sixty cases that are what they say, and an organisation's own set at one click."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from django.test import Client

from agentops.common.scope import tenant_scope
from evals import services
from evals.models import Revision, RevisionCase
from evals.services.gates.starter import DIRECTORY
from evals.sets.cases import Case
from evals.sets.files import read_directory
from tests.evals.gates.acting import do
from tests.evals.gates.making import Desk
from tests.world import World

PACK = read_directory(DIRECTORY)
BEYOND_A_GENERIC_AGENT = {"rubric"}  # an organisation's own judge


def test_there_are_forty_diverse_and_twenty_adversarial_cases_and_no_two_alike() -> None:
    assert Counter(tag for case in PACK.values() for tag in case.tags if tag in ("diverse", "adversarial")) == {
        "diverse": 40,
        "adversarial": 20,
    }
    assert len({case.title for case in PACK.values()}) == len({case.digest for case in PACK.values()}) == 60


def test_what_the_pack_is_to_cover_is_covered() -> None:
    tags = Counter(tag for case in PACK.values() for tag in case.tags)
    wanted = (
        "support retrieval tools multi-step long-input languages money dates refusal tool-errors structured "
        "injection jailbreak ambiguity tool-combinations"
    )
    assert [tag for tag in wanted.split() if not tags[tag]] == []
    assert min(tags[tag] for tag in ("injection", "jailbreak", "ambiguity", "tool-combinations")) >= 4


@pytest.mark.parametrize("key", sorted(PACK))
def test_a_case_can_be_taken_by_an_agent_without_tools_of_its_own(key: str) -> None:
    case: Case = PACK[key]
    value = case.content
    offered = {offer["name"] for offer in value.get("offers", [])}
    recorded = {tool["tool"] for tool in value.get("tools", [])}
    named = {
        name
        for each in value["expect"]
        for name in [each.get("tool"), *(each.get("tools") or [])]
        if each["kind"] in ("must_call", "must_not_call", "must_confirm", "max_calls", "calls_in_order") and name
    }
    assert recorded <= offered, "a call is recorded of a tool that nobody is offered"
    assert named <= offered, "an expectation is about a tool that nobody is offered"
    assert not BEYOND_A_GENERIC_AGENT & {each["kind"] for each in value["expect"]}
    needed = {each["tool"] for each in value["expect"] if each["kind"] == "must_call"}
    assert needed <= recorded, "a call is asked for that would diverge"


def test_it_becomes_a_set_once_and_comes_back_as_it_was(
    desk: Desk, world: World, client_for: Callable[..., Client]
) -> None:
    url = desk.organisation.url("quality/starter-pack/")
    assert client_for(world.audrey).post(url).status_code == 403
    assert client_for(world.ada).post(url).status_code == 302
    before = len(world.acme.entries())
    made = do(desk, services.add_starter_pack)
    assert len(world.acme.entries()) == before
    with tenant_scope(desk.id):
        newest = Revision.objects.filter(tenant_id=desk.id, eval_set=made).order_by("-number").first()
        assert newest is not None
        assert RevisionCase.objects.filter(tenant_id=desk.id, revision=newest).count() == 60
        services.remove_case(
            tenant=desk.id, eval_set=made.id, key="money-net-of-gross", note="", by=world.ada.actor, at=desk.later()
        )
    do(desk, services.add_starter_pack)
    with tenant_scope(desk.id):
        again = Revision.objects.filter(tenant_id=desk.id, eval_set=made).order_by("-number").first()
    assert again is not None
    assert (again.digest, again.number) == (newest.digest, newest.number + 2)
