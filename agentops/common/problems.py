"""RFC 9457 problem details: the one form in which machines are refused."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions
from rest_framework.response import Response

from agentops.common.errors import DomainError, InputProblem, InvalidInput, NotFound, Unavailable

CONTENT_TYPE = "application/problem+json"


def body(error: DomainError) -> dict[str, Any]:
    """The problem document of a refusal."""
    found: dict[str, Any] = {
        "type": f"urn:agentops:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    if error.problems:
        found["errors"] = [problem.as_json() for problem in error.problems]
    return found


def response(error: DomainError, request: HttpRequest | None = None) -> HttpResponse:
    """A plain Django response, for refusals outside DRF."""
    answer = HttpResponse(orjson.dumps(body(error)), content_type=CONTENT_TYPE, status=error.status)
    _headers(answer, error)
    return answer


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. Unknown exceptions stay exceptions: they are our bugs and become 500."""
    refusal = _as_refusal(error)
    if refusal is None:
        return None
    answer = Response(body(refusal), status=refusal.status, content_type=CONTENT_TYPE)
    _headers(answer, refusal)
    return answer


def _headers(answer: HttpResponse, error: DomainError) -> None:
    if error.retry_after is not None:
        answer["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        answer["WWW-Authenticate"] = 'Bearer realm="agentops"'


def _as_refusal(error: Exception) -> DomainError | None:
    if isinstance(error, DomainError):
        return error
    if isinstance(error, OperationalError):
        return Unavailable("the database does not answer; try again", retry_after=5)
    if isinstance(error, Http404):
        return NotFound(str(error) or "not found")
    if isinstance(error, exceptions.ValidationError):
        return InvalidInput("some of the input is not valid", problems=tuple(_problems(error.get_full_details())))
    if isinstance(error, exceptions.ParseError):
        return InvalidInput(f"the body cannot be read: {error.detail}")
    if isinstance(error, exceptions.APIException):
        refusal = DomainError(str(error.detail))
        refusal.status = error.status_code
        refusal.code = str(error.default_code)
        refusal.title = HTTPStatus(error.status_code).phrase  # DRF's own has placeholders in it
        return refusal
    return None


def _problems(details: Any, pointer: str = "") -> list[InputProblem]:
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        return [InputProblem(pointer, str(details["code"]), str(details["message"]))]
    if isinstance(details, dict):
        return [p for key, value in details.items() for p in _problems(value, f"{pointer}/{_escape(str(key))}")]
    if isinstance(details, list):
        return [p for value in details for p in _problems(value, pointer)]
    return []


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
