"""What an incident needs before it goes on. Pure: facts in, what is missing out, each with a sentence and where to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from incidents.types import IncidentStatus, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an incident, and of those that were merged into it. Fixes and switches: since it was last reopened."""

    severity: int
    has_commander: bool = False
    has_snapshot: bool = False  # one that is complete
    is_snapshot_running: bool = False
    switches: int = 0
    not_stopped_by: str = ""
    has_cause: bool = False
    has_input: bool = False  # it is about an agent or its runs: something was asked of one
    has_fix: bool = False
    cases: int = 0
    failed_on_old: bool | None = None
    passes_on_new: bool | None = None
    full_suite_passed: bool | None = None
    has_canary_note: bool = False
    is_watch_over: bool = False
    watch_closed_by: str = ""
    confirmed_harm: int = 0
    told: int = 0
    suspected: int = 0  # items of the blast radius that nobody argued
    open_reversals: int = 0
    unsent_comms: int = 0
    untold_tenants: int = 0  # confirmed as hit, and neither told nor waived
    has_postmortem: bool = False
    is_postmortem_reviewed: bool = False
    bare_actions: int = 0  # without an owner or a date
    open_parts: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """Something that is missing. `page` is the URL name of the page of the incident where it is mended."""

    sentence: str
    page: str


def unmet(target: IncidentStatus, facts: Facts) -> list[Need]:
    """What is missing before an incident may become `target`, in the order in which people mend it."""
    rule = _GATES.get(target)
    if rule is None:
        return []
    is_headless = facts.severity == Severity.SEV1 and not facts.has_commander and target is not IncidentStatus.CANCELLED
    commander = Need("A SEV-1 has an incident commander: nobody has taken that role yet.", "incident")
    # Made worse after it was contained, it is stopped all the same, or somebody says why not.
    stop = _contained(facts) if target in _AFTER_CONTAINED else []
    return [*([commander] if is_headless else []), *stop, *rule(facts)]


def _active(facts: Facts) -> list[Need]:
    found = []
    if not facts.has_snapshot:
        sentence = "The evidence is still being kept: the snapshot is not complete yet."
        if not facts.is_snapshot_running:
            sentence = "No evidence is kept: take a snapshot."
        found.append(Need(sentence, "incident-evidence"))
    return found


def _contained(facts: Facts) -> list[Need]:
    if facts.severity != Severity.SEV1 or facts.switches or facts.not_stopped_by:
        return []
    sentence = "A SEV-1 is contained by a kill switch, or by a commander's written decision not to use one."
    return [Need(sentence, "incident")]


def _identified(facts: Facts) -> list[Need]:
    if facts.has_cause:
        return []
    return [Need("Say the cause, or that it is unknown and why.", "incident-cause")]


def _fix_in_review(facts: Facts) -> list[Need]:
    found = _identified(facts)
    if not facts.has_fix:
        found.append(Need("Say what is changed: no fix is written down.", "incident-cause"))
    if facts.has_input and not facts.cases:
        found.append(Need("The input that failed is an eval case: none is named by the fix.", "incident-cause"))
    return found


def _watching(facts: Facts) -> list[Need]:
    found = []
    if not facts.has_fix:
        found.append(Need("Say what is changed: no fix is written down.", "incident-cause"))
    if facts.has_input:
        for is_shown, sentence in (
            (facts.cases > 0, "The input that failed is an eval case: none is named by the fix."),
            (facts.failed_on_old, "No suite shows that the cases fail on the old version."),
            (facts.passes_on_new, "No suite shows that the cases pass on the new version."),
            (facts.full_suite_passed, "No full suite has passed on the new version."),
        ):
            if not is_shown:
                found.append(Need(sentence, "incident-cause"))
    if facts.has_fix and not facts.has_canary_note:
        found.append(Need("Write down how the canary went, or that there is none.", "incident-cause"))
    return found


def _resolved(facts: Facts) -> list[Need]:
    if facts.watch_closed_by:
        return []
    if facts.is_watch_over:
        return [Need("The watch is over without a breach: a person has to close it.", "incident-cause")]
    return [Need("The watch has not run its 48 to 72 hours yet.", "incident-cause")]


def _closed(facts: Facts) -> list[Need]:
    found = []
    if facts.suspected:
        found.append(Need(f"{_n(facts.suspected, 'item')} of the blast radius: confirm or rule out.", "incident-blast"))
    if facts.open_reversals:
        found.append(Need(f"{_n(facts.open_reversals, 'reversal')} not over.", "incident-reversals"))
    if facts.unsent_comms:
        found.append(Need(f"{_n(facts.unsent_comms, 'message')} neither sent nor waived.", "incident-comms"))
    if facts.untold_tenants and facts.severity < Severity.SEV3:
        sentence = f"{_n(facts.untold_tenants, 'organisation')} confirmed as hit: not told, and not waived."
        found.append(Need(sentence, "incident-comms"))
    must_learn = facts.has_postmortem or facts.severity < Severity.SEV3
    if must_learn and not facts.is_postmortem_reviewed:
        found.append(Need("The postmortem is not reviewed.", "incident-postmortem"))
    if facts.bare_actions:
        sentence = f"{_n(facts.bare_actions, 'action item')} without an owner or a date."
        found.append(Need(sentence, "incident-postmortem"))
    if facts.open_parts:
        found.append(Need(f"{_n(facts.open_parts, 'part')} of it not closed.", "incident"))
    return found


def _cancelled(facts: Facts) -> list[Need]:
    """What did harm, or was told to customers, is no false alarm: it goes the whole way."""
    found = []
    if facts.confirmed_harm:
        sentence = f"{_n(facts.confirmed_harm, 'item')} confirmed as hit: it cannot be cancelled any more."
        found.append(Need(sentence, "incident-blast"))
    if facts.told:
        found.append(Need("Customers were told of it: it cannot be cancelled any more.", "incident-comms"))
    return found


def _n(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


_S = IncidentStatus
_AFTER_CONTAINED = (_S.IDENTIFIED, _S.FIX_IN_REVIEW, _S.WATCHING, _S.RESOLVED, _S.CLOSED)
_GATES: dict[IncidentStatus, Callable[[Facts], list[Need]]] = {
    _S.ACTIVE: _active,
    _S.CONTAINED: _contained,
    _S.IDENTIFIED: _identified,
    _S.FIX_IN_REVIEW: _fix_in_review,
    _S.WATCHING: _watching,
    _S.RESOLVED: _resolved,
    _S.CLOSED: _closed,
    _S.CANCELLED: _cancelled,
}
