"""Runs as agents live them, in our own JSON form of a span: what the pages are looked at with.

Each function answers spans for `POST /api/v1/traces`; ids are fixed by a seed, so that a test knows its addresses.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

Span = dict[str, Any]
MODEL = "gpt-4o-2024-08-06"
SYSTEM = "You are the refund desk of a shop. Refund only what was ordered, and say what you did in one sentence."


def run_id(seed: str) -> str:
    """The 32 hex digits of a story's run."""
    return hashlib.sha256(f"run {seed}".encode()).hexdigest()[:32]


def span_id(seed: str, name: str) -> str:
    """The 16 hex digits of a span of a story."""
    return hashlib.sha256(f"span {seed} {name}".encode()).hexdigest()[:16]


class Story:
    """One run that is being told: every span is given its start and length in milliseconds from the run's start."""

    def __init__(self, seed: str, *, at: datetime | None = None) -> None:
        self.seed = seed
        self.at = at or datetime.now(UTC) - timedelta(minutes=5)
        self.spans: list[Span] = []

    def add(self, key: str, kind: str, *, parent: str | None, start: float, length: float, **fields: Any) -> None:
        begin = self.at + timedelta(milliseconds=start)
        self.spans.append(
            {
                "trace_id": run_id(self.seed),
                "span_id": span_id(self.seed, key),
                "parent_span_id": span_id(self.seed, parent) if parent else None,
                "kind": kind,
                "name": fields.pop("name", key),
                "started_at": _time(begin),
                "ended_at": _time(begin + timedelta(milliseconds=length)),
                **fields,
            }
        )


def refund(seed: str, *, at: datetime | None = None, order: str = "ord_8812", user: str = "user-462") -> list[Span]:
    """A refund that goes well: a model call, a tool, another model call with the tool's answer."""
    story = Story(seed, at=at)
    ask = f"My order {order} arrived broken, please refund it. Write to lena@example.com or call +49 30 901820."
    story.add(
        "invoke_agent refund-desk", "run", parent=None, start=0, length=4300, status="ok",
        agent="refund-desk", agent_version="2026.11.1", user_id=user, session_id=f"session-{seed}", environment="production",
        service="refund-desk", input=ask, output=f"I refunded 48.10 EUR for {order}; it is on its way to your card.",
    )  # fmt: skip
    call = {"order": order}
    story.add(
        f"chat {MODEL}", "llm", parent="invoke_agent refund-desk", start=20, length=900, model=MODEL, provider="openai",
        input_tokens=1204, output_tokens=96, cache_read_tokens=512, finish_reasons=["tool_calls"], first_token_ms=210,
        system_instructions=SYSTEM,
        tool_definitions=[{"type": "function", "name": "find_order", "parameters": {"type": "object", "properties": {"order": {"type": "string"}}}}],
        input=[{"role": "user", "parts": [{"type": "text", "content": ask}]}],
        output=[{"role": "assistant", "parts": [
            {"type": "reasoning", "content": "The order must be looked up before anything is paid back."},
            {"type": "text", "content": "Let me look at that order."},
            {"type": "tool_call", "id": "call_1", "name": "find_order", "arguments": call},
        ]}],
    )  # fmt: skip
    story.add(
        "find_order", "tool", parent="invoke_agent refund-desk", start=950, length=340, tool="find_order",
        tool_call_id="call_1", arguments=call,
        result={"order": order, "status": "delivered", "total": {"value": "48.10", "currency": "EUR"}},
    )  # fmt: skip
    story.add(
        "SELECT orders", "other", parent="find_order", start=980, length=280, attributes={"db.system": "postgresql"}
    )
    story.add(
        "search policies",
        "retrieval",
        parent="invoke_agent refund-desk",
        start=1310,
        length=180,
        documents=[{"id": "policy-7", "score": 0.91}],
    )
    story.add("guard: tier 3", "guardrail", parent="invoke_agent refund-desk", start=1500, length=4)
    story.add(
        "refund_payment", "side_effect", parent="invoke_agent refund-desk", start=1510, length=1400, tool="refund_payment",
        idempotency_key=f"refund-{order}", external_system="payments", external_id="re_3917",
        arguments={"order": order, "amount": {"value": "48.10", "currency": "EUR"}}, result={"state": "succeeded"},
    )  # fmt: skip
    story.add(
        "final answer", "llm", parent="invoke_agent refund-desk", start=2950, length=1300, model=MODEL, provider="openai",
        name=f"chat {MODEL}", input_tokens=1893, output_tokens=41, finish_reasons=["stop"], system_instructions=SYSTEM,
        input=[
            {"role": "user", "parts": [{"type": "text", "content": ask}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "find_order", "arguments": call}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": {"status": "delivered"}}]},
        ],
        output=[{"role": "assistant", "parts": [{"type": "text", "content": f"I refunded 48.10 EUR for {order}."}]}],
    )  # fmt: skip
    return story.spans


def failing(seed: str, *, at: datetime | None = None) -> list[Span]:
    """A run whose tool fails, of a model that no price table knows, without any content."""
    story = Story(seed, at=at)
    story.add(
        "invoke_agent billing-bot", "run", parent=None, start=0, length=6100, status="error", error_type="TimeoutError",
        status_message="The card processor did not answer in 5 s.", agent="billing-bot", agent_version="0.4.0-rc1", user_id="user-9",
    )  # fmt: skip
    story.add(
        "chat house-model", "llm", parent="invoke_agent billing-bot", start=10, length=700, model="house-model-7b",
        provider="in-house", input_tokens=880, output_tokens=60,
    )  # fmt: skip
    story.add(
        "charge_card", "tool", parent="invoke_agent billing-bot", start=730, length=5300, tool="charge_card", status="error",
        error_type="TimeoutError", status_message="POST https://pay.example/charges: no answer after 5.0 s (3 tries)",
        arguments={"card": "4111 1111 1111 1111", "amount": 1999},
    )  # fmt: skip
    return story.spans


def partly_priced(seed: str, *, at: datetime | None = None) -> list[Span]:
    """A run with one call that has a price, one of a model without one, and one of a model without an exact version."""
    story = Story(seed, at=at)
    story.add("invoke_agent triage", "run", parent=None, start=0, length=2400, agent="triage", agent_version="7")
    for place, (name, model) in enumerate([("chat a", MODEL), ("chat b", "house-model-7b"), ("chat c", "gpt-4o")]):
        story.add(
            name, "llm", parent="invoke_agent triage", start=10 + 800 * place, length=700, name=f"chat {model}",
            model=model, provider="openai", input_tokens=900, output_tokens=80,
        )  # fmt: skip
    return story.spans


def orphaned(seed: str, *, at: datetime | None = None) -> list[Span]:
    """Spans whose parent never came."""
    story = Story(seed, at=at)
    story.add("plan", "reasoning", parent="lost", start=0, length=100, agent="night-report")
    story.add("write report", "tool", parent="lost", start=120, length=900, tool="write_report")
    story.add("upload", "other", parent="write report", start=300, length=600)
    return story.spans


def circular(seed: str, *, at: datetime | None = None) -> list[Span]:
    """Two spans that claim to be each other's parent, and a third below them."""
    story = Story(seed, at=at)
    story.add("chicken", "tool", parent="egg", start=0, length=500, tool="lay", agent="paradox")
    story.add("egg", "tool", parent="chicken", start=0, length=0, tool="hatch")
    story.add("feather", "other", parent="egg", start=10, length=0)
    return story.spans


def deep(seed: str, *, levels: int = 30, at: datetime | None = None) -> list[Span]:
    """A chain of calls, one inside the other."""
    story = Story(seed, at=at)
    for level in range(levels):
        story.add(
            f"level {level}", "run" if level == 0 else "tool", parent=f"level {level - 1}" if level else None,
            start=level, length=2 * levels - 2 * level, tool="recurse" if level else "", agent="recursive",
        )  # fmt: skip
    return story.spans


def large(seed: str, *, spans: int = 30_000, steps: int = 100, at: datetime | None = None) -> list[Span]:
    """A run of very many spans: steps below the root, the rest spread below the steps."""
    story = Story(seed, at=at)
    total = spans * 4
    story.add(
        "invoke_agent crawler",
        "run",
        parent=None,
        start=0,
        length=total,
        agent="crawler",
        agent_version="3",
        status="ok",
    )
    for step in range(steps):
        story.add(
            f"step {step}", "reasoning", parent="invoke_agent crawler", start=total / steps * step, length=total / steps
        )
    per_step = (spans - 1 - steps) // steps
    for step in range(steps):
        for place in range(per_step):
            story.add(
                f"fetch {step}.{place}", "tool", parent=f"step {step}", start=total / steps * (step + place / per_step),
                length=total / steps / per_step, tool="fetch", arguments={"page": place},
            )  # fmt: skip
    return story.spans


def odd_texts(seed: str, *, at: datetime | None = None) -> list[Span]:
    """Names of the greatest length, right-to-left text, direction marks, markup, nothing."""
    story = Story(seed, at=at)
    story.add(
        "مساعد الاسترداد", "run", parent=None, start=0, length=900, agent="مساعد الاسترداد", user_id="\u202euser-462\u202c",
        input="\u202eهل يمكنكم استرداد المبلغ؟ <script>alert(1)</script>", output="שלום, ההחזר בדרך",
    )  # fmt: skip
    story.add("x" * 512, "tool", parent="مساعد الاسترداد", start=10, length=100, tool="t" * 500, session_id="s" * 500)
    story.add("<b>bold</b>", "other", parent="مساعد الاسترداد", start=0, length=0)
    return story.spans


def refused(seed: str) -> list[Any]:
    """Spans that ingest refuses, each for another reason."""
    spans = refund(seed)[:3]
    spans[0]["kind"] = "agent"
    spans[1]["input_tokens"] = -5
    spans[2]["ended_at"] = "yesterday"
    return spans


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
