"""Where runs happen: spans begin and end at their own time, whether that was yesterday or will be in a minute."""

from __future__ import annotations

import heapq
import itertools
from random import Random

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from agentops.common.clock import NANOS
from agentops.portal.demo import dialects
from agentops.portal.demo.steps import Step
from agentops.portal.demo.telemetry import Line

_End = tuple[int, int, int, Span]  # when it ends, its place in the queue, when it began


class Stage:
    """Runs of one organisation.

    A run's spans are made when it begins, and each ends (and so is sent) when its time has come: children first, the
    root last, as from a process that really works. Until then the portal shows the run as running.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._open: list[_End] = []
        self._serial = itertools.count()

    def begin(self, root: Step, *, at_ns: int, seed: str) -> None:
        """Let a conversation begin at a time; `seed` makes the ids of its runs."""
        self._line.ids.rng = Random(seed)
        for turn in root.turns():
            at_ns = self._begin(turn, at_ns + int(turn.pause * NANOS), None)

    def advance(self, now_ns: int) -> None:
        """End every span whose time has come."""
        while self._open and self._open[0][0] <= now_ns:
            ends_at, _, _, span = heapq.heappop(self._open)
            span.end(ends_at)

    def stop(self, now_ns: int) -> None:
        """End the spans that have begun, as when a service is stopped; those that have not are never sent."""
        self.advance(now_ns)
        while self._open:
            _, _, began_at, span = heapq.heappop(self._open)
            if began_at <= now_ns:
                span.end(now_ns)
        self._line.close()

    def _begin(self, step: Step, at_ns: int, parent: Span | None) -> int:
        """Make a step's span and those below it; answers when it ends."""
        assert step.agent is not None
        name, kind, attributes = dialects.say(step, step.agent.dialect)
        context = trace.set_span_in_context(parent) if parent is not None else None
        tracer = self._line.tracer(step.agent)
        span = tracer.start_span(name, context=context, kind=kind, attributes=attributes, start_time=at_ns)
        lead = int(step.seconds * NANOS / 2)
        ends_at = at_ns + lead
        for phase in step.phases():
            for child in phase:
                child.agent = child.agent or step.agent
            ends_at = max([self._begin(child, ends_at, span) for child in phase])
        ends_at += lead
        if step.failure is not None:
            span.add_event(
                "exception",
                {"exception.type": step.failure.type, "exception.message": step.failure.message},
                timestamp=ends_at,
            )
            span.set_status(Status(StatusCode.ERROR, step.failure.message))
        elif parent is None:
            span.set_status(
                Status(StatusCode.OK)
            )  # a tool may have failed on the way: the agent says that it went well
        heapq.heappush(self._open, (ends_at, next(self._serial), at_ns, span))
        return ends_at
