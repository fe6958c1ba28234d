"""A confirmation that waits for people, made as the guard makes it, and people who decide as their pages do."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import rfc8785
from django.core import mail
from django.db import connections

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries, services
from agentops.confirmations.types import Action, Asked, Detail, Person, Proofs, ToolFacts
from agentops.outbox import tasks as outbox
from tests.world import Organisation
from tests.world import Person as Known

ARGUMENTS: dict[str, Any] = {"order_id": "ord_1", "amount_minor": 4_810, "currency": "EUR"}
FACTS = ToolFacts(effect="charge", reversal="no", payee="/order_id", amount="/amount_minor")
_numbers = itertools.count(1)


def action(**changes: Any) -> Action:
    """What the guard would ask for; in the name of u-1, who is nobody here."""
    arguments = changes.pop("arguments", ARGUMENTS)
    given: dict[str, Any] = {
        "run_id": new_id(),
        "call_id": f"t-{next(_numbers)}",
        "agent": "refund-desk",
        "agent_version": "1",
        "acting_user": "u-1",
        "tool": "refund",
        "tool_version": "3",
        "tool_version_id": uuid.uuid4(),
        "schema_digest": "sha256:" + "0" * 64,
        "resource": "",
        "arguments": rfc8785.dumps(arguments),
        "likeness": os.urandom(16),
        "policy_version": 1,
        "says": "the customer asked for it",
        "facts": FACTS,
    }
    return Action(**{**given, **changes})


def link(organisation: Organisation, known: Known, external_id: str) -> None:
    """Let a member be the end user whom agents name so."""
    from tenants import services as tenants

    assert known.membership_id is not None
    with tenant_scope(organisation.id):
        tenants.link_end_user(
            tenant=organisation.id,
            member=known.membership_id,
            external_id=external_id,
            by=known.actor,
            at=clock.now(),
        )


class Desk:
    """What waits at one organisation. Each call is a request of its own, in a scope of its own."""

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self.id = organisation.id

    def ask(self, tier: int, *, raised_because: tuple[str, ...] = (), **changes: Any) -> Asked:
        with tenant_scope(self.id):
            return services.request(
                tenant=self.id,
                action=action(**changes),
                tier=tier,
                raised_because=raised_because,
                at=clock.database_now(),
            )

    def person(self, known: Known) -> Person:
        with tenant_scope(self.id):
            return queries.person_of(tenant=self.id, user=known.user)

    def look(self, asked: Asked, known: Known | None = None, **also: Any) -> Detail:
        with tenant_scope(self.id):
            person = queries.person_of(tenant=self.id, user=known.user) if known else None
            return queries.detail(tenant=self.id, confirmation=asked.id, person=person, **also)

    def state(self, asked: Asked) -> str:
        return self.look(asked).state.value

    def seen(self, asked: Asked) -> dict[str, bytes]:
        """The two digests that a page carries back."""
        found = self.look(asked)
        return {"action_digest": found.action_digest, "view_digest": queries.view_of(found).digest}

    def phrase(self, asked: Asked) -> str:
        return queries.view_of(self.look(asked)).phrase

    def approve(self, asked: Asked, known: Known | Person, **changes: Any) -> Asked:
        """As somebody who has done all that the tier asks for, unless `changes` say otherwise."""
        by = known if isinstance(known, Person) else self.person(known)
        given: dict[str, Any] = {**self.seen(asked), "proofs": fresh(), "phrase": self.phrase(asked)}
        if asked.tier == 4 and "code" not in changes:
            given["code"] = self.code(asked, by)
        with tenant_scope(self.id):
            return services.approve(
                tenant=self.id, confirmation=asked.id, by=by, at=clock.now(), **{**given, **changes}
            )

    def code(self, asked: Asked, by: Known | Person) -> str:
        """Ask for a code and read it in the mail."""
        person = by if isinstance(by, Person) else self.person(by)
        mail.outbox.clear()
        with tenant_scope(self.id):
            services.send_code(tenant=self.id, confirmation=asked.id, to=person, at=clock.now())
        outbox.sweep()
        [sent] = [letter for letter in mail.outbox if letter.subject.startswith("Your code")]
        assert sent.to == [person.label]
        return "".join(sent.body.splitlines()[0].split())

    def refuse(self, asked: Asked, known: Known | Person, reason: str = "not now", **changes: Any) -> Asked:
        by = known if isinstance(known, Person) else self.person(known)
        with tenant_scope(self.id):
            return services.refuse(
                tenant=self.id,
                confirmation=asked.id,
                by=by,
                reason=reason,
                at=clock.now(),
                **{**self._seen_inside(asked), **changes},
            )

    def _seen_inside(self, asked: Asked) -> Mapping[str, bytes]:
        found = queries.detail(tenant=self.id, confirmation=asked.id)
        return {"action_digest": found.action_digest, "view_digest": queries.view_of(found).digest}

    def cancel(self, asked: Asked, known: Known | Person, reason: str = "wait") -> Asked:
        by = known if isinstance(known, Person) else self.person(known)
        with tenant_scope(self.id):
            return services.cancel(tenant=self.id, confirmation=asked.id, by=by, reason=reason, at=clock.now())

    def release(self, asked: Asked) -> bool:
        with tenant_scope(self.id):
            return services.release(tenant=self.id, confirmation=asked.id, at=clock.now())

    def expire(self) -> int:
        with tenant_scope(self.id):
            return services.expire(tenant=self.id, at=clock.now())

    def redeem(self, asked: Asked) -> bytes:
        with tenant_scope(self.id):
            taken = services.redeem(tenant=self.id, confirmation=asked.id, jti="jti-1", at=clock.database_now())
        return taken.arguments

    def close(self, asked: Asked, outcome: str = "ok", executed_digest: bytes | None = None) -> bool:
        with tenant_scope(self.id):
            return services.close(
                tenant=self.id,
                confirmation=asked.id,
                outcome=outcome,
                executed_digest=executed_digest,
                at=clock.database_now(),
            )

    def inbox(self, known: Known) -> list[uuid.UUID]:
        with tenant_scope(self.id):
            person = queries.person_of(tenant=self.id, user=known.user)
            return [each.id for each in queries.inbox(tenant=self.id, person=person, at=clock.now())]

    def pass_time(self, by: timedelta) -> None:
        """As if everything had been asked, decided and mailed earlier: as the owner, because no caller could."""
        columns = {
            "confirmations_confirmation": ("requested_at", "expires_at", "cooling_until", "decided_at", "redeemed_at"),
            "confirmations_mailedcode": ("sent_at", "expires_at"),
            "confirmations_vote": ("at",),
        }
        with connections["owner"].cursor() as cursor:
            for table, names in columns.items():
                sets = ", ".join(f"{name} = {name} - %s" for name in names)
                cursor.execute(f"UPDATE {table} SET {sets} WHERE tenant_id = %s", [*[by] * len(names), self.id])

    def events(self) -> list[str]:
        """The audit entries about confirmations, in order."""
        return [name for name in self.organisation.actions() if name.startswith(("approval.", "tool_call.redeemed"))]


def fresh(**changes: Any) -> Proofs:
    """Password and second factor were just given."""
    now = clock.now()
    return Proofs(**{"reauthenticated_at": now, "used_mfa_at": now, "session": "5e55", **changes})
