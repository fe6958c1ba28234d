"""Mailed codes: one person, one action, ten minutes, five tries, five mails an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import errors, services
from agentops.confirmations.models import MailedCode
from agentops.outbox.models import Message
from tests.confirmations.asked import Desk, fresh
from tests.world import Person, World


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08}"


def test_a_code_comes_by_mail_and_only_its_hash_is_kept(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    code = desk.code(asked, world.pete)
    assert len(code) == 8 and code.isdigit()
    [letter] = [letter for letter in mail.outbox if "code" in letter.subject]
    assert letter.to == [world.pete.email] and code not in letter.subject
    assert "ord_1" not in letter.body and "4810" not in letter.body
    with tenant_scope(desk.id):
        [kept] = MailedCode.objects.all()
        told = Message.objects.get(template="confirmations/mail/code.txt")
    assert len(bytes(kept.code_hash)) == 32 and code.encode() not in bytes(kept.code_hash)
    assert "code" not in told.context
    assert desk.approve(asked, world.pete, code=f" {code[:4]} {code[4:]} ").state == "half"


def test_tier_4_takes_a_second_factor_before_it_looks_at_the_code(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    code = desk.code(asked, world.pete)
    for used_at in (None, clock.now() - timedelta(minutes=5)):
        with pytest.raises(errors.MfaNeeded):
            desk.approve(asked, world.pete, code=code, proofs=fresh(used_mfa_at=used_at))
    assert desk.approve(asked, world.pete, code=code, proofs=fresh(reauthenticated_at=None)).state == "half"


def test_after_five_wrong_tries_the_right_code_counts_no_more(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    code = desk.code(asked, world.pete)
    left = []
    for _ in range(5):
        with pytest.raises(errors.WrongCode) as refused:
            desk.approve(asked, world.pete, code=other_than(code))
        left.append(refused.value.attempts_left)
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(errors.CodeExpired):
        desk.approve(asked, world.pete, code=code)
    assert desk.events().count("approval.attempt_refused") == 5
    assert desk.approve(asked, world.pete).state == "half"  # with a new one


def test_a_code_counts_for_ten_minutes(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    code = desk.code(asked, world.pete)
    desk.pass_time(timedelta(minutes=10))
    with pytest.raises(errors.CodeExpired):
        desk.approve(asked, world.pete, code=code)


def test_only_the_last_code_counts(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    first, last = desk.code(asked, world.pete), desk.code(asked, world.pete)
    assert first != last
    with pytest.raises(errors.WrongCode):
        desk.approve(asked, world.pete, code=first)
    assert desk.approve(asked, world.pete, code=last).state == "half"


def test_at_most_five_codes_an_hour_over_all_that_waits(desk: Desk, world: World) -> None:
    one, two = desk.ask(4), desk.ask(4)
    for asked in (one, two, one, two, one):
        desk.code(asked, world.pete)
    with pytest.raises(errors.TooManyCodes) as refused:
        desk.code(two, world.pete)
    assert refused.value.retry_after is not None and 3500 < refused.value.retry_after <= 3600
    desk.code(two, world.ada)
    desk.pass_time(timedelta(hours=1))
    desk.code(two, world.pete)


@pytest.mark.parametrize(("name", "tier"), [("uma", 4), ("audrey", 4), ("cleo", 4), ("pete", 3)])
def test_codes_go_to_those_who_could_use_them(desk: Desk, world: World, name: str, tier: int) -> None:
    asked = desk.ask(tier)
    with pytest.raises(errors.NotEligible):
        send(desk, asked.id, world.person(name))


def send(desk: Desk, confirmation: object, to: Person) -> None:
    person = desk.person(to)
    with tenant_scope(desk.id):
        services.send_code(tenant=desk.id, confirmation=confirmation, to=person, at=clock.now())  # type: ignore[arg-type]


def test_after_the_decision_no_code_is_sent(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    desk.cancel(asked, world.pete)
    with pytest.raises(errors.Decided):
        send(desk, asked.id, world.ada)


def test_old_codes_are_forgotten(desk: Desk, world: World) -> None:
    asked = desk.ask(4)
    desk.code(asked, world.pete)
    with tenant_scope(desk.id):
        assert services.purge(tenant=desk.id, at=clock.now()) == 0
    desk.pass_time(timedelta(days=2))
    with tenant_scope(desk.id):
        assert services.purge(tenant=desk.id, at=clock.now()) == 1
        assert not MailedCode.objects.exists()
