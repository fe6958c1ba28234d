"""A bank's desk: an agent with a tool of each tier that people decide, and the people who do, in tests of pages."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from allauth.mfa.totp.internal import auth as totp
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.outbox.models import Message
from tenants import services as tenants
from tests.runtime.guarded import Caller, Run, apply, manifest
from tests.world import OPERATOR, Organisation, Person, World

MIA = "mia-204"  # the end user that Uma is
IBAN = "DE89370400440532013000"
SECRET = "JBSWY3DPEHPK3PXP"  # of everybody's authenticator
_TEXT = {"type": "string"}


def _arguments(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": True, "required": list(properties), "properties": properties}


LETTER: dict[str, Any] = {
    "name": "send_letter",
    "version": "1",
    "description": "Mails a letter to a customer.",
    "effect": "send",
    "tier": 2,
    "payee": "/to",
    "arguments": _arguments(to=_TEXT, text=_TEXT),
}
TRANSFER: dict[str, Any] = {
    "name": "transfer",
    "version": "4",
    "description": "Moves money from the customer's account.",
    "effect": "charge",
    "tier": 3,
    "reversible": {"how": "recall the transfer", "within_seconds": 36_000},
    "payee": "/iban",
    "amount": "/amount_minor",
    "arguments": _arguments(iban=_TEXT, name=_TEXT, amount_minor={"type": "integer"}, currency=_TEXT, note=_TEXT),
}
LIMIT: dict[str, Any] = {
    "name": "raise_limit",
    "version": "2",
    "description": "Sets how much a customer may move in a day.",
    "effect": "write",
    "tier": 4,
    "reversible": False,
    "resource": "/account",
    "arguments": _arguments(account=_TEXT, daily_minor={"type": "integer"}, currency=_TEXT),
}
VALUES: dict[str, dict[str, Any]] = {
    "send_letter": {"to": "Ann Kim", "text": "Dear Ms Kim,\n\nyour card is on its way.\n\nYours\nThe bank"},
    "transfer": {"iban": IBAN, "name": "Bakery Ost", "amount_minor": 48_000, "currency": "EUR", "note": "Invoice 88"},
    "raise_limit": {"account": "acc_77120", "daily_minor": 5_000_000, "currency": "EUR"},
}


class Bank(Caller):
    """Acme's bank desk. Uma is the end user in whose name it acts; Pete, Ada and Ben may approve."""

    def __init__(self, world: World) -> None:
        super().__init__(world.acme)
        made = manifest(name="bank-desk")
        made["tools"] = [LETTER, TRANSFER, LIMIT]
        apply(world.acme, made)
        link(world.acme, world.uma, MIA)

    def asked(self, tool: str, *, run: Run | None = None, says: str = "", **changes: Any) -> Asked:
        """A run whose call waits for people."""
        run = run or self.run(agent="bank-desk", user=MIA)
        said = {"reason": says} if says else {}
        extra = {name: changes.pop(name) for name in ("current", "resource_version", "tainted") if name in changes}
        call = run.tool_call(tool, {**VALUES[tool], **changes}, **said, **extra)
        assert call["decision"] == "confirm", call
        return Asked(self, run, call)


@dataclass
class Asked:
    """A call that waits."""

    bank: Bank
    run: Run
    call: dict[str, Any]

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(self.call["confirmation"]["id"])

    def url(self, rest: str = "") -> str:
        return self.bank.organisation.url(f"confirmations/{self.id}/{rest}")

    @property
    def state(self) -> str:
        found = self.bank.call("GET", f"/api/v1/confirmations/{self.id}")
        state: str = found.json()["state"]
        return state

    def run_it(self, outcome: str = "ok") -> None:
        """Redeem it and tell how it ended, as the agent does."""
        permit = self.run.redeem(self.call["call_id"])
        assert permit["decision"] == "allow"
        self.run.result(self.call["call_id"], outcome=outcome)


def link(organisation: Organisation, person: Person, end_user: str) -> None:
    with tenant_scope(organisation.id):
        tenants.link_end_user(
            tenant=organisation.id, member=person.membership_id, external_id=end_user, by=OPERATOR, at=clock.now()
        )


def has_authenticator(*people: Person) -> None:
    """They have set up the app that shows six digits."""
    for person in people:
        totp.TOTP.activate(person.user, SECRET)


def six_digits() -> str:
    """What the app shows now."""
    return totp.format_hotp_value(totp.hotp_value(SECRET, int(time.time()) // 30))


def mailed_code(organisation: Organisation, person: Person) -> str:
    """The code of the last mail to somebody."""
    with tenant_scope(organisation.id):
        found = Message.objects.filter(destination=person.email, context__has_key="code").order_by("-created_at")
        code: str = found[0].context["code"]
    return code


def prove(client: Client, *, mfa: bool = False) -> None:
    """As if the person had just given the password, and used the app that shows six digits."""
    session = client.session
    given: list[dict[str, Any]] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    if mfa:
        given.append({"method": "mfa", "type": "totp", "id": 1, "at": time.time(), "reauthenticated": True})
    session["account_authentication_methods_user"] = session["_auth_user_id"]
    session["account_authentication_methods"] = given
    session.save()


def digests(page: str) -> dict[str, str]:
    """What the page would send with an answer."""
    found = {}
    for name in ("action_digest", "view_digest"):
        _, _, rest = page.partition(f'name="{name}" value="')
        found[name] = rest.partition('"')[0]
    return found


def many_values(count: int) -> dict[str, Any]:
    """A payload of so many values."""
    return {f"line_{place:03}": json.dumps({"sku": f"A-{place:05}", "quantity": place}) for place in range(count)}
