"""Template filters for the marks of states: by word and shape, colour last. They are builtins, as words.py."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.safestring import SafeString

from agentops.portal import marks

register = template.Library()


@register.filter
def status_mark(status: Any) -> SafeString:
    """The mark of a run's or span's status: running, ok, error, waiting, killed, unknown (or an enum of that name)."""
    return marks.render(marks.STATUS, status)


@register.filter
def case_mark(state: Any) -> SafeString:
    """The mark of a case (passed, flaky, failed, diverged, errored, planned, claimed, judging), a suite run or a replay."""
    return marks.render(marks.CASE, state or "planned")


@register.filter
def case_shape(state: Any) -> SafeString:
    """The shape alone, with its word for screen readers and on hover: for dense rows."""
    return marks.render(marks.CASE, state or "planned", is_short=True)


@register.filter
def severity_mark(severity: Any) -> SafeString:
    """The mark of an incident's severity, 1 to 4."""
    return marks.render(marks.SEVERITY, severity)


@register.filter
def incident_mark(status: Any) -> SafeString:
    """The mark of where an incident stands: triage, active, contained … closed, cancelled, merged."""
    return marks.render(marks.INCIDENT, status)


@register.filter
def tier_mark(tier: Any) -> SafeString:
    """The mark of a tool's risk, tier 1 to 4."""
    return marks.render(marks.TIER, tier)


@register.filter
def answer_mark(answer: Any) -> SafeString:
    """The mark of what the guard answered: allow, reject, confirm, throttle, abort."""
    return marks.render(marks.ANSWER, answer)


@register.filter
def answer_shape(answer: Any) -> SafeString:
    """The shape alone of what the guard answered, with its word for screen readers and on hover: for dense rows."""
    return marks.render(marks.ANSWER, answer, is_short=True)


@register.filter
def review_mark(review: Any) -> SafeString:
    """The mark of a tool version's review: pending, approved, rejected."""
    return marks.render(marks.REVIEW, review)


@register.filter
def judgement_mark(state: Any) -> SafeString:
    """The mark of a judgement or of a judge: planned, running, scored, failed, skipped; active, paused, replaced, sound."""
    return marks.render(marks.JUDGEMENT, state)


@register.filter
def gate_mark(gate: Any) -> SafeString:
    """The mark of the gate before an agent version: none, required, passed, failed, overridden."""
    return marks.render(marks.GATE, gate)


@register.filter
def delivery_mark(state: Any) -> SafeString:
    """The mark of a message that leaves: waiting, sent, given_up."""
    return marks.render(marks.DELIVERY, state)


@register.filter
def enforcement_mark(grade: Any) -> SafeString:
    """The mark of how an agent is held: enforced, advisory."""
    return marks.render(marks.ENFORCEMENT, grade)


@register.filter
def confirmation_mark(state: Any) -> SafeString:
    """The mark of where a confirmation stands: pending, half, cooling, approved, refused, executed and so on."""
    return marks.render(marks.CONFIRMATION, state)


@register.filter
def entry_mark(outcome: Any) -> SafeString:
    """The mark of how what an audit entry tells of ended: success, failure, denied, pending, unknown."""
    return marks.render(marks.ENTRY, outcome)


@register.filter
def entry_shape(outcome: Any) -> SafeString:
    """The same as a shape alone, for dense rows."""
    return marks.render(marks.ENTRY, outcome, is_short=True)


@register.filter
def seal_mark(state: Any) -> SafeString:
    """The mark of an audit entry's place in the log: sealed, pending, deleted."""
    return marks.render(marks.SEAL, state)


@register.filter
def seal_shape(state: Any) -> SafeString:
    """The same as a shape alone, for dense rows."""
    return marks.render(marks.SEAL, state, is_short=True)


@register.filter
def match_mark(matches: bool | None) -> SafeString:
    """The mark of a comparison of digests: True, False, or None where there is nothing to compare."""
    return marks.render(marks.MATCH, matches)


@register.filter
def drift_mark(direction: Any) -> SafeString:
    """The mark of which way something drifted: worse, better, changed."""
    return marks.render(marks.DRIFT, direction)


@register.filter
def budget_mark(state: Any) -> SafeString:
    """The mark of how much of a budget is used: room, near, limit, ceiling."""
    return marks.render(marks.BUDGET, state)


@register.filter
def spend_mark(state: Any) -> SafeString:
    """The mark of how far spend can be stopped: enforced, partly, advisory."""
    return marks.render(marks.SPEND, state)


@register.filter
def switch_mark(state: Any) -> SafeString:
    """The mark of a kill switch: on, asked, lifted."""
    return marks.render(marks.SWITCH, state)


@register.filter
def erasure_mark(state: Any) -> SafeString:
    """The mark of a request to erase a person: asked, approved, refused, done."""
    return marks.render(marks.ERASURE, state)


@register.filter
def export_mark(state: Any) -> SafeString:
    """The mark of an export of the audit log: waiting, running, done, failed, cancelled."""
    return marks.render(marks.EXPORT, state)


@register.filter
def stream_mark(state: Any) -> SafeString:
    """The mark of a stream of the audit log: active, paused, stopped."""
    return marks.render(marks.STREAM, state)


@register.filter
def effect_mark(effect: Any) -> SafeString:
    """The mark of what a tool does to the world: read, write, delete, send, charge, escalate."""
    return marks.render(marks.EFFECT, effect)


@register.filter
def kind_mark(kind: Any) -> SafeString:
    """The mark of a span's kind: run, llm, tool, reasoning, side_effect, retrieval, guardrail, other."""
    return marks.render(marks.KIND, kind)


@register.filter
def kind_shape(kind: Any) -> SafeString:
    """The shape alone of a span's kind, with its word for screen readers and on hover: for dense rows."""
    return marks.render(marks.KIND, kind, is_short=True)
