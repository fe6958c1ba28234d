"""What goes wrong between agents and the portal: spans no SDK would make, clocks that are off, batches sent twice."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from agentops.common.clock import NANOS
from agentops.portal.demo.steps import Json

log = logging.getLogger(__name__)
_YEAR_SECONDS = 365 * 86_400
_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Sender:
    """Plain HTTP to the portal with one organisation's key, for what the SDK would refuse to send."""

    base_url: str
    key: str

    def post(self, path: str, body: Json) -> None:
        request = urllib.request.Request(  # noqa: S310  the address is the operator's
            self.base_url + path,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                answer.read()
        except (urllib.error.URLError, OSError) as error:
            log.warning("%s: %s", path, error)


Mishap = Callable[[Sender, Random, int], None]


def _span(rng: Random, at_ns: int, **changes: Json) -> Json:
    span = {
        "traceId": f"{rng.getrandbits(128):032x}",
        "spanId": f"{rng.getrandbits(64):016x}",
        "name": "invoke_agent legacy-notifier",
        "kind": 1,
        "startTimeUnixNano": str(at_ns - 2 * NANOS),
        "endTimeUnixNano": str(at_ns - NANOS),
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}},
            {"key": "gen_ai.agent.name", "value": {"stringValue": "legacy-notifier"}},
            {"key": "gen_ai.request.service_tier", "value": {"stringValue": "flex"}},
        ],
    }
    return span | changes


def _export(*spans: Json) -> Json:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "legacy-notifier"}}]}
    scope = {"name": "hand-written-exporter", "version": "0.1"}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": list(spans)}]}]}


def bad_ids(sender: Sender, rng: Random, at_ns: int) -> None:
    """A hand-written exporter that shortens trace ids; the good span beside them is kept."""
    short = _span(rng, at_ns, traceId=f"{rng.getrandbits(64):016x}")
    zero = _span(rng, at_ns, spanId="0" * 16)
    sender.post("/v1/traces", _export(short, zero, _span(rng, at_ns)))


def clock_a_year_off(sender: Sender, rng: Random, at_ns: int) -> None:
    """A machine whose battery is empty believes it is last year; another one lives in the next."""
    shift = _YEAR_SECONDS * NANOS
    past = _span(rng, at_ns - shift)
    future = _span(rng, at_ns + shift)
    sender.post("/v1/traces", _export(past, future))


def ends_before_it_starts(sender: Sender, rng: Random, at_ns: int) -> None:
    sender.post("/v1/traces", _export(_span(rng, at_ns, endTimeUnixNano=str(at_ns - 5 * NANOS))))


def sent_twice(sender: Sender, rng: Random, at_ns: int) -> None:
    """The answer got lost on the way, so the sender sends again."""
    batch = _export(_span(rng, at_ns), _span(rng, at_ns))
    sender.post("/v1/traces", batch)
    sender.post("/v1/traces", batch)


def wrong_native_span(sender: Sender, rng: Random, at_ns: int) -> None:
    """The portal's own form, with a kind that does not exist and no times."""
    span = {
        "trace_id": f"{rng.getrandbits(128):032x}",
        "span_id": f"{rng.getrandbits(64):016x}",
        "kind": "wish",
        "name": "hope for the best",
    }
    sender.post("/api/v1/traces", {"spans": [span]})


MISHAPS: tuple[Mishap, ...] = (
    bad_ids,
    sent_twice,
    clock_a_year_off,
    sent_twice,
    ends_before_it_starts,
    sent_twice,
    wrong_native_span,
)
