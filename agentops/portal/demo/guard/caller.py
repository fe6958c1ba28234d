"""How a guarded agent of the demo speaks to the portal: over HTTP, as a customer's does, and with spans beside it."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

_TIMEOUT_SECONDS = 10


class Caller:
    """The keys of one organisation's agents."""

    def __init__(self, base_url: str, keys: dict[str, str]) -> None:
        self._base_url, self._keys = base_url, keys
        self._open: list[GuardedRun] = []

    def opened(self, run: GuardedRun) -> None:
        self._open.append(run)

    def closed(self, run: GuardedRun) -> None:
        self._open.remove(run)

    def stop(self) -> None:
        """End the runs that are in progress, as a service does that is stopped."""
        for run in list(self._open):
            run.finish("error", output="The service was stopped.")

    def guard(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask the guard; a refusal is an answer, too."""
        return self._post(f"/api/v1/guard/{path}", body, self._keys["guard"])

    def span(self, span: dict[str, Any]) -> None:
        self.spans([span])

    def spans(self, spans: list[dict[str, Any]]) -> None:
        self._post("/api/v1/traces", {"spans": spans}, self._keys["ingest"])

    def read(self, path: str) -> dict[str, Any]:
        return self._call("GET", f"/api/v1/{path}", None, self._keys["read"])

    def admin(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Set what an admin of the organisation may set."""
        return self._call(method, f"/api/v1/{path}", json.dumps(body).encode(), self._keys["admin"])

    def confirmation(self, confirmation: str) -> dict[str, Any]:
        """What became of something that people were asked."""
        return self._call("GET", f"/api/v1/confirmations/{confirmation}", None, self._keys["guard"])

    def _post(self, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
        return self._call("POST", path, json.dumps(body).encode(), key)

    def _call(self, method: str, path: str, body: bytes | None, key: str) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  the address is the operator's
            f"{self._base_url}{path}",
            body,
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                return dict(json.load(answer))
        except urllib.error.HTTPError as refused:
            with refused:
                return dict(json.load(refused))


class GuardedRun:
    """One run that asks before it acts, and tells what it did in spans of the same trace."""

    def __init__(self, caller: Caller, *, agent: str, version: str, user: str, facts: dict[str, Any]) -> None:
        self._caller = caller
        self._common = {"agent": agent, "agent_version": version, "user_id": user}
        self._calls = 0
        self._began = datetime.now(UTC)
        body = {"agent": agent, "agent_version": version, "user": user, "scope": {"user": facts}}
        answer = caller.guard("runs", {"call_id": secrets.token_hex(8), **body})
        self.run_id: str = answer.get("run_id", "")
        self.refusal = {} if self.run_id else answer
        self._root = secrets.token_hex(8)
        if self.run_id:
            caller.opened(self)

    @property
    def may_go_on(self) -> bool:
        return bool(self.run_id)

    def model(self, model: str, *, tokens: int, answer_tokens: int, task: str = "", says: str = "") -> dict[str, Any]:
        """Reserve, "call", settle; answers the decision."""
        call = self._call_id("m")
        body = {"call_id": call, "model": model, "input_tokens": tokens, "max_output_tokens": answer_tokens * 3}
        decision = self._caller.guard(f"runs/{self.run_id}/model-calls", body | ({"task_class": task} if task else {}))
        if decision.get("decision") == "allow":
            spent = min(answer_tokens, int(decision["max_output_tokens"]))
            usage = {"input_tokens": tokens, "output_tokens": spent}
            path = f"runs/{self.run_id}/model-calls/{call}/settlement"
            self._caller.guard(path, {"outcome": "ok", "usage": usage})
            self._span("llm", f"chat {decision['model']}", call, model=decision["model"], output=says, **usage)
        return decision

    def tool(self, tool: str, arguments: dict[str, Any], *, returns: Any = None, reason: str = "") -> dict[str, Any]:
        """Propose; where it is allowed, "run" it and tell the result."""
        call, decision = self.propose(tool, arguments, reason=reason)
        if decision.get("decision") == "allow":
            self._did(call, tool, arguments, returns)
        return decision

    def propose(self, tool: str, arguments: dict[str, Any], *, reason: str = "") -> tuple[str, dict[str, Any]]:
        """Ask; answers the call's id and the decision."""
        call = self._call_id("t")
        body = {"call_id": call, "tool": tool, "arguments": arguments, "reason": reason}
        return call, self._caller.guard(f"runs/{self.run_id}/tool-calls", body)

    def take_up(self, call: str, tool: str, *, returns: Any = None) -> bool:
        """Redeem what people approved, and "run" exactly that; False where there is nothing to redeem any more."""
        found = self._caller.guard(f"runs/{self.run_id}/tool-calls/{call}/redemption", {})
        if found.get("decision") != "allow":
            return False
        self._did(call, tool, found["arguments"], returns)
        return True

    def _did(self, call: str, tool: str, arguments: dict[str, Any], returns: Any) -> None:
        self._caller.guard(f"runs/{self.run_id}/tool-calls/{call}/result", {"outcome": "ok", "result": returns})
        self._span("tool", f"execute_tool {tool}", call, tool=tool, arguments=arguments, result=returns)

    def finish(self, status: str = "ok", *, output: str = "") -> None:
        self._caller.closed(self)
        self._caller.guard(f"runs/{self.run_id}/finish", {"status": status})
        self._caller.span(
            {
                **self._common,
                "trace_id": self.run_id,
                "span_id": self._root,
                "kind": "run",
                "name": f"invoke_agent {self._common['agent']}",
                "started_at": self._began.isoformat(),
                "ended_at": datetime.now(UTC).isoformat(),
                "status": "ok" if status == "ok" else "error",
                "output": output,
            }
        )

    def _call_id(self, kind: str) -> str:
        self._calls += 1
        return f"{kind}{self._calls}"

    def _span(self, kind: str, name: str, call: str, **fields: Any) -> None:
        ended = datetime.now(UTC)
        self._caller.span(
            {
                **self._common,
                "trace_id": self.run_id,
                "span_id": secrets.token_hex(8),
                "parent_span_id": self._root,
                "kind": kind,
                "name": name,
                "call_id": call,
                "started_at": (ended - timedelta(milliseconds=300)).isoformat(),
                "ended_at": ended.isoformat(),
                "status": "ok",
                **fields,
            }
        )
