"""Wiring of requests: machines take a short way in, people the long one, and refusals become answers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from ipaddress import ip_address
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import render
from django.urls import Resolver404, get_resolver

from agentops.common import problems
from agentops.common.errors import DomainError, InvalidInput, MethodNotAllowed, NotFound, Unavailable, Unexpected
from audit.origin import origin

logger = logging.getLogger(__name__)
Handler = Callable[[HttpRequest], HttpResponseBase]
MACHINE_PATHS = ("/api/v1/", "/v1/", "/healthz", "/readyz", "/.well-known/")
PEOPLE_PATHS = ("/api/v1/docs/",)
_BUSY_PATHS = ("/api/v1/guard/", "/v1/", "/api/v1/traces", "/api/v1/permits/")


class MachineDoor:
    """Sends a machine's request straight to its view: no session, no CSRF, no messages, no sign-in.

    Those layers cost more than a guard decision may, and a machine has none of what they look at.
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Handler) -> None:
        self.people = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path.startswith(MACHINE_PATHS) and not path.startswith(PEOPLE_PATHS):
            return _measured(self._machine(request))
        return self.people(request)

    @staticmethod
    def _machine(request: HttpRequest) -> HttpResponseBase:
        try:
            match = get_resolver().resolve(request.path_info)
        except Resolver404:
            return problems.response(NotFound(f"there is nothing at {request.path_info}"), request)
        request.resolver_match = match
        try:
            with nullcontext() if request.path_info.startswith(_BUSY_PATHS) else came_from(request, "api_key"):
                response = match.func(request, *match.args, **match.kwargs)
            if hasattr(response, "render") and callable(response.render):
                response = response.render()
            return cast(HttpResponseBase, response)
        except DomainError as error:
            return problems.response(error, request)
        except OperationalError:
            return problems.response(Unavailable("the database does not answer; try again", retry_after=5), request)
        except SuspiciousOperation as error:
            return problems.response(InvalidInput(str(error)), request)
        except Exception:
            logger.exception("unhandled error in %s %s", request.method, request.path)
            got_request_exception.send(sender=MachineDoor, request=request)
            return problems.response(Unexpected("something went wrong here; it is in our log"), request)


def _measured(response: HttpResponseBase) -> HttpResponseBase:
    """With its length, which CommonMiddleware would have set: without it the server sends it in chunks."""
    if isinstance(response, HttpResponse) and not response.has_header("Content-Length"):
        response["Content-Length"] = str(len(response.content))
    return response


class Origins:
    """Where people's and programs' requests come from, for the audit entries they leave.

    Not for the guard and for traces: there the agent's run says where it was, and a hundred entries a second of one
    server would each keep its address.
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with came_from(request, "session" if request.session.session_key else ""):
            return self.get_response(request)


def came_from(request: HttpRequest, auth_method: str) -> AbstractContextManager[None]:
    user_agent = request.headers.get("User-Agent", "").replace("\0", "")
    return origin(src_ip=_address(request), user_agent=user_agent, auth_method=auth_method)


def _address(request: HttpRequest) -> str:
    """The client's address: the peer's, or, behind so many proxies of ours, what the outermost of them wrote down.

    What stands further left in X-Forwarded-For is the client's own word.
    """
    proxies: int = settings.TRUSTED_PROXIES
    told = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",") if one.strip()]
    found = told[-proxies] if proxies and len(told) >= proxies else str(request.META.get("REMOTE_ADDR", ""))
    try:
        return str(ip_address(found))
    except ValueError:
        return ""


class Refusals:
    """Turns a domain error of a page into a page (or a fragment for htmx) that says what to do."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not response.content:
            return self._not_allowed(request, response)
        return response

    def _not_allowed(self, request: HttpRequest, response: HttpResponseNotAllowed) -> HttpResponseBase:
        """Where only a form leads, an address typed in, or come back to after signing in again, finds nothing to show."""
        page = self.process_exception(
            request,
            MethodNotAllowed(
                "This address only takes what a form sends, so nothing was changed. If you had to sign in again on "
                "the way, open the page once more and send the form from there."
            ),
        )
        if page is None:
            return response
        page["Allow"] = response["Allow"]
        return page

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        """PostgreSQL holds no NUL, so no page has a use for one: refused here, once for all of them."""
        texts = (text for params in (request.GET, request.POST) for _, values in params.lists() for text in values)
        if any("\0" in text for text in texts):
            return self.process_exception(request, InvalidInput("No value may contain a NUL character."))
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, OperationalError):
            error = Unavailable("The database does not answer at the moment. Nothing was changed.", retry_after=5)
        if not isinstance(error, DomainError):
            return None
        template = "_refusal.html" if getattr(request, "htmx", False) else "refusal.html"
        response = render(request, template, {"error": error}, status=error.status)
        if error.retry_after:
            response["Retry-After"] = str(error.retry_after)
        return response
