"""From stored runs and searches to what the trace templates show: words, not decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentops.common.errors import InputProblem
from agentops.portal.templatetags.words import ago, compact, count, duration, money, short_id
from agentops.traces.links import TraceLinks
from agentops.traces.models import Run
from agentops.traces.models.run import RunStatus
from agentops.traces.search import RunSearch
from agentops.traces.serialise import cost_state, duration_ms

LABELS = {
    "q": "Text",
    "agent": "Agent",
    "status": "Status",
    "from": "Since",
    "tool": "Tool",
    "user": "User",
    "session": "Session",
    "error_type": "Error type",
    "model": "Model",
    "agent_version": "Version",
    "min_cost_usd": "Cost at least",
    "to": "Until",
    "prompt_hash": "Prompt hash",
    "tool_definitions_hash": "Tools hash",
}
HINTS = {
    "q": "Words in prompts, arguments, results",
    "to": "2026-11-23T09:30Z or 1h",
    "min_cost_usd": "0.25",
    "prompt_hash": "sha256:…",
    "tool_definitions_hash": "sha256:…",
}
_FIRST = ("agent", "status", "from")  # always on screen; the others unfold
_TIMES = (("1h", "Last hour"), ("24h", "Last 24 hours"), ("7d", "Last 7 days"), ("30d", "Last 30 days"))
_AGO = {"1h": "1 hour ago", "24h": "24 hours ago", "7d": "7 days ago", "30d": "30 days ago"}
_FLAGS = {
    "floating_model": "a model was asked for without an exact version",
    "usage_normalised": "token counts were brought to one form",
    "usage_not_counted": "tokens of a call that is counted elsewhere",
    "tokens_dropped": "impossible token counts were left out",
    "attributes_dropped": "the sender's SDK dropped attributes",
    "content_truncated": "long content was cut",
    "credentials_dropped": "credentials among the attributes were left out",
}


@dataclass(frozen=True, slots=True)
class FilterField:
    """One filter of the form: a choice where it has options, else text."""

    name: str
    label: str
    value: str
    options: list[tuple[str, str]] | None
    hint: str


@dataclass(frozen=True, slots=True)
class FilterForm:
    """The filters in the order of the page; `more` unfold."""

    text: FilterField
    first: list[FilterField]
    more: list[FilterField]


def chips(search: RunSearch, base: str) -> list[dict[str, str]]:
    """The filters in force, each with the address without it."""
    found = []
    for name, value in search.given:
        rest = search.without(name)
        found.append(
            {"label": LABELS[name], "value": _shown(name, value), "remove_url": f"{base}?{rest}" if rest else base}
        )
    return found


def query_words(query: str) -> list[tuple[str, str]]:
    """A saved query string as labels and values."""
    return [(LABELS[name], _shown(name, value)) for name, value in parse_qsl(query) if name in LABELS]


def _shown(name: str, value: str) -> str:
    match name:
        case "from":
            return dict(_TIMES).get(value, value)
        case "to":
            return _AGO.get(value, value)
        case "min_cost_usd":
            return f"${value}"
        case "status":
            return value.upper() if value == "ok" else value.capitalize()
        case _:
            return value


def filter_form(given: Mapping[str, str]) -> FilterForm:
    times = list(_TIMES)
    if given.get("from") and given["from"] not in dict(_TIMES):
        times.append((given["from"], given["from"]))
    options = {"status": [(label, _shown("status", label)) for label in RunStatus.labels], "from": times}
    fields = [
        FilterField(name, label, given.get(name, ""), options.get(name), HINTS.get(name, ""))
        for name, label in LABELS.items()
    ]
    return FilterForm(
        text=fields[0],
        first=[field for field in fields if field.name in _FIRST],
        more=[field for field in fields if field.name not in (*_FIRST, "q")],
    )


def problem_words(problems: Iterable[InputProblem]) -> list[tuple[str, str]]:
    """What is wrong with a search: the filter's label, and what it accepts."""
    return [(LABELS.get(problem.pointer[1:], problem.pointer[1:]), problem.detail) for problem in problems]


def exporter_lines(address: str) -> str:
    """What an OpenTelemetry exporter reads from its environment. Header values are percent-encoded there."""
    return (
        f"OTEL_EXPORTER_OTLP_ENDPOINT={address.rstrip('/')}\n"
        "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20<your key>"
    )


def flag_words(flag: str) -> str:
    return _FLAGS.get(flag, flag.replace("_", " "))


# -- one run ----------------------------------------------------------------------------------------------------------


def run_words(run: Run, links: TraceLinks) -> list[tuple[str, Any]]:
    """Whose run it was, in a line under its name: labels and values, each a way to the runs that share it."""
    digest = run.prompt_hash.removeprefix("sha256:")
    found = [
        ("Version", links.filtered("agent_version", run.agent_version)),
        ("For", links.filtered("user", run.user_id)),
        ("Session", links.filtered("session", run.session_id)),
        ("Environment", run.environment),
        ("Service", run.service if run.service != run.agent else ""),
        ("Prompt", links.filtered("prompt_hash", run.prompt_hash, _id(short_id(digest)))),
    ]
    return [(label, value) for label, value in found if value]


def run_notes(run: Run) -> list[str]:
    """What a reader should know before trusting the figures."""
    masked = f"{count(run.masked_values)} value{'' if run.masked_values == 1 else 's'} masked before storage"
    return [masked] * bool(run.masked_values) + [flag_words(flag) for flag in run.flags]


def run_stats(run: Run) -> list[dict[str, Any]]:
    """The strip of figures over a run."""
    state = cost_state(run)
    calls = f"{count(run.unpriced_calls)} of {count(run.unpriced_calls + run.priced_calls)} calls"
    note = {
        "priced": "",
        "partial": f"without {calls} that have no price",
        "unpriced": "none of its calls has a price",
    }
    return [
        {
            "label": "Took",
            "value": duration(duration_ms(run), "ms"),
            "note": format_html("started {}", ago(run.started_at)),
        },
        {
            "label": "Cost",
            "value": money(None if state == "unpriced" else run.cost_nano_usd),
            "note": note[state],
            "tone": "" if state == "priced" else "warn",
        },
        {"label": "Tokens", "value": compact(run.input_tokens + run.output_tokens), "note": _token_words(run)},
        {"label": "Model calls", "value": count(run.llm_calls), "note": _few(run.model_names)},
        {"label": "Tool calls", "value": count(run.tool_calls), "note": _few(run.tools)},
        {
            "label": "Errors",
            "value": count(run.error_count),
            "note": _few(run.error_types) if run.error_count else "",
            "tone": "bad" if run.error_count else "",
        },
    ]


def run_cost(run: Run) -> SafeString:
    """A run's cost in a list; what it leaves out is said."""
    state = cost_state(run)
    if state == "partial":
        words = '{}<span class="unpriced" title="{} calls without a price are not in it">+?</span>'
        return format_html(words, money(run.cost_nano_usd), count(run.unpriced_calls))
    return money(None if state == "unpriced" else run.cost_nano_usd)


def _token_words(run: Run) -> str:
    parts = [f"{count(run.input_tokens)} in", f"{count(run.output_tokens)} out"]
    if run.cache_read_tokens:
        parts.insert(1, f"{count(run.cache_read_tokens)} of them cached")
    if run.reasoning_tokens:
        parts.append(f"{count(run.reasoning_tokens)} of them reasoning")
    return ", ".join(parts)


def _few(values: Iterable[str]) -> str:
    names = list(values)
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(name[:40] for name in names[:2]) + more


def _id(text: str) -> SafeString:
    return format_html('<span class="id">{}</span>', text)
