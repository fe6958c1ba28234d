"""Decisions as people read them: one line of a list or of a run, and one decision with all that is known of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.urls import Resolver404, resolve
from django.utils.html import format_html

from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from agentops.confirmations import queries as confirmations
from agentops.confirmations.types import Asked
from agentops.portal.templatetags.words import count, duration, money, money_text
from agentops.runtime import queries
from agentops.runtime.queries import PermitUse
from agentops.runtime.types import DecisionRow, Verb

_PAST = {"allow": "Allowed", "reject": "Refused", "confirm": "Asked a person about", "throttle": "Told to wait with", "abort": "Stopped at"}  # fmt: skip
_CLOSING = (Verb.SETTLEMENT, Verb.RESULT)
_PERMITTING = (Verb.TOOL_CALL, Verb.REDEMPTION)


def decision_key(row: DecisionRow) -> str:
    """What stands for a decision in an address: its time and its id, which is how it is found."""
    return Cursor(at=row.decided_at, id=row.id).encode()


def decision_sentence(row: DecisionRow) -> str:
    """A decision in a few words: "Refused refund"."""
    match row.verb:
        case Verb.START:
            return {"allow": "Began the run", "throttle": "Told the run to come back"}.get(
                row.decision, "Refused the run"
            )
        case Verb.FINISH:
            return "Finished the run"
        case Verb.SETTLEMENT:
            return f"Settled {row.model or 'the call'}"
        case Verb.RESULT:
            what = row.tool or "the tool"
            return f"Stopped after {what}" if row.decision == "abort" else f"Took the result of {what}"
        case Verb.REDEMPTION:
            what = row.tool or "the approval"
            return f"Released {what}" if row.decision == "allow" else f"Did not release {what}"
        case _:
            return f"{_PAST.get(row.decision, row.decision.capitalize())} {row.tool or row.model or row.verb.label.lower()}"


def decision_note(row: DecisionRow) -> str:
    """The sentence below it: why, or what the agent was told."""
    return row.detail or str(row.data.get("because") or row.data.get("advice") or "")


@dataclass(slots=True)
class Step:
    """A decision of a run with what came of it later: its settlement, its release, its result."""

    row: DecisionRow
    closing: list[DecisionRow] = field(default_factory=list)
    permit: str = ""  # what became of the permit that it gave

    @property
    def key(self) -> str:
        return decision_key(self.row)

    @property
    def sentence(self) -> str:
        return decision_sentence(self.row)

    @property
    def note(self) -> str:
        return decision_note(self.row) or self.detail

    @property
    def detail(self) -> str:
        """What tells it from its neighbours, in a word or two."""
        if self.row.code:
            return self.row.code
        settled = next((each for each in self.closing if each.verb is Verb.SETTLEMENT), None)
        parts = [f"settled at {money_text(settled.amount_nano_usd)}"] if settled else []
        outcome = next((str(each.data.get("outcome", "")) for each in self.closing if each.verb is Verb.RESULT), "")
        if outcome:
            parts.append(f"result {outcome}")
        if self.permit:
            parts.append(f"permit {self.permit}")
        if not parts and self.row.amount_nano_usd:
            parts.append(f"holds {money_text(self.row.amount_nano_usd)}")
        if self.row.data.get("advice"):
            parts.append("advice given")
        return ", ".join(parts)


def steps(rows: Iterable[DecisionRow], permits: Mapping[str, PermitUse], at: datetime) -> list[Step]:
    """Decisions of one run, oldest first, each settlement and result with the call it belongs to, and each permit's use.

    What stopped the run stands for itself.
    """
    found: list[Step] = []
    by_call: dict[str, Step] = {}
    for row in rows:
        opened = by_call.get(row.call_id)
        if row.verb in _CLOSING and row.decision == "allow" and opened is not None:
            opened.closing.append(row)
            continue
        step = Step(row, permit=_permit_words(row, permits, at))
        found.append(step)
        if row.verb in (Verb.MODEL_CALL, Verb.TOOL_CALL):
            by_call[row.call_id] = step
    return found


def _permit_words(row: DecisionRow, permits: Mapping[str, PermitUse], at: datetime) -> str:
    """What became of the permit that a decision gave; "" where it gave none."""
    use = permits.get(row.call_id) if row.verb in _PERMITTING and row.decision == "allow" else None
    return use.words(at) if use else ""


@dataclass(frozen=True, slots=True)
class Line:
    """A decision in a list."""

    row: DecisionRow

    @property
    def key(self) -> str:
        return decision_key(self.row)

    @property
    def sentence(self) -> str:
        return decision_sentence(self.row)

    @property
    def note(self) -> str:
        return decision_note(self.row)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """One decision with all that is known of it."""

    row: DecisionRow
    closing: Sequence[DecisionRow]
    confirmation: Asked | None
    confirmation_url: str  # "" where there is no such page
    permit: str  # what became of the permit that it gave; "" where it gave none

    @property
    def sentence(self) -> str:
        return decision_sentence(self.row)

    @property
    def key(self) -> str:
        return decision_key(self.row)

    @property
    def closing_lines(self) -> list[Line]:
        return [Line(row) for row in self.closing]

    @property
    def facts(self) -> list[tuple[str, Any]]:
        row = self.row
        found = [
            ("Rule", format_html('<span class="id">{}</span>', row.code) if row.code else ""),
            ("Tool", f"{row.tool} {row.tool_version}".strip()),
            ("Model", row.model),
            ("Policy version", f"{row.policy_version}" if row.policy_version else ""),
            ("Took", duration(row.took_us, "us")),
            ("Held", money(row.amount_nano_usd) if row.verb is Verb.MODEL_CALL and row.decision == "allow" else ""),
            ("Charged", money(row.amount_nano_usd) if row.verb is Verb.SETTLEMENT else ""),
            ("Task", row.data.get("task_class", "")),
            ("Outcome", row.data.get("outcome", "")),
            ("Detector", str(row.data.get("detector", "")).replace("_", " ")),
            ("Permit", self.permit.capitalize()),
            ("Attempts left", row.data.get("attempts_left", "")),
            ("Answer shortened from", count(row.data["shrunk_from"]) if "shrunk_from" in row.data else ""),
        ]
        return [(label, value) for label, value in found if value != ""]

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        return [error for error in self.row.data.get("errors", ()) if isinstance(error, dict)]

    @property
    def raised_because(self) -> list[str]:
        return [str(reason) for reason in self.row.data.get("raised_because", ())]


def view_of(*, tenant: uuid.UUID, row: DecisionRow, at: datetime) -> DecisionView:
    """A decision with what came of its call later, and with the confirmation that the call waited for."""
    closing: list[DecisionRow] = []
    asked: Asked | None = None
    permit = ""
    if row.run_id is not None and row.verb in (Verb.MODEL_CALL, Verb.TOOL_CALL, Verb.REDEMPTION):
        of_call = queries.decisions_of_run(tenant=tenant, run=row.run_id, call_id=row.call_id, most=50)
        closing = [each for each in of_call if each.id != row.id and each.decided_at >= row.decided_at]
        asked = _asked(tenant, row.run_id, row.call_id, at)
        permit = _permit_words(row, queries.permit_uses(tenant=tenant, run=row.run_id, call_id=row.call_id), at)
    return DecisionView(
        row=row,
        closing=closing,
        confirmation=asked,
        confirmation_url=_existing(tenant, asked) if asked else "",
        permit=permit,
    )


def _asked(tenant: uuid.UUID, run: uuid.UUID, call_id: str, at: datetime) -> Asked | None:
    confirmation = queries.confirmation_of_call(tenant=tenant, run=run, call_id=call_id)
    if confirmation is None:
        return None
    try:
        return confirmations.asked(tenant=tenant, confirmation=confirmation, at=at)
    except NotFound:
        return None


def _existing(tenant: uuid.UUID, asked: Asked) -> str:
    path = confirmations.path_of(tenant=tenant, confirmation=asked.id)
    try:
        resolve(path)
    except Resolver404:
        return ""
    return path
