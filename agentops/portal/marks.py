"""Marks: the fixed word, shape and tone of a state. Nothing is said by colour alone.

Shapes are drawn in a box of 12 by 12; tones are classes of static/css/marks.css.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

# Every shape differs in outline, so that it can be told in one colour and at 12 px.
_SHAPES = {
    "ring": '<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.75" stroke-dasharray="4.6 2.1"/>',
    "disc": '<circle cx="6" cy="6" r="4.75"/>',
    "circle": '<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.75"/>',
    "tick": '<path d="M2 6.6 4.8 9.4 10.2 3" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>',
    "cross": '<path d="M2.75 2.75l6.5 6.5m0-6.5l-6.5 6.5" stroke="currentColor" stroke-width="2.1" stroke-linecap="round"/>',
    "square": '<rect x="2" y="2" width="8" height="8" rx="1"/>',
    "bars": '<path d="M3.6 2.5v7M8.4 2.5v7" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/>',
    "triangle": '<path d="M6 1.2 11.4 10.6H.6z"/>',
    "diamond": '<path d="M6 .6 11.4 6 6 11.4.6 6z"/>',
    "chevron": '<path d="M2 8 6 4l4 4" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>',
    "dash": '<path d="M2.5 6h7" stroke="currentColor" stroke-width="2.2" stroke-linecap="round"/>',
    "octagon": '<path d="M3.8.8h4.4l3 3v4.4l-3 3H3.8l-3-3V3.8z"/>',
    "arrow": '<path d="M2 6h7.2M6.4 3 9.4 6l-3 3" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round"/>',
    "spark": '<path d="M6 .8 7.3 4.7 11.2 6 7.3 7.3 6 11.2 4.7 7.3.8 6 4.7 4.7z"/>',
    "lines": '<path d="M2 3h8M2 6h8M2 9h5" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"/>',
    "bolt": '<path d="M7.2.6 2 7h3.4l-.7 4.4L10 5H6.5z"/>',
    "shield": '<path d="M6 .8 10.4 2.4v3.3c0 2.6-1.9 4.6-4.4 5.5C3.5 10.3 1.6 8.3 1.6 5.7V2.4z"/>',
    **{
        f"steps{filled}": "".join(
            f'<rect x="{0.6 + 2.85 * i:g}" y="{8.2 - 2.1 * i:g}" width="2.1" height="{3 + 2.1 * i:g}" rx=".5"'
            + ("" if i < filled else ' opacity=".28"')
            + "/>"
            for i in range(4)
        )
        for filled in (1, 2, 3, 4)
    },
}


@dataclass(frozen=True, slots=True)
class Mark:
    word: str
    shape: str
    tone: str = "quiet"  # quiet | ok | warn | bad | busy, and the kinds of spans
    meaning: str = ""  # on hover


# Of a case of an eval set, once or over its repeats, and of a suite run.
CASE = {
    "passed": Mark("Passed", "tick", "ok", "All that was expected holds"),
    "flaky": Mark("Flaky", "bars", "warn", "It passes at times"),
    "failed": Mark("Failed", "cross", "bad", "Something that was expected does not hold"),
    "diverged": Mark("Diverged", "diamond", "bad", "The agent asked for a call that nobody recorded"),
    "errored": Mark(
        "Broke", "triangle", "warn", "It says nothing about the case: the agent broke, or a judge gave no score"
    ),
    "planned": Mark("Planned", "circle", "quiet", "Nobody has run it yet"),
    "claimed": Mark("Running", "ring", "busy", "Somebody runs it now"),
    "judging": Mark("With the judge", "ring", "busy", "Its judge has not spoken yet"),
    "running": Mark("Running", "ring", "busy", "Cases are still open"),
    "done": Mark("Done", "tick", "quiet", "All cases have ended"),
    "cancelled": Mark("Cancelled", "dash", "quiet", "A person or a machine ended it"),
    "abandoned": Mark("Abandoned", "dash", "warn", "Nobody went on with it"),
    "same": Mark("The same", "tick", "ok", "The same steps and the same output"),
    "differs": Mark("Differs", "diamond", "bad", "A step or the output is another"),
    "open": Mark("Waiting for the agent", "circle", "quiet", "Nobody has replayed it yet"),
}

STATUS = {
    "running": Mark("Running", "ring", "busy", "Spans still arrive"),
    "ok": Mark("OK", "tick", "ok", "Finished without an error"),
    "error": Mark("Error", "cross", "bad", "Finished with an error"),
    "waiting": Mark("Waiting", "bars", "warn", "Waits for a person"),
    "killed": Mark("Stopped", "octagon", "bad", "Stopped by a kill switch or a cap"),
    "refused": Mark("Refused", "cross", "warn", "The agent refused what was asked"),
    "escalated": Mark("Escalated", "chevron", "warn", "Handed to a person"),
    "aborted": Mark("Stopped", "octagon", "bad", "Stopped by a cap or a detector"),
    "expired": Mark("Expired", "dash", "warn", "Went past its deadline"),
    "unset": Mark("Finished", "disc", "quiet", "Finished; the agent did not say how"),
    "unknown": Mark("Unknown", "dash", "quiet", "Never said how it ended"),
}
SEVERITY = {
    "1": Mark("SEV-1", "octagon", "bad", "Act now, whatever the hour"),
    "2": Mark("SEV-2", "triangle", "bad", "Act now"),
    "3": Mark("SEV-3", "diamond", "warn", "Act in working hours"),
    "4": Mark("SEV-4", "circle", "quiet", "For the record"),
}
INCIDENT = {
    "triage": Mark("Triage", "spark", "bad", "Declared; how bad it is, and who commands, is being settled"),
    "active": Mark("Active", "ring", "bad", "Harm may go on"),
    "contained": Mark("Contained", "shield", "warn", "The harm is stopped; why it happened is not known yet"),
    "identified": Mark("Cause identified", "diamond", "warn", "Why it happened is known; nothing is changed yet"),
    "fix_in_review": Mark("Fix in review", "lines", "busy", "A change is written down and is being checked"),
    "watching": Mark("Watching", "bars", "busy", "The fix is there, and is watched for 48 to 72 hours"),
    "resolved": Mark(
        "Resolved", "tick", "ok", "The watch is over; customers, reversals and the postmortem may be open"
    ),
    "closed": Mark("Closed", "disc", "quiet", "Everything about it is done"),
    "cancelled": Mark("Cancelled", "dash", "quiet", "It was none"),
    "merged": Mark("Merged", "arrow", "quiet", "It is the same as another one"),
}
TIER = {
    "1": Mark("Tier 1", "steps1", "quiet", "Reads only, or is undone at no cost"),
    "2": Mark("Tier 2", "steps2", "quiet", "The person it acts for confirms"),
    "3": Mark("Tier 3", "steps3", "warn", "An approver confirms exactly these bytes"),
    "4": Mark("Tier 4", "steps4", "bad", "Two people confirm, and a delay passes"),
}
ANSWER = {
    "allow": Mark("Allowed", "tick", "ok", "The guard let it through"),
    "reject": Mark("Refused", "cross", "bad", "The guard refused it; the agent may plan again"),
    "confirm": Mark("Asks a person", "bars", "warn", "It waits until somebody confirms it"),
    "throttle": Mark("Told to wait", "ring", "warn", "The agent may come back with the same call"),
    "abort": Mark("Stopped the run", "octagon", "bad", "The guard ended the run"),
}
REVIEW = {
    "pending": Mark("Waits for review", "bars", "warn", "Nobody may call it yet"),
    "approved": Mark("Approved", "tick", "ok", "This definition was approved"),
    "unapproved": Mark("Waits for approval", "bars", "warn", "No run of it may begin yet"),
    "rejected": Mark("Rejected", "cross", "bad", "Nobody may call it"),
}
GATE = {
    "none": Mark("No gate", "dash", "quiet", "Nothing stands before its approval"),
    "required": Mark("Must pass", "bars", "warn", "It cannot be approved before it has passed"),
    "passed": Mark("Passed", "tick", "ok", "It may be approved"),
    "failed": Mark("Failed", "cross", "bad", "It cannot be approved, unless two people go past the gate"),
    "overridden": Mark("Overridden", "triangle", "warn", "It failed, and two people let it through"),
}
DELIVERY = {
    "waiting": Mark("Waiting", "ring", "busy", "It is sent as soon as it can be"),
    "sent": Mark("Sent", "tick", "ok", "Its receiver's server took it"),
    "given_up": Mark("Given up", "cross", "bad", "It was tried often enough, or can never arrive"),
}
ENFORCEMENT = {
    "enforced": Mark("Enforced", "shield", "ok", "Every call that ran was verified where it ran, by its permit"),
    "advisory": Mark(
        "Advisory", "circle", "warn", "The guard is asked, but nothing verified that its answers were kept"
    ),
}
BUDGET = {
    "room": Mark("Room left", "tick", "ok", "Less than 75 % of the limit is used"),
    "near": Mark("Near its limit", "diamond", "warn", "75 % of the limit or more is used"),
    "limit": Mark("At its limit", "triangle", "bad", "The limit is reached, the ceiling is not"),
    "ceiling": Mark("At its ceiling", "octagon", "bad", "Every further call is refused"),
}
SPEND = {
    "enforced": Mark("Enforced", "shield", "ok", "Every call was reserved first, so it stops at a limit"),
    "partly": Mark(
        "Partly advisory", "diamond", "warn", "Some calls did not ask the guard: those are alerted, not stopped"
    ),
    "advisory": Mark("Advisory", "circle", "warn", "Alerted, not stopped: its calls do not ask the guard"),
}
CONFIRMATION = {
    "pending": Mark("Waiting", "bars", "warn", "Nobody has decided yet"),
    "half": Mark("One of two agreed", "bars", "warn", "It waits for the second person"),
    "cooling": Mark("In its delay", "ring", "warn", "Two people agreed; it can still be stopped"),
    "approved": Mark("Approved", "tick", "ok", "The agent may run it once"),
    "edited": Mark("Changed", "arrow", "quiet", "A person changed it; the changed action is asked for anew"),
    "refused": Mark("Refused", "cross", "bad", "A person said no"),
    "cancelled": Mark("Stopped", "octagon", "bad", "A person stopped it"),
    "expired": Mark("Expired", "dash", "quiet", "Its time was over"),
    "invalidated": Mark("Lapsed", "dash", "quiet", "What it was bound to changed, or its run ended"),
    "executing": Mark("Running", "ring", "busy", "The agent came back for it; its result is awaited"),
    "executed": Mark("Done", "tick", "ok", "It ran as it was approved"),
    "failed": Mark("Failed", "cross", "bad", "It was approved, and failed"),
    "outcome_unknown": Mark("Outcome unknown", "diamond", "warn", "It was begun, and nobody told how it ended"),
}
ENTRY = {
    "success": Mark("Done", "tick", "quiet", "It succeeded"),
    "failure": Mark("Failed", "cross", "bad", "It failed"),
    "denied": Mark("Refused", "octagon", "bad", "It was not allowed, or a person said no"),
    "pending": Mark("Waiting", "bars", "warn", "It waits for a person"),
    "unknown": Mark("Unknown", "diamond", "warn", "Nobody told how it ended"),
}
SEAL = {
    "sealed": Mark("Sealed", "shield", "ok", "It has its place under a signed checkpoint; a change would show"),
    "pending": Mark("Pending", "ring", "quiet", "It gets its place within a minute; until then nothing proves it"),
    "deleted": Mark("Deleted", "dash", "quiet", "Its time was over; its place in the log is kept"),
}
EXPORT = {
    "waiting": Mark("Waiting", "bars", "busy", "A worker begins with it in a moment"),
    "running": Mark("Being written", "ring", "busy", "Part by part; the page may be left"),
    "done": Mark("Done", "tick", "ok", "Its files can be downloaded"),
    "failed": Mark("Failed", "cross", "bad", "It was tried several times"),
    "cancelled": Mark("Cancelled", "dash", "quiet", "Somebody stopped it"),
}
STREAM = {
    "active": Mark("Active", "arrow", "ok", "Entries are sent as they are sealed"),
    "paused": Mark("Paused", "bars", "warn", "Somebody paused it; nothing is lost"),
    "stopped": Mark("Stopped", "cross", "bad", "A batch could not be delivered; nothing is lost"),
}
MATCH = {
    "true": Mark("Matches", "tick", "ok", "The digest is that of the bytes that are kept"),
    "false": Mark("Does not match", "cross", "bad", "The digest is another than that of the bytes that are kept"),
    "": Mark("Not told", "dash", "quiet", "Nobody told a digest to compare"),
}
SWITCH = {
    "on": Mark("On", "octagon", "bad", "It stops agents now"),
    "lifted": Mark("Lifted", "tick", "quiet", "It stops nothing any more"),
    "asked": Mark("Lift asked for", "bars", "warn", "It stops agents until a second person agrees"),
}
ERASURE = {
    "asked": Mark("Waits for a second person", "bars", "warn", "Nobody is erased until somebody else agrees"),
    "approved": Mark("Being erased", "ring", "busy", "Two people agreed; it is done within a minute"),
    "refused": Mark("Not erased", "dash", "quiet", "It was refused or taken back"),
    "done": Mark("Erased", "tick", "ok", "It was done, and there is a certificate"),
}
JUDGEMENT = {
    "planned": Mark("Waiting", "bars", "busy", "The judge is asked when its endpoint and budget have room"),
    "running": Mark("With the judge", "ring", "busy", "It is being asked"),
    "scored": Mark("Scored", "tick", "ok", "It has a score"),
    "failed": Mark("No score", "cross", "bad", "The judge was asked in vain"),
    "noted": Mark("Noted", "dash", "quiet", "A check saw it; that is no fault by itself"),
    "skipped": Mark("Not judged", "dash", "quiet", "For a reason that stands beside"),
    "sound": Mark("Agrees with people", "shield", "ok", "A gate may rely on it"),
    "unsound": Mark("Cannot gate", "triangle", "warn", "It was not compared with people, or does not agree enough"),
    "paused": Mark("Paused", "bars", "warn", "It judges nothing until somebody lets it go on"),
    "active": Mark("Judges", "disc", "ok", "Runs that finish are planned for it"),
    "replaced": Mark("Replaced", "dash", "quiet", "A newer version took its place"),
}
EFFECT = {
    "read": Mark("Reads", "arrow", "quiet", "Looks something up"),
    "write": Mark("Writes", "bolt", "quiet", "Changes something"),
    "delete": Mark("Deletes", "cross", "quiet", "Takes something away"),
    "send": Mark("Sends", "chevron", "quiet", "Something leaves the house"),
    "charge": Mark("Charges", "diamond", "quiet", "Money moves"),
    "escalate": Mark("Escalates", "triangle", "quiet", "Calls a person"),
}
DRIFT = {
    "worse": Mark("Worse", "triangle", "bad", "It moved to the worse"),
    "better": Mark("Better", "chevron", "ok", "It moved to the better"),
    "changed": Mark("Different", "diamond", "warn", "It is another mix than before"),
}
KIND = {
    "run": Mark("Run", "circle", "kind-run", "The run itself"),
    "llm": Mark("Model", "spark", "kind-llm", "A call of a model"),
    "tool": Mark("Tool", "square", "kind-tool", "A call of a tool"),
    "reasoning": Mark("Reasoning", "lines", "kind-reasoning", "A step of reasoning"),
    "side_effect": Mark("Side effect", "bolt", "kind-side_effect", "Changed something outside"),
    "retrieval": Mark("Retrieval", "arrow", "kind-retrieval", "Looked something up"),
    "guardrail": Mark("Guardrail", "shield", "kind-guardrail", "A check or a decision of the guard"),
    "other": Mark("Other", "dash", "kind-other", "Any other work"),
}


def render(table: dict[str, Mark], key: Any, *, is_short: bool = False) -> SafeString:
    """A mark's HTML. An unknown key is shown by its own name, so that a new state is seen and not hidden."""
    name = _name(key)
    mark = table.get(name) or Mark(name.replace("_", " ").capitalize() or "–", "dash")
    if is_short:
        text = '<span class="kind tone-{}" title="{}">{}<span class="sr-only">{}</span></span>'
        return format_html(text, mark.tone, mark.word, shape(mark.shape), mark.word)
    return format_html(
        '<span class="mark tone-{}" title="{}">{}{}</span>',
        mark.tone,
        mark.meaning or mark.word,
        shape(mark.shape),
        mark.word,
    )


def shape(name: str) -> SafeString:
    """A shape's SVG, hidden from screen readers: the word beside it says the same."""
    drawing = _SHAPES[name]
    return mark_safe(f'<svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">{drawing}</svg>')  # noqa: S308 - from the table above


def _name(key: Any) -> str:
    if isinstance(key, enum.Enum):
        return str(key.value if isinstance(key.value, str) else key.name).lower()
    return "" if key is None else str(key).lower()
