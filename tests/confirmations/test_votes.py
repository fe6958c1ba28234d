"""People decide: who may, on what they have seen, with which proofs, and what it leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import errors, queries
from agentops.confirmations.models import Vote
from agentops.confirmations.types import Asked, Person, Proofs
from tenants import services as tenants
from tests.confirmations.asked import Desk, fresh, link
from tests.world import OPERATOR, World

APPROVERS = ("ada", "ben", "pete")


# -- tiers 2 and 3 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*APPROVERS, "uma"])
def test_at_tier_2_one_person_who_may_agrees_and_it_can_be_redeemed(desk: Desk, world: World, name: str) -> None:
    asked = desk.ask(2)
    assert desk.approve(asked, world.person(name), phrase="", proofs=Proofs()).state == "approved"
    assert desk.redeem(asked) == b'{"amount_minor":4810,"currency":"EUR","order_id":"ord_1"}'
    assert desk.events() == ["approval.requested", "approval.confirmed"]  # the guard's own entry follows
    [vote] = votes(desk, asked)
    assert (vote.voter, vote.label, vote.choice, vote.renderer) == (
        f"user:{world.person(name).user.pk}",
        world.person(name).email,
        "approve",
        1,
    )
    assert {"action_digest": bytes(vote.action_digest), "view_digest": bytes(vote.view_digest)} == desk.seen(asked)


def votes(desk: Desk, asked: Asked) -> list[Vote]:
    with tenant_scope(desk.id):
        return list(Vote.objects.filter(confirmation_id=asked.id).order_by("at"))


def test_people_without_an_account_decide_what_acts_in_their_name_at_tier_2_only(desk: Desk, world: World) -> None:
    ann, bob = (Person(voter=f"end_user:{name}", label=name) for name in ("ann", "bob"))
    low, high = desk.ask(2, acting_user="ann"), desk.ask(3, acting_user="ann")
    for asked, person in ((low, bob), (high, ann)):
        with pytest.raises(errors.NotEligible):
            desk.approve(asked, person)
    assert desk.approve(low, ann, proofs=Proofs()).state == "approved"
    assert [vote.voter for vote in votes(desk, low)] == ["end_user:ann"]


def test_tier_3_takes_the_phrase_and_a_recent_password(desk: Desk, world: World) -> None:
    asked = desk.ask(3)
    assert desk.phrase(asked) == "48.10 ord1"
    with pytest.raises(errors.ReauthenticationNeeded):
        desk.approve(asked, world.uma, proofs=Proofs(used_mfa_at=clock.now()))
    with pytest.raises(errors.ReauthenticationNeeded):
        desk.approve(asked, world.uma, proofs=fresh(reauthenticated_at=clock.now() - timedelta(minutes=5)))
    for typed in ("", "48.10", "48.10 ord2", "4810 ord1"):
        with pytest.raises(errors.WrongPhrase):
            desk.approve(asked, world.uma, phrase=typed)
    assert desk.approve(asked, world.uma, phrase="48.10  ORD1").state == "approved"
    assert desk.events() == ["approval.requested", *["approval.attempt_refused"] * 4, "approval.confirmed"]
    [vote] = votes(desk, asked)
    assert set(vote.proofs) == {"reauthenticated_at", "used_mfa_at", "session"}


def test_a_password_of_the_future_is_no_proof(desk: Desk, world: World) -> None:
    with pytest.raises(errors.ReauthenticationNeeded):
        desk.approve(desk.ask(3), world.uma, proofs=fresh(reauthenticated_at=clock.now() + timedelta(days=1)))


@pytest.mark.parametrize("name", ["audrey", "cleo", "stella", "sam"])
@pytest.mark.parametrize("decision", ["approve", "refuse", "cancel"])
def test_others_find_nothing_and_their_try_is_known(desk: Desk, world: World, name: str, decision: str) -> None:
    asked = desk.ask(2)
    with pytest.raises(errors.NotEligible) as refused:
        getattr(desk, decision)(asked, world.person(name))
    assert (refused.value.status, refused.value.code) == (404, "not_found")
    assert desk.state(asked) == "pending" and votes(desk, asked) == []
    [entry] = desk.organisation.entries()[-1:]
    assert (entry.action, entry.actor_label) == ("approval.attempt_refused", world.person(name).email)
    assert entry.data == '{"code":"not_eligible","tool":"refund"}'


def test_nobody_of_another_organisation_gets_at_it_by_its_id(desk: Desk, world: World) -> None:
    asked = desk.ask(2)
    other = Desk(world.globex)
    for decision in (other.cancel, other.refuse):
        with pytest.raises(errors.NotEligible):
            decision(asked, world.cleo)


def test_what_is_not_what_was_seen_is_not_decided(desk: Desk, world: World) -> None:
    asked, other = desk.ask(2), desk.ask(2)
    for changed in ({"action_digest": desk.seen(other)["action_digest"]}, {"view_digest": b"x" * 32}):
        for decision in (desk.approve, desk.refuse):
            with pytest.raises(errors.ViewChanged):
                decision(asked, world.uma, **changed)
    assert desk.state(asked) == "pending"


def test_a_refusal_says_why_and_ends_it(desk: Desk, world: World) -> None:
    asked = desk.ask(3)
    assert desk.refuse(asked, world.pete, "the order is another").state == "refused"
    found = desk.look(asked)
    assert (found.decided_by, found.reason) == (f"user:{world.pete.user.pk}", "the order is another")
    assert desk.organisation.entries()[-1].reason == "the order is another"
    with pytest.raises(errors.NotRedeemable):
        desk.redeem(asked)


def test_after_a_decision_nothing_is_left_to_decide_and_it_says_what_it_came_to(desk: Desk, world: World) -> None:
    asked = desk.ask(2)
    desk.cancel(asked, world.uma)
    for decision in (desk.approve, desk.refuse, desk.cancel):
        with pytest.raises(errors.Decided) as refused:
            decision(asked, world.pete)
        assert (refused.value.state, refused.value.status) == ("cancelled", 409)
    assert desk.events() == ["approval.requested", "approval.cancelled"]


def test_what_became_of_it_is_not_told_to_others(desk: Desk, world: World) -> None:
    asked = desk.ask(2)
    desk.cancel(asked, world.uma)
    with pytest.raises(errors.NotEligible):
        desk.cancel(asked, world.audrey)


def test_it_cannot_be_decided_after_its_end_whether_or_not_the_job_has_said_so(desk: Desk, world: World) -> None:
    asked = desk.ask(2)
    desk.pass_time(timedelta(minutes=10))
    for decision in (desk.approve, desk.refuse, desk.cancel):
        with pytest.raises(errors.Decided) as refused:
            decision(asked, world.uma)
        assert refused.value.state == "expired"


# -- who may ---------------------------------------------------------------------------------------------------------


def test_whoever_lost_the_power_since_decides_no_more(desk: Desk, world: World) -> None:
    asked = desk.ask(2)
    assert world.pete.membership_id is not None
    with tenant_scope(desk.id):
        tenants.remove_member(tenant=desk.id, member=world.pete.membership_id, by=OPERATOR, at=clock.now())
    with pytest.raises(errors.NotEligible):
        desk.approve(asked, world.pete)


def test_the_acting_users_account_is_whom_the_organisation_says(desk: Desk, world: World) -> None:
    asked = desk.ask(2, acting_user="u-2")
    with pytest.raises(errors.NotEligible):
        desk.approve(asked, world.uma)
    link(world.acme, world.uma, "u-2")
    assert desk.approve(desk.ask(2, acting_user="u-2"), world.uma).state == "approved"


def test_the_inbox_holds_what_one_can_decide_and_nothing_else(desk: Desk, world: World) -> None:
    mine, theirs, high = desk.ask(2), desk.ask(3, acting_user="u-2"), desk.ask(4)
    assert desk.inbox(world.uma) == [mine.id]
    assert desk.inbox(world.pete) == [mine.id, theirs.id, high.id]
    assert desk.inbox(world.audrey) == []
    desk.approve(mine, world.uma)
    assert desk.inbox(world.pete) == [theirs.id, high.id]
    with tenant_scope(desk.id):
        person = queries.person_of(tenant=desk.id, user=world.pete.user)
        [first, second] = queries.inbox(tenant=desk.id, person=person, at=clock.now())
        assert queries.waiting_count(tenant=desk.id, person=person, at=clock.now()) == 2
    assert first.headline == "Refund 48.10 EUR to ord_1"
    assert (second.tier, second.may_decide, second.has_voted) == (4, True, False)
