"""What travels: requests as SDKs send them, and their answers taken apart."""

from __future__ import annotations

import gzip
import secrets
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from django.http import HttpResponse
from django.test import Client
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentops.traces.normalise.times import rfc3339
from tests.traces import otlp_build as build

Encoding = Literal["protobuf", "json"]
TYPES: dict[str, str] = {"protobuf": "application/x-protobuf", "json": "application/json"}
SECOND = 1_000_000_000
DAY = 86_400 * SECOND

_RESPONSES: dict[str, tuple[Any, str, str]] = {
    "/v1/traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    "/v1/logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
    "/v1/metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
}


def new_trace() -> str:
    return secrets.token_hex(16)


def new_span() -> str:
    return secrets.token_hex(8)


def span(name: str = "work", **more: Any) -> dict[str, Any]:
    """A span in `otlp_build`'s form that ended a second ago, with ids of its own."""
    now = time.time_ns() // 1000 * 1000
    found = {
        **build.span(name),
        "trace_id": new_trace(),
        "span_id": new_span(),
        "start": now - 2 * SECOND,
        "end": now - SECOND,
    }
    return {**found, **more}


def traces(*spans: dict[str, Any], encoding: Encoding = "protobuf") -> bytes:
    """The bytes of an OTLP traces request."""
    if encoding == "protobuf":
        return build.protobuf_request(list(spans))
    return build.json_request([build.json_span(item) for item in spans])


def native(name: str = "work", *, at: int | None = None, **more: Any) -> dict[str, Any]:
    """A span in our own form that ended a second ago (or started at `at`, in nanoseconds), with ids of its own."""
    started = at if at is not None else time.time_ns() // 1000 * 1000 - 2 * SECOND
    found = {
        "trace_id": new_trace(),
        "span_id": new_span(),
        "kind": "other",
        "name": name,
        "started_at": rfc3339(started),
        "ended_at": rfc3339(started + SECOND),
    }
    return {**found, **more}


@dataclass
class Answer:
    """An OTLP answer, read in the encoding it came in."""

    status: int
    encoding: str  # protobuf | json
    headers: dict[str, str]
    body: bytes
    rejected: int = 0
    message: str = ""
    code: int = 0  # google.rpc.Code of a refusal

    @property
    def is_full_success(self) -> bool:
        return self.status == 200 and self.body in (b"", b"{}")


def answer_of(path: str, status: int, content_type: str, body: bytes, headers: dict[str, str]) -> Answer:
    encoding = {value: key for key, value in TYPES.items()}[content_type]
    found = Answer(status, encoding, headers, body)
    response_class, field, json_field = _RESPONSES[path]
    if status != 200:
        if encoding == "protobuf":
            message = Status.FromString(body)
            found.message, found.code = message.message, message.code
        else:
            document = orjson.loads(body)
            assert set(document) == {"code", "message"}
            found.message, found.code = document["message"], document["code"]
        assert found.message and found.code, "a refusal is a google.rpc.Status that says why"
    elif encoding == "protobuf":
        partial = response_class.FromString(body).partial_success
        found.rejected, found.message = getattr(partial, field), partial.error_message
    else:
        document = orjson.loads(body)
        assert set(document) <= {"partialSuccess"}
        partial = document.get("partialSuccess", {})
        found.rejected, found.message = int(partial.get(json_field, "0")), partial.get("errorMessage", "")
    return found


class Sender:
    """A machine with a key."""

    def __init__(self, key: str, *, read_key: str = "") -> None:
        self.key = key
        self.read_key = read_key
        self.client = Client()

    def otlp(
        self,
        body: bytes,
        *,
        encoding: Encoding = "protobuf",
        path: str = "/v1/traces",
        headers: dict[str, str] | None = None,
        content_type: str | None = None,
    ) -> Answer:
        """POST a body; `headers` replace ours (the key too)."""
        response = self.client.generic(
            "POST",
            path,
            body,
            headers={"Authorization": f"Bearer {self.key}"} if headers is None else headers,
            CONTENT_TYPE=TYPES[encoding] if content_type is None else content_type,  # of an empty body, too
        )
        return answer_of(path, response.status_code, response["Content-Type"], response.content, dict(response.headers))

    def with_key(self, **headers: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.key}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }

    def spans(self, *spans: dict[str, Any], encoding: Encoding = "protobuf") -> Answer:
        return self.otlp(traces(*spans, encoding=encoding), encoding=encoding)

    def logs(self, *records: dict[str, Any]) -> Answer:
        return self.otlp(build.logs_request(list(records)), path="/v1/logs")

    def native(self, *spans: Any, body: bytes | None = None, expect: int = 200) -> dict[str, Any]:
        """POST native spans; answers the document."""
        response = self.client.generic(
            "POST",
            "/api/v1/traces",
            orjson.dumps({"spans": spans}) if body is None else body,
            headers={"Authorization": f"Bearer {self.key}"},
            CONTENT_TYPE="application/json",
        )
        assert response.status_code == expect, response.content
        return dict(orjson.loads(response.content))

    def get(self, path: str, *, expect: int = 200, **params: Any) -> dict[str, Any]:
        response: HttpResponse = self.client.get(path, params, headers={"Authorization": f"Bearer {self.read_key}"})
        assert response.status_code == expect, response.content
        return dict(orjson.loads(response.content))

    def run(self, trace_id: str) -> dict[str, Any]:
        return self.get(f"/api/v1/runs/{trace_id}")

    def spans_of(self, trace_id: str) -> list[dict[str, Any]]:
        return list(self.get(f"/api/v1/runs/{trace_id}/spans")["results"])

    def names_of(self, trace_id: str) -> list[str]:
        return sorted(item["name"] for item in self.spans_of(trace_id))

    def has_run(self, trace_id: str) -> bool:
        response = self.client.get(f"/api/v1/runs/{trace_id}", headers={"Authorization": f"Bearer {self.read_key}"})
        return response.status_code == 200

    def runs(self, **filters: Any) -> list[str]:
        """The run ids of a search, all pages of it."""
        found: list[str] = []
        page = self.get("/api/v1/runs", **filters)
        while True:
            found += [run["run_id"] for run in page["results"]]
            if page["next"] is None:
                return found
            page = self.get(page["next"].removeprefix("http://testserver"))


def zipped(body: bytes) -> bytes:
    return gzip.compress(body, mtime=0)


def ids(spans: Sequence[dict[str, Any]]) -> set[tuple[uuid.UUID, str]]:
    return {(uuid.UUID(item["trace_id"]), item["span_id"]) for item in spans}
