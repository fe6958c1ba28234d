"""How far the log is sealed and how to check it; and what a browser needs to check the entries that it shows."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from audit import canonical, queries, tree
from audit.models import Checkpoint
from audit.queries import StoredTree
from audit.views.entry import row_of
from audit.views.listing import held
from tenants.access import TenantRequest

CHECKED_MOST = 100
SHOWN = 12  # checkpoints on the page


@require_GET
def proofs(request: TenantRequest) -> HttpResponse:
    """Sealed up to where, by which key; the newest checkpoint to be kept elsewhere."""
    tenant, at = request.access.tenant.id, clock.now()
    state = queries.sealing_state(tenant=tenant)
    newest = queries.last_checkpoint(tenant=tenant)
    keys = queries.public_keys()
    context: dict[str, Any] = {
        "state": state,
        "is_late": state.is_late(at),
        "newest": newest,
        "recent": queries.checkpoints(tenant=tenant, after=max(state.tree_size - 1, 0))[-SHOWN:],
        "keys": keys,
        "key": next((key for key in keys if newest and key.id == newest.key_id), None),
        "keys_url": request.build_absolute_uri(reverse("audit-keys")),
    }
    return TemplateResponse(request, "audit/proofs.html", context)


@never_cache
@require_GET
def of_entries(request: TenantRequest) -> HttpResponse:
    """`?entry=` names up to 100 entries: JSON of their exact bytes, their paths, and the checkpoint that these lead to."""
    tenant, hidden = request.access.tenant.id, held(request)
    newest = queries.last_checkpoint(tenant=tenant)
    stored = StoredTree(tenant)
    found = [_proof(tenant, each, hidden, newest, stored) for each in _asked(request)]
    checkpoint = {"tree_size": newest.tree_size, "note": newest.note, "key_id": newest.key_id} if newest else None
    return JsonResponse({"checkpoint": checkpoint, "keys_url": reverse("audit-keys"), "entries": found})


def _asked(request: TenantRequest) -> Sequence[uuid.UUID]:
    """Raises InvalidInput."""
    try:
        asked = [uuid.UUID(text) for text in request.GET.getlist("entry")]
    except ValueError:
        asked = []
    if not 0 < len(asked) <= CHECKED_MOST:
        problem = InputProblem("/entry", "invalid", f"names 1 to {CHECKED_MOST} entries by their ids")
        raise InvalidInput("Which entries?", problems=(problem,))
    return asked


def _proof(
    tenant: uuid.UUID, entry: uuid.UUID, hidden: Any, newest: Checkpoint | None, stored: StoredTree
) -> dict[str, Any]:
    try:
        found = queries.get_entry(tenant=tenant, entry=entry, held=hidden)
    except NotFound:
        return {"id": str(entry), "state": "unknown"}
    told: dict[str, Any] = {"id": str(entry), "state": "pending"}
    if found.entry is not None:
        row = row_of(found.entry)
        told |= {"entry": canonical.envelope(row).decode(), "private": canonical.disclosed(row)}
    if found.leaf is not None and newest is not None and found.leaf.leaf_index < newest.tree_size:
        path = tree.inclusion_proof(found.leaf.leaf_index, newest.tree_size, stored)
        told |= {
            "state": "sealed" if found.entry is not None else "deleted",
            "leaf": found.leaf.leaf_index,
            "path": [each.hex() for each in path],
        }
    return told
