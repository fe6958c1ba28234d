"""What machines call: OTLP and native ingest, and reading runs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import bodies, clock, paging
from agentops.common.errors import DomainError, InvalidInput, TooLarge, Unavailable, UnsupportedMedia
from agentops.common.ids import trace_uuid
from agentops.traces import otlp, queries, search, services
from agentops.traces.models import Run
from agentops.traces.normalise import from_native, normalise, normalise_logs
from agentops.traces.otlp import Encoding, Signal
from agentops.traces.policy import IngestPolicy, policy_of
from agentops.traces.serialise import run_json, span_json
from agentops.traces.types import Rejected
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

_ENCODINGS: dict[str, Encoding] = {"application/x-protobuf": "protobuf", "application/json": "json"}
_ITEMS: dict[Signal, str] = {"traces": "span", "logs": "record", "metrics": "data point"}
_RPC_CODES = {401: 16, 403: 7, 404: 5, 405: 12, 413: 11, 429: 8, 500: 13, 503: 14}  # google.rpc.Code; else 3
_DETAILS_MOST = 5  # refusals told in one partial_success message; the rest are on the Ingest health page


class IngestView(MachineView):
    """Reads a body under a limit, before and after decompression, and maps what the engines say to what may be retried."""

    scope = KeyScope.INGEST
    parser_classes: list[Any] = []

    def body(self) -> bytes:
        """The decompressed body. Raises TooLarge, UnsupportedMedia, MalformedRequest."""
        request: HttpRequest = self.request._request
        limit: int = settings.INGEST_MAX_BYTES
        raw = bodies.read(request, most=limit, hint="send smaller batches")
        match request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower():
            case "" | "identity":
                return raw
            case "gzip":
                try:
                    return otlp.decode_gzip(raw, limit)
                except otlp.TooLarge as error:
                    raise TooLarge(
                        f"the body is larger than {limit} bytes when decompressed; send smaller batches"
                    ) from error
            case other:
                raise UnsupportedMedia(f"Content-Encoding {other!r} is not taken; send gzip or none")

    def policy(self) -> IngestPolicy:
        return policy_of(self.tenant)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, otlp.MalformedRequest):
            exc = InvalidInput(exc.detail)
        if isinstance(exc, otlp.TooMany):
            exc = TooLarge(exc.detail)
        if isinstance(exc, OperationalError | InterfaceError):
            exc = Unavailable(
                "the database does not answer; nothing of this request was stored, send it again", retry_after=5
            )
        return super().handle_exception(exc)


class OtlpView(IngestView):
    """OTLP/HTTP in protobuf and JSON. Every answer, refusals too, is in the encoding of the request (STANDARDS, section 5)."""

    signal: Signal
    http_method_names = ["post"]

    def encoding(self) -> Encoding:
        content_type = self.request._request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        found = _ENCODINGS.get(content_type)
        if found is None:
            raise UnsupportedMedia(
                f"Content-Type {content_type!r} is not taken; send application/x-protobuf or application/json"
            )
        return found

    @extend_schema(
        request={"application/x-protobuf": OpenApiTypes.BINARY, "application/json": OpenApiTypes.OBJECT},
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "Export*ServiceResponse; partial_success says what was refused")
        },
    )
    def post(self, request: Request) -> HttpResponse:
        encoding = self.encoding()
        rejected = self.take(self.body(), encoding)
        answer = otlp.export_response(self.signal, len(rejected), _told(rejected, _ITEMS[self.signal]), encoding)
        return HttpResponse(answer, content_type=otlp.CONTENT_TYPES[encoding])

    def take(self, body: bytes, encoding: Encoding) -> Sequence[Rejected]:
        raise NotImplementedError

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Refusals as google.rpc.Status; a sender whose encoding we do not know gets JSON."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(response, Response):
            content_type = request._request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
            encoding = _ENCODINGS.get(content_type, "json")
            code = _RPC_CODES.get(response.status_code, otlp.INVALID_ARGUMENT)
            plain = HttpResponse(
                otlp.error_status(str(response.data.get("detail", "")), encoding, code=code),
                content_type=otlp.CONTENT_TYPES[encoding],
                status=response.status_code,
            )
            for name in ("Retry-After", "WWW-Authenticate", "Allow"):
                if response.has_header(name):
                    plain[name] = response[name]
            return plain
        return response


class TracesView(OtlpView):
    """`POST /v1/traces`"""

    signal = "traces"

    def take(self, body: bytes, encoding: Encoding) -> Sequence[Rejected]:
        policy, at = self.policy(), clock.now()
        spans, rejected = normalise(otlp.decode_traces(body, encoding=encoding), **_times(policy, at))
        taken = services.take_spans(
            tenant=self.tenant,
            policy=policy,
            spans=spans,
            rejected=rejected,
            signal="traces",
            body_bytes=len(body),
            at=at,
        )
        return taken.rejected


class LogsView(OtlpView):
    """`POST /v1/logs`: results of evaluations and message events are kept; other records are accepted and not stored."""

    signal = "logs"

    def take(self, body: bytes, encoding: Encoding) -> Sequence[Rejected]:
        policy, at = self.policy(), clock.now()
        logs = otlp.decode_logs(body, encoding=encoding)
        events, rejected = normalise_logs(logs, **_times(policy, at))
        tenant = self.tenant
        return services.take_logs(tenant=tenant, policy=policy, events=events, rejected=rejected, at=at).rejected


class MetricsView(OtlpView):
    """`POST /v1/metrics`: accepted, so that an SDK that sends all three signals is content; nothing is stored."""

    signal = "metrics"

    def take(self, body: bytes, encoding: Encoding) -> Sequence[Rejected]:
        otlp.count_metrics(body, encoding=encoding)
        return ()


class NativeTracesView(IngestView):
    """`POST /api/v1/traces`: our own JSON form of spans."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        content_type = request._request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise UnsupportedMedia(f"Content-Type {content_type!r} is not taken; send application/json")
        body = self.body()
        otlp.check_json(body)
        try:
            payload = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"the body is not JSON: {error}") from error
        policy, at = self.policy(), clock.now()
        spans, rejected = from_native(payload, **_times(policy, at))
        taken = services.take_spans(
            tenant=self.tenant,
            policy=policy,
            spans=spans,
            rejected=rejected,
            signal="native",
            body_bytes=len(body),
            at=at,
        )
        refusals = [{"index": item.index, "code": item.code, "detail": item.detail} for item in taken.rejected]
        return Response({"accepted": taken.accepted, "duplicates": taken.duplicates, "rejected": refusals})


def _times(policy: IngestPolicy, at: datetime) -> dict[str, int]:
    oldest = (at - timedelta(days=policy.accept_back_days)).replace(hour=0, minute=0, second=0, microsecond=0)
    return {"now_ns": clock.to_ns(at), "oldest_ns": clock.to_ns(oldest)}


def _told(rejected: Sequence[Rejected], what: str) -> str:
    """The message of a partial success: the first refusals in words."""
    told = [f"{what} {item.index}: {item.detail}" for item in rejected[:_DETAILS_MOST]]
    if len(rejected) > _DETAILS_MOST:
        told.append(f"and {len(rejected) - _DETAILS_MOST} more; all are on the Ingest health page")
    return "; ".join(told)


# -- reading ---------------------------------------------------------------------------------------------------------


class ReadView(MachineView):
    """A read inside the key's tenant."""

    scope = KeyScope.READ


_FILTERS = [OpenApiParameter(name, str) for name in (*search.NAMES, "cursor")] + [OpenApiParameter("limit", int)]


class RunsView(ReadView):
    """`GET /api/v1/runs`: runs, newest first. `looked_back_to` says how far a text search came in its time."""

    @extend_schema(parameters=_FILTERS, responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        params = request._request.GET
        wanted = search.parse(params, now=clock.now())
        limit, cursor = paging.limit(params), paging.cursor(params)

        def read() -> dict[str, Any]:
            page = queries.find_runs(tenant=self.tenant, search=wanted, cursor=cursor, limit=limit)
            found: dict[str, Any] = {"results": [run_json(run) for run in page.runs], "next": self.next_url(page.next)}
            if page.looked_back_to is not None:
                found["looked_back_to"] = clock.rfc3339(page.looked_back_to)
            return found

        return self.inside(read)


class RunView(ReadView):
    """`GET /api/v1/runs/{run_id}`"""

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, run_id: str) -> Response:
        return self.inside(lambda: run_json(_run(self.tenant, run_id)))


class SpansView(ReadView):
    """`GET /api/v1/runs/{run_id}/spans`: in order of their start, in the fields they are sent in."""

    @extend_schema(
        parameters=[OpenApiParameter("cursor", str), OpenApiParameter("limit", int)],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, run_id: str) -> Response:
        params = request._request.GET
        limit, cursor = paging.limit(params, default=500, most=1000), paging.cursor(params)

        def read() -> dict[str, Any]:
            page = queries.span_page(run=_run(self.tenant, run_id), cursor=cursor, limit=limit)
            return {"results": [span_json(span) for span in page.spans], "next": self.next_url(page.next)}

        return self.inside(read)


def _run(tenant: uuid.UUID, run_id: str) -> Run:
    try:
        return queries.get_run(tenant=tenant, run_id=trace_uuid(run_id.lower()))
    except ValueError as error:
        raise _not_a_run_id(run_id) from error


def _not_a_run_id(text: str) -> DomainError:
    return InvalidInput(f"{text[:40]!r} is no run id; a run id is the trace id: 32 hex digits")
