"""Checkpoints, proofs and keys, for machines that check the log without us."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import clock, paging
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from agentops.common.json import JSONRenderer
from agentops.common.scope import tenant_scope
from audit import keys, notes, queries
from audit.errors import NotSealedYet
from audit.models import Checkpoint
from audit.queries import Inclusion
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

_KEYS_SECONDS = 300
_ROWS, _ROWS_MOST = 100, 1000
_LARGEST = 2**63 - 1
_PROBLEM = OpenApiResponse(OpenApiTypes.OBJECT, "RFC 9457 problem")


class TextRenderer(BaseRenderer):
    """What is a text already: C2SP's forms."""

    media_type = "text/plain"
    format = "text"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return data.encode() if isinstance(data, str) else orjson.dumps(data)


class CheckpointsView(MachineView):
    """`GET /api/v1/audit/checkpoints`: the signed heads of the organisation's tree, the smallest first."""

    scope = KeyScope.READ

    @extend_schema(
        operation_id="api_v1_audit_checkpoints_list",
        parameters=[
            OpenApiParameter("after", int, description="only those of trees with more leaves than this"),
            OpenApiParameter("limit", int),
        ],
        responses={200: OpenApiResponse(OpenApiTypes.OBJECT, "`results`, `next`"), 400: _PROBLEM},
    )
    def get(self, request: Request) -> Response:
        params = request._request.GET
        after, limit = _number(params, "after", default=0), paging.limit(params, default=_ROWS, most=_ROWS_MOST)
        with tenant_scope(self.tenant):
            found = queries.checkpoints(tenant=self.tenant, after=after, most=limit + 1)
        shown, following = found[:limit], None
        if len(found) > limit:
            again = params.copy()
            again["after"] = str(shown[-1].tree_size)
            following = request.build_absolute_uri(f"{request.path}?{again.urlencode()}")
        return Response({"results": [_checkpoint(one) for one in shown], "next": following})


class CheckpointView(MachineView):
    """`GET /api/v1/audit/checkpoint`: the newest, as the text of C2SP's tlog-checkpoint: to be kept elsewhere."""

    scope = KeyScope.READ
    renderer_classes = [TextRenderer, JSONRenderer]

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR, 409: _PROBLEM})
    def get(self, request: Request) -> Response:
        with tenant_scope(self.tenant):
            found = queries.last_checkpoint(tenant=self.tenant)
        if found is None:
            raise NotSealedYet("nothing of this log was sealed yet; try again in a minute", retry_after=10)
        is_text = isinstance(request.accepted_renderer, TextRenderer)
        return Response(found.note if is_text else _checkpoint(found))


class ProofView(MachineView):
    """`GET /api/v1/audit/entries/{id}/proof`: that an entry is in the tree, up to its newest checkpoint."""

    scope = KeyScope.READ
    renderer_classes = [JSONRenderer, TextRenderer]

    @extend_schema(
        parameters=[OpenApiParameter("format", str, description="`text` for C2SP's tlog-proof@v1; else JSON")],
        responses={
            (200, "application/json"): OpenApiResponse(
                OpenApiTypes.OBJECT, "`leaf_index`, `leaf_hash`, `path` (hexadecimal, the lowest first), `checkpoint`"
            ),
            (200, "text/plain"): OpenApiTypes.STR,
            404: _PROBLEM,
            409: _PROBLEM,
        },
    )
    def get(self, request: Request, entry_id: uuid.UUID) -> Response:
        with tenant_scope(self.tenant):
            found = queries.inclusion(tenant=self.tenant, entry_id=entry_id)
            is_waiting = found is None and queries.is_waiting(tenant=self.tenant, entry_id=entry_id)
        if is_waiting:
            raise NotSealedYet("the entry has no place in the tree yet; try again in a minute", retry_after=10)
        if found is None:
            raise NotFound("there is no such entry")
        if isinstance(request.accepted_renderer, TextRenderer):
            return Response(_text(entry_id, found))
        return Response(_proof(entry_id, found))


class ConsistencyView(MachineView):
    """`GET /api/v1/audit/consistency`: that the tree of one size is the beginning of a later one."""

    scope = KeyScope.READ

    @extend_schema(
        parameters=[
            OpenApiParameter("first", int, required=True, description="the tree size of the checkpoint you hold"),
            OpenApiParameter("second", int, description="that of a later one; without it, the newest"),
        ],
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "`path` (hexadecimal), and the newest `checkpoint`"),
            400: _PROBLEM,
        },
    )
    def get(self, request: Request) -> Response:
        params = request._request.GET
        first = _number(params, "first")
        with tenant_scope(self.tenant):
            newest = queries.last_checkpoint(tenant=self.tenant)
            size = newest.tree_size if newest else 0
            second = _number(params, "second", default=size)
            if not 0 < first <= second <= size or newest is None:
                raise _wrong("first", f"is from 1 to `second`, which is at most {size}, the leaves of the tree")
            path = queries.consistency(tenant=self.tenant, first=first, second=second)
        return Response(
            {
                "first": first,
                "second": second,
                "path": [one.hex() for one in path],
                "checkpoint": newest.note if second == size else None,
            }
        )


def key_set(request: HttpRequest) -> HttpResponse:
    """`GET /.well-known/agentops-audit-keys.json`: what checkpoints can be checked with. Keep it; a key that is only
    handed out together with what it signed proves nothing."""
    found = {"keys": [keys.as_json(key) for key in queries.public_keys()]}
    answer = HttpResponse(orjson.dumps(found, option=orjson.OPT_INDENT_2), content_type="application/json")
    answer["Cache-Control"] = f"public, max-age={_KEYS_SECONDS}"
    answer["Access-Control-Allow-Origin"] = "*"
    return answer


# -- out --------------------------------------------------------------------------------------------------------------


def _checkpoint(row: Checkpoint) -> dict[str, Any]:
    return {
        "tree_size": row.tree_size,
        "root": bytes(row.root).hex(),
        "sealed_at": clock.rfc3339(row.sealed_at),
        "key_id": row.key_id,
        "note": row.note,
    }


def _proof(entry_id: uuid.UUID, found: Inclusion) -> dict[str, Any]:
    return {
        "entry": str(entry_id),
        "leaf_index": found.index,
        "leaf_hash": found.leaf_hash.hex(),
        "tree_size": found.checkpoint.tree_size,
        "path": [one.hex() for one in found.path],
        "checkpoint": found.checkpoint.note,
    }


def _text(entry_id: uuid.UUID, found: Inclusion) -> str:
    """With the entry's id as extra data, so that a file that lies around says of what it is a proof."""
    note, extra = found.checkpoint.note, str(entry_id).encode()
    return notes.proof_text(index=found.index, path=found.path, note=note, extra=extra)


# -- in ---------------------------------------------------------------------------------------------------------------


def _number(params: Mapping[str, str], name: str, *, default: int | None = None) -> int:
    text = params.get(name, "")
    if not text and default is not None:
        return default
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > _LARGEST:
        raise _wrong(name, "is a whole number of leaves")
    return int(text[:20])


def _wrong(name: str, what: str) -> InvalidInput:
    return InvalidInput("the sizes of the trees are not valid", problems=(InputProblem(f"/{name}", "invalid", what),))
