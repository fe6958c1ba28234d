"""Runs are found again: each filter alone, pages without gaps or repeats, and nobody else's."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from agentops.traces.normalise.times import rfc3339
from agentops.traces.queries import runs as run_queries
from tests.ingest.wire import SECOND, Sender, native, new_span, new_trace


@pytest.fixture
def many(acme: Sender) -> list[dict[str, Any]]:
    """120 runs, newest first, with values that repeat; several start at the same instant."""
    start = time.time_ns() // 10**9 * 10**9 - 2 * 3600 * SECOND
    found: list[dict[str, Any]] = []
    for n in range(120):
        trace, root = new_trace(), new_span()
        at = start + n // 4 * 60 * SECOND
        fields = {"agent": f"agent-{n % 3}", "agent_version": f"v{n % 4}", "user_id": f"u{n % 5}", "session_id": f"s{n % 6}",
                  "prompt_hash": f"sha256:p{n % 7}", "status": "error" if n % 8 == 0 else "ok"}  # fmt: skip
        spans = [
            native("root", trace_id=trace, span_id=root, kind="run", at=at, **fields),
            native("call", trace_id=trace, parent_span_id=root, at=at, kind="llm", provider="openai",
                   model="gpt-4o-mini" if n % 2 else "gpt-4o", input_tokens=1000 * (n % 9), output_tokens=1,
                   error_type="refused" if n % 10 == 0 else None),
            native("tool", trace_id=trace, parent_span_id=root, at=at, kind="tool", tool=f"tool-{n % 11}",
                   result={"note": f"needle-{n % 12} in hay"}),
        ]  # fmt: skip
        found.append({"n": n, "trace": trace, "at": at, "spans": spans})
    for begin in range(0, 120, 40):
        assert acme.native(*(item for run in found[begin : begin + 40] for item in run["spans"]))["accepted"] == 120
    return sorted(found, key=lambda run: (run["at"], run["trace"]), reverse=True)


FILTERS: dict[str, tuple[dict[str, str], Any]] = {
    "none": ({}, lambda n: True),
    "agent": ({"agent": "agent-1"}, lambda n: n % 3 == 1),
    "agent_version": ({"agent_version": "v2"}, lambda n: n % 4 == 2),
    "user": ({"user": "u3"}, lambda n: n % 5 == 3),
    "session": ({"session": "s4"}, lambda n: n % 6 == 4),
    "status": ({"status": "error"}, lambda n: n % 8 == 0),
    "tool": ({"tool": "tool-5"}, lambda n: n % 11 == 5),
    "error_type": ({"error_type": "refused"}, lambda n: n % 10 == 0),
    "model": ({"model": "gpt-4o"}, lambda n: n % 2 == 0),
    "prompt_hash": ({"prompt_hash": "sha256:p6"}, lambda n: n % 7 == 6),
    "min_cost_usd": ({"min_cost_usd": "0.01"}, lambda n: n % 2 == 0 and n % 9 >= 4),
    "q": ({"q": "NEEDLE-7 in"}, lambda n: n % 12 == 7),
    "q of a name": ({"q": "ROOT"}, lambda n: True),
    "two": ({"agent": "agent-0", "model": "gpt-4o-mini"}, lambda n: n % 3 == 0 and n % 2 == 1),
    "three": (
        {"user": "u0", "status": "ok", "min_cost_usd": "0.01"},
        lambda n: n % 5 == 0 and n % 8 and n % 2 == 0 and n % 9 >= 4,
    ),
    "text and a facet": ({"q": "needle-3 in", "agent": "agent-0"}, lambda n: n % 12 == 3),
    "nobody": ({"agent": "agent-9"}, lambda n: False),
}


@pytest.mark.parametrize("what", FILTERS)
def test_a_filter_finds_its_runs_newest_first_through_every_page(
    acme: Sender, many: list[dict[str, Any]], what: str
) -> None:
    params, belongs = FILTERS[what]
    wanted = [run["trace"] for run in many if belongs(run["n"])]
    assert acme.runs(**params, limit=7) == wanted
    assert acme.runs(**params, limit=200) == wanted
    assert acme.runs(**params, limit=max(1, len(wanted))) == wanted


def test_times_include_their_start_and_not_their_end(acme: Sender, many: list[dict[str, Any]]) -> None:
    first, last = many[80]["at"], many[40]["at"]
    wanted = [run["trace"] for run in many if first <= run["at"] < last]
    assert 30 < len(wanted) < 50
    assert acme.runs(**{"from": rfc3339(first), "to": rfc3339(last), "limit": "9"}) == wanted
    assert acme.runs(**{"from": "1h"}) == [run["trace"] for run in many if run["at"] > time.time_ns() - 3600 * SECOND]
    assert len(acme.runs(**{"from": "24h"})) == 120
    plus = rfc3339(first).replace("Z", "+00:00")
    assert acme.runs(**{"from": plus, "to": rfc3339(last)}) == wanted


def test_runs_that_arrive_while_paging_are_neither_repeated_nor_in_the_way(
    acme: Sender, many: list[dict[str, Any]]
) -> None:
    page = acme.get("/api/v1/runs", limit=50)
    seen = [run["run_id"] for run in page["results"]]
    acme.native(*(native(f"new {n}") for n in range(5)))
    while page["next"]:
        page = acme.get(page["next"].removeprefix("http://testserver"))
        seen += [run["run_id"] for run in page["results"]]
    assert seen == [run["trace"] for run in many]


def test_a_text_search_says_how_far_it_looked_and_goes_on_from_there(
    acme: Sender, many: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_queries, "TEXT_BUDGET_SECONDS", 0)
    oldest = many[-1]
    wanted = f"needle-{oldest['n'] % 12} in"
    page = acme.get("/api/v1/runs", q=wanted)
    assert page["looked_back_to"] == rfc3339(many[run_queries.TEXT_CHUNK_RUNS - 1]["at"])
    found, pages = [run["run_id"] for run in page["results"]], 1
    while page["next"]:
        page = acme.get(page["next"].removeprefix("http://testserver"))
        found += [run["run_id"] for run in page["results"]]
        pages += 1
    assert found == [run["trace"] for run in many if run["n"] % 12 == oldest["n"] % 12]
    assert pages >= 3 and "looked_back_to" not in page


@pytest.mark.parametrize(
    "text", ['say "hi"', "back\\slash", "tab\there", "émile ☕", "100%", "under_score", "'quoted'", '{"a":']
)
def test_a_text_is_found_as_it_was_written(acme: Sender, text: str) -> None:
    one = native(input=[{"role": "user", "content": f"before {text} after"}])
    acme.native(one, native(input="something else"))
    assert acme.runs(q=text) == [one["trace_id"]]


WRONG_FILTERS: dict[str, tuple[dict[str, str], str]] = {
    "an unknown filter": ({"agnet": "x"}, "/agnet"),
    "an unknown status": ({"status": "failed"}, "/status"),
    "a time in words": ({"from": "yesterday"}, "/from"),
    "a cost in words": ({"min_cost_usd": "much"}, "/min_cost_usd"),
    "a negative cost": ({"min_cost_usd": "-1"}, "/min_cost_usd"),
    "a cost that is none": ({"min_cost_usd": "NaN"}, "/min_cost_usd"),
    "a limit of none": ({"limit": "0"}, "/limit"),
    "a limit too large": ({"limit": "201"}, "/limit"),
    "a limit in words": ({"limit": "²"}, "/limit"),
    "NUL in a value": ({"agent": "a\x00"}, "/agent"),
    "NUL in the text": ({"q": "a\x00"}, "/q"),
    "a text too long": ({"q": "x" * 201}, "/q"),
}


@pytest.mark.parametrize("what", WRONG_FILTERS)
def test_a_wrong_filter_is_named(acme: Sender, what: str) -> None:
    params, pointer = WRONG_FILTERS[what]
    problem = acme.get("/api/v1/runs", expect=400, **params)
    assert [item["pointer"] for item in problem["errors"]] == [pointer]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "!" * 32, "A" * 32 + "é", "_" * 32, "f" * 32, "%00", "A" * 10_000])
@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/runs/{run}/spans"])
def test_a_cursor_that_is_none_is_refused_and_never_an_error_of_ours(acme: Sender, path: str, cursor: str) -> None:
    one = native()
    acme.native(one)
    response = acme.client.get(
        path.format(run=one["trace_id"]), {"cursor": cursor}, headers={"Authorization": f"Bearer {acme.read_key}"}
    )
    if response.status_code == 400:
        assert orjson.loads(response.content)["errors"][0]["code"] == "cursor_invalid"
    else:
        assert response.status_code == 200


@pytest.mark.parametrize("run_id", ["x", "0" * 31, "g" * 32, "0" * 33, "%00" * 32])
def test_what_is_no_run_id_is_said_so(acme: Sender, run_id: str) -> None:
    assert "32 hex digits" in acme.get(f"/api/v1/runs/{run_id}", expect=400)["detail"]


def test_a_run_that_is_not_there_is_not_found(acme: Sender) -> None:
    assert acme.get(f"/api/v1/runs/{new_trace()}", expect=404)["code"] == "not_found"


# -- whose ------------------------------------------------------------------------------------------------------------


def test_another_tenant_sees_nothing(acme: Sender, globex: Sender) -> None:
    one = native(agent="bot", user_id="u", tool="t", kind="tool", input="needle", session_id="s")
    acme.native(one)
    for filters in (
        {},
        {"agent": "bot"},
        {"user": "u"},
        {"tool": "t"},
        {"q": "needle"},
        {"status": "ok"},
        {"from": "24h"},
    ):
        assert acme.runs(**filters) == [one["trace_id"]]
        assert globex.runs(**filters) == []
    globex.get(f"/api/v1/runs/{one['trace_id']}", expect=404)
    globex.get(f"/api/v1/runs/{one['trace_id']}/spans", expect=404)


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/runs/" + "a" * 32, "/api/v1/runs/" + "a" * 32 + "/spans"])
def test_reading_needs_the_scope(acme: Sender, path: str) -> None:
    assert acme.client.get(path).status_code == 401
    assert acme.client.get(path, headers={"Authorization": f"Bearer {acme.key}"}).status_code == 403
