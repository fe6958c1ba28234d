"""Feedback and outcomes from machines, and from people's browsers by the widget."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import bodies, clock
from agentops.common.errors import NotFound, NotSignedIn
from agentops.common.ids import span_int, trace_uuid
from agentops.common.paging import moment
from agentops.common.reading import Reading
from agentops.common.scope import tenant_scope
from audit.types import Actor
from evals import services
from evals.models import Feedback, Outcome
from evals.services.signals.feedback import COMMENT_MOST
from evals.signalling import tokens
from evals.signalling.tokens import Bound, TokenRefused
from evals.types import FeedbackSource
from tenants import queries as tenants
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

MAX_BYTES = 16_384
RATINGS = ("up", "down")


class FeedbackView(MachineView):
    """`POST /api/v1/feedback`: what a person said of a run, or of one of its spans. 201; 200 where it replaces their last."""

    scope = KeyScope.FEEDBACK
    parser_classes: list[Any] = []

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT, 201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        read = Reading(bodies.read_json(request._request, most=MAX_BYTES, depth=3))
        run_id, span_id = _run(read), _span(read)
        rating = read.choice("rating", RATINGS)
        correct, comment, user = _yes_or_no(read, "correct"), read.text("comment", most=COMMENT_MOST), read.text("user")
        read.done()
        said = services.Said(
            run_id=run_id, span_id=span_id, is_up=rating == "up", is_correct=correct, comment=comment.strip(), user=user
        )
        with tenant_scope(self.tenant):
            row, is_new = services.give_feedback(
                tenant=self.tenant, said=said, source=FeedbackSource.API, by=self.actor, at=clock.now()
            )
        return Response(_feedback_json(row), status=201 if is_new else 200)


class FeedbackTokensView(MachineView):
    """`POST /api/v1/feedback/tokens`: a signed word that lets one person's browser give feedback on one run for a day."""

    scope = KeyScope.FEEDBACK
    parser_classes: list[Any] = []

    @extend_schema(request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        read = Reading(bodies.read_json(request._request, most=MAX_BYTES, depth=3))
        run_id, span_id, user = _run(read), _span(read), read.text("user", required=True)
        read.done()
        bound = Bound(tenant=self.tenant, run_id=run_id, span_id=span_id, user=user, key=self.principal.key_id)
        answer = {
            "token": tokens.sign(bound),
            "expires_at": clock.rfc3339(clock.now() + tokens.LIFETIME),
            "url": request.build_absolute_uri(reverse("api-feedback-widget")),
            "script": request.build_absolute_uri(static("js/feedback.js")),
        }
        return Response(answer, status=201)


class WidgetView(MachineView):
    """`POST /api/v1/feedback/widget`: a browser's word. No key: the token in the body says whose it is, and of which run.

    Any page may send it (no cookie is looked at), so what a token allows is all that can be done with one.
    """

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    parser_classes: list[Any] = []

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT, 201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        read = Reading(bodies.read_json(request._request, most=MAX_BYTES, depth=3))
        token = read.text("token", required=True, most=tokens.MOST_CHARACTERS)
        rating, comment = read.choice("rating", RATINGS), read.text("comment", most=COMMENT_MOST)
        read.done()
        bound = _bound(token)
        said = services.Said(
            run_id=bound.run_id,
            span_id=bound.span_id,
            user=bound.user,
            is_up=rating == "up",
            comment=comment.strip(),
        )
        with tenant_scope(bound.tenant):
            by = _sender(bound)
            row, is_new = services.give_feedback(
                tenant=bound.tenant, said=said, source=FeedbackSource.WIDGET, by=by, at=clock.now()
            )
        return Response({"rating": rating, "comment": row.comment}, status=201 if is_new else 200)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """What a browser asks before it sends from another origin."""
        return Response(status=204)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """With leave for any origin, refusals included."""
        found = super().finalize_response(request, response, *args, **kwargs)
        found["Access-Control-Allow-Origin"] = "*"
        found["Access-Control-Allow-Methods"] = "POST, OPTIONS"
        found["Access-Control-Allow-Headers"] = "Content-Type"
        found["Access-Control-Expose-Headers"] = "Retry-After"
        found["Access-Control-Max-Age"] = "86400"
        return found


class OutcomesView(MachineView):
    """`POST /api/v1/outcomes`: what really came of a run or of one of its calls. 201; 200 where it was told before."""

    scope = KeyScope.INGEST
    parser_classes: list[Any] = []

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT, 201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        read = Reading(bodies.read_json(request._request, most=MAX_BYTES, depth=3))
        told = _outcome(read)
        with tenant_scope(self.tenant):
            row, is_new = services.tell_outcome(tenant=self.tenant, told=told, by=self.actor, at=clock.now())
        return Response(_outcome_json(row), status=201 if is_new else 200)


# -- in ---------------------------------------------------------------------------------------------------------------


def _bound(token: str) -> Bound:
    try:
        return tokens.read(token)
    except TokenRefused as error:
        raise NotSignedIn(f"the token is not taken: {error}") from error


def _sender(bound: Bound) -> Actor:
    """As whom the audit log names what a token brings in. Raises NotSignedIn where its key or organisation has ended."""
    tenant = tenants.tenants_by_id([bound.tenant]).get(bound.tenant)
    if tenant is None or not tenant.is_active:
        raise NotSignedIn("the token is not taken: there is no such organisation any more")
    if bound.key is None:
        return Actor(type="service", id="feedback_widget:portal", label="widget")
    try:
        key = tenants.key(bound.tenant, bound.key)
    except NotFound as error:
        raise NotSignedIn("the token is not taken: the key it was made with is gone") from error
    if key.revoked_at is not None:
        raise NotSignedIn("the token is not taken: the key it was made with is revoked")
    return Actor(type="service", id=f"api_key:{key.id}", label=key.name)


def _run(read: Reading) -> uuid.UUID:
    text = read.text("run_id", required=True)
    try:
        return trace_uuid(text)
    except ValueError:
        if text:
            read.problem("run_id", "invalid", "32 hex digits are expected: the trace id of the run")
        return uuid.UUID(int=0)


def _span(read: Reading) -> str:
    text = read.text("span_id").lower()
    if text:
        try:
            span_int(text)
        except ValueError:
            read.problem("span_id", "invalid", "16 hex digits are expected")
    return text


def _yes_or_no(read: Reading, name: str) -> bool | None:
    value = read.anything(name)
    if value is not None and not isinstance(value, bool):
        read.problem(name, "type", "true or false is expected")
        return None
    return value


def _outcome(read: Reading) -> services.Told:
    run_id = _run(read)
    call, key = read.text("tool_call_id"), read.text("idempotency_key")
    if call and key:
        read.problem(
            "idempotency_key", "unexpected", "name the call by tool_call_id or by idempotency_key, not by both"
        )
    kind = read.text("kind", required=True, most=60)
    value, success = _value(read), _yes_or_no(read, "success")
    at = _at(read)
    read.done()
    assert at is not None
    return services.Told(
        run_id=run_id,
        kind=kind.strip(),
        at=at,
        value=value,
        tool_call_id=call,
        idempotency_key=key,
        is_success=success,
    )


def _value(read: Reading) -> str:
    value = read.anything("value")
    if value is None or isinstance(value, str):
        return read.text("value", most=1_000)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    read.problem("value", "type", "a string, a number, true or false is expected")
    return ""


def _at(read: Reading) -> datetime | None:
    text = read.text("at", required=True)
    problems: list[Any] = []
    found = moment("at", text, clock.now(), problems) if text and text[:1].isdigit() and "T" in text.upper() else None
    if text and found is None:
        read.problem("at", "invalid", "an RFC 3339 time such as 2026-11-23T09:30:00Z is expected")
    return found


# -- out --------------------------------------------------------------------------------------------------------------


def _feedback_json(row: Feedback) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "run_id": row.run_id.hex,
        "span_id": row.span_id or None,
        "rating": "up" if row.is_up else "down",
        "correct": row.is_correct,
        "comment": row.comment,
        "user": row.user_id or None,
        "received_at": clock.rfc3339(row.received_at),
    }


def _outcome_json(row: Outcome) -> dict[str, Any]:
    """`span_id` is null while no span of the run matches; it is looked for until `matching_ends_at`."""
    return {
        "id": str(row.id),
        "run_id": row.run_id.hex,
        "tool_call_id": row.tool_call_id or None,
        "idempotency_key": row.idempotency_key or None,
        "kind": row.kind,
        "value": row.value,
        "success": row.is_success,
        "at": clock.rfc3339(row.at),
        "is_matched": row.matched_at is not None,
        "span_id": row.span_id or None,
        "matching_ends_at": clock.rfc3339(row.matching_ends_at),
    }
