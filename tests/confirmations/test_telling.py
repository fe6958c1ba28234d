"""People learn by mail that something waits for them, without anything in it that only they may see."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations import services
from agentops.outbox import mail, tasks
from agentops.outbox.models import Message
from tests.world import Person, World

CONFIRMATION = uuid.uuid4()


def tell(world: World, *people: Person, tier: int = 3, **changes: Any) -> int:
    given: dict[str, Any] = {
        "tenant": world.acme.id,
        "confirmation": CONFIRMATION,
        "tier": tier,
        "agent": "refund-desk",
        "acting_user": "u-1",
        "tool": "refund",
        "eligible": [person.user.pk for person in people],
        "expires_at": clock.now() + timedelta(hours=1),
    }
    with tenant_scope(world.acme.id):
        return services.tell_asked(**{**given, **changes})


def waiting(world: World) -> list[Message]:
    with tenant_scope(world.acme.id):
        return list(Message.objects.order_by("destination"))


def test_each_of_those_who_could_decide_is_told_once(world: World) -> None:
    assert tell(world, world.pete, world.ada) == 2
    tell(world, world.pete, world.ada)
    assert [message.destination for message in waiting(world)] == ["ada@acme.example", "pete@acme.example"]


def test_the_mail_leads_to_the_page_and_holds_nothing_else(world: World, settings: Any) -> None:
    settings.PUBLIC_URL = "https://agentops.example"
    tell(world, world.pete, tier=4)
    [message] = waiting(world)
    subject, text = mail.written(message.template, message.context)
    assert subject == "refund-desk asks to call refund"
    assert f"https://agentops.example/t/acme/confirmations/{CONFIRMATION}/" in text
    assert "two people" in text and "If you do nothing, it does not happen." in text
    assert set(message.context) == {"organisation", "agent", "acting_user", "tool", "is_of_two", "until", "link"}


def test_tier_2_is_asked_in_the_flow_and_mails_nobody(world: World) -> None:
    assert tell(world, world.uma, tier=2) == 0
    assert waiting(world) == []


def test_people_of_other_organisations_are_not_told(world: World) -> None:
    assert tell(world, world.cleo, world.stella) == 0


def test_at_most_twenty_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentops.confirmations.services.telling.TOLD_MOST", 2)
    assert tell(world, world.ada, world.ben, world.pete) == 2


def test_a_mail_that_comes_after_the_end_is_not_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(world, world.pete, expires_at=clock.now() - timedelta(seconds=1))
    tasks.sweep()
    [message] = waiting(world)
    assert message.state == "given_up"
