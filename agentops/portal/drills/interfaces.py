"""The product's doors for machines, as the drill's agents use them."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from agentops.portal.demo.guard.caller import Caller, GuardedRun
from agentops.portal.drills.ground import VERSION

_AT_ONCE = 400  # spans in a request


class Interfaces(Caller):
    """The guard's door and those for traces, feedback and kill switches."""

    def send(self, spans: list[dict[str, Any]]) -> None:
        """Raises RuntimeError where some are refused."""
        for place in range(0, len(spans), _AT_ONCE):
            answer = self._post("/api/v1/traces", {"spans": spans[place : place + _AT_ONCE]}, self._keys["ingest"])
            if "accepted" not in answer or answer.get("rejected"):
                raise RuntimeError(f"the portal refused traces of the drill: {str(answer)[:500]}")

    def feedback(self, said: dict[str, Any]) -> None:
        self._post("/api/v1/feedback", said, self._keys["feedback"])

    def run(self, agent: str, user: str) -> GuardedRun:
        """A run that asks before it acts. Raises RuntimeError where it may not begin."""
        run = self.try_run(agent, user)
        if not run.may_go_on:
            raise RuntimeError(f"the guard let no run of {agent} begin")
        return run

    def try_run(self, agent: str, user: str) -> GuardedRun:
        return GuardedRun(self, agent=agent, version=VERSION, user=user, facts={})

    def press(self, agent: str, reason: str) -> dict[str, Any]:
        """Stop an agent at its next step; answers the switch, with its proof."""
        body = {"scope": "agent", "id": agent, "mode": "stop_next_step", "reason": reason}
        answer = self._post("/api/v1/kill-switches", body, self._keys["admin"])
        if "set_at" not in answer:
            raise RuntimeError(f"the kill switch was refused: {answer}")
        return answer

    def switch(self, switch: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1/kill-switches/{switch}", None, self._keys["admin"])

    def lift(self, switch: str, reason: str) -> None:
        self._post(f"/api/v1/kill-switches/{switch}/lift", {"reason": reason}, self._keys["admin"])


def span(agent: str, kind: str, name: str, *, at: datetime, seconds: float = 1.0, **fields: Any) -> dict[str, Any]:
    """A span in the portal's own form; a trace of its own unless `trace_id` is given."""
    return {
        "trace_id": secrets.token_hex(16),
        "span_id": secrets.token_hex(8),
        "agent": agent,
        "agent_version": VERSION,
        "kind": kind,
        "name": name,
        "started_at": at.isoformat(),
        "ended_at": (at + timedelta(seconds=seconds)).isoformat(),
        "status": "ok",
        **fields,
    }


def now() -> datetime:
    return datetime.now(UTC)
