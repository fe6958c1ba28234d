"""Every machine's URL names its scopes, and refuses in the machine's own form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tenants import machines
from tenants.roles import KeyScope, StaffScope
from tests.guards.urls import MACHINES, Url, path_to, scope_of
from tests.world import World

FOR_ANYBODY = {"api-schema"}  # the description of the interface holds nothing of anyone
FOR_BROWSERS = {"api-feedback-widget"}  # a signed token in the body says whose it is: tests/evals/test_feedback.py
FOR_PAGERS = {"api-paging-pagerduty", "api-paging-opsgenie"}  # a secret of each target: tests/incidents/test_paging.py
FOR_OURS = {"api-revenue"}  # for our own machines, with a staff token: tried in tests/budgets/test_revenue.py, too
KEYED = [url for url in MACHINES if url.name not in FOR_ANYBODY | FOR_BROWSERS | FOR_PAGERS | FOR_OURS]
# OTLP says how it refuses: google.rpc.Status in the encoding of the request, which a GET or an empty POST lacks.
OTLP = {"otlp-traces", "otlp-logs", "otlp-metrics"}


@pytest.fixture(autouse=True)
def _no_cached_keys() -> None:
    machines.forget_cached_keys()


def methods(url: Url) -> list[str]:
    return [name for name in ("get", "post", "put", "patch", "delete") if hasattr(url.view, name)]


def call(url: Url, method: str, path: str, key: str | None) -> Any:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return Client().generic(method.upper(), path, b"{}", content_type="application/json", headers=headers)


def assert_refused(url: Url, response: Any, status: int, code: str) -> None:
    assert response.status_code == status, response.content
    body = response.json()
    if url.name in OTLP:
        assert body["message"]
        return
    assert response["Content-Type"] == "application/problem+json"
    assert (body["status"], body["code"]) == (status, code)
    assert body["detail"] and body["title"]


@pytest.mark.parametrize("url", KEYED, ids=str)
def test_every_method_names_one_scope_that_exists(url: Url) -> None:
    assert methods(url)
    for method in methods(url):
        assert scope_of(url, method) in KeyScope.values, f"{method} {url.route} names no scope"


@pytest.mark.parametrize("url", KEYED, ids=str)
def test_without_a_key_the_answer_is_401(world: World, url: Url) -> None:
    path = path_to(url, world, world.acme)
    for method in methods(url):
        for key in (None, "aok_nonsense"):
            response = call(url, method, path, key)
            assert_refused(url, response, 401, "unauthenticated")
            assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("url", KEYED, ids=str)
def test_a_key_without_the_scope_gets_403(world: World, key_for: Callable[..., str], url: Url) -> None:
    path = path_to(url, world, world.acme)
    for method in methods(url):
        needed = scope_of(url, method)
        for scope in (scope for scope in KeyScope.values if scope != needed):
            assert_refused(url, call(url, method, path, key_for(world.acme, scope)), 403, "forbidden")


@pytest.mark.parametrize("url", KEYED, ids=str)
def test_a_session_of_a_person_opens_nothing(world: World, client_for: Callable[..., Client], url: Url) -> None:
    path = path_to(url, world, world.acme)
    client = client_for(world.ada, fresh=True)
    for method in methods(url):
        assert client.generic(method.upper(), path, b"{}", content_type="application/json").status_code == 401


@pytest.mark.parametrize("url", [url for url in MACHINES if url.name in FOR_OURS], ids=str)
def test_what_is_for_our_own_machines_is_closed_to_customers_and_names_a_scope(
    world: World, key_for: Callable[..., str], url: Url
) -> None:
    assert getattr(url.view, "staff_scope", None) in StaffScope.values
    path = path_to(url, world, world.acme)
    for method in methods(url):
        for key in (None, "aos_nonsense", *(key_for(world.acme, scope) for scope in KeyScope.values)):
            assert_refused(url, call(url, method, path, key), 401, "unauthenticated")


def test_nothing_there_is_said_in_the_machines_form(world: World) -> None:
    response = Client().get("/api/v1/nothing")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "*/*;q=0", "nonsense"])
def test_an_address_of_one_form_answers_in_it_whatever_is_accepted(
    world: World, key_for: Callable[..., str], accept: str
) -> None:
    headers = {"authorization": f"Bearer {key_for(world.acme, KeyScope.READ)}", "accept": accept}
    response = Client().get("/api/v1/budgets", headers=headers)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response.json()
