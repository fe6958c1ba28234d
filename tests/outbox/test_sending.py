"""What is sent arrives once where it can, is tried again where it cannot, and is never lost."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import smtplib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from celery.canvas import Signature
from django.core import mail as django_mail
from django.db import transaction

from agentops.common import clock, queues
from agentops.common.scope import tenant_scope
from agentops.outbox import delivering, policies, queries, services, signing, tasks
from agentops.outbox.errors import NotRepeatable
from agentops.outbox.models import Message
from agentops.outbox.types import Outcome, State
from tests.outbox.conftest import Outbox
from tests.outbox.receivers import MailServer, WebServer
from tests.races.test_ingest_races import at_once
from tests.world import OPERATOR, World


def url(hook: WebServer) -> str:
    return f"http://127.0.0.1:{hook.port}/in?x=1"


# -- mail ---------------------------------------------------------------------------------------------------------


def test_a_mail_arrives_by_smtp_with_its_subject_and_text(outbox: Outbox, smtp: MailServer) -> None:
    message = outbox.send(context={"what": "a <b>refund</b> & more"})
    assert outbox.deliver(message) is State.SENT
    [mail] = smtp.mails
    assert (mail["Subject"], mail["To"]) == ("About a <b>refund</b> & more", "pete@acme.example")
    assert mail["From"] == "agentops <no-reply@agentops.example>"
    assert mail.get_payload(decode=True).decode().replace("\r\n", "\n") == "It was a <b>refund</b> & more.\n"
    assert mail["Message-ID"] == f"<{message.hex}@agentops.example>"
    assert outbox.deliver(message) is None, "what was sent is not taken again"


def test_a_subject_stays_one_line_whatever_is_put_into_it(outbox: Outbox, smtp: MailServer) -> None:
    outbox.deliver(outbox.send(context={"what": "a refund\r\nBcc: eve@evil.example\n\nHello"}))
    [mail] = smtp.mails
    assert mail["Subject"] == "About a refund Bcc: eve@evil.example"
    assert mail["Bcc"] is None
    assert smtp.recipients == ["pete@acme.example"]


def test_a_mail_template_without_a_subject_is_sent_under_our_name(outbox: Outbox, smtp: MailServer) -> None:
    outbox.deliver(outbox.send(template="tests/bare.txt"))
    assert smtp.mails[0]["Subject"] == "agentops"


def test_the_console_takes_mails_where_no_server_is_set(
    outbox: Outbox, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert outbox.deliver(outbox.send()) is State.SENT
    assert "It was a refund." in capsys.readouterr().out


def test_a_mailbox_that_is_not_there_is_given_up_at_once(outbox: Outbox, smtp: MailServer) -> None:
    smtp.answer = "550 No such mailbox"
    message = outbox.send()
    assert outbox.deliver(message) is State.GIVEN_UP
    assert outbox.row(message).last_error == "The mail server refused it: 550 No such mailbox"
    assert outbox.organisation.actions() == ["delivery.given_up"]


def test_a_mailbox_that_is_full_today_is_tried_again(outbox: Outbox, smtp: MailServer) -> None:
    smtp.answer = "452 Later, please"
    message = outbox.send()
    assert outbox.deliver(message) is State.WAITING
    assert outbox.deliver(message) is None, "not before its time"
    smtp.answer = "250 OK"
    outbox.change(message, next_attempt_at=clock.now())
    assert outbox.deliver(message) is State.SENT
    assert [(one.number, one.is_sent, one.status) for one in outbox.attempts(message)] == [
        (1, False, 452),
        (2, True, None),
    ]


def test_a_mail_server_that_is_down_loses_nothing(outbox: Outbox, smtp: MailServer, settings: Any) -> None:
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    message = outbox.send()
    assert outbox.deliver(message) is State.WAITING
    assert "could not be reached" in outbox.row(message).last_error
    settings.EMAIL_PORT = port
    outbox.change(message, next_attempt_at=clock.now())
    assert outbox.deliver(message) is State.SENT


def test_our_own_password_being_wrong_is_no_reason_to_give_a_mail_up(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object, *_: object) -> int:
        raise smtplib.SMTPAuthenticationError(535, b"authentication failed")

    monkeypatch.setattr(django_mail.EmailMessage, "send", refuse)
    assert outbox.deliver(outbox.send()) is State.WAITING


@pytest.mark.parametrize("address", ["pete@acme.example\nBcc: eve@evil.example", "", "no address"])
def test_what_is_no_address_is_given_up(outbox: Outbox, smtp: MailServer, address: str) -> None:
    smtp.answer = "250 OK" if "@" in address else "553 Syntax"
    assert outbox.deliver(outbox.send(destination=address)) is State.GIVEN_UP
    assert smtp.mails == []


# -- webhooks -----------------------------------------------------------------------------------------------------


def test_a_webhook_is_posted_and_signed_as_standard_webhooks_says(outbox: Outbox, hook: WebServer) -> None:
    message = outbox.post(url(hook), context={"id": "1", "word": "é"})
    assert outbox.deliver(message) is State.SENT
    [request] = hook.requests
    assert (request.path, request.headers["content-type"]) == ("/in?x=1", "application/json")
    assert request.headers["host"] == f"127.0.0.1:{hook.port}"
    row = outbox.row(message)
    assert json.loads(request.body) == {
        "type": "thing.happened",
        "timestamp": clock.rfc3339(row.created_at),
        "data": {"id": "1", "word": "é"},
    }
    assert request.headers["webhook-id"] == f"msg_{message.hex}"
    assert abs(int(request.headers["webhook-timestamp"]) - clock.now().timestamp()) < 60
    with tenant_scope(outbox.organisation.id):
        secret = queries.signing_secret(tenant=outbox.organisation.id, message=row)
    assert _checked(request.headers, request.body, secret) == [True]


def test_a_secret_is_of_one_organisation_and_one_address(world: World) -> None:
    secrets = {
        signing.secret(tenant, destination)
        for tenant in (world.acme.id, world.globex.id)
        for destination in ("https://a.example/", "https://b.example/")
    }
    assert len(secrets) == 4


def test_while_the_installations_key_is_changed_both_secrets_check(
    outbox: Outbox, hook: WebServer, settings: Any
) -> None:
    old = signing.secret(outbox.organisation.id, url(hook))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next key of the tests, which nothing outside them may use"
    outbox.deliver(outbox.post(url(hook)))
    new = signing.secret(outbox.organisation.id, url(hook))
    [request] = hook.requests
    assert old != new
    assert _checked(request.headers, request.body, new) == [True, False]
    assert _checked(request.headers, request.body, old) == [False, True]


def test_the_same_message_has_the_same_id_and_body_at_each_attempt(outbox: Outbox, hook: WebServer) -> None:
    hook.answers = lambda _: (500 if len(hook.requests) < 2 else 200, {})
    message = outbox.post(url(hook))
    assert outbox.deliver(message) is State.WAITING
    outbox.change(message, next_attempt_at=clock.now())
    assert outbox.deliver(message) is State.SENT
    first, second = hook.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_a_receiver_that_names_a_time_is_not_asked_earlier(outbox: Outbox, hook: WebServer) -> None:
    hook.answers = lambda _: (429, {"retry-after": "3600"})
    message = outbox.post(url(hook))
    outbox.deliver(message)
    assert outbox.row(message).next_attempt_at > clock.now() + timedelta(minutes=59)


def test_a_receiver_that_is_gone_for_good_is_given_up(outbox: Outbox, hook: WebServer) -> None:
    hook.answers = lambda _: (410, {})
    assert outbox.deliver(outbox.post(url(hook))) is State.GIVEN_UP


def _checked(headers: dict[str, str], body: bytes, secret: str) -> list[bool]:
    """The check of a receiver, written from the specification and not from our code."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return [hmac.compare_digest(right, given) for given in headers["webhook-signature"].split(" ")]


# -- once, and never lost -----------------------------------------------------------------------------------------


def test_what_is_rolled_back_is_not_sent(outbox: Outbox, smtp: MailServer) -> None:
    with pytest.raises(RuntimeError), tenant_scope(outbox.organisation.id):
        services.send(
            tenant=outbox.organisation.id,
            channel="mail",
            destination="pete@acme.example",
            template="tests/note.txt",
            context={},
            dedup_key="1",
        )
        raise RuntimeError
    assert outbox.deliver() is None
    assert smtp.mails == []


def test_the_same_key_sends_once(outbox: Outbox, smtp: MailServer) -> None:
    first, second = outbox.send(dedup_key="same"), outbox.send(dedup_key="same", context={"what": "another"})
    assert first == second
    assert outbox.deliver() is State.SENT
    assert outbox.deliver() is None
    assert len(smtp.mails) == 1


def test_two_organisations_may_use_the_same_key(world: World, outbox: Outbox) -> None:
    assert outbox.send(dedup_key="same") != Outbox(world.globex).send(dedup_key="same")


def test_the_doorbell_rings_after_the_commit_and_its_failure_is_nobodys_error(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[tuple[bool, str, dict[str, str]]] = []

    def ring(self: Signature, *, kwargs: dict[str, str], **_: Any) -> None:
        rung.append((transaction.get_connection().in_atomic_block, self.task, kwargs))
        raise ConnectionError("no broker")

    monkeypatch.setattr(queues, "breaker", queues.Breaker(5))
    monkeypatch.setattr(Signature, "apply_async", ring)
    message = outbox.send()
    ids = {"tenant_id": str(outbox.organisation.id), "message_id": str(message)}
    assert rung == [(False, tasks.deliver.name, ids)]
    assert outbox.row(message).state == State.WAITING


def test_the_task_takes_the_ids_that_the_doorbell_gives(outbox: Outbox, smtp: MailServer) -> None:
    message = outbox.send()
    assert tasks.deliver(tenant_id=str(outbox.organisation.id), message_id=str(message)) == "sent"
    assert len(smtp.mails) == 1


def test_the_sweep_finds_what_the_doorbell_lost_in_every_organisation(
    world: World, outbox: Outbox, smtp: MailServer
) -> None:
    other = Outbox(world.globex)
    messages = [outbox.send(), outbox.send(), other.send(destination="cleo@globex.example")]
    assert tasks.sweep() == 3
    assert [outbox.row(messages[0]).state, outbox.row(messages[1]).state, other.row(messages[2]).state] == ["sent"] * 3
    assert tasks.sweep() == 0


def test_a_worker_that_dies_between_sending_and_noting_it_sends_again_under_the_same_id(
    outbox: Outbox, hook: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(**_: object) -> None:
        raise Killed

    message = outbox.post(url(hook))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(services, "settle", die)
        outbox.deliver(message)
    assert outbox.deliver(message) is None, "its claim is not over"
    outbox.change(message, claimed_until=clock.now())
    assert tasks.sweep() == 1
    assert [request.headers["webhook-id"] for request in hook.requests] == [f"msg_{message.hex}"] * 2
    assert [(one.number, one.is_sent) for one in outbox.attempts(message)] == [(1, None), (2, True)]


def test_who_comes_late_with_a_failure_does_not_undo_what_another_sent(outbox: Outbox, smtp: MailServer) -> None:
    message, tenant = outbox.send(), outbox.organisation.id
    with tenant_scope(tenant):
        slow = services.claim(tenant=tenant, message=message)
    assert slow is not None
    outbox.change(message, claimed_until=clock.now())
    assert outbox.deliver(message) is State.SENT
    with tenant_scope(tenant):
        services.settle(tenant=tenant, claimed=slow, outcome=Outcome(is_sent=False, is_final=True), at=clock.now())
    assert outbox.row(message).state == State.SENT
    assert outbox.organisation.actions() == []


def test_many_workers_at_once_send_each_message_once(outbox: Outbox, hook: WebServer) -> None:
    messages = {outbox.post(url(hook)) for _ in range(12)}

    def work() -> int:
        count = 0
        while outbox.deliver() is not None:
            count += 1
        return count

    assert sum(at_once([work] * 4)) == 12
    assert sorted(request.headers["webhook-id"] for request in hook.requests) == sorted(
        f"msg_{message.hex}" for message in messages
    )


def test_nothing_is_sent_while_a_transaction_is_open(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    seen: list[bool] = []

    def look(self: object, *_: object) -> int:
        seen.append(transaction.get_connection().in_atomic_block)
        return 1

    monkeypatch.setattr(django_mail.EmailMessage, "send", look)
    outbox.deliver(outbox.send())
    assert seen == [False]


# -- giving up, pace, secrets ---------------------------------------------------------------------------------------


def test_it_is_given_up_after_so_many_attempts_and_the_audit_log_says_so(outbox: Outbox, hook: WebServer) -> None:
    hook.answers = lambda _: (500, {})
    message = outbox.post(url(hook))
    states = []
    for _ in range(policies.ATTEMPTS_MOST):
        outbox.change(message, next_attempt_at=clock.now())
        states.append(outbox.deliver(message))
    assert states == [State.WAITING] * (policies.ATTEMPTS_MOST - 1) + [State.GIVEN_UP]
    [entry] = outbox.organisation.entries()
    assert entry.action == "delivery.given_up"
    assert entry.told() == {"destination": url(hook), "template": "thing.happened"}
    assert entry.reason == "It answered with the status 500."


def test_delays_grow_and_never_fall_together() -> None:
    means = [policies.delay_seconds(tries, chance=0.5) for tries in range(1, 10)]
    assert means[:4] == [10, 30, 90, 270]
    assert means == sorted(means) and max(means) == 6 * 3600
    assert policies.delay_seconds(3, chance=0.0) == pytest.approx(72) and policies.delay_seconds(
        3, chance=1.0
    ) == pytest.approx(108)
    assert policies.delay_seconds(1, chance=0, asked_for=10**9) == 6 * 3600


def test_a_destination_gets_its_share_and_the_rest_waits_its_turn(
    world: World, outbox: Outbox, smtp: MailServer
) -> None:
    at_a_time = policies.RATES[policies.Channel.MAIL][1]
    messages = [outbox.send() for _ in range(at_a_time + 3)]
    assert tasks.sweep() >= at_a_time
    left = [row for message in messages if (row := outbox.row(message)).state == State.WAITING]
    assert 1 <= len(left) <= 3
    assert all(row.next_attempt_at > clock.now() - timedelta(seconds=5) and row.attempts == 0 for row in left)
    # Others are not held up, neither here nor elsewhere.
    assert outbox.deliver(outbox.send(destination="ben@acme.example")) is State.SENT
    other = Outbox(world.globex)
    assert other.deliver(other.send()) is State.SENT
    for row in left:
        outbox.change(row.id, next_attempt_at=clock.now())
    with tenant_scope(outbox.organisation.id):
        services.Pace.objects.update(free_at=clock.now() - timedelta(minutes=1))
    assert tasks.sweep() == len(left)


def test_a_code_is_wiped_once_it_was_sent(outbox: Outbox, smtp: MailServer) -> None:
    message = outbox.send(template="tests/code.txt", context={"code": "12345678", "what": "x"})
    outbox.deliver(message)
    assert "12345678" in smtp.mails[0].get_payload()
    row = outbox.row(message)
    assert (row.context, row.is_wiped) == ({"what": "x"}, True)


def test_a_code_is_wiped_when_it_was_given_up_and_kept_until_then(outbox: Outbox, smtp: MailServer) -> None:
    smtp.answer = "452 Later"
    message = outbox.send(template="tests/code.txt", context={"pin": "12345678"}, secrets=["pin"])
    outbox.deliver(message)
    assert outbox.row(message).context == {"pin": "12345678"}
    smtp.answer = "550 Never"
    outbox.change(message, next_attempt_at=clock.now())
    outbox.deliver(message)
    assert outbox.row(message).context == {}


def test_what_would_come_too_late_is_not_sent(outbox: Outbox, smtp: MailServer) -> None:
    message = outbox.send(useless_at=clock.now() - timedelta(seconds=1))
    assert outbox.deliver(message) is State.GIVEN_UP
    assert smtp.mails == []


def test_a_mistake_of_ours_is_an_attempt_that_failed(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> Outcome:
        raise KeyError("a bug")

    monkeypatch.setitem(delivering._CHANNELS, policies.Channel.MAIL, fail)
    message = outbox.send()
    assert outbox.deliver(message) is State.WAITING
    assert outbox.row(message).last_error == "It could not be sent (KeyError)."


# -- again, and away ------------------------------------------------------------------------------------------------


def test_what_was_given_up_is_sent_again_with_as_many_attempts(outbox: Outbox, hook: WebServer) -> None:
    hook.answers = lambda _: (410, {})
    message, tenant = outbox.post(url(hook)), outbox.organisation.id
    outbox.deliver(message)
    with tenant_scope(tenant):
        services.send_again(tenant=tenant, message=message, by=OPERATOR, at=clock.now())
    hook.answers = lambda _: (500, {})
    assert outbox.deliver(message) is State.WAITING
    hook.answers = lambda _: (200, {})
    outbox.change(message, next_attempt_at=clock.now())
    assert outbox.deliver(message) is State.SENT
    assert [one.number for one in outbox.attempts(message)] == [1, 2, 3]
    assert outbox.organisation.actions() == ["delivery.given_up", "delivery.repeated"]


def test_what_held_a_secret_and_what_is_under_way_are_not_sent_again(outbox: Outbox, smtp: MailServer) -> None:
    tenant = outbox.organisation.id
    secret, waiting = outbox.send(template="tests/code.txt", context={"code": "1"}), outbox.send()
    outbox.deliver(secret)
    for message in (secret, waiting):
        with pytest.raises(NotRepeatable), tenant_scope(tenant):
            services.send_again(tenant=tenant, message=message, by=OPERATOR, at=clock.now())


def test_old_messages_go_and_those_that_wait_stay(outbox: Outbox, smtp: MailServer) -> None:
    old, waiting, new = outbox.send(), outbox.send(), outbox.send()
    outbox.deliver(old)
    outbox.deliver(new)
    for message in (old, waiting):
        outbox.change(message, created_at=clock.now() - timedelta(days=91))
    assert tasks.purge() == 1
    with tenant_scope(outbox.organisation.id):
        assert set(Message.objects.values_list("id", flat=True)) == {waiting, new}
    assert outbox.attempts(old) == []


def test_a_channel_that_does_not_exist_is_a_mistake_of_the_caller(outbox: Outbox) -> None:
    with pytest.raises(ValueError, match="pigeon"):
        outbox.send(channel="pigeon")


def test_a_message_of_another_organisation_is_not_taken(world: World, outbox: Outbox, smtp: MailServer) -> None:
    message = outbox.send()
    assert delivering.deliver_one(tenant=world.globex.id, message=message) is None
    assert delivering.deliver_one(tenant=uuid.uuid4(), message=message) is None
    assert smtp.mails == []
