"""`manage.py ledger check`: silent success, and a named difference for every kind of damage."""

from __future__ import annotations

import io
from typing import Any

import orjson
import psycopg
import pytest
from django.core.management import call_command
from django.db import connection

from tests import engines
from tests.ingest.wire import Sender, native, new_span, new_trace


def check() -> dict[str, Any]:
    """The command's JSON; its exit code says the same."""
    out, code = io.StringIO(), 0
    try:
        call_command("ledger", "check", "--json", stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    found = dict(orjson.loads(out.getvalue().splitlines()[-1]))
    assert found["equal"] is (code == 0)
    return found


@pytest.fixture
def kept(acme: Sender, globex: Sender) -> str:
    """Runs of two tenants; answers the trace id of one."""
    trace, root = new_trace(), new_span()
    call = {"kind": "llm", "model": "gpt-4o", "provider": "openai", "input_tokens": 100, "output_tokens": 10}
    outer = native("outer", trace_id=trace, span_id=root, user_id="u", **call)
    acme.native(native("tool", trace_id=trace, kind="tool", tool="t"), native(**{**call, "model": "unknown"}), outer)
    acme.native(native("inner", trace_id=trace, parent_span_id=root, **call))  # takes the outer one back
    globex.native(native("other", **call, status="error"), native("failed", kind="llm", status="error"))
    return trace


def test_nothing_at_all_is_equal(acme: Sender) -> None:
    assert check()["equal"]


def test_what_ingest_wrote_is_equal(kept: str) -> None:
    found = check()
    assert found["equal"]
    assert [item["compared"] for item in found["checks"]] == [4, 3, 3, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]


DAMAGE: dict[str, tuple[str, str, str]] = {
    "a run's tokens": ("UPDATE traces_run SET input_tokens = input_tokens + 1", "runs and spans", "input_tokens"),
    "a run's cost": ("UPDATE traces_run SET cost_nano_usd = 1", "runs and spans", "cost_nano_usd"),
    "a run's day": ("UPDATE traces_run SET day = day - 1", "runs and spans", "span_count"),
    "a lost span": ("DELETE FROM traces_span WHERE kind = 3", "runs and spans", "tool_calls"),
    "a lost run": ("DELETE FROM traces_run", "runs and spans", "span_count"),
    "a span counted again": ("UPDATE traces_span SET is_counted = true", "ledger and model calls", "calls"),
    "a lost charge": ("DELETE FROM budgets_ledgerentry WHERE kind = 1", "ledger and model calls", "calls"),
    "a lost correction": ("DELETE FROM budgets_ledgerentry WHERE kind = 2", "hourly sums and ledger", "calls"),
    "an hour's amount": (
        "UPDATE budgets_usagehour SET amount_nano_usd = 5", "hourly sums and ledger", "amount_nano_usd",
    ),
    "a lost hour": ("DELETE FROM budgets_usagehour", "hourly sums and ledger", "calls"),
}  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_found_and_named(kept: str, what: str) -> None:
    statement, where, field = DAMAGE[what]
    name = connection.settings_dict["NAME"]
    with psycopg.connect(**{**engines.superuser(), "dbname": name}, autocommit=True) as server:
        server.execute(statement)
    server.close()
    found = check()
    assert not found["equal"]
    by_name = {item["what"]: item for item in found["checks"]}
    assert by_name[where]["differing"] > 0
    assert field in {item["field"] for item in by_name[where]["first"]}
    assert all(item["rows"] != item["stored"] for item in by_name[where]["first"])
