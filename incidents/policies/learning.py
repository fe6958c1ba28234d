"""When a postmortem is due, what it must hold before somebody else reads it, and the clocks it tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incidents.types import Severity

WHYS_LEAST, WHYS_MOST = 5, 9
SEV1_DAYS, SEV2_BUSINESS_DAYS = 3, 5
_BLAME = re.compile(
    r"\b(human error|user error|operator error|careless(?:ly|ness)?|negligen(?:t|ce)|incompeten(?:t|ce)|stupid(?:ly|ity)?"
    r"|should have known(?: better)?|(?:his|her|their) fault)\b",
    re.IGNORECASE,
)


def due_at(*, severity: int, resolved_at: datetime | None) -> datetime | None:
    """3 calendar days after a SEV-1 was resolved, 5 business days after a SEV-2; None before that, and for a pattern."""
    if resolved_at is None or severity == Severity.SEV3:
        return None
    if severity == Severity.SEV1:
        return resolved_at + timedelta(days=SEV1_DAYS)
    return _business_days_after(resolved_at, SEV2_BUSINESS_DAYS)


def _business_days_after(moment: datetime, days: int) -> datetime:
    """The same time of day; Saturday and Sunday count for nothing."""
    while days:
        moment += timedelta(days=1)
        days -= moment.weekday() < 5
    return moment


@dataclass(frozen=True, slots=True)
class Answer:
    """One of the whys, as far as its completeness goes."""

    question: str
    answer: str
    has_evidence: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    summary: str
    impact: str
    whys: Sequence[Answer]
    has_root_cause: bool
    actions: int
    bare_actions: int  # open ones without an owner or a date


def missing(found: Contents) -> list[str]:
    """What a postmortem lacks before another person reviews it, as sentences."""
    lacks = []
    if not found.summary:
        lacks.append("The summary is empty.")
    if not found.impact:
        lacks.append("The impact is empty: who was hit, and how.")
    answered = [one for one in found.whys if one.question and one.answer]
    if len(answered) < WHYS_LEAST:
        lacks.append(f"{len(answered)} of {WHYS_LEAST} whys are answered.")
    bare = sum(not one.has_evidence for one in answered)
    if bare:
        lacks.append(f"{bare} answer{'' if bare == 1 else 's'} without evidence: name what shows it.")
    if not found.has_root_cause:
        lacks.append("The incident has no cause yet; “unknown”, with the reason, is one.")
    if not found.actions:
        lacks.append("There is no action item: what is done so that it does not happen again?")
    if found.bare_actions:
        count = found.bare_actions
        lacks.append(f"{count} action item{'' if count == 1 else 's'} without an owner or a date.")
    return lacks


def blame_in(text: str) -> list[str]:
    """Words that blame a person: a postmortem asks what let it happen, not who."""
    return sorted({match.lower() for match in _BLAME.findall(text)})


LAST_HARM = "Last harm"
MAY_STAY = ("Reverse", "Learn")  # an incident may end without them


@dataclass(frozen=True, slots=True)
class Clock:
    """How long something took, from `since` until `at`. `took` is None where one of them is not known."""

    label: str
    since: datetime | None
    at: datetime | None
    meaning: str

    @property
    def took(self) -> timedelta | None:
        if self.at is None or self.since is None or self.at < self.since:
            return None
        return self.at - self.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    began_at: datetime | None
    detected_at: datetime | None
    acknowledged_at: datetime | None
    contained_at: datetime | None
    last_harm_at: datetime | None
    customer_told_at: datetime | None
    reversed_at: datetime | None
    learnt_at: datetime | None


def clocks(times: Times) -> list[Clock]:
    """Each from the beginning of the harm, as far as that is known; else from when it was detected."""
    start = times.began_at or times.detected_at

    return [
        Clock("Detect", times.began_at, times.detected_at, "from the first harm to the first alert"),
        Clock("Acknowledge", times.detected_at, times.acknowledged_at, "from the first alert to a person"),
        Clock("Contain", start, times.contained_at, "until it was stopped"),
        Clock(LAST_HARM, start, times.last_harm_at, "until the last harmful step that was seen"),
        Clock("Tell customers", start, times.customer_told_at, "until the first customer was told"),
        Clock("Reverse", start, times.reversed_at, "until all that could be undone was"),
        Clock("Learn", start, times.learnt_at, "until the failing input was an eval case"),
    ]
