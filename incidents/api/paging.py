"""The doors for pagers: webhooks that say who has what. Each is checked by a secret that only the pager and we know."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import bodies, clock, secrets
from agentops.common.errors import InvalidInput, NotFound, NotSignedIn
from agentops.outbox.pagers import pagerduty
from agentops.outbox.pagers.document import moment
from incidents.queries.targets import target_of
from incidents.services import answers
from incidents.types import TargetKind
from tenants.house import house_scope
from tenants.machine_view import MachineView

MOST_BYTES = 256 * 1024
_SIGNATURES_MOST = 8  # one for each secret while one is exchanged
_HAS_IT = {"incident.acknowledged", "incident.resolved"}
_OPSGENIE_HAS_IT = {"acknowledge", "close"}


@dataclass(frozen=True, slots=True)
class _Told:
    event_id: str
    dedup_key: object
    is_acknowledged: bool
    who: str
    occurred_at: datetime | None


class _BackView(MachineView):
    """No key of ours: what the pager signs, or the secret that it was given, says who it is."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    parser_classes: list[Any] = []
    kind: TargetKind

    def post(self, request: Request, target: uuid.UUID) -> Response:
        raw = bodies.read(request._request, most=MOST_BYTES)
        with house_scope() as tenant:
            found = target_of(target)
        if found.kind != self.kind or not found.back_secret:
            raise NotFound("There is no such target.")
        try:
            secret = secrets.open_(found.back_secret)
        except secrets.SecretLost as error:
            raise NotSignedIn("The secret of this target was lost: set it again.") from error
        self.check(request, raw, secret)
        told = self.read(_parsed(raw), raw)
        with house_scope() as tenant:
            is_new = answers.take_back_event(
                tenant=tenant,
                target_id=found.id,
                event_id=told.event_id,
                dedup_key=told.dedup_key,
                is_acknowledged=told.is_acknowledged,
                who=told.who,
                occurred_at=told.occurred_at,
                at=clock.now(),
            )
        return Response({"acknowledged": is_new}, status=200)

    def check(self, request: Request, raw: bytes, secret: str) -> None:
        raise NotImplementedError

    def read(self, document: dict[str, Any], raw: bytes) -> _Told:
        raise NotImplementedError


class PagerDutyView(_BackView):
    """`POST /api/v1/paging/pagerduty/<target>`: PagerDuty's V3 webhooks."""

    kind = TargetKind.PAGERDUTY

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def post(self, request: Request, target: uuid.UUID) -> Response:
        return super().post(request, target)

    def check(self, request: Request, raw: bytes, secret: str) -> None:
        """Raises NotSignedIn. Any of the signatures may be right: there are two while the secret is exchanged."""
        right = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest().encode()
        given = request.headers.get("X-PagerDuty-Signature", "").split(",")[:_SIGNATURES_MOST]
        found = [each.strip().removeprefix("v1=").encode() for each in given if each.strip().startswith("v1=")]
        if not any(hmac.compare_digest(right, each) for each in found):
            raise NotSignedIn("X-PagerDuty-Signature is not of this target's secret.")

    def read(self, document: dict[str, Any], raw: bytes) -> _Told:
        event = _object(document, "event")
        data, agent = _object(event, "data"), _object(event, "agent")
        kind = event.get("event_type")
        is_by_person = agent.get("type") in pagerduty.PEOPLE
        return _Told(
            event_id=_event_id(event.get("id"), raw),
            dedup_key=data.get("incident_key"),
            # What we end ourselves comes back as ended by our integration: that is nobody's word.
            is_acknowledged=kind in _HAS_IT and (kind == "incident.acknowledged" or is_by_person),
            who=str(agent.get("summary") or ""),
            occurred_at=moment(event.get("occurred_at")),
        )


class OpsgenieView(_BackView):
    """`POST /api/v1/paging/opsgenie/<target>`: webhooks of JSM Operations and Opsgenie, which sign nothing; they send the
    target's secret as a bearer token, in a header that is set there."""

    kind = TargetKind.OPSGENIE

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def post(self, request: Request, target: uuid.UUID) -> Response:
        return super().post(request, target)

    def check(self, request: Request, raw: bytes, secret: str) -> None:
        """Raises NotSignedIn."""
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(f"Bearer {secret}".encode(), given.encode()):
            raise NotSignedIn("Authorization is not Bearer with this target's secret.")

    def read(self, document: dict[str, Any], raw: bytes) -> _Told:
        alert, source = _object(document, "alert"), _object(document, "source")
        action = str(document.get("action") or "").lower()
        is_by_program = str(source.get("type") or "").lower() == "api"
        return _Told(
            event_id=_event_id(None, raw),
            dedup_key=alert.get("alias"),
            is_acknowledged=action in _OPSGENIE_HAS_IT and (action == "acknowledge" or not is_by_program),
            who=str(alert.get("username") or ""),
            occurred_at=_milliseconds(alert.get("updatedAt")),
        )


def _parsed(raw: bytes) -> dict[str, Any]:
    """Not by our strict reader: Opsgenie's numbers are larger than it takes, and nothing is kept of what is read here."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("the body is no JSON") from error
    if not isinstance(found, dict):
        raise InvalidInput("a JSON object is expected")
    return found


def _event_id(value: object, raw: bytes) -> str:
    """What a pager calls an event, where that can be kept; else a digest of all that it sent."""
    is_kept = isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()
    return str(value) if is_kept else hashlib.sha256(raw).hexdigest()


def _object(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _milliseconds(value: object) -> datetime | None:
    """Opsgenie's moments, of which some are in nanoseconds."""
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    milliseconds = value // 10**6 if value > 10**16 else value
    return datetime.fromtimestamp(milliseconds / 1e3, UTC) if milliseconds < 4 * 10**12 else None
