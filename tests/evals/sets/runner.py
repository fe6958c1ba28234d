"""A machine that runs suites by HTTP, without the client package."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

from django.test import Client

from tests.world import Organisation


@dataclass
class Runner:
    """Speaks for an organisation, with the key of a scope."""

    organisation: Organisation
    scope: str = "evals"

    def ask(self, method: str, path: str, body: Any = None, *, status: int = 0) -> Any:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = Client().generic(
            method,
            f"/api/v1/{path}",
            raw,
            content_type="application/json",
            headers={"authorization": f"Bearer {self.organisation.keys[self.scope]}"},
        )
        if status:
            assert answer.status_code == status, answer.content
        else:
            assert answer.status_code in (200, 201), answer.content
        return answer.json()

    def begin(self, **more: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(
            "POST", "suite-runs", {"agent": "desk", "agent_version": "1", "set": "refunds", **more}
        )
        return found

    def claim(self, suite: str, most: int = 50, claim: str = "") -> tuple[str, list[dict[str, Any]]]:
        claim = claim or str(uuid.uuid4())
        return claim, self.ask("POST", f"suite-runs/{suite}/claims", {"claim": claim, "most": most})["cases"]

    def tell(self, suite: str, claim: str, case: dict[str, Any], *, status: int = 0, **told: Any) -> Any:
        body = {"claim": claim, "case_run": case["case_run"], "output": "refunded", **told}
        return self.ask("POST", f"suite-runs/{suite}/results", body, status=status)

    def suite(self, suite: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"suite-runs/{suite}")
        return found
