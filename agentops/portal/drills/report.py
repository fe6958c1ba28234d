"""What is printed of a drill."""

from __future__ import annotations

from typing import Any

from agentops.portal.drills.drill import Result


def lines(result: Result) -> list[str]:
    """A drill in a few lines, the verdict first."""
    mode, contained = result.mode, result.contained
    found = [f"{'ok    ' if result.is_sound else 'FAILED'} {mode.name} (failure mode {mode.number}): {mode.sentence}"]
    if result.stopped:
        found.append(f"  guard        {result.stopped}")
    if mode.alert_class is None:
        found.append(
            "  to detect    by people: no detector claims to know whom a letter is for; an incident was declared"
        )
    elif result.alert_after is not None:
        found.append(f"  to detect    {_bounded(result.alert_after, mode.alert_seconds)}: {result.alert}")
    if result.paged_after is not None and result.harm_to_page is not None:
        found.append(
            f"  to page      {_seconds(result.harm_to_page)} after the first step; {_bounded(result.paged_after, result.page_bound)}"
        )
    if contained is not None:
        took = _seconds((contained.set_at - contained.pressed_at).total_seconds())
        found.append(
            f"  to contain   {_seconds(result.contain_after)} from pressing the switch until every agent was refused (set after {took})"
        )
        last = "none" if contained.last_step is None else _seconds(contained.last_step.total_seconds())
        found.append(
            f"  after kill   last step: {last}; {contained.refused} refused since, {contained.asked} let through before"
        )
    if result.incident:
        found.append(f"  record       {result.incident} (a drill, cancelled at its end), agent {result.agent}")
    found += [f"  WRONG        {each}" for each in result.wrong]
    return found


def as_json(result: Result) -> dict[str, Any]:
    contained = result.contained
    return {
        "mode": result.mode.name,
        "is_sound": result.is_sound,
        "stopped": result.stopped,
        "detect_seconds": result.alert_after,
        "page_seconds": result.paged_after,
        "contain_seconds": result.contain_after,
        "last_step_seconds": contained.last_step.total_seconds() if contained and contained.last_step else None,
        "incident": result.incident,
        "wrong": result.wrong,
    }


def _bounded(value: float, bound: float) -> str:
    """From when it could be known; below zero, it was known before its time was over (a minute that spikes)."""
    when = f"{_seconds(-value)} early" if value < 0 else _seconds(value)
    return f"{when} (bound {bound:g} s)"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if abs(value) < 1 else f"{value:.1f} s"
