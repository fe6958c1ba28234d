"""Which spans count: one call that is seen by two instrumentations is one call.

Pure functions over the skeleton of one run. Source: STANDARDS section 4.1, "Roll-ups count only leaf llm spans", and
section 1.4 for tool calls that an MCP client repeats.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from agentops.traces.types import SpanKind


class Node(NamedTuple):
    """What the rules need to know of a span."""

    span_id: int
    parent_id: int | None
    kind: int
    has_usage: bool
    tool: str
    is_guarded: bool = False


def uncounted(nodes: Iterable[Node]) -> set[int]:
    """The ids of the spans that repeat another span's call.

    - a model call with a descendant model call that has usage, or with any when it has no usage itself;
    - a model call without usage below one that has it;
    - a tool call whose parent is a call of the same tool.
    """
    by_id = {node.span_id: node for node in nodes}
    above = _calls_above(by_id)
    found = {ancestor for ancestor in above.values() if not by_id[ancestor].has_usage}
    found |= _above_usage(by_id, above) | _below_usage(by_id, above)
    for node in by_id.values():
        if node.kind == SpanKind.TOOL and node.parent_id is not None:
            parent = by_id.get(node.parent_id)
            if parent is not None and parent.kind == SpanKind.TOOL and parent.tool == node.tool and parent is not node:
                found.add(node.span_id)
    return found


def below_guarded(nodes: Iterable[Node]) -> set[int]:
    """The ids of model calls below a span of a guarded call: they are that call, seen by another instrumentation.

    A tool or a run between them begins something of its own.
    """
    by_id = {node.span_id: node for node in nodes}
    known: dict[int, bool] = {}  # does a guarded call stand here or above?
    for span_id in by_id:
        path: list[int] = []
        place: int | None = span_id
        is_below = False
        while place is not None and (node := by_id.get(place)) is not None:
            if place in known:
                is_below = known[place]
                break
            if node.is_guarded or node.kind in (SpanKind.TOOL, SpanKind.RUN):
                is_below = known[place] = node.is_guarded
                break
            known[place] = False  # until the climb ends; a cycle ends it here
            path.append(place)
            place = node.parent_id
        known.update(dict.fromkeys(path, is_below))
    return {
        span_id
        for span_id, node in by_id.items()
        if known[span_id] and node.kind == SpanKind.LLM and not node.is_guarded
    }


def may_hide_calls(nodes: Iterable[Node]) -> set[int]:
    """The ids of spans that are a model, tool or guarded call, or stand below one: stored children may repeat a call."""
    by_id = {node.span_id: node for node in nodes}
    known: dict[int, bool | None] = {
        node.span_id: node.kind in (SpanKind.LLM, SpanKind.TOOL) or node.is_guarded or None for node in by_id.values()
    }
    for span_id in by_id:
        path: list[int] = []
        place: int | None = span_id
        while place is not None and place in known and known[place] is None:
            known[place] = False  # until the climb ends; a cycle ends it here
            path.append(place)
            place = by_id[place].parent_id
        if place is not None and known.get(place):
            known.update(dict.fromkeys(path, True))
    return {span_id for span_id, hides in known.items() if hides}


# A sender may claim a chain of thousands of spans, or a cycle: each climb remembers what it found, so that all of them
# together visit a span a few times, and stops where it meets itself.


def _calls_above(by_id: dict[int, Node]) -> dict[int, int]:
    """The nearest known model call above each model call that has one; itself is none."""
    nearest: dict[int, int | None] = {}  # of spans that are no model calls
    found: dict[int, int] = {}
    for node in by_id.values():
        if node.kind != SpanKind.LLM:
            continue
        path: list[int] = []
        place = node.parent_id
        while place is not None:
            parent = by_id.get(place)
            if parent is None:
                place = None
            elif parent.kind == SpanKind.LLM:
                break
            elif place in nearest:
                place = nearest[place]
                break
            else:
                nearest[place] = None
                path.append(place)
                place = parent.parent_id
        for passed in path:
            nearest[passed] = place
        if place is not None and place != node.span_id:
            found[node.span_id] = place
    return found


def _above_usage(by_id: dict[int, Node], above: dict[int, int]) -> set[int]:
    """The model calls above one with usage. In a cycle a call comes out above itself, so two are looked for."""
    first: dict[int, int] = {}
    second: set[int] = set()
    for call, ancestor in above.items():
        if not by_id[call].has_usage:
            continue
        place: int | None = ancestor
        while place is not None and place not in second:
            if place not in first:
                first[place] = call
            elif first[place] != call:
                second.add(place)
            else:
                break  # once round
            place = above.get(place)
    return {place for place, call in first.items() if call != place or place in second}


def _below_usage(by_id: dict[int, Node], above: dict[int, int]) -> set[int]:
    """The model calls without usage that stand below one with usage."""
    known: dict[int, bool] = {}
    for call in above:
        path: list[int] = []
        place: int | None = call
        while place is not None and place not in known and not by_id[place].has_usage:
            known[place] = False
            path.append(place)
            place = above.get(place)
        if place is not None and (by_id[place].has_usage or known[place]):
            known.update(dict.fromkeys(path, True))
    return {call for call, is_below in known.items() if is_below}
