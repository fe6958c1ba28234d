"""Entries as rows. Written here and not as a template: fifty rows of a page took most of its time."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC
from typing import Any

from django import template
from django.template import Context
from django.utils.formats import date_format
from django.utils.html import conditional_escape as escaped
from django.utils.safestring import SafeString, mark_safe

from agentops.common.pages import place
from agentops.portal.templatetags.states import entry_shape, seal_shape
from audit.presenting import Day, Line
from audit.sentences import Piece

register = template.Library()
_ANY = uuid.UUID(int=0)
_REASON_LENGTH = 120


@register.simple_tag(takes_context=True)
def entry_rows(context: Context, days: Iterable[Day]) -> SafeString:
    """A `<tbody>` for each day, its rows in it."""
    request: Any = context["request"]
    entry_url = place(request, "audit-entry", entry=_ANY)
    run_url = place(request, "run", run_id=_ANY.hex)
    return mark_safe("".join(_day(day, entry_url, run_url) for day in days))  # noqa: S308  parts are escaped below


@register.simple_tag
def sentence_parts(pieces: Sequence[Piece]) -> SafeString:
    """A sentence with who and what marked."""
    return _sentence(pieces)


def _day(day: Day, entry_url: str, run_url: str) -> str:
    rows = "".join(_row(line, entry_url, run_url) for line in day.lines)
    return (
        f'<tbody><tr class="day"><th scope="rowgroup" colspan="3">{date_format(day.day, "l j F Y")}</th>'
        f'<td class="if-wide"></td><td></td></tr>{rows}</tbody>'
    )


def _row(line: Line, entry_url: str, run_url: str) -> str:
    entry = line.entry
    moment = entry.recorded_at.astimezone(UTC)
    exact = moment.isoformat()
    return (
        f'<tr data-entry="{entry.id}" data-outcome="{line.outcome}" data-action="{escaped(entry.action)}">'
        f'<td class="col-time num"><time datetime="{exact}" title="{exact}">{moment:%H:%M:%S}</time></td>'
        f'<td class="col-answer">{_outcome(line.outcome)}</td>'
        f'<td><a class="row-link" dir="auto" href="{entry_url.replace(str(_ANY), str(entry.id))}">'
        f"{_sentence(line.pieces)}</a>{_below(line)}</td>"
        f'<td class="col-run if-wide">{_run(entry.run_id, run_url)}</td>'
        f'<td class="col-seal" data-seal>{_seal(line.seal)}<span class="leaf-number">'
        f"{'pending' if entry.leaf is None else f'{entry.leaf:,}'}</span></td></tr>"
    )


def _sentence(pieces: Sequence[Piece]) -> SafeString:
    return mark_safe("".join(_piece(piece) for piece in pieces))  # noqa: S308  parts are escaped


def _piece(piece: Piece) -> str:
    if piece.kind == "text":
        return escaped(piece.text)
    marked = " data-actor" if piece.kind == "actor" else ""
    return f'<span class="is-{piece.kind}"{marked}>{escaped(piece.text)}</span>'


def _below(line: Line) -> str:
    """The second line: the action's name, for whom, why."""
    person, reason = line.on_behalf_of, line.reason
    if len(reason) > _REASON_LENGTH:
        reason = f"{reason[: _REASON_LENGTH - 1]}…"
    return (
        f'<span class="sub" dir="auto"><span class="id">{escaped(line.entry.action)}</span>'
        f"{f' for {escaped(person)}' if person else ''}{f' · {escaped(reason)}' if reason else ''}</span>"
    )


def _run(run: uuid.UUID | None, url: str) -> str:
    if run is None:
        return '<span class="none">–</span>'
    return f'<a class="id" href="{url.replace(_ANY.hex, run.hex)}" title="Run {run.hex}">{run.hex[24:]}</a>'


@functools.cache
def _outcome(name: str) -> str:
    return entry_shape(name)


@functools.cache
def _seal(name: str) -> str:
    return seal_shape(name)
