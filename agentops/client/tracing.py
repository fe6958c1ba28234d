"""Spans, where OpenTelemetry is installed and set up: the run's trace has the run's id, so the portal joins them.

Nothing here sends anything. Exporters are the caller's; without them, or without OpenTelemetry, all of it does nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

try:
    from opentelemetry import context as otel_context
    from opentelemetry import trace
except ImportError:  # optional: `pip install agentops-client[otel]`
    HAS_OTEL = False
else:
    HAS_OTEL = True

RUN_ID, CALL_ID = "agentops.run_id", "agentops.call_id"
_SCOPE = "agentops_client"


class _RunIds:
    """An id generator (of the SDK) that gives a trace the run's id; span ids stay random."""

    def __init__(self, inner: Any, run_id: str) -> None:
        self._inner, self._trace_id = inner, int(run_id, 16)

    def generate_trace_id(self) -> int:
        return self._trace_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@contextmanager
def run_span(run_id: str, name: str, attributes: Mapping[str, str]) -> Iterator[None]:
    """The root span of a run. Its trace id is the run id (32 hex digits), whatever span was current outside."""
    if not HAS_OTEL:
        yield
        return
    tracer = trace.get_tracer(_SCOPE)
    generator = getattr(tracer, "id_generator", None)
    if generator is None:  # no SDK is set up: nothing would be recorded
        yield
        return
    tracer = copy.copy(tracer)  # ours alone: other spans of this scope keep their generator
    tracer.id_generator = _RunIds(generator, run_id)  # type: ignore[attr-defined]  # of the SDK's Tracer, not the API's
    outside = trace.get_current_span().get_span_context()
    links = [trace.Link(outside)] if outside.is_valid else []
    said = {RUN_ID: run_id, "gen_ai.operation.name": "invoke_agent"} | {k: v for k, v in attributes.items() if v}
    span = tracer.start_span(f"invoke_agent {name}", context=otel_context.Context(), attributes=said, links=links)
    with trace.use_span(span, end_on_exit=True):
        yield


@contextmanager
def call_span(name: str, run_id: str, call_id: str, attributes: Mapping[str, Any]) -> Iterator[None]:
    """A span of one guarded call, where nobody else makes one."""
    if not HAS_OTEL:
        yield
        return
    said = {RUN_ID: run_id, CALL_ID: call_id} | {key: value for key, value in attributes.items() if value}
    with trace.get_tracer(_SCOPE).start_as_current_span(name, attributes=said):
        yield


def mark(run_id: str, call_id: str) -> None:
    """Say on the current span (a framework's) which guarded call it is."""
    if HAS_OTEL:
        trace.get_current_span().set_attributes({RUN_ID: run_id, CALL_ID: call_id})


def note(attributes: Mapping[str, Any]) -> None:
    """Say more on the current span."""
    if HAS_OTEL:
        trace.get_current_span().set_attributes({key: value for key, value in attributes.items() if value})
