"""Values that are made to break one request: each costs at most its own span or run, never the batch.

Source: STANDARDS, section 5 (a 500 loses the sender's data), and "Bad input" of the issue.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from agentops.budgets import services as budgets
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.traces import policy
from tests.ingest import rows
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import Sender, native, new_trace, span, traces
from tests.world import World

DEEP = '["bob@example.com",' + "[" * 300 + "]" * 300 + "]"
MOST_TOKENS = 2**31 - 1


def test_json_text_too_deep_to_be_written_again_is_masked_as_text(acme: Sender) -> None:
    trace = new_trace()
    found = acme.native(native("deep", trace_id=trace, kind="llm", input=DEEP, attributes={"a": DEEP}), native())
    assert found["accepted"] == 2
    assert "bob@example.com" not in orjson.dumps(acme.spans_of(trace)).decode()


def test_deep_json_text_in_what_is_refused_harms_nothing(acme: Sender) -> None:
    found = acme.native(DEEP, native())
    assert (found["accepted"], len(found["rejected"])) == (1, 1)
    assert acme.spans(span(attributes={"a": DEEP}, start=5)).rejected == 1


@pytest.mark.parametrize("field", [b'"kind":', b'"status":{"code":'])
def test_integers_beyond_64_bits_beside_half_a_surrogate_pair(acme: Sender, field: bytes) -> None:
    bad = span("cut PLACE", start=5)
    body = traces(bad, span(), encoding="json").replace(b"PLACE", b"\\ud83d")
    end = b"}" if field.endswith(b'code":') else b""
    body = body.replace(b'"name":', field + b"9" * 30 + end + b',"name":', 1)
    answer = acme.otlp(body, encoding="json")
    assert (answer.status, answer.rejected) == (200, 1)


CALLS = 24  # of two thousand million tokens each, at the dearest price there may be: the sum passes 64 bits


def test_a_run_whose_totals_do_not_fit_is_refused_and_the_others_are_stored(acme: Sender, world: World) -> None:
    with tenant_scope(world.acme.id):
        rates = {"input": budgets.MOST_USD, "output": budgets.MOST_USD}
        budgets.set_price(
            tenant=world.acme.id, provider="", model="dear", rates=rates, by=world.ada.actor, at=clock.now()
        )
    policy.forget_cached_policies()
    good, bad = [new_trace() for _ in range(5)], new_trace()

    def call(trace: str, **more: Any) -> dict[str, Any]:
        return native("call", trace_id=trace, kind="llm", model="dear", **more)

    sent = [call(trace, input_tokens=10, output_tokens=1) for trace in good]
    sent[2:2] = [
        {"nonsense": 1},
        *(call(bad, input_tokens=MOST_TOKENS, output_tokens=MOST_TOKENS) for _ in range(CALLS)),
    ]
    found = acme.native(*sent)
    assert (found["accepted"], found["duplicates"]) == (5, 0)
    refused = [(item["index"], item["code"]) for item in found["rejected"][1:]]
    assert refused == [(3 + place, "out_of_range") for place in range(CALLS)]
    assert not acme.has_run(bad)
    assert {Decimal(acme.run(trace)["cost_usd"]) for trace in good} == {Decimal("1.1")}
    letters = rows.select(world.acme.id, "SELECT code FROM traces_deadletter ORDER BY code")
    assert [row["code"] for row in letters] == ["out_of_range"] * CALLS + [found["rejected"][0]["code"]]
    assert check()["equal"]


EMPTY = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}'


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (EMPTY % b",".join([b"{}"] * 100_001), "json"),
        (EMPTY % b",".join([b"{}"] * 4_000_001), "json"),
        (b"\x0a\x00" * 100_001, "protobuf"),
    ],
)
def test_thousands_of_empty_things_are_too_large_a_request(acme: Sender, body: bytes, encoding: Any) -> None:
    """64 KiB of gzip became 8 GiB of objects."""
    assert acme.otlp(body, encoding=encoding).status == 413


def test_too_long_a_list_of_our_own_spans_is_too_large(acme: Sender) -> None:
    acme.native(body=b'{"spans":[%s]}' % b",".join([b"{}"] * 100_001), expect=413)
