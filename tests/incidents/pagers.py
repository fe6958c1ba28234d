"""Fake PagerDuty, JSM Operations and Slack over real HTTP, that fail as the real ones do."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from agentops.common import clock

ROUTING_KEY, API_KEY = "R0123456789ABCDEF0123456789ABCDEF"[:32], "genie-key-of-the-tests"
FAULTS = ("throttle", "error", "drop", "lose")


@dataclass
class Alert:
    """What the pager made of one key: how often it rang, and every event that it took, in order."""

    key: str
    status: str = "triggered"
    rang: int = 1
    summary: str = ""
    who: str = ""
    changed_at: str = ""


@dataclass
class Pager:
    """`fault` says for each request what goes wrong: "" nothing, throttle 429, error 503, drop without looking at it, lose
    the answer of what was taken."""

    port: int = 0
    fault: Callable[[], str] = lambda: ""
    alerts: dict[str, Alert] = field(default_factory=dict)
    taken: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    forgets: bool = False  # it answers that it took an event, and makes nothing of it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        raise NotImplementedError

    def trigger(self, key: str, summary: str) -> None:
        """As pagers do it: an open alert takes further events and does not ring again."""
        if self.forgets:
            return
        known = self.alerts.get(key)
        if known is None:
            self.alerts[key] = Alert(key, summary=summary)
        elif known.status == "resolved":
            known.status, known.rang, known.summary = "triggered", known.rang + 1, summary
        else:
            known.summary = summary

    def change(self, key: str, status: str, who: str = "") -> None:
        if key in self.alerts and self.alerts[key].status != "resolved":
            found = self.alerts[key]
            found.status, found.who, found.changed_at = status, who, clock.rfc3339(clock.now())


class PagerDuty(Pager):
    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path)
        if method == "GET":
            assert parts.path == "/incidents" and headers["authorization"] == "Token token=u+reader"
            [key] = parse_qs(parts.query)["incident_key"]
            found = [self.alerts[key]] if key in self.alerts else []
            return 200, {
                "incidents": [
                    {
                        "incident_key": each.key,
                        "status": each.status,
                        "created_at": "2026-11-26T10:00:00Z",
                        "last_status_change_at": each.changed_at,
                        "last_status_change_by": {"type": "user_reference", "summary": each.who},
                    }
                    for each in found
                ]
            }
        event = json.loads(body)
        if parts.path != "/v2/enqueue" or event["routing_key"] != ROUTING_KEY or len(body) > 512 * 1024:
            return 400, {"status": "invalid event"}
        self.taken.append(event)
        match event["event_action"]:
            case "trigger":
                assert 0 < len(event["payload"]["summary"]) <= 1024 and event["payload"]["source"]
                assert event["payload"]["severity"] in ("critical", "error", "warning", "info")
                self.trigger(event["dedup_key"], event["payload"]["summary"])
            case "acknowledge":
                self.change(event["dedup_key"], "acknowledged")
            case "resolve":
                self.change(event["dedup_key"], "resolved")
        return 202, {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]}


class Jsm(Pager):
    """Below the path of the integration API."""

    base = "/jsm/ops/integration"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.base}"

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        parts = urlsplit(path.removeprefix(f"{self.base}/v2/alerts"))
        alias, _, verb = parts.path.strip("/").partition("/")
        alias = unquote(alias)
        if method == "GET":
            found = self.alerts.get(alias)
            if found is None:
                return 404, {"message": "Alert does not exist"}
            status = {"resolved": "closed"}.get(found.status, "open")
            report = {"acknowledgedBy": found.who}
            is_acknowledged = found.status == "acknowledged"
            data = {"alias": alias, "status": status, "acknowledged": is_acknowledged, "report": report}
            return 200, {"data": data | {"updatedAt": found.changed_at}}
        if headers["authorization"] != f"GenieKey {API_KEY}":
            return 401, {}
        said = json.loads(body)
        self.taken.append({**said, "verb": verb or "create"})
        if alias:
            assert parse_qs(parts.query) == {"identifierType": ["alias"]}
            self.change(alias, {"acknowledge": "acknowledged", "close": "resolved"}[verb])
        else:
            assert 0 < len(said["message"]) <= 130
            self.trigger(said["alias"], said["message"])
        return 202, {"result": "Request will be processed", "requestId": "1"}


class Slack(Pager):
    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        self.taken.append(json.loads(body))
        return 200, "ok"


@contextmanager
def running(pager: Pager) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fault = pager.fault() if self.command == "POST" else ""
            if fault == "drop":
                self.close_connection = True
                return
            if fault in ("throttle", "error"):
                self._say(429 if fault == "throttle" else 503, {}, {"retry-after": "3"})
                return
            with lock:
                status, said = pager.answer(self.command, self.path, headers, body)
            if fault == "lose":
                self.close_connection = True
                return
            self._say(status, said, {})

        do_GET = do_POST

        def _say(self, status: int, said: Any, headers: dict[str, str]) -> None:
            body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    pager.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def chaos(seed: int, *faults: str) -> Callable[[], str]:
    """Half of the requests go wrong, each in one of these ways."""
    chance = random.Random(seed)
    return lambda: chance.choice(faults) if chance.random() < 0.5 else ""
