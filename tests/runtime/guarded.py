"""An agent under guard, as a customer has one: a manifest, applied and reviewed, and calls over HTTP."""

from __future__ import annotations

import copy
import itertools
import json
import time
import uuid
from datetime import timedelta
from typing import Any

from django.db import connections
from django.test import Client

from agentops.catalog import services as catalog
from agentops.catalog.manifest import read
from agentops.common import clock
from agentops.common.scope import tenant_scope
from tests.world import OPERATOR, Organisation

MODEL = "gpt-4o-mini-2024-07-18"  # 0.15 and 0.60 USD per million tokens, cache reads apart
DEARER = "gpt-4o-2024-08-06"
_numbers = itertools.count(1)

ORDER = {"type": "string", "pattern": "^ord_[0-9]+$"}
MANIFEST: dict[str, Any] = {
    "agent": {
        "name": "refund-desk",
        "version": "1",
        "model": MODEL,
        "models": [MODEL, DEARER],
        "prompt_hash": "sha256:" + "ab" * 32,
    },
    "tools": [
        {
            "name": "look_up_order",
            "version": "1",
            "effect": "read",
            "tier": 1,
            "arguments": {
                "type": "object",
                "additionalProperties": False,
                "required": ["order_id"],
                "properties": {"order_id": ORDER, "note": {"type": "string"}},
            },
            "cosmetic": ["/note"],
            "grant": {"scope": {"order_id": "user.order_ids"}},
        },
        {
            "name": "search_help",
            "version": "1",
            "effect": "read",
            "tier": 1,
            "arguments": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        },
        {
            "name": "refund",
            "version": "3",
            "effect": "charge",
            "tier": 3,
            "arguments": {
                "type": "object",
                "additionalProperties": False,
                "required": ["order_id", "amount_minor", "currency"],
                "properties": {
                    "order_id": ORDER,
                    "amount_minor": {"type": "integer"},
                    "currency": {"enum": ["USD", "EUR"]},
                },
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


def manifest(**agent: Any) -> dict[str, Any]:
    """The desk's manifest, with other words about the agent."""
    made = copy.deepcopy(MANIFEST)
    made["agent"].update(agent)
    return made


def unreviewed() -> dict[str, Any]:
    """The desk's manifest with one more tool, which nobody has looked at; the version is not approved with it."""
    made = manifest(version="2")
    made["tools"].append(
        {
            "name": "send_letter",
            "version": "1",
            "effect": "send",
            "tier": 2,
            "arguments": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        }
    )
    return made


def apply(organisation: Organisation, made: dict[str, Any], *, approve: bool = True) -> None:
    with tenant_scope(organisation.id):
        catalog.apply_manifest(
            tenant=organisation.id, manifest=read(made), by=OPERATOR, at=clock.now(), approve_tools=approve
        )


class Caller:
    """A machine of one organisation, with one key per kind of call."""

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self.client = Client()

    def call(self, method: str, path: str, body: Any = None, *, scope: str = "guard", raw: bytes | None = None) -> Any:
        """The response; `raw` sends bytes as they are."""
        content = raw if raw is not None else json.dumps({} if body is None else body).encode()
        headers = {"authorization": f"Bearer {self.organisation.keys[scope]}"}
        return self.client.generic(method, path, content, content_type="application/json", headers=headers)

    def start(self, *, status: int = 201, **said: Any) -> dict[str, Any]:
        body = {
            "call_id": f"start-{next(_numbers)}",
            "agent": "refund-desk",
            "agent_version": "1",
            "user": "u-1",
            "scope": {"user": {"order_ids": ["ord_1", "ord_2"]}},
            **said,
        }
        return answered(self.call("POST", "/api/v1/guard/runs", body), status)

    def run(self, **said: Any) -> Run:
        return Run(self, self.start(**said)["run_id"])


class Run:
    """A guarded run that was started."""

    def __init__(self, caller: Caller, run_id: str) -> None:
        self.caller, self.id = caller, run_id

    @property
    def uuid(self) -> uuid.UUID:
        return uuid.UUID(self.id)

    def post(self, path: str, body: Any, *, status: int = 200) -> dict[str, Any]:
        return answered(self.caller.call("POST", f"/api/v1/guard/runs/{self.id}/{path}", body), status)

    def model_call(self, *, status: int = 200, **said: Any) -> dict[str, Any]:
        body = {
            "call_id": f"m-{next(_numbers)}",
            "model": MODEL,
            "input_tokens": 1_000,
            "max_output_tokens": 500,
            **said,
        }
        return {"call_id": body["call_id"], **self.post("model-calls", body, status=status)}

    def settle(self, call_id: str, *, status: int = 200, outcome: str = "ok", **usage: int) -> dict[str, Any]:
        body = {"outcome": outcome, **({"usage": usage} if usage else {})}
        return self.post(f"model-calls/{call_id}/settlement", body, status=status)

    def tool_call(self, tool: str, arguments: Any, *, status: int = 200, **said: Any) -> dict[str, Any]:
        body = {"call_id": f"t-{next(_numbers)}", "tool": tool, "arguments": arguments, **said}
        return {"call_id": body["call_id"], **self.post("tool-calls", body, status=status)}

    def look_up(self, order: str = "ord_1", **said: Any) -> dict[str, Any]:
        return self.tool_call("look_up_order", {"order_id": order}, **said)

    def refund(self, amount: int = 4_810, **said: Any) -> dict[str, Any]:
        return self.tool_call("refund", {"order_id": "ord_1", "amount_minor": amount, "currency": "EUR"}, **said)

    def result(self, call_id: str, *, status: int = 200, **said: Any) -> dict[str, Any]:
        return self.post(f"tool-calls/{call_id}/result", {"outcome": "ok", **said}, status=status)

    def redeem(self, call_id: str, *, status: int = 200) -> dict[str, Any]:
        return self.post(f"tool-calls/{call_id}/redemption", {}, status=status)

    def finish(self, status: str = "ok") -> dict[str, Any]:
        return self.post("finish", {"status": status})

    def decisions(self) -> list[tuple[str, str]]:
        """(decision, code) of each, as the run's own list tells them, oldest first."""
        path = f"/api/v1/decisions?run_id={self.id}&limit=200"
        found = answered(self.caller.call("GET", path, scope="read"), 200)["results"]
        return [(row["decision"], row["code"] or "") for row in reversed(found)]


def answered(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.content
    found: dict[str, Any] = response.json()
    return found


def early_in_a_minute() -> None:
    """Rates are counted by minutes of the clock: a test that counts must not begin at the end of one."""
    second = clock.now().second
    if second >= 40:
        time.sleep(60.1 - second)


def shift(organisation: Organisation, table: str, column: str, by: timedelta, where: str = "true") -> None:
    """Let time pass for rows: as the owner, because no caller could."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {column} = {column} + %s WHERE tenant_id = %s AND {where}", [by, organisation.id]
        )
