"""The gate for a pipeline: by HTTP, and by a command with exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from tenants import machines
from tests.evals.gates.acting import require
from tests.evals.gates.making import Desk, F, all_pass, keys
from tests.world import World

REQUIREMENTS = {"requirements": [{"set": "starter", "least_rate": 0.9, "repeats": 2}]}


@pytest.fixture(autouse=True)
def _no_cached_keys() -> None:
    machines.forget_cached_keys()


@pytest.fixture
def api(desk: Desk) -> Callable[..., Any]:
    """`api("GET", "gates/desk", expect=404)`: with a key of the scope that the method needs."""

    def call(method: str, path: str, body: Any = None, *, scope: str = "", expect: int = 200) -> Any:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        key = desk.organisation.keys[scope or ("evals" if method == "GET" else "admin")]
        answer = Client().generic(
            method,
            f"/api/v1/{path}",
            raw,
            content_type="application/json",
            headers={"authorization": f"Bearer {key}"},
        )
        assert answer.status_code == expect, answer.content
        return answer.json() if answer.content else None

    return call


Api = Callable[..., Any]


def test_a_pipeline_sets_asks_and_reads_a_gate(desk: Desk, api: Api) -> None:
    desk.version("1")
    revision = desk.eval_set("starter", keys(10))
    assert api("PUT", "gates/desk", REQUIREMENTS)["requirements"] == [
        {"set": "starter", "mode": "plain", "least_rate": 0.9, "margin": 0.1, "repeats": 2}
    ]
    standing = api("GET", "gates/desk/1")
    assert (standing["gate"], standing["approved"], standing["verdict"]) == ("required", False, None)
    said = api("POST", "gates", {"agent": "desk", "agent_version": "1"})
    assert (said["gate"], said["verdict"]["verdict"]) == ("failed", "failed")
    assert said["verdict"]["requirements"][0]["command"].endswith("--set starter --repeats 2 --call MODULE:NAME")
    desk.suite("1", revision, all_pass(10, repeats=2))
    said = api("POST", "gates", {"agent": "desk", "agent_version": "1"})
    assert (said["gate"], said["verdict"]["sentence"]) == ("passed", "1 passes its suite.")
    assert api("GET", "gates/desk/1") == said
    api("DELETE", "gates/desk", {"reason": "a prototype"}, expect=204)
    api("GET", "gates/desk", expect=404)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/requirements"),
        ({"requirements": {}}, "/requirements"),
        ({"requirements": []}, "/requirements"),
        ({"requirements": [7]}, "/requirements/0"),
        ({"requirements": [{"set": "nowhere"}]}, "/requirements/0/set"),
        ({"requirements": [{"set": "starter", "least_rate": "all"}]}, "/requirements/0/least_rate"),
        ({"requirements": [{"set": "starter", "margin": True}]}, "/requirements/0/margin"),
        ({"requirements": [{"set": "starter", "margin": 1e9}]}, "/requirements/0/margin"),
        ({"requirements": [{"set": "starter", "mode": "wild"}]}, "/requirements/0/mode"),
        ({"requirements": [{"set": "starter", "repeats": 1.5}]}, "/requirements/0/repeats"),
        ({"requirements": [{"set": "starter", "often": 1}]}, "/requirements/0/often"),
        ({"requirements": [{"set": "starter"}] * 30}, "/requirements"),
        ({"requirements": [{"set": "starter"}], "reason": "\0"}, "/reason"),
    ],
)
def test_a_wrong_gate_is_refused_with_the_place(desk: Desk, api: Api, body: Any, pointer: str) -> None:
    desk.version("1")
    desk.eval_set("starter", keys(1))
    refusal = api("PUT", "gates/desk", body, expect=400)
    assert pointer in [error["pointer"] for error in refusal["errors"]]
    assert all(error["detail"] for error in refusal["errors"])


def test_reading_and_deciding_need_their_scopes(desk: Desk, api: Api) -> None:
    desk.version("1")
    for scope in ("ingest", "guard", "feedback", "read"):
        api("GET", "gates/desk/1", scope=scope, expect=403)
    for scope in ("evals", "read"):
        api("POST", "gates", {"agent": "desk", "agent_version": "1"}, scope=scope, expect=403)
        api("PUT", "gates/desk", REQUIREMENTS, scope=scope, expect=403)
        api("DELETE", "gates/desk", {"reason": "x"}, scope=scope, expect=403)


def test_what_is_not_there_is_not_found_and_what_cannot_be_said_is_a_conflict(
    desk: Desk, api: Api, world: World
) -> None:
    desk.version("1")
    api("GET", "gates/desk/9", expect=404)
    api("GET", "gates/%00/1", expect=404)
    api("PUT", "gates/nobody", REQUIREMENTS, expect=400)
    api("POST", "gates", {"agent": "desk", "agent_version": "9"}, expect=404)
    assert api("POST", "gates", {"agent": "desk", "agent_version": "1"}, expect=409)["code"] == "gate_undecided"
    api("POST", "gates", {"agent": "desk"}, expect=400)
    api("POST", "gates", {"agent": "desk", "agent_version": "1", "force": True}, expect=400)
    api("POST", "gates", b"[", expect=400)
    other = Desk(world.globex)
    other.version("other")
    api("GET", "gates/desk/other", expect=404)


# -- the command ------------------------------------------------------------------------------------------------------


def gate(*arguments: str) -> tuple[int, str, str]:
    """Exit code, what it says, and what it complains of."""
    out = StringIO()
    try:
        call_command("gate", *arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


def test_exit_codes_tell_passed_failed_and_undecided(desk: Desk) -> None:
    desk.version("1")
    desk_1 = ("desk", "1", "--tenant", "acme")
    code, _, told = gate(*desk_1)
    assert (code, "No gate stands before" in told) == (2, True)
    assert gate("nobody", "1", "--tenant", "acme")[0] == 2
    assert gate("desk", "1", "--tenant", "nowhere")[0] == 2
    revision = desk.eval_set("starter", keys(10))
    require(desk, "starter")
    code, _, told = gate(*desk_1)
    assert code == 1
    assert told.splitlines() == [
        "starter: revision 1 was not run on this content.",
        "  python -m agentops_client.evals run --agent desk --version 1 --set starter --call MODULE:NAME",
    ]
    desk.suite("1", revision, all_pass(10, but={"case-07": [F]}))
    code, out, told = gate(*desk_1, "--json")
    assert (code, json.loads(out)["verdict"]["requirements"][0]["failed"]) == (1, ["case-07"])
    assert told == "starter: 9 of 10 passed, at least 100 % is asked; 1 case (case-07) did not."
    desk.suite("1", revision, all_pass(10))
    assert gate(*desk_1) == (0, "1 passes its suite.\n", "")
