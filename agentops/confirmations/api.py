"""What machines may do with a confirmation: an agent sees its state, a product gives its user a link. Deciding is for people."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import bodies, clock
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.reading import Reading
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries, services
from agentops.confirmations.types import OPEN, Asked, State
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

MOST_WAIT_SECONDS = 30
_MOST_BYTES = 4_096
_LOOK_SECONDS = 0.5
# A waiting request holds a thread of its web process; beyond half of them the answer comes at once, and the agent asks again.
_waiting = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


class ConfirmationView(MachineView):
    """`GET /api/v1/confirmations/{id}?wait=30`: answers when somebody has decided, or when the time is over."""

    scope = KeyScope.GUARD

    @extend_schema(
        parameters=[
            OpenApiParameter("wait", int, description=f"seconds to wait for a decision, 0 to {MOST_WAIT_SECONDS}")
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request, confirmation: uuid.UUID) -> Response:
        found = self._look(confirmation)
        wait = _wait(request._request.GET.get("wait", ""))
        if wait and found.state in OPEN and _waiting.acquire(blocking=False):
            try:
                found = self._decided(confirmation, time.monotonic() + wait)
            finally:
                _waiting.release()
        with tenant_scope(self.tenant):
            answer = self._told(request, found)
            if found.state is State.EDITED:  # the agent goes on with what a person made of it
                newer = queries.superseding(tenant=self.tenant, confirmation=found.id, at=clock.now())
                answer |= {"superseded_by": self._told(request, newer)} if newer else {}
        return Response(answer)

    def _told(self, request: Request, asked: Asked) -> dict[str, Any]:
        path = queries.path_of(tenant=self.tenant, confirmation=asked.id)
        return {
            "id": str(asked.id),
            "state": asked.state.value,
            "tier": asked.tier,
            "url": request.build_absolute_uri(path),
            "expires_at": clock.rfc3339(asked.expires_at),
        }

    def _decided(self, confirmation: uuid.UUID, until: float) -> Asked:
        """Look again and again, each time in a scope of its own: a wait holds no transaction."""
        while True:
            time.sleep(min(_LOOK_SECONDS, max(0.0, until - time.monotonic())))
            found = self._look(confirmation)
            if found.state not in OPEN or time.monotonic() >= until:
                return found

    def _look(self, confirmation: uuid.UUID) -> Asked:
        with tenant_scope(self.tenant):
            return queries.asked(tenant=self.tenant, confirmation=confirmation, at=clock.now())


class PresentationsView(MachineView):
    """`POST /api/v1/confirmations/{id}/presentations`: a one-time link, for a person whom the tenant's product signed in."""

    scope = KeyScope.PRESENT
    parser_classes: list[Any] = []

    @extend_schema(request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, confirmation: uuid.UUID) -> Response:
        read = Reading(bodies.read_json(request._request, most=_MOST_BYTES))
        user = read.text("user", required=True)
        read.done()
        with tenant_scope(self.tenant):
            link = services.present(
                tenant=self.tenant,
                confirmation=confirmation,
                user=user,
                key=self.principal.key_id,
                by=self.actor,
                at=clock.now(),
            )
        url = request.build_absolute_uri(reverse("presentation", args=[link.text]))
        return Response({"url": url, "expires_at": clock.rfc3339(link.expires_at)}, status=201)


def _wait(text: str) -> int:
    """Raises InvalidInput."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= MOST_WAIT_SECONDS):
        detail = f"is a whole number of seconds from 0 to {MOST_WAIT_SECONDS}"
        raise InvalidInput("the parameters are not valid", problems=(InputProblem("/wait", "invalid", detail),))
    return int(text)
