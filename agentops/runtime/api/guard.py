"""The guard over HTTP. A view reads strictly, makes one domain call, and answers."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.budgets.types import Usage
from agentops.common import bodies, clock, strictjson
from agentops.common.ids import is_minted, trace_uuid
from agentops.common.reading import Reading
from agentops.runtime import permits, services
from agentops.runtime.errors import RunUnknown
from agentops.runtime.services.finish import STATUSES
from agentops.runtime.types import AnswerKey, Asker, ModelProposal, StartRequest, ToolProposal, ToolResult
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

MAX_BYTES = 262_144
MAX_TOKENS = 100_000_000
_REASON_MOST = 2_000
_SCOPE_MOST_BYTES = 65_536
_CURRENT_MOST_BYTES = 65_536
_RESOURCE_VERSION_MOST = 200
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_OUTCOMES = ("ok", "error", "cancelled", "unknown")
_JWKS_SECONDS = 60
_DECIDED = OpenApiResponse(OpenApiTypes.OBJECT, "A decision, or what was noted")


class GuardView(MachineView):
    """A verb of the guard."""

    scope = KeyScope.GUARD
    parser_classes: list[Any] = []
    http_method_names = ["post"]

    def body(self) -> tuple[Any, bytes]:
        """The body as a value and as its canonical bytes, strictly parsed. Raises InvalidInput, TooLarge."""
        value = bodies.read_json(self.request._request, most=MAX_BYTES)
        return value, strictjson.canonical(value)

    def reading(self) -> tuple[Reading, bytes]:
        """The body's members, and the digest by which a resend is known."""
        value, canonical = self.body()
        return Reading(value), hashlib.sha256(canonical).digest()

    @property
    def asker(self) -> Asker:
        return Asker(self.principal.key_id, self.principal.name)


def run_uuid(text: str) -> uuid.UUID:
    """The id of a run in a path. Raises RunUnknown: an id that is none is one that does not exist."""
    try:
        run = trace_uuid(text)
    except ValueError:
        raise RunUnknown("There is no such run; a run id is 32 hex digits.") from None
    if not is_minted(run):
        raise RunUnknown("There is no such run; run ids are made by the portal.")
    return run


class RunsView(GuardView):
    """`POST /api/v1/guard/runs`"""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={201: _DECIDED})
    def post(self, request: Request) -> Response:
        read, digest = self.reading()
        parent = read.text("parent_run_id", most=32)
        wanted = StartRequest(
            call_id=read.text("call_id", required=True),
            agent=read.text("agent", required=True),
            agent_version=read.text("agent_version", required=True),
            user=read.text("user", required=True),
            session=read.text("session"),
            scope=_scope(read),
            parent=run_uuid(parent) if parent else None,
            digest=digest,
            answer_key=_answer_key(read),
        )
        read.anything("input")  # belongs to the trace; here only part of what makes a request the same
        read.done()
        return Response(services.start(tenant=self.tenant, request=wanted, by=self.asker), status=201)


def _answer_key(read: Reading) -> AnswerKey | None:
    """`answer_key`: what makes a stored answer this run's. A run that another began takes part in the other's answer."""
    value = read.anything("answer_key")
    if value is None:
        return None
    inner = Reading(value, pointer="/answer_key")
    key = AnswerKey(
        prompt_hash=inner.text("prompt_hash", required=True),
        model=inner.text("model", required=True),
        tool_definitions_hash=inner.text("tool_definitions_hash", required=True),
        input_digest=inner.text("input_digest", required=True),
    )
    inner.done()
    if read.text("parent_run_id", most=32):
        read.problem("answer_key", "unexpected", "only a run that no other began can be answered from the store")
    return key


class ModelCallsView(GuardView):
    """`POST /api/v1/guard/runs/{run_id}/model-calls`"""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: _DECIDED})
    def post(self, request: Request, run_id: str) -> Response:
        run = run_uuid(run_id)
        read, digest = self.reading()
        proposal = ModelProposal(
            call_id=_call_id(read),
            model=read.text("model"),
            provider=read.text("provider"),
            task_class=read.text("task_class"),
            input_tokens=read.integer("input_tokens", most=MAX_TOKENS, required=True) or 0,
            max_output_tokens=read.integer("max_output_tokens", least=1, most=MAX_TOKENS, required=True) or 1,
            digest=digest,
        )
        read.done()
        return Response(services.reserve(tenant=self.tenant, run=run, proposal=proposal, by=self.asker))


class SettlementView(GuardView):
    """`POST …/model-calls/{call_id}/settlement`"""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: _DECIDED})
    def post(self, request: Request, run_id: str, call_id: str) -> Response:
        run = run_uuid(run_id)
        read, digest = self.reading()
        outcome = read.choice("outcome", _OUTCOMES)
        usage = _usage(read)
        read.done()
        return Response(
            services.settle(
                tenant=self.tenant, run=run, call_id=call_id, outcome=outcome, usage=usage, digest=digest, by=self.asker
            )
        )


class ToolCallsView(GuardView):
    """`POST …/tool-calls`"""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: _DECIDED})
    def post(self, request: Request, run_id: str) -> Response:
        run = run_uuid(run_id)
        read, digest = self.reading()
        value = read.anything("arguments", required=True)
        proposal = ToolProposal(
            call_id=_call_id(read),
            tool=read.text("tool", required=True),
            arguments=strictjson.canonical(value),
            value=value,
            reason=read.text("reason", most=_REASON_MOST),
            is_tainted=read.flag("tainted"),
            digest=digest,
            resource_version=read.text("resource_version", most=_RESOURCE_VERSION_MOST),
            current=_current(read),
        )
        read.done()
        answer = services.propose(tenant=self.tenant, run=run, proposal=proposal, by=self.asker)
        if "confirmation" in answer:
            answer["confirmation"]["url"] = request.build_absolute_uri(answer["confirmation"]["url"])
        return Response(answer)


class RedemptionView(GuardView):
    """`POST …/tool-calls/{call_id}/redemption`"""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: _DECIDED})
    def post(self, request: Request, run_id: str, call_id: str) -> Response:
        run = run_uuid(run_id)
        read = _optional(request)
        seen = read.text("resource_version", most=_RESOURCE_VERSION_MOST)
        read.done()
        return Response(
            services.redeem(tenant=self.tenant, run=run, call_id=call_id, resource_version=seen, by=self.asker)
        )


class ResultView(GuardView):
    """`POST …/tool-calls/{call_id}/result`"""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: _DECIDED})
    def post(self, request: Request, run_id: str, call_id: str) -> Response:
        run = run_uuid(run_id)
        read, digest = self.reading()
        content = read.anything("result")
        outcome = read.choice("outcome", ("ok", "error", "unknown"))
        result = ToolResult(
            outcome=outcome,
            error=hashlib.sha256(strictjson.canonical(content)).hexdigest()[:16] if outcome == "error" else "",
            external_system=read.text("external_system"),
            external_id=read.text("external_id"),
            idempotency_key=read.text("idempotency_key"),
            digest=digest,
            args_digest=_args_digest(read),
        )
        read.done()
        return Response(
            services.take_result(tenant=self.tenant, run=run, call_id=call_id, result=result, by=self.asker)
        )


class FinishView(GuardView):
    """`POST …/finish`"""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: _DECIDED})
    def post(self, request: Request, run_id: str) -> Response:
        run = run_uuid(run_id)
        read, _ = self.reading()
        status = read.choice("status", tuple(STATUSES))
        output = read.anything("output")  # belongs to the trace; kept only where the start asked for that
        read.done()
        return Response(
            services.finish(tenant=self.tenant, run=run, status=STATUSES[status], by=self.asker, output=output)
        )


class ConsumptionView(GuardView):
    """`POST /api/v1/permits/{jti}/consumption`"""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: _DECIDED})
    def post(self, request: Request, jti: str) -> Response:
        read = _optional(request)
        args_digest = _args_digest(read)
        read.done()
        used, at = services.consume(tenant=self.tenant, jti=jti, args_digest=args_digest, by=self.asker)
        return Response({"jti": used, "consumed_at": clock.rfc3339(at)})


def key_set(request: HttpRequest) -> HttpResponse:
    """`GET /.well-known/jwks.json`: the keys that permits are signed with."""
    answer = HttpResponse(permits.key_set_json(), content_type="application/jwk-set+json")
    answer["Cache-Control"] = f"public, max-age={_JWKS_SECONDS}"
    return answer


def _optional(request: Request) -> Reading:
    """The members of a body that may be left out. An empty form, as some HTTP clients send it, is none."""
    raw = bodies.read(request._request, most=MAX_BYTES).strip()
    is_form = bodies.media_type(request._request) in _FORMS and not raw.startswith(b"{")
    if not raw or is_form:
        return Reading({})
    return Reading(strictjson.loads(raw, max_bytes=MAX_BYTES, max_depth=bodies.MAX_DEPTH))


def _call_id(read: Reading) -> str:
    """The id of a call, which the address of its settlement or its result has to carry."""
    found = read.text("call_id", required=True)
    if found in (".", "..") or any(char < " " for char in found):
        read.problem(
            "call_id", "form", "no control characters are taken, and no . or .. alone: it is part of an address"
        )
    return found


def _args_digest(read: Reading) -> str:
    """The digest of the arguments that run, as permits name it; its 64 hex digits, "" where none is told."""
    told = read.text("args_digest", most=71)
    if told and not _DIGEST.fullmatch(told):
        read.problem("args_digest", "digest", "sha256: and 64 hex digits are expected, of the arguments in RFC 8785")
        return ""
    return told.removeprefix("sha256:")


def _current(read: Reading) -> str:
    """What is acted on, as the tool gives it now: any JSON, kept as it is."""
    value = read.anything("current")
    if value is None:
        return ""
    canonical = strictjson.canonical(value)
    if len(canonical) > _CURRENT_MOST_BYTES:
        read.problem("current", "too_large", f"at most {_CURRENT_MOST_BYTES} bytes are taken")
    return canonical.decode()


def _scope(read: Reading) -> dict[str, Any]:
    """The scope of a run: `tools`, a list of names, and facts about the user, in `user` or beside it."""
    found = dict(read.mapping("scope"))
    tools = found.get("tools")
    if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, str) for tool in tools)):
        read.problem("scope/tools", "type", "a list of tool names is expected")
    if not isinstance(found.get("user", {}), dict):
        read.problem("scope/user", "type", "a JSON object of facts about the user is expected")
    if len(strictjson.canonical(found)) > _SCOPE_MOST_BYTES:
        read.problem("scope", "too_large", f"at most {_SCOPE_MOST_BYTES} bytes are taken")
    return found


def _usage(read: Reading) -> Usage | None:
    """Tokens by class; None where nothing was said."""
    found = read.anything("usage")
    if found is None:
        return None
    inner = Reading(found, pointer="/usage")
    usage = Usage(
        # A half-told usage must not look like a cheap call: who does not know says nothing, and pays the hold.
        input_tokens=inner.integer("input_tokens", most=MAX_TOKENS, required=True) or 0,
        output_tokens=inner.integer("output_tokens", most=MAX_TOKENS, required=True) or 0,
        cache_read_tokens=inner.integer("cache_read_tokens", most=MAX_TOKENS) or 0,
        cache_write_tokens=inner.integer("cache_write_tokens", most=MAX_TOKENS) or 0,
        reasoning_tokens=inner.integer("reasoning_tokens", most=MAX_TOKENS) or 0,
    )
    inner.done()
    return usage
