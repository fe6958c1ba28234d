"""Agreement given beforehand: what it covers exactly, how far it goes, and how it ends."""

from __future__ import annotations

import copy
import json
import threading
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from agentops.catalog import queries as catalogued
from agentops.catalog.errors import AgentUnknown, ToolUnknown
from agentops.common import clock
from agentops.common.errors import DomainError, Forbidden, InvalidInput, NotFound
from agentops.common.scope import tenant_scope
from agentops.common.strictjson import canonical
from agentops.confirmations import queries, services
from agentops.confirmations.errors import NotStandable
from agentops.confirmations.models import StandingApproval
from agentops.confirmations.policies.rules import RuleTerms
from agentops.confirmations.policies.standing import Constraint, Kind, amount_in, covers, problems
from agentops.confirmations.queries.standing import Standing
from agentops.confirmations.types import Action, ToolFacts
from agentops.confirmations.types import Person as Who
from tenants import services as tenants
from tests.runtime.guarded import MANIFEST, apply
from tests.tenants.test_end_users import link, unlink
from tests.world import OPERATOR, Organisation, Person, World

EQUALS, ONE_OF, AT_MOST, ANY = Kind.EQUALS, Kind.ONE_OF, Kind.AT_MOST, Kind.ANY
SAID = [
    Constraint("/order_id", EQUALS, "ord_1"),
    Constraint("/amount_minor", AT_MOST, 5_000),
    Constraint("/currency", ONE_OF, ["EUR", "USD"]),
]
CALL = {"order_id": "ord_1", "amount_minor": 4_810, "currency": "EUR"}


def made_of(**tool: Any) -> dict[str, Any]:
    made = copy.deepcopy(MANIFEST)
    made["tools"][2].update({"amount": "/amount_minor", "payee": "/order_id", **tool})
    return made


@pytest.fixture(autouse=True)
def _applied(world: World) -> None:
    apply(world.acme, made_of())
    allow(world.acme)
    link(world.acme, world.uma, "u-1")
    world.acme.skip_entries()


def allow(organisation: Organisation, *, word: bool = True) -> None:
    with tenant_scope(organisation.id):
        services.set_rule(
            tenant=organisation.id,
            terms=RuleTerms(tool="refund", may_stand_at_tier_3=word),
            by=OPERATOR,
            at=clock.now(),
        )


def make(world: World, *, owner: Person | None = None, by: Person | None = None, **said: Any) -> StandingApproval:
    person = owner or world.uma
    at = clock.now()
    values: dict[str, Any] = {
        "acting_user": "u-1",
        "agent": "refund-desk",
        "tool": "refund",
        "constraints": SAID,
        "uses_most": 3,
        "sum_most": Decimal(10_000),
        "expires_at": at + timedelta(days=7),
        **said,
    }
    with tenant_scope(world.acme.id):
        return services.make_standing(
            tenant=world.acme.id,
            owner=Who(voter=f"user:{person.user.pk}", label=person.email, user_id=person.user.pk),
            by=(by or person).actor,
            at=at,
            **values,
        )


def action(organisation: Organisation, arguments: dict[str, Any] | None = None, **said: Any) -> Action:
    with tenant_scope(organisation.id):
        policy = catalogued.current_policy(tenant=organisation.id, agent="refund-desk")
    tool = policy.tools["refund"]
    values: dict[str, Any] = {
        "run_id": uuid.uuid4(),
        "call_id": "t-1",
        "agent": "refund-desk",
        "agent_version": "1",
        "acting_user": "u-1",
        "tool": "refund",
        "tool_version": tool.version,
        "tool_version_id": tool.tool_version_id,
        "schema_digest": tool.schema_digest,
        "resource": "",
        "arguments": canonical(CALL if arguments is None else arguments),
        "likeness": b"l",
        "policy_version": policy.policy_version,
        "says": "",
        "facts": ToolFacts(amount=tool.amount, payee=tool.payee, cosmetic=tuple(tool.cosmetic)),
        **said,
    }
    return Action(**values)


def answer(
    organisation: Organisation, arguments: dict[str, Any] | None = None, *, tier: int = 3, **said: Any
) -> uuid.UUID | None:
    asked = action(organisation, arguments, **said)
    with tenant_scope(organisation.id):
        return services.standing_answer_for(tenant=organisation.id, action=asked, tier=tier, at=clock.now())


def detail(world: World, standing: uuid.UUID, at: datetime | None = None) -> Any:
    with tenant_scope(world.acme.id):
        return queries.standing_approval(tenant=world.acme.id, standing=standing, at=at or clock.now())


# -- what it covers: the pure part ------------------------------------------------------------------------------------


def covered(said: Sequence[Constraint], call: Any, *, cosmetic: Sequence[str] = ()) -> bool:
    return covers(said, canonical(call), cosmetic=cosmetic)


@pytest.mark.parametrize(
    "call",
    [
        {**CALL, "order_id": "ord_12"},  # no prefix
        {**CALL, "order_id": "ord_"},
        {**CALL, "order_id": "ORD_1"},
        {**CALL, "order_id": "ord_1 "},
        {**CALL, "order_id": "ord_1\u200b"},
        {**CALL, "order_id": "\u043erd_1"},  # a Cyrillic o
        {**CALL, "order_id": ["ord_1"]},
        {**CALL, "order_id": {"": "ord_1"}},
        {**CALL, "amount_minor": 5_001},
        {**CALL, "amount_minor": 5_000.5},
        {**CALL, "amount_minor": -1},
        {**CALL, "amount_minor": True},
        {**CALL, "amount_minor": "5e3"},
        {**CALL, "amount_minor": None},
        {**CALL, "currency": "eur"},
        {**CALL, "currency": None},
        {**CALL, "note": "not spoken of"},
        {**CALL, "order_id2": "ord_1"},
        {**CALL, "extra": {}},
        {"order_id": "ord_1", "amount_minor": 1},  # something that was spoken of is not there
        {},
    ],
)
def test_what_was_not_said_is_not_covered(call: Any) -> None:
    assert covered(SAID, CALL)
    assert not covered(SAID, call)


def test_a_text_is_no_number_and_one_is_not_true() -> None:
    assert not covered([Constraint("/a", EQUALS, 1)], {"a": "1"})
    assert not covered([Constraint("/a", EQUALS, 1)], {"a": True})
    assert not covered([Constraint("/a", ONE_OF, [0])], {"a": False})
    assert covered([Constraint("/a", EQUALS, 1.0)], {"a": 1})
    assert covered([Constraint("/a", EQUALS, {"b": 1, "c": 2})], {"a": {"c": 2, "b": 1}})


def test_a_place_is_its_whole_parts_and_what_is_in_it() -> None:
    assert covered([Constraint("/a", ANY)], {"a": {"b": [1, {"c": 2}]}})
    assert not covered([Constraint("/a/b", ANY)], {"a": {"b": 1, "bc": 2}})
    assert covered([Constraint("/a~1b", EQUALS, 1)], {"a/b": 1})
    assert covered([Constraint("/a", EQUALS, 1)], {"a": 1, "note": "anything"}, cosmetic=["/note"])
    assert not covered([Constraint("/a", EQUALS, 1)], {"a": 1, "notes": "anything"}, cosmetic=["/note"])
    assert covered([Constraint("/a", EQUALS, 1), Constraint("/b", ANY)], {"a": 1})


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (48, "48"),
        ("48.10", "48.10"),
        (48.1, "48.1"),
        (0, "0"),
        (-1, None),
        ("-1", None),
        ("1e9", None),
        (" 1", None),
        ("01", None),
        ("1.0000001", None),
        ("\u0661", None),  # a digit of another script
        (True, None),
        (None, None),
        (10**18 + 1, None),
    ],
)
def test_an_amount_is_counted_exactly_or_not_at_all(value: Any, amount: str | None) -> None:
    found = amount_in(json.dumps({"a": value}).encode(), "/a")
    assert found == (None if amount is None else Decimal(amount))


@pytest.mark.parametrize(
    "said",
    [
        [],
        [Constraint("", ANY)],
        [Constraint("order_id", ANY)],
        [Constraint("/a~2", ANY)],
        [Constraint("/a", EQUALS, 1), Constraint("/a", AT_MOST, 2)],
        [Constraint("/a", EQUALS, {}), Constraint("/a/b", ANY)],
        [Constraint("/a", AT_MOST, "many")],
        [Constraint("/a", AT_MOST, -1)],
        [Constraint("/a", ONE_OF, [])],
        [Constraint("/a", ONE_OF, "abc")],
        [Constraint("/a", EQUALS, "a\0b")],
        [Constraint("/a", EQUALS, "a\u202eb")],
        [Constraint("/a", EQUALS, "\ud800")],
        [Constraint("/a", EQUALS, float("nan"))],
        [Constraint("/a", EQUALS, 2**60)],
        [Constraint("/a", EQUALS, "x" * 7_000)],
        [Constraint(f"/{n}", ANY) for n in range(51)],
    ],
)
def test_constraints_that_mean_nothing_exact_are_refused(said: list[Constraint]) -> None:
    assert problems(said)


# -- making one -------------------------------------------------------------------------------------------------------


def test_it_is_of_the_tool_as_it_is_defined_now_and_leaves_its_entry(world: World) -> None:
    made = make(world)
    assert (made.tier, made.uses, made.user_id) == (3, 0, world.uma.user.pk)
    assert world.acme.actions() == ["standing_approval.made"]
    entry = world.acme.entries()[0]
    assert entry.on_behalf_of_id == "u-1"
    told = entry.told()
    assert (told["uses"], told["sum"]) == (3, "10000")
    assert told["constraints"][0] == {"pointer": "/order_id", "kind": "equals", "value": "ord_1"}


def test_nobody_makes_one_for_somebody_else_admins_neither(world: World) -> None:
    for owner, by in ((world.uma, world.ada), (world.ada, world.ada), (world.pete, world.pete)):
        with pytest.raises(Forbidden):
            make(world, owner=owner, by=by)
    for name in ("u-2", "u-1\0"):
        with pytest.raises(Forbidden):
            make(world, acting_user=name)
    unlink(world.acme, world.uma, "u-1")
    with pytest.raises(Forbidden):
        make(world)


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"uses_most": 0}, "/uses_most"),
        ({"uses_most": 1_001}, "/uses_most"),
        ({"sum_most": None}, "/sum_most"),
        ({"sum_most": Decimal(0)}, "/sum_most"),
        ({"sum_most": Decimal("NaN")}, "/sum_most"),
        ({"constraints": [*SAID, Constraint("/nothing", ANY)]}, "/nothing"),
        ({"constraints": [Constraint("/order_id", ANY), *SAID[1:]]}, "/order_id"),  # the payee
        ({"constraints": [SAID[0], Constraint("/amount_minor", ANY), SAID[2]]}, "/amount_minor"),
        ({"constraints": [SAID[0], SAID[1], Constraint("/currency", AT_MOST, 3)]}, "/currency"),
    ],
)
def test_what_would_stretch_too_far_is_refused_at_its_place(world: World, said: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        make(world, **said)
    assert [each.pointer for each in refusal.value.problems] == [pointer]
    assert world.acme.actions() == []


@pytest.mark.parametrize("days", [-1, 0, 30.01])
def test_it_lives_for_at_most_30_days(world: World, days: float) -> None:
    with pytest.raises(InvalidInput):
        make(world, expires_at=clock.now() + timedelta(days=days))


def test_tier_3_stands_only_where_a_rule_allows_it_and_tier_4_never(world: World) -> None:
    allow(world.acme, word=False)
    with pytest.raises(NotStandable):
        make(world)
    allow(world.acme)
    with tenant_scope(world.acme.id):
        services.set_rule(
            tenant=world.acme.id, terms=RuleTerms(agent="refund-desk", tier_floor=4), by=OPERATOR, at=clock.now()
        )
    with pytest.raises(NotStandable):
        make(world)


def test_only_tools_of_the_agent_that_ask_people_can_stand(world: World) -> None:
    with pytest.raises(ToolUnknown):
        make(world, tool="look_up_order")
    with pytest.raises(ToolUnknown):
        make(world, tool="nothing")
    for agent in ("nobody", "no\0body"):
        with pytest.raises(AgentUnknown):
            make(world, agent=agent)


# -- using it ---------------------------------------------------------------------------------------------------------


def test_a_use_takes_a_use_and_the_amount_until_either_is_gone(world: World) -> None:
    made = make(world, uses_most=3, sum_most=Decimal(10_000))
    assert answer(world.acme) == made.id
    assert answer(world.acme) == made.id
    assert (detail(world, made.id).uses, detail(world, made.id).sum_used) == (2, 9_620)
    assert answer(world.acme) is None, "the sum would be passed"
    assert answer(world.acme, {**CALL, "amount_minor": 380}) == made.id
    assert answer(world.acme, {**CALL, "amount_minor": 0}) is None, "no use is left"
    assert detail(world, made.id).state is Standing.USED_UP


@pytest.mark.parametrize(
    "said",
    [
        {"acting_user": "u-2"},
        {"agent": "another-desk"},
        {"tool": "another"},
        {"tool_version_id": uuid.uuid4()},
        {"tier": 4},
        {"arguments": {**CALL, "order_id": "ord_2"}},
    ],
)
def test_it_answers_for_its_own_calls_only(world: World, said: dict[str, Any]) -> None:
    make(world)
    assert answer(world.acme, **said) is None


def test_a_call_that_takes_more_than_when_it_was_made_asks(world: World) -> None:
    apply(world.acme, made_of(tier=2, version="4"))
    made = make(world)
    assert made.tier == 2
    assert answer(world.acme, tier=3) is None
    assert answer(world.acme, tier=2) == made.id


def test_another_definition_of_the_tool_asks_again(world: World) -> None:
    make(world)
    apply(world.acme, made_of(description="Refunds, and sends a voucher"))
    assert answer(world.acme) is None


def test_a_rule_that_allows_it_no_more_ends_it_for_the_ones_made_before_too(world: World) -> None:
    made = make(world)
    assert answer(world.acme) == made.id
    allow(world.acme, word=False)
    assert answer(world.acme) is None


@pytest.mark.parametrize("lost", ["link", "membership", "account", "role"])
def test_whoever_is_not_that_user_any_more_agrees_to_nothing(world: World, lost: str) -> None:
    make(world)
    if lost == "link":
        unlink(world.acme, world.uma, "u-1")
        link(world.acme, world.pete, "u-1")
    elif lost == "role":
        assert world.uma.membership_id
        with tenant_scope(world.acme.id):
            tenants.change_role(
                tenant=world.acme.id, member=world.uma.membership_id, role="auditor", by=OPERATOR, at=clock.now()
            )
    elif lost == "membership":
        assert world.uma.membership_id
        with tenant_scope(world.acme.id):
            tenants.remove_member(tenant=world.acme.id, member=world.uma.membership_id, by=OPERATOR, at=clock.now())
    else:
        world.uma.user.is_active = False
        world.uma.user.save()
    assert answer(world.acme) is None


def test_it_ends_by_the_clock_of_the_database(world: World) -> None:
    made = make(world, expires_at=clock.now() + timedelta(seconds=2))
    later = clock.now() + timedelta(seconds=3)
    assert detail(world, made.id, at=later).state is Standing.EXPIRED
    asked = action(world.acme)
    with tenant_scope(world.acme.id), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(2.1)")
        found = services.standing_answer_for(
            tenant=world.acme.id, action=asked, tier=3, at=clock.now() - timedelta(hours=1)
        )
    assert found is None, "whatever time the caller says it is"


def test_a_use_is_given_back_when_the_call_is_rolled_back(world: World) -> None:
    class Undone(Exception):
        pass

    made, asked = make(world), action(world.acme)
    with pytest.raises(Undone), tenant_scope(world.acme.id):
        assert services.standing_answer_for(tenant=world.acme.id, action=asked, tier=3, at=clock.now()) == made.id
        raise Undone
    assert detail(world, made.id).uses == 0


def test_of_many_calls_at_once_as_many_are_answered_as_there_are_uses(world: World) -> None:
    made = make(world, uses_most=3, sum_most=Decimal(10_000))
    asked = action(world.acme, {**CALL, "amount_minor": 2_600})
    found: list[uuid.UUID | None] = []
    gate = threading.Barrier(8)

    def call() -> None:
        try:
            gate.wait(10)
            with tenant_scope(world.acme.id):
                found.append(services.standing_answer_for(tenant=world.acme.id, action=asked, tier=3, at=clock.now()))
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert sum(each == made.id for each in found) == 3
    assert (detail(world, made.id).uses, detail(world, made.id).sum_used) == (3, 7_800)


# -- ending it --------------------------------------------------------------------------------------------------------


def end(world: World, standing: uuid.UUID, by: Person, **said: Any) -> None:
    with tenant_scope(world.acme.id):
        services.end_standing(tenant=world.acme.id, standing=standing, by=by.actor, at=clock.now(), **said)


def test_its_owner_or_an_admin_revokes_it_at_once(world: World) -> None:
    mine, another = make(world), make(world)
    end(world, mine.id, world.uma, of_user=world.uma.user.pk)
    end(world, mine.id, world.uma, of_user=world.uma.user.pk)
    end(world, another.id, world.ada, reason="She left the team.")
    assert answer(world.acme) is None
    assert detail(world, another.id).end_reason == "She left the team."
    assert world.acme.actions() == ["standing_approval.made"] * 2 + ["standing_approval.ended"] * 2


def test_somebody_elses_is_not_found(world: World) -> None:
    made = make(world)
    with pytest.raises(NotFound):
        end(world, made.id, world.pete, of_user=world.pete.user.pk)
    with tenant_scope(world.globex.id):
        with pytest.raises(NotFound):
            services.end_standing(tenant=world.globex.id, standing=made.id, by=world.cleo.actor, at=clock.now())
        with pytest.raises(NotFound):
            queries.standing_approval(tenant=world.globex.id, standing=made.id, at=clock.now())
        assert queries.standing_approvals(tenant=world.globex.id, at=clock.now()) == []
    assert detail(world, made.id).state is Standing.ACTIVE


def test_a_refusal_of_its_owner_voids_it_and_only_theirs(world: World) -> None:
    link(world.acme, world.pete, "u-2")
    mine, other = make(world), make(world, owner=world.pete, acting_user="u-2")
    with tenant_scope(world.acme.id):
        for tool, count in (("look_up_order", 0), ("refund", 1), ("refund", 0)):
            assert (
                services.void_standing(
                    tenant=world.acme.id, user_id=world.uma.user.pk, agent="refund-desk", tool=tool, at=clock.now()
                )
                == count
            )
    assert detail(world, mine.id).state is Standing.ENDED
    assert detail(world, mine.id).end_reason == "its owner refused a call of it"
    assert detail(world, other.id).state is Standing.ACTIVE
    entry = world.acme.entries()[-1]
    assert (entry.action, entry.actor_label) == ("standing_approval.ended", "uma@acme.example")


def test_a_person_has_so_many_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentops.confirmations.services.standing.OPEN_MOST", 1)
    first = make(world)
    with pytest.raises(DomainError):
        make(world)
    end(world, first.id, world.uma)
    assert make(world).id != first.id
