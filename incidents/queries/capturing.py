"""What runs held, read as it lies in the tables: spans with their content, what the guard decided, what was done outside.

Needs staff's scope (or the tenant's). Every statement names its tenant; spans are read of the days of the runs alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from django.db import connection

from agentops.common import clock
from agentops.common.ids import is_minted, span_hex
from agentops.traces.types import SpanKind
from incidents.queries.documents import Document, Writer, one
from incidents.types import EvidenceKind

PART_SPANS = 5_000  # spans of one document: a long run is several
_RUNS = "SELECT run_id, day, agent, to_jsonb(r)::text FROM traces_run r WHERE tenant_id = %s AND run_id = ANY(%s)"
_SPANS = """
SELECT run_id, span_id, kind, tool, call_id, prompt_hash, external_system, external_id, idempotency_key,
    (to_jsonb(s) - 'details')::text, details
FROM traces_span s WHERE tenant_id = %s AND day IN ({days}) AND run_id = ANY(%s) ORDER BY run_id, started_at, span_id
"""
_EVENTS = "SELECT run_id, to_jsonb(e)::text FROM traces_spanevent e WHERE tenant_id = %s AND run_id = ANY(%s) ORDER BY run_id, at, digest"
_GUARDED = "SELECT run_id, to_jsonb(g)::text FROM runtime_guardedrun g WHERE tenant_id = %s AND run_id = ANY(%s)"
_CALLS = """
SELECT c.run_id, c.call_id, c.tool, c.external_system, c.external_id, c.idempotency_key, to_jsonb(c)::text
FROM unnest(%s::timestamptz[], %s::uuid[]) AS n (began, run_id)
JOIN runtime_guardcall c ON c.tenant_id = %s AND c.run_started_at = n.began AND c.run_id = n.run_id
ORDER BY c.run_id, c.step, c.call_id
"""
_DECISIONS = "SELECT run_id, to_jsonb(d)::text FROM runtime_decision d WHERE tenant_id = %s AND run_id = ANY(%s) ORDER BY run_id, decided_at, id"
_CONFIRMATIONS = "SELECT run_id, to_jsonb(c)::text FROM confirmations_confirmation c WHERE tenant_id = %s AND run_id = ANY(%s) ORDER BY run_id, id"


@dataclass(frozen=True, slots=True)
class Captured:
    """Documents of some runs of one organisation. `missing` are those of which nothing is there any more."""

    documents: list[tuple[uuid.UUID | None, Document]]
    missing: frozenset[uuid.UUID]


def runs_of_version(
    *, tenant: uuid.UUID, agent: str, version: str, since: datetime, until: datetime, most: int
) -> list[uuid.UUID]:
    """The newest runs of an agent, or of one version of it, that began in a time."""
    key, value = (2, version) if version else (1, agent)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.run_id FROM traces_runfacet f JOIN traces_run r ON r.tenant_id = %s AND r.run_id = f.run_id "
            "WHERE f.tenant_id = %s AND f.key = %s AND f.value = %s AND f.started_at >= %s AND f.started_at < %s "
            "AND r.agent = %s ORDER BY f.started_at DESC, f.run_id DESC LIMIT %s",
            [tenant, tenant, key, value[:200], since, until, agent, most],
        )
        return [run_id for (run_id,) in cursor.fetchall()]


def began(run: uuid.UUID) -> datetime:
    """When the guard began a run: the milliseconds in its id, which are the partition key of its calls."""
    return clock.from_ns((run.int >> 80) * 1_000_000)


def documents_of_runs(*, tenant: uuid.UUID, runs: Sequence[uuid.UUID]) -> Captured:
    """Everything these runs left."""
    ids = list(runs)
    known = _rows(_RUNS, [tenant, ids])
    agents = {run_id: agent for run_id, _, agent, _ in known}
    writers = _Writers(agents)
    for run_id, _, _, text in known:
        writers.trace(run_id, b'{"run":' + text.encode() + b"}")
    _write_spans(writers, tenant, ids, {day for _, day, _, _ in known})
    for run_id, text in _rows(_EVENTS, [tenant, ids]):
        writers.trace(run_id, b'{"event":' + text.encode() + b"}")
    guarded, ours = _rows(_GUARDED, [tenant, ids]), [run_id for run_id in ids if is_minted(run_id)]
    for run_id, text in guarded:
        writers.told(EvidenceKind.TOOL_CALL, run_id, b'{"guarded_run":' + text.encode() + b"}")
    for run_id, call_id, tool, system, external_id, key, text in _rows(
        _CALLS, [[began(run_id) for run_id in ours], ours, tenant]
    ):
        writers.told(EvidenceKind.TOOL_CALL, run_id, b'{"guard_call":' + text.encode() + b"}")
        if system or external_id or key:
            said = {"call": call_id, "tool": tool, "system": system, "id": external_id, "idempotency_key": key}
            writers.told(EvidenceKind.SIDE_EFFECT, run_id, orjson.dumps(said))
    for name, statement in (("decision", _DECISIONS), ("confirmation", _CONFIRMATIONS)):
        for run_id, text in _rows(statement, [tenant, ids]):
            writers.told(EvidenceKind.TOOL_CALL, run_id, b'{"%s":%s}' % (name.encode(), text.encode()))
    there = agents.keys() | {run_id for run_id, _ in guarded}
    return Captured(writers.close(), frozenset(run_id for run_id in ids if run_id not in there))


def _write_spans(writers: _Writers, tenant: uuid.UUID, ids: list[uuid.UUID], days: set[date]) -> None:
    if not days:
        return
    literals = ", ".join(f"'{day:%Y-%m-%d}'" for day in sorted(days))  # so that other days are never planned
    with connection.chunked_cursor() as cursor:
        cursor.execute(_SPANS.format(days=literals), [tenant, ids])
        for run_id, span_id, kind, tool, call_id, prompt, system, external_id, key, columns, details in cursor:
            span = span_hex(span_id)
            text = details.encode()
            writers.span(run_id, b'{"id":"%s","span":%s,"details":%s}' % (span.encode(), columns.encode(), text))
            if kind == SpanKind.LLM and prompt:
                writers.prompt(prompt, run_id, span, text)
            if kind == SpanKind.TOOL:
                said = {"span": span, "tool": tool, "call": call_id}
                writers.told(EvidenceKind.TOOL_CALL, run_id, orjson.dumps(said))
            if kind == SpanKind.SIDE_EFFECT or system or external_id or key:
                said = {"span": span, "tool": tool, "system": system, "id": external_id, "idempotency_key": key}
                writers.told(EvidenceKind.SIDE_EFFECT, run_id, orjson.dumps(said))


class _Writers:
    """The open documents of the runs of a slice."""

    def __init__(self, agents: dict[uuid.UUID, str]) -> None:
        self.agents = agents
        self.open: dict[tuple[EvidenceKind, uuid.UUID], Writer] = {}
        self.parts: dict[uuid.UUID, int] = {}
        self.prompts: dict[str, Document] = {}
        self.closed: list[tuple[uuid.UUID | None, Document]] = []

    def told(self, kind: EvidenceKind, run: uuid.UUID, line: bytes) -> None:
        if (kind, run) not in self.open:
            self.open[kind, run] = Writer(kind, f"run:{run.hex}", self.agents.get(run, ""))
        self.open[kind, run].write(line)

    def trace(self, run: uuid.UUID, line: bytes) -> None:
        self.told(EvidenceKind.TRACE, run, line)

    def span(self, run: uuid.UUID, line: bytes) -> None:
        writer = self.open.get((EvidenceKind.TRACE, run))
        if writer is not None and writer.lines >= PART_SPANS:
            self.closed.append((run, self.open.pop((EvidenceKind.TRACE, run)).close()))
            self.parts[run] = part = self.parts.get(run, 1) + 1
            label = f"{self.agents.get(run, '')}, part {part}"
            self.open[EvidenceKind.TRACE, run] = Writer(EvidenceKind.TRACE, f"run:{run.hex}/{part}", label)
        self.trace(run, line)

    def prompt(self, prompt: str, run: uuid.UUID, span: str, details: bytes) -> None:
        if prompt in self.prompts:
            return
        said: dict[str, Any] = orjson.loads(details)
        kept = {
            "prompt_hash": prompt,
            "seen_in": {"run": run.hex, "span": span},
            "system_instructions": said.get("system_instructions"),
            "tool_definitions": said.get("tool_definitions"),
        }
        label = self.agents.get(run, "")
        self.prompts[prompt] = one(EvidenceKind.PROMPT, f"prompt:{prompt}", label, orjson.dumps(kept))

    def close(self) -> list[tuple[uuid.UUID | None, Document]]:
        """Each with the run it is of; prompts are of none."""
        found = [*self.closed, *((run, writer.close()) for (_, run), writer in self.open.items())]
        return [*found, *((None, prompt) for prompt in self.prompts.values())]


def _rows(statement: str, params: Iterable[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(params))
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
