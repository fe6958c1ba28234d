"""A pager that only listens: PagerDuty's Events v2 door on this machine, which notes when it was rung and about what."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MOST_BYTES = 600_000


@dataclass(frozen=True, slots=True)
class Ring:
    """One event as it came in. `at` is seconds since the epoch."""

    at: float
    action: str
    key: str
    summary: str


@dataclass
class Pager:
    """`address` is what the paging target is given."""

    address: str
    rings: list[Ring] = field(default_factory=list)

    def rung_about(self, subject: str, *, since: float) -> Ring | None:
        """The first time it was rung about an alert or incident, by its id."""
        found = (r for r in list(self.rings) if r.action == "trigger" and r.at >= since and r.key.endswith(subject))
        return next(found, None)


@contextlib.contextmanager
def listening(port: int) -> Iterator[Pager]:
    """Listen on a port of this machine (0: any) until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Door)
    server.daemon_threads = True
    pager = Pager(f"http://127.0.0.1:{server.server_address[1]}")
    server.pager = pager  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield pager
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        at = time.time()
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, _MOST_BYTES))
        try:
            event: dict[str, Any] = json.loads(body)
            payload = event.get("payload") or {}
            ring = Ring(at, str(event["event_action"]), str(event["dedup_key"]), str(payload.get("summary", "")))
        except (ValueError, KeyError, AttributeError, TypeError):
            self._answer(400, {"status": "invalid event"})
            return
        self.server.pager.rings.append(ring)  # type: ignore[attr-defined]
        self._answer(202, {"status": "success", "message": "Event processed", "dedup_key": ring.key})

    def _answer(self, status: int, document: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the drill says what came."""
