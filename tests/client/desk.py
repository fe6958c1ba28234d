"""A refund desk under guard on the real portal, and one story that every adapter plays.

The model first asks for an order that is not the user's, reads why not, asks for the right one, then wants a refund, for
which a person is asked. Frameworks differ in how their test models are told what to say; what they say is here.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.db import connection

from agentops.catalog import manifest
from agentops.catalog import services as catalog
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.confirmations.models import Confirmation
from tests.server import Portal
from tests.world import OPERATOR, Organisation

_numbers = itertools.count(1)
MODEL = "gpt-4o-mini-2024-07-18"
CHEAPER = "gpt-4.1-nano-2025-04-14"
ORDER = {"type": "string", "pattern": "^ord_[0-9]+$"}
REFUND = {"order_id": "ord_1", "amount_minor": 500}
USAGE = {"input": 1_000, "output": 50, "cached": 400}
COST_USD = "0.000150"  # of one call: 600 x 0.15 + 400 x 0.075 + 50 x 0.60, per million
ANSWER = "Your refund is on its way."
MANIFEST: dict[str, Any] = {
    "agent": {
        "version": "1",
        "model": MODEL,
        "models": [MODEL, CHEAPER],
        "prompt_hash": "sha256:" + "ab" * 32,
    },
    "tools": [
        {
            "name": "look_up_order",
            "version": "1",
            "description": "The state of an order.",
            "effect": "read",
            "tier": 1,
            "arguments": {
                "type": "object",
                "additionalProperties": False,
                "required": ["order_id"],
                "properties": {"order_id": ORDER},
            },
            "grant": {"scope": {"order_id": "user.order_ids"}},
        },
        {
            "name": "refund",
            "version": "3",
            "description": "Pay money back.",
            "effect": "charge",
            "tier": 2,
            "arguments": {
                "type": "object",
                "additionalProperties": False,
                "required": ["order_id", "amount_minor"],
                "properties": {"order_id": ORDER, "amount_minor": {"type": "integer"}},
            },
            "rules": [
                {
                    "code": "amount_in_range",
                    "expression": "args.amount_minor > 0 && args.amount_minor <= 500000",
                    "pointer": "/amount_minor",
                    "expected": "between 1 and 500000 minor units",
                }
            ],
            "grant": {"scope": {"order_id": "user.order_ids"}},
        },
    ],
}
RUN: dict[str, Any] = {
    "agent_version": "1",
    "user": "ann",
    "scope": {"user": {"order_ids": ["ord_1"]}},
}
STORY: list[tuple[str, dict[str, Any]]] = [
    ("look_up_order", {"order_id": "ord_9"}),
    ("look_up_order", {"order_id": "ord_1"}),
    ("refund", REFUND),
]


@dataclass
class Desk:
    """The desk: what its tools did, and what a person and an admin can do from outside."""

    portal: Portal
    organisation: Organisation
    run: dict[str, Any]  # what a run of it is started with
    ran: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    kills_at: str = ""  # the tool during which somebody presses the kill switch

    def key(self, scope: str = "guard") -> str:
        return self.organisation.keys[scope]

    def look_up_order(self, order_id: str) -> str:
        """The state of an order."""
        self._run("look_up_order", order_id=order_id)
        return f"{order_id} was delivered"

    def refund(self, order_id: str, amount_minor: int) -> str:
        """Pay money back."""
        self._run("refund", order_id=order_id, amount_minor=amount_minor)
        return "refunded"

    def _run(self, tool: str, **arguments: Any) -> None:
        self.ran.append((tool, arguments))
        if self.kills_at == tool:
            self.kill()

    def kill(self) -> None:
        body = {"scope": "tenant", "mode": "stop_next_step", "reason": "it refunds everybody"}
        self._http("POST", "/api/v1/kill-switches", "admin", json=body)

    def decisions(self, run_id: str) -> list[tuple[str, str]]:
        """(decision, code) of each, oldest first."""
        found = self._http("GET", f"/api/v1/decisions?run_id={run_id}&limit=200", "read")
        return [(row["decision"], row["code"] or "") for row in reversed(found["results"])]

    @contextmanager
    def person(self, state: str = "approved") -> Iterator[None]:
        """Somebody who decides whatever is asked, as soon as it is."""
        over = threading.Event()

        def decide() -> None:
            while not over.wait(0.1):
                self.decide(state)
            connection.close()

        thread = threading.Thread(target=decide)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def decide(self, state: str = "approved") -> int:
        """What people's pages do: here only its outcome."""
        with tenant_scope(self.organisation.id):
            waiting = Confirmation.objects.filter(tenant_id=self.organisation.id, state="pending")
            return waiting.update(state=state, decided_at=clock.now())

    def confirmations(self) -> list[str]:
        with tenant_scope(self.organisation.id):
            found = Confirmation.objects.filter(tenant_id=self.organisation.id).order_by("requested_at", "id")
            return list(found.values_list("state", flat=True))

    def until(self, condition: Any) -> None:
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, "it did not happen within ten seconds"
            time.sleep(0.05)

    def _http(self, method: str, path: str, scope: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key(scope)}"}
        answer = httpx.request(method, self.portal.url + path, headers=headers, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()


def open_desk(portal: Portal, organisation: Organisation, **agent: Any) -> Desk:
    """Apply the desk's manifest, with other words about the agent, and review it.

    Each has its own name: the server process outlives the rows of a test, and what it knows of an agent by that name.
    """
    name = f"refund-desk-{next(_numbers)}"
    made = {**MANIFEST, "agent": {**MANIFEST["agent"], "name": name, **agent}}
    with tenant_scope(organisation.id):
        catalog.apply_manifest(
            tenant=organisation.id, manifest=manifest.read(made), by=OPERATOR, at=clock.now(), approve_tools=True
        )
    return Desk(portal, organisation, {**RUN, "agent": name})


def assert_told_why(text: str) -> None:
    """What a refused model reads."""
    for part in ("out_of_scope", "/order_id", "expected", "hint", "Attempts left"):
        assert part in text, text


def assert_played(desk: Desk, run: Any) -> None:
    """The whole story: one refusal, one allowed read, one confirmed refund, four model calls, all settled."""
    assert desk.ran == [("look_up_order", {"order_id": "ord_1"}), ("refund", REFUND)]
    assert desk.confirmations() == ["executed"]
    receipt = run.receipt
    assert (receipt.status, receipt.counted["llm_calls"], receipt.counted["held_usd"]) == ("ok", 4, "0.000000")
    assert receipt.counted["tokens"] == 4 * (USAGE["input"] + USAGE["output"])
    assert float(receipt.cost_usd) == 4 * float(COST_USD)
    decided = desk.decisions(run.run_id)
    assert decided.count(("reject", "out_of_scope")) == 1
    assert ("confirm", "confirmation_required") in decided
