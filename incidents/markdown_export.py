"""A postmortem, or a timeline, as a Markdown file, for wherever people keep what they read. Pure: what people wrote stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from agentops.portal.templatetags.words import duration_text
from incidents.models import Incident, TimelineEntry
from incidents.policies import causes as taxonomy
from incidents.queries.postmortem_facts import Told
from incidents.types import Severity

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
_BLOCK = re.compile(r"^([-+=]|\d+[.)])")
_HEADINGS = (("Summary", "summary"), ("Impact", "impact"), ("What went well", "went_well"),
             ("What went badly", "went_badly"), ("Where we were lucky", "lucky"))  # fmt: skip


def markdown(told: Told) -> str:
    """Headings, lists and tables; nothing that people wrote becomes a heading, a link or markup."""
    incident, postmortem = told.incident, told.postmortem
    assert postmortem is not None
    parts = [
        f"# Postmortem {incident.ref}: {_line(incident.title)}",
        _list(
            [
                f"Severity: {Severity(incident.severity).label}",
                f"State: {postmortem.get_state_display()}",
                *([f"Agent: {_line(f'{incident.agent} {incident.agent_version}'.strip())}"] if incident.agent else []),
                *([f"Tool: {_line(incident.tool)}"] if incident.tool else []),
                f"Organisations: {', '.join(_line(one.name) for one in told.reach.organisations) or 'none named'}",
                *([f"Reviewed by {_line(postmortem.reviewed_by)}"] if postmortem.reviewed_by else []),
            ]
        ),
    ]
    for heading, name in _HEADINGS:
        written = getattr(postmortem, name)
        if written:
            parts.append(f"## {heading}\n\n{_text(written)}")
    parts.append(f"## Clocks\n\n{_table(('Clock', 'Took', 'Meaning'), _clock_rows(told))}")
    causes = [*([("Root cause", told.root)] if told.root else []), *(("Contributing", one) for one in told.factors)]
    if causes:
        lines = [
            f"{label}: {_line(taxonomy.words(one.kind, one.detail_kind))}. {_line(one.text)}" for label, one in causes
        ]
        parts.append(f"## Causes\n\n{_list(lines)}")
    if told.whys:
        whys = [
            f"{one.number}. {_line(one.question)}\n\n    {_line(one.answer) or 'Not answered.'}\n\n"
            f"    Evidence: {_line(one.evidence_text) or ('kept with the incident' if one.evidence_id else 'none')}"
            for one in told.whys
        ]
        parts.append("## Whys\n\n" + "\n\n".join(whys))
    if told.actions:
        parts.append(f"## Action items\n\n{_table(('What', 'Kind', 'Owner', 'Due', 'State'), _action_rows(told))}")
    if told.timeline:
        rows = ((_moment(one.occurred_at), _line(one.actor), _line(one.text)) for one in told.timeline)
        parts.append(f"## Timeline\n\n{_table(('When (UTC)', 'Who', 'What'), rows)}")
        if told.is_timeline_cut:
            parts.append(f"The first {len(told.timeline)} entries; the rest is on the incident's timeline.")
    return "\n\n".join(parts) + "\n"


def timeline(incident: Incident, entries: Iterable[TimelineEntry]) -> str:
    """A list of what happened, on a line each."""
    lines = [f"# {incident.ref}: {_line(incident.title)}", "", "All times are UTC.", ""]
    for entry in entries:
        late = ""
        if abs((entry.recorded_at - entry.occurred_at).total_seconds()) > 60:
            late = f", written down {entry.recorded_at:%-d %b %H:%M}"
        lines.append(
            f"- **{_moment(entry.occurred_at)}** {entry.get_kind_display()}: {_line(entry.text)} ({_line(entry.actor)}{late})"
        )
    return "\n".join(lines) + "\n"


def _clock_rows(told: Told) -> Iterable[tuple[str, ...]]:
    return ((one.label, duration_text(one.took), one.meaning) for one in told.clocks)


def _action_rows(told: Told) -> Iterable[tuple[str, ...]]:
    for one in told.actions:
        state = one.get_state_display() + (f"; came back in {one.recurred_in.ref}" if one.recurred_in else "")
        owner = one.owner.get_full_name() if one.owner else "nobody"
        yield _line(one.title), one.get_kind_display(), _line(owner), f"{one.due_on or 'no date'}", state


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _line(value: str) -> str:
    """On one line, with nothing that Markdown reads as markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(value.split()))


def _text(value: str) -> str:
    """Paragraphs and line breaks as they were written; what would begin a list, a rule or code is text."""
    lines = [_BLOCK.sub(_escaped_block, _line(each)) for each in value.split("\n")]
    return "\n\n".join("  \n".join(lines).split("  \n  \n"))


def _escaped_block(found: re.Match[str]) -> str:
    mark = found[0]
    return f"\\{mark}" if mark in "-+=" else f"{mark[:-1]}\\{mark[-1]}"
