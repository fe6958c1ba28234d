"""Endpoints of judges' models: where a tenant's judges are asked, with which key, and how often."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope, secrets
from agentops.common.ids import new_id
from audit.types import Actor
from evals.errors import Unknown, invalid
from evals.judging import addresses
from evals.models import JudgeEndpoint
from evals.services.judging import noting
from evals.types import EndpointKind

IN_FLIGHT_MOST, PER_MINUTE_MOST = 64, 100_000
KEY_LENGTH = 500


def save_endpoint(
    *,
    tenant: uuid.UUID,
    name: str,
    kind: str,
    base_url: str,
    key: str,
    max_in_flight: int,
    requests_per_minute: int | None,
    by: Actor,
    at: datetime,
) -> JudgeEndpoint:
    """Make an endpoint, or change the one of this name. An empty key keeps the one that is there, as long as the address
    stays: at another address, the key has to be given again, or whoever changes it could read it there.

    Raises InvalidInput.
    """
    scope.require_tenant(tenant)
    name = noting.name_of(name)
    if kind not in EndpointKind.values:
        raise invalid("/kind", f"one of {', '.join(EndpointKind.values)}")
    base_url = _address(base_url)
    _in_range(max_in_flight, 1, IN_FLIGHT_MOST, "/max_in_flight")
    if requests_per_minute is not None:
        _in_range(requests_per_minute, 1, PER_MINUTE_MOST, "/requests_per_minute")
    if len(key) > KEY_LENGTH or not (key.isascii() and key.isprintable()) or key != key.strip():
        raise invalid("/key", f"a key of at most {KEY_LENGTH} printable ASCII characters is expected")
    noting.await_turn(tenant, "endpoint")
    found = JudgeEndpoint.objects.select_for_update().filter(tenant_id=tenant, name=name).first()
    if not key and found is not None and found.base_url != base_url:
        raise invalid("/key", "give the key again: at another address, the one that is kept is not used", "required")
    row = found or JudgeEndpoint(id=new_id(), tenant_id=tenant, name=name, created_at=at, created_by=by.label[:200])
    if key or found is None:
        row.key_cipher = secrets.close(key)
        row.key_hint = key[-4:] if len(key) >= 12 else ""
    row.kind, row.base_url = kind, base_url
    row.max_in_flight, row.requests_per_minute = max_in_flight, requests_per_minute
    row.paused_until = None  # whoever changes it wants it to be tried
    row.changed_at, row.changed_by = at, by.label[:200]
    row.save()
    data = {
        "name": name,
        "kind": kind,
        "base_url": base_url,
        "max_in_flight": max_in_flight,
        "requests_per_minute": requests_per_minute,
        "key": "given" if key else "kept" if found else "none",
    }
    noting.record(
        tenant=tenant, action="judge_endpoint.saved", kind="judge_endpoint", id=str(row.id), data=data, by=by, at=at
    )
    return row


def endpoint_of(*, tenant: uuid.UUID, endpoint_id: uuid.UUID) -> JudgeEndpoint:
    """Raises Unknown."""
    found = JudgeEndpoint.objects.filter(tenant_id=tenant, id=endpoint_id).first()
    if found is None:
        raise Unknown("There is no such endpoint.")
    return found


def _address(url: str) -> str:
    try:
        addresses.place_of(url)
    except ValueError as error:
        raise invalid("/base_url", str(error)) from error
    return url.rstrip("/")


def _in_range(value: int, least: int, most: int, pointer: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise invalid(pointer, f"a whole number from {least} to {most} is expected")
