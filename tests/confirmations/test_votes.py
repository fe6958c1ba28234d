"""People decide: who may, on what they have seen, with which proofs, and what it leaves behind."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from agentops.common import clock, scope
from agentops.common.scope import tenant_scope
from agentops.confirmations import errors, queries, services
from agentops.confirmations.models import Vote
from agentops.confirmations.types import Asked, Detail, Person, Proofs, State
from audit import services as audit
from audit.types import Outcome, Target
from tenants import services as tenants
from tests.confirmations.asked import ARGUMENTS, Desk, action, fresh, link
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


# -- tier 4: two people, and a delay ---------------------------------------------------------------------------------


def test_two_people_agree_then_it_cools_down_then_it_is_released(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    assert desk.approve(asked, world.pete).state == "half"
    with pytest.raises(errors.NotRedeemable):
        desk.redeem(asked)
    assert desk.approve(asked, world.ada).state == "cooling"
    found = desk.look(asked)
    assert found.cooling_until is not None and found.decided_at is not None
    assert found.cooling_until - found.decided_at == timedelta(minutes=15)
    assert not desk.release(asked)
    with pytest.raises(errors.NotRedeemable):
        desk.redeem(asked)
    desk.pass_time(timedelta(minutes=15))
    assert desk.release(asked) and not desk.release(asked)
    desk.redeem(asked)
    assert desk.events() == [
        "approval.requested",
        "approval.code_sent",
        "approval.voted",
        "approval.code_sent",
        "approval.voted",
        "approval.released",
    ]


def test_one_person_is_not_two(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    desk.approve(asked, world.pete)
    for decision in (desk.approve, desk.refuse):
        with pytest.raises(errors.AlreadyVoted):
            decision(asked, world.pete)
    assert desk.state(asked) == "half"


def test_the_database_takes_no_second_vote_of_one_person_and_no_second_of_one_stage(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    desk.approve(asked, world.pete)
    [vote] = votes(desk, asked)
    for changed in ({"stage": 2}, {"voter": "user:0"}):
        values = {name: getattr(vote, name) for name in ("tenant_id", "confirmation_id", "voter", "user_id", "label")}
        values |= {name: getattr(vote, name) for name in ("choice", "stage", "action_digest", "view_digest")}
        with tenant_scope(desk.id), pytest.raises(IntegrityError), transaction.atomic():
            Vote.objects.create(**{**values, "renderer": 1, "at": vote.at, **changed})


def test_the_second_person_is_blind_for_the_first(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    before = desk.look(asked, world.ada)
    desk.approve(asked, world.pete)
    after = desk.look(asked, world.ada)
    assert (after.state, after.said, after.may_decide) == ("pending", (), True)
    assert {name for name in _FIELDS if getattr(before, name) != getattr(after, name)} == {"now"}
    own = desk.look(asked, world.pete)
    assert (own.state, len(own.said), own.may_decide, own.may_stop) == ("half", 1, False, True)
    with tenant_scope(desk.id):
        ada, pete, audrey = (
            queries.person_of(tenant=desk.id, user=p.user) for p in (world.ada, world.pete, world.audrey)
        )
        for viewer, state in ((ada, "pending"), (pete, "half"), (audrey, "half")):
            assert [past.state for past in queries.history(tenant=desk.id, viewer=viewer).results] == [state]
        for states in (["half"], ["pending"]):
            asked_for = [State(state) for state in states]
            found = queries.history(tenant=desk.id, viewer=ada, states=asked_for).results
            assert [past.state for past in found] == (["pending"] if states == ["pending"] else [])
        [waiting] = queries.inbox(tenant=desk.id, person=ada, at=clock.now())
    assert waiting.state == "pending"


_FIELDS = [field.name for field in dataclasses.fields(Detail)]


@pytest.mark.parametrize("stage", ["pending", "half"])
def test_a_refusal_ends_it_whatever_the_other_has_said(desk: Desk, world: World, stage: str) -> None:
    asked = desk.ask(4)
    if stage == "half":
        desk.approve(asked, world.ben)
    assert desk.refuse(asked, world.ada, "no").state == "refused"
    with pytest.raises(errors.Decided):
        desk.approve(asked, world.pete, code="12345678")


@pytest.mark.parametrize("name", APPROVERS)
def test_during_the_delay_whoever_may_stops_it_also_who_has_agreed(desk: Desk, world: World, name: str) -> None:
    asked = _cooling(desk, world)
    assert desk.cancel(asked, world.person(name), "wrong customer").state == "cancelled"
    desk.pass_time(timedelta(minutes=16))
    assert not desk.release(asked)
    entry = desk.organisation.entries()[-1]
    assert (entry.action, entry.reason) == ("approval.cancelled", "wrong customer")
    assert '"from":"cooling"' in entry.data


def _cooling(desk: Desk, world: World, **changes: Any) -> Asked:
    asked = desk.ask(4, **changes)
    desk.approve(asked, world.pete)
    desk.approve(asked, world.ben)
    return asked


@pytest.mark.parametrize("name", ["uma", "audrey", "cleo"])
def test_others_do_not_stop_it(desk: Desk, world: World, name: str) -> None:
    asked = _cooling(desk, world)
    with pytest.raises(errors.NotEligible):
        desk.cancel(asked, world.person(name))


def test_during_the_delay_nothing_else_can_be_said(desk: Desk, world: World) -> None:
    asked = _cooling(desk, world)
    for decision in (desk.refuse, lambda *to: desk.approve(*to, code="12345678")):
        with pytest.raises(errors.Decided) as refused:
            decision(asked, world.ada)
        assert refused.value.state == "cooling"


def test_what_is_approved_late_can_still_be_redeemed_after_its_delay(desk: Desk, world: World) -> None:
    asked = desk.ask(4, delay_seconds=3600)
    desk.pass_time(timedelta(hours=23, minutes=30))
    desk.approve(asked, world.pete)
    desk.approve(asked, world.ben)
    found = desk.look(asked)
    assert found.cooling_until is not None
    assert found.expires_at - found.cooling_until == timedelta(minutes=10)
    desk.pass_time(timedelta(hours=1, minutes=5))
    assert desk.release(asked)
    found = desk.look(asked)
    assert timedelta(minutes=9) < found.expires_at - found.now <= timedelta(minutes=10)
    assert desk.redeem(asked)


def test_whether_both_could_still_approve_is_asked_again(desk: Desk, world: World) -> None:
    asked = _cooling(desk, world)
    with tenant_scope(desk.id):
        assert queries.approvers_still_eligible(tenant=desk.id, confirmation=asked.id)
        assert world.pete.membership_id is not None
        tenants.remove_member(tenant=desk.id, member=world.pete.membership_id, by=OPERATOR, at=clock.now())
        assert not queries.approvers_still_eligible(tenant=desk.id, confirmation=asked.id)


# -- edits -----------------------------------------------------------------------------------------------------------


def edit(desk: Desk, asked: Asked, by: Person, *, tier: int | None = None, **arguments: Any) -> Asked:
    with tenant_scope(desk.id):
        found = queries.detail(tenant=desk.id, confirmation=asked.id)
        changed = action(
            run_id=asked.run_id,
            call_id=asked.call_id,
            acting_user=found.acting_user,
            arguments={**ARGUMENTS, **arguments},
        )
        return services.supersede(
            tenant=desk.id,
            confirmation=asked.id,
            action=changed,
            tier=tier or asked.tier,
            raised_because=(),
            by=by,
            at=clock.now(),
        )


def test_an_edit_is_a_request_of_its_own_which_nobody_has_agreed_to(desk: Desk, world: World) -> None:
    asked = desk.ask(2)
    new = edit(desk, asked, desk.person(world.uma), amount_minor=100)
    old, found = desk.look(asked), desk.look(new)
    assert (old.state, old.superseded_by) == ("edited", new.id)
    assert (found.state, found.supersedes_id, found.edited_by) == ("pending", asked.id, world.uma.user.pk)
    assert b'"amount_minor":100' in found.binding and found.action_digest != old.action_digest
    assert desk.events() == ["approval.requested", "approval.edited", "approval.requested"]
    [edited] = [entry for entry in desk.organisation.entries() if entry.action == "approval.edited"]
    assert edited.data == f'{{"changed":["/amount_minor"],"new":"{new.id}","tool":"refund"}}'
    with pytest.raises(errors.Decided):
        desk.approve(asked, world.uma)
    desk.approve(new, world.uma)
    assert b'"amount_minor":100' in desk.redeem(new)
    with tenant_scope(desk.id):
        following = queries.superseding(tenant=desk.id, confirmation=asked.id, at=clock.now())
    assert following is not None and following.id == new.id


def test_an_edit_never_lowers_the_tier(desk: Desk, world: World) -> None:
    assert edit(desk, desk.ask(3), desk.person(world.pete), tier=2).tier == 3


def test_who_came_by_a_link_does_not_edit(desk: Desk) -> None:
    with pytest.raises(errors.EditNeedsAccount):
        edit(desk, desk.ask(2, acting_user="ann"), Person(voter="end_user:ann", label="ann"))


# -- what is kept of a refusal ---------------------------------------------------------------------------------------


def test_what_is_kept_stays_and_nothing_after_it(world: World) -> None:
    rung: list[str] = []

    def note(action: str) -> None:
        audit.record(
            tenant=world.acme.id,
            action=action,
            actor=OPERATOR,
            target=Target(type="confirmation", id="x"),
            outcome=Outcome.SUCCESS,
            data={"tool": "refund"},
            at=clock.now(),
        )
        transaction.on_commit(lambda: rung.append(action))

    with pytest.raises(LookupError), tenant_scope(world.acme.id):
        note("approval.code_sent")
        scope.keep()
        note("approval.invalidated")
        raise LookupError
    with tenant_scope(world.acme.id):
        note("approval.opened_by_other")
        scope.keep()
        note("approval.invalidated")
        transaction.set_rollback(True)
    with tenant_scope(world.acme.id):
        note("approval.code_sent")
        scope.keep()
        note("approval.invalidated")
    with pytest.raises(LookupError), tenant_scope(world.acme.id):
        note("approval.invalidated")
        raise LookupError
    kept = ["approval.code_sent", "approval.opened_by_other", "approval.code_sent", "approval.invalidated"]
    assert world.acme.actions() == rung == kept


def test_nothing_is_kept_from_inside_a_block_that_may_roll_back(world: World) -> None:
    with tenant_scope(world.acme.id), transaction.atomic(), pytest.raises(scope.ScopeError):
        scope.keep()
    with pytest.raises(scope.ScopeError):
        scope.keep()
