"""Which spans repeat a call, whatever shape a sender claims.

Source of the rules: STANDARDS, section 4.1 ("Roll-ups count only leaf llm spans") and section 1.4.
"""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.traces.nesting import Node, below_guarded, may_hide_calls, uncounted
from agentops.traces.types import SpanKind

LLM, TOOL, RUN, OTHER = (int(kind) for kind in (SpanKind.LLM, SpanKind.TOOL, SpanKind.RUN, SpanKind.OTHER))
LONG = 20_000

ids = st.integers(0, 7)
runs = st.lists(
    st.builds(
        Node,
        ids,
        st.none() | ids | st.just(99),
        st.sampled_from([LLM, LLM, TOOL, RUN, OTHER]),
        st.booleans(),
        st.just("t"),
        st.sampled_from([False, False, True]),
    ),
    unique_by=lambda node: node.span_id,
)


def above(node: Node, by_id: dict[int, Node]) -> list[Node]:
    """Every known ancestor of a span but itself, by the longest way."""
    found: list[Node] = []
    parent = by_id.get(node.parent_id) if node.parent_id is not None else None
    while parent is not None and parent is not node and parent not in found:
        found.append(parent)
        parent = by_id.get(parent.parent_id) if parent.parent_id is not None else None
    return found


@settings(max_examples=1000, deadline=None)
@given(runs)
def test_the_rules_hold_for_any_shape_and_cycles_too(nodes: list[Node]) -> None:
    by_id = {node.span_id: node for node in nodes}
    wanted, hiding = set(), set()
    for node in nodes:
        calls = [other for other in above(node, by_id) if other.kind == LLM]
        if node.kind == LLM:
            wanted |= {other.span_id for other in calls if node.has_usage or not other.has_usage}
            wanted |= {node.span_id for other in calls if other.has_usage and not node.has_usage}
        parent = by_id.get(node.parent_id) if node.parent_id is not None else None
        if node.kind == TOOL and parent is not None and parent is not node and parent.kind == TOOL:
            wanted.add(node.span_id)
        if any(other.kind in (LLM, TOOL) or other.is_guarded for other in (node, *above(node, by_id))):
            hiding.add(node.span_id)
    assert uncounted(nodes) == wanted
    assert may_hide_calls(nodes) == hiding
    assert below_guarded(nodes) == {node.span_id for node in nodes if is_below_guarded(node, by_id)}


def is_below_guarded(node: Node, by_id: dict[int, Node]) -> bool:
    if node.kind != LLM or node.is_guarded:
        return False
    for other in above(node, by_id):
        if other.is_guarded or other.kind in (TOOL, RUN):
            return other.is_guarded
    return False


def test_a_chain_of_thousands_takes_no_longer_for_each() -> None:
    """It took a quarter of a minute for ten thousand, and four times that for twice as many."""
    began = time.process_time()
    for kind in (LLM, RUN):
        for top in (None, LONG - 1):  # a cycle, too
            chain = [Node(place, place - 1 if place else top, kind, place % 2 == 0, "") for place in range(LONG)]
            uncounted(chain)
            may_hide_calls(chain)
            below_guarded(chain)
    assert time.process_time() - began < 5
