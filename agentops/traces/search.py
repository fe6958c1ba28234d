"""What a search of runs asks: parsed once, for the API, the page and saved searches alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.money import nano_usd
from agentops.common.paging import moment
from agentops.traces.models.run import FacetKey, RunStatus
from agentops.traces.rollup import FACET_LENGTH

FACET_NAMES: dict[str, FacetKey] = {key.label: key for key in FacetKey}
_OTHER_NAMES = ("from", "to", "min_cost_usd", "q")
NAMES = (*FACET_NAMES, *_OTHER_NAMES)
TEXT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class RunSearch:
    """Filters over runs. Times are of the run's start, `since` included and `until` not."""

    facets: tuple[tuple[FacetKey, str], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    min_cost_nano_usd: int | None = None
    text: str = ""
    given: tuple[tuple[str, str], ...] = field(default=(), compare=False)  # as typed, for the form and the URL

    @property
    def query_string(self) -> str:
        return urlencode(self.given)

    def without(self, name: str) -> str:
        """The query string with one filter taken out: the address behind a chip's cross."""
        return urlencode([(key, value) for key, value in self.given if key != name])


def parse(
    params: Mapping[str, str], *, now: datetime, ignore: frozenset[str] = frozenset({"cursor", "limit"})
) -> RunSearch:
    """A search from query parameters. Raises InvalidInput that names every wrong one and what it would accept.

    `from` and `to` take RFC 3339 times, or 1h, 24h, 7d and 30d for "so long ago".
    """
    accepted = f"is no filter; there are {', '.join(NAMES)}"
    unknown = [name for name in params if name not in NAMES and name not in ignore]
    problems = [InputProblem(f"/{name}", "unknown_filter", accepted) for name in unknown]
    given = [(name, params[name].strip()) for name in NAMES if params.get(name, "").strip()]
    values = dict(given)
    facets = []
    for name, key in FACET_NAMES.items():
        value = values.get(name, "")
        if "\x00" in value:
            problems.append(InputProblem(f"/{name}", "invalid", "may not contain a NUL character"))
        elif value and key == FacetKey.STATUS and value not in RunStatus.labels:
            problems.append(InputProblem(f"/{name}", "invalid", f"is one of {', '.join(RunStatus.labels)}"))
        elif value:
            facets.append((key, value[:FACET_LENGTH]))
    since = moment("from", values.get("from", ""), now, problems)
    until = moment("to", values.get("to", ""), now, problems)
    text = values.get("q", "")
    if len(text) > TEXT_LENGTH or "\x00" in text:
        problems.append(InputProblem("/q", "invalid", f"is at most {TEXT_LENGTH} characters without NUL"))
    search = RunSearch(
        facets=tuple(facets),
        since=since,
        until=until,
        min_cost_nano_usd=_cost(values.get("min_cost_usd", ""), problems),
        text=text,
        given=tuple(given),
    )
    if problems:
        raise InvalidInput("some of the filters are not valid", problems=tuple(problems))
    return search


def _cost(text: str, problems: list[InputProblem]) -> int | None:
    if not text:
        return None
    try:
        amount = nano_usd(text)
        if 0 <= amount < 1 << 62:
            return amount
    except ValueError:
        pass
    problems.append(InputProblem("/min_cost_usd", "invalid", "is an amount of dollars such as 0.25"))
    return None
