"""Masked before storage on every path: what was planted is searched for in every table."""

from __future__ import annotations

import re
import time

import orjson
import psycopg
import pytest
from django.db import connection

import agentops.celery  # noqa: F401  tasks are called as a worker has them
from agentops.traces import tasks
from tests import engines
from tests.ingest.organisations import change
from tests.ingest.wire import DAY, Sender, native, new_trace, span
from tests.world import World

CALL = {"kind": "llm", "model": "gpt-4o-2024-08-06", "provider": "openai", "input_tokens": 100, "output_tokens": 10}

EMAIL = "planted.person@secret-mail.example"
TOKEN = "sk-proj-" + "Planted0Secret1" * 3
TEXT = f"write to {EMAIL}, key {TOKEN}"
PARTS = ("planted.person", "Planted0Secret1")


def tables_that_hold(parts: tuple[str, ...]) -> set[str]:
    """Every table with one of these texts anywhere in any row: read as superuser, leaf by leaf."""
    found = set()
    with psycopg.connect(**{**engines.superuser(), "dbname": connection.settings_dict["NAME"]}) as server:
        names = server.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        for (name,) in names:
            for part in parts:
                sql = f'SELECT count(*) FROM "{name}" t WHERE position(%s IN t::text) > 0'
                if server.execute(sql, [part]).fetchone() != (0,):
                    found.add(re.sub(r"_\d+$", "", name))
    server.close()
    return found


def _otlp(sender: Sender) -> None:
    message = orjson.dumps([{"role": "user", "parts": [{"type": "text", "content": TEXT}]}]).decode()
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": message,
        "gen_ai.output.messages": message,
        "gen_ai.system_instructions": TEXT,
        "gen_ai.tool.definitions": orjson.dumps([{"name": "t", "description": TEXT}]).decode(),
        "custom.plain": TEXT,
        "custom.nested": {"a": [{"b": TEXT}]},
        f"custom.{EMAIL}": 1,
        f"gen_ai.odd.{TOKEN}": "a name that no mapping reads is written down",
        "http.request.header.authorization": f"Bearer {TOKEN}",
    }
    exception = ("exception", {"exception.type": "Oops", "exception.message": TEXT, "exception.stacktrace": TEXT})
    sender.spans(
        span(f"chat {TEXT}", attributes=attributes, events=[exception, (TEXT, {"x": TEXT, EMAIL: 1})], status=(2, TEXT))
    )
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}
    content = {"gen_ai.tool.call.arguments": {"to": TEXT}, "gen_ai.tool.call.result": TEXT, "error.type": TEXT}
    sender.spans(span("tool", attributes={**tool, **content}), encoding="json")


def _logs(sender: Sender) -> None:
    now = time.time_ns()
    evaluation = {"gen_ai.evaluation.name": "x", "gen_ai.evaluation.explanation": TEXT, "custom": TEXT, EMAIL: 1}
    sender.logs(
        {"event_name": "gen_ai.evaluation.result", "trace_id": new_trace(), "time": now, "attributes": evaluation},
        {"event_name": "gen_ai.user.message", "trace_id": new_trace(), "time": now, "body": {"content": TEXT}},
    )


def _native(sender: Sender) -> None:
    content = {
        name: {"text": TEXT, "list": [TEXT], EMAIL: 1, "sub": {TOKEN: 2}}
        for name in ("arguments", "result", "input", "output", "documents")
    }
    sender.native(
        native(
            TEXT,
            kind="tool",
            tool="t",
            **content,
            attributes={"a": TEXT, EMAIL: 1},
            status_message=TEXT,
            error_type=TEXT,
        ),
        native(input=TEXT, output=TEXT, system_instructions=TEXT, tool_definitions=[{"description": TEXT}], kind="llm"),
    )


def _dead_letters(sender: Sender) -> None:
    old = time.time_ns() - 900 * DAY
    sender.spans(
        span(TEXT, start=old, end=old, attributes={"a": TEXT}), span(TEXT, span_id="00", attributes={"a": TEXT})
    )
    sender.spans(span(TEXT, span_id="00", attributes={"a": TEXT}), encoding="json")
    sender.native(
        native(TEXT, at=old, input=TEXT), native(kind=TEXT), native(started_at=TEXT), native(input_tokens=TEXT), TEXT
    )
    sender.native(native(**{TEXT: 1}))
    sender.logs(
        {"event_name": "gen_ai.user.message", "trace_id": "", "span_id": "", "time": time.time_ns(), "body": TEXT}
    )


PATHS = {"otlp": _otlp, "logs": _logs, "native": _native, "dead letters": _dead_letters}


@pytest.mark.parametrize("mode", ["mask", "hash"])
@pytest.mark.parametrize("path", PATHS)
def test_nothing_planted_is_found_in_any_table(acme: Sender, world: World, path: str, mode: str) -> None:
    change(world.acme, world, masking=mode)
    PATHS[path](acme)
    tasks.register_end_users()
    assert tables_that_hold(PARTS) == set()
    assert tables_that_hold(("[masked:email]",) if mode == "mask" else ("[hash:email:",)), "and something was masked"


@pytest.mark.parametrize("path", PATHS)
def test_with_masking_off_everything_is_kept(acme: Sender, world: World, path: str) -> None:
    change(world.acme, world, masking="off")
    PATHS[path](acme)
    assert tables_that_hold(PARTS)


def test_a_change_of_the_policy_takes_effect_at_the_next_span(acme: Sender, globex: Sender, world: World) -> None:
    def kept(sender: Sender = acme) -> str:
        item = native(input="mail kim@example.com")
        sender.native(item)
        return str(sender.spans_of(item["trace_id"])[0]["input"])

    assert kept() == "mail [masked:email]"
    change(world.acme, world, masking="hash")
    hashed = kept()
    assert re.fullmatch(r"mail \[hash:email:[0-9a-f]{12}\]", hashed) and kept() == hashed
    change(world.globex, world, masking="hash")
    assert kept(globex) != hashed, "one organisation's hashes say nothing about another's"
    change(world.acme, world, masking="off")
    assert kept() == "mail kim@example.com"


def test_a_pseudonym_stands_for_the_user_everywhere(acme: Sender, world: World) -> None:
    change(world.acme, world, pseudonymise_users=True)
    acme.native(native(user_id="planted.person", **CALL))
    acme.spans(
        span(attributes={"user.id": "planted.person", "gen_ai.operation.name": "chat", "gen_ai.request.model": "m"})
    )
    tasks.register_end_users()
    assert tables_that_hold(("planted.person",)) == set()
    users = {acme.run(trace)["user"] for trace in acme.runs()}
    assert len(users) == 1 and len(acme.runs(user=users.pop())) == 2


def test_content_of_a_span_that_was_not_captured_is_null(acme: Sender) -> None:
    item = span("chat", attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"})
    acme.spans(item)
    [found] = acme.spans_of(item["trace_id"])
    assert [found[name] for name in ("input", "output", "system_instructions", "tool_definitions")] == [None] * 4
