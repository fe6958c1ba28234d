"""Requests, resends and refusals, without input and output of their own.

What takes several requests is a *flow*: a generator that yields what it wants (a request sent, a pause) and is given
what came of it. The sync and the async client drive the same flows, so there is one set of rules for both.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from .errors import Aborted, PortalError, Problem, Rejected, Throttled, Unreachable

T = TypeVar("T")

_AWAY = (502, 503, 504)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0
_AWAY_SECONDS = 5.0
_ENDED = ("run_finished", "killed")


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. `body` are the bytes to send: a resend is the same to the last byte."""

    method: str
    path: str
    body: bytes | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: a status and a body, or (status 0) nothing, and why."""

    status: int
    body: Any = None
    retry_after: float | None = None
    lost: str = ""


Flow = Generator[Request | Pause, Reply, T]


@dataclass(slots=True)
class Link:
    """How a client talks to the portal. Seconds throughout.

    `retry_seconds`: how long a request is sent again while the portal is away. `patience_seconds`: how long a throttled
    request is tried again. `timeout_seconds`: how long one answer may take.
    """

    retry_seconds: float = 15.0
    patience_seconds: float = 30.0
    timeout_seconds: float = 10.0
    _away_until: float = field(default=0.0, repr=False)

    def is_away(self) -> bool:
        """Whether the portal was away a moment ago: one try is enough then, or every call would wait in turn."""
        return time.monotonic() < self._away_until

    def note(self, *, away: bool) -> None:
        self._away_until = time.monotonic() + _AWAY_SECONDS if away else 0.0


def dumps(value: Any) -> bytes:
    """JSON bytes. Raises ValueError for what is no JSON (NaN), TypeError for other objects."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def post(link: Link, path: str, body: Mapping[str, Any] | None = None) -> Flow[Reply]:
    """Send until there is an answer. Raises Unreachable, Throttled. All verbs are idempotent, so a resend is safe."""
    return send(link, Request("POST", path, None if body is None else dumps(body)))


def send(link: Link, request: Request) -> Flow[Reply]:
    """Send a request, again while nobody answers or the portal says later. Raises Unreachable, Throttled."""
    began = time.monotonic()
    retry_until = began if link.is_away() else began + link.retry_seconds
    pause = _FIRST_PAUSE
    while True:
        reply = yield request
        is_throttled = reply.status == 429
        if not is_throttled and reply.status not in (0, *_AWAY):
            link.note(away=False)
            return reply
        wait = pause * random.uniform(0.5, 1.0)
        if reply.retry_after is not None:
            wait = max(wait, reply.retry_after)
        until = began + link.patience_seconds if is_throttled else retry_until
        if time.monotonic() + wait > until:
            if is_throttled:
                raise Throttled(_detail(reply), code=_code(reply), retry_after=wait)
            link.note(away=True)
            raise Unreachable(f"the portal does not answer ({reply.lost or f'status {reply.status}'})")
        yield Pause(wait)
        pause = min(_LONGEST_PAUSE, pause * 2)


def expect(reply: Reply) -> dict[str, Any]:
    """The JSON object of a successful reply. Raises Aborted for a run that has ended, PortalError for other refusals."""
    if 200 <= reply.status < 300 and isinstance(reply.body, dict):
        return reply.body
    code, detail = _code(reply), _detail(reply)
    if reply.status == 409 and code in _ENDED:
        raise Aborted(detail, code=code)
    raise PortalError(detail, code=code, status=reply.status, errors=_problems(reply))


def refused(body: Mapping[str, Any]) -> Rejected | Aborted:
    """The exception for a decision that is no: `reject` or `abort`."""
    code, detail = str(body.get("code", "")), str(body.get("detail", ""))
    if body.get("decision") == "abort":
        return Aborted(detail, code=code)
    errors = [
        Problem(*(str(error.get(name, "")) for name in ("code", "pointer", "expected", "hint")))
        for error in body.get("errors", [])
    ]
    return Rejected(detail, code=code, errors=errors, attempts_left=body.get("attempts_left"))


def retry_after(header: str | None) -> float | None:
    """Seconds of a Retry-After header (RFC 9110: seconds or a date); None where it says neither."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _code(reply: Reply) -> str:
    return str(reply.body.get("code", "")) if isinstance(reply.body, dict) else f"http_{reply.status}"


def _detail(reply: Reply) -> str:
    if isinstance(reply.body, dict) and reply.body.get("detail"):
        return str(reply.body["detail"])
    return f"the portal answered with status {reply.status}"


def _problems(reply: Reply) -> list[Problem]:
    errors = reply.body.get("errors", []) if isinstance(reply.body, dict) else []
    return [Problem(str(e.get("code", "")), str(e.get("pointer", "")), str(e.get("detail", "")), "") for e in errors]
