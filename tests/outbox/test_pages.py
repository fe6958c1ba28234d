"""The page of deliveries: what was sent and why not, without what only its receiver may know."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from agentops.outbox import queries
from agentops.outbox.types import State
from tests.outbox.conftest import Outbox
from tests.outbox.receivers import MailServer
from tests.world import World

Clients = Callable[..., Client]


@pytest.fixture
def refused(outbox: Outbox, smtp: MailServer) -> str:
    """A mail that nobody took; answers its page's address."""
    smtp.answer = "550 No such mailbox"
    message = outbox.send()
    assert outbox.deliver(message) is State.GIVEN_UP
    smtp.answer = "250 OK"
    return outbox.organisation.url(f"deliveries/{message}/")


def test_the_list_says_to_whom_how_often_and_why_not(world: World, client_for: Clients, refused: str) -> None:
    text = client_for(world.audrey).get(world.acme.url("deliveries/")).content.decode()
    for words in ("About a refund", "Mail to pete@acme.example", "Given up", "550 No such mailbox", refused):
        assert words in text


def test_the_list_is_filtered_by_state_and_destination(world: World, client_for: Clients, outbox: Outbox) -> None:
    outbox.send(destination="one@acme.example")
    outbox.send(destination="two@acme.example")
    client = client_for(world.ada)
    text = client.get(world.acme.url("deliveries/?state=waiting&to=TWO")).content.decode()
    assert "two@acme.example" in text and "one@acme.example" not in text
    assert "No delivery matches" in client.get(world.acme.url("deliveries/?state=sent")).content.decode()
    assert "one@acme.example" in client.get(world.acme.url("deliveries/?state=nonsense")).content.decode()


def test_the_list_goes_on_where_a_page_ends(
    world: World, client_for: Clients, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 2)
    for number in range(5):
        outbox.send(destination=f"n{number}@acme.example")
    client, url, seen = client_for(world.ada), world.acme.url("deliveries/"), []
    while url:
        response = client.get(url)
        seen += [line.message.destination[:2] for line in response.context["found"]]
        url = response.context["older_url"]
    assert seen == ["n4", "n3", "n2", "n1", "n0"]


def test_one_delivery_shows_each_attempt_and_what_it_says(world: World, client_for: Clients, refused: str) -> None:
    text = client_for(world.ada).get(refused).content.decode()
    for words in (
        "About a refund",
        "It was a refund.",
        "The mail server refused it: 550 No such mailbox",
        "Send again",
    ):
        assert words in text


def test_a_code_is_on_nobodys_page_neither_before_nor_after_it_is_sent(
    world: World, client_for: Clients, outbox: Outbox, smtp: MailServer
) -> None:
    """Whoever looks after the organisation could otherwise agree in an approver's name."""
    message = outbox.send(template="tests/code.txt", context={"code": "12345678", "what": "x"})
    client, url = client_for(world.ada), world.acme.url(f"deliveries/{message}/")
    before = client.get(url).content.decode()
    assert "The code is (not shown), for x." in before
    outbox.deliver(message)
    after = client.get(url).content.decode()
    assert "12345678" not in before + after
    assert "Send again" not in after


def test_an_admin_sends_it_again_and_an_auditor_does_not(
    world: World, client_for: Clients, refused: str, outbox: Outbox, smtp: MailServer
) -> None:
    assert client_for(world.audrey).post(f"{refused}repetition/").status_code == 403
    assert "Send again" not in client_for(world.audrey).get(refused).content.decode()
    assert client_for(world.ben).post(f"{refused}repetition/").status_code == 302
    assert outbox.deliver() is State.SENT
    assert outbox.organisation.actions() == ["delivery.given_up", "delivery.repeated"]
    assert len(smtp.mails) == 1


def test_the_signing_secret_asks_who_you_are_and_belongs_to_webhooks(
    world: World, client_for: Clients, outbox: Outbox, refused: str
) -> None:
    message = outbox.post("https://hooks.example/")
    url = world.acme.url(f"deliveries/{message}/secret/")
    assert client_for(world.ada).get(url)["Location"].startswith("/accounts/reauthenticate/")
    response = client_for(world.ada, fresh=True).get(url)
    assert "whsec_" in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert client_for(world.ada, fresh=True).get(f"{refused}secret/").status_code == 404


def test_without_any_delivery_the_list_says_what_will_fill_it(world: World, client_for: Clients) -> None:
    assert "Nothing was sent yet" in client_for(world.ada).get(world.acme.url("deliveries/")).content.decode()
