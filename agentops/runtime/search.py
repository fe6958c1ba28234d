"""What a search of decisions asks: parsed once, for the API and the page alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from agentops.common import paging
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.ids import trace_uuid
from agentops.runtime.queries import DecisionFilter
from agentops.runtime.types import Answer

_TEXTS = ("agent", "user", "tool", "decision", "code")
NAMES = (*_TEXTS, "run_id", "from", "to")
_MOST_TEXT = 200


def parse(params: Mapping[str, str], *, now: datetime) -> DecisionFilter:
    """Filters from query parameters. Raises InvalidInput with everything that is wrong."""
    problems = [
        InputProblem(f"/{name}", "unknown_filter", f"is no filter; there are {', '.join(NAMES)}")
        for name in params
        if name not in (*NAMES, "cursor", "limit")
    ]
    texts = {name: params.get(name, "").strip() for name in _TEXTS}
    for name, text in texts.items():
        if len(text) > _MOST_TEXT or "\0" in text:
            problems.append(InputProblem(f"/{name}", "invalid", f"is at most {_MOST_TEXT} characters without NUL"))
    if texts["decision"] and texts["decision"] not in list(Answer):
        problems.append(InputProblem("/decision", "invalid", f"is one of {', '.join(Answer)}"))
    run = None
    if params.get("run_id"):
        try:
            run = trace_uuid(params["run_id"].strip().lower())
        except ValueError:
            problems.append(InputProblem("/run_id", "invalid", "is 32 hex digits"))
    since = paging.moment("from", params.get("from", ""), now, problems)
    until = paging.moment("to", params.get("to", ""), now, problems)
    if problems:
        raise InvalidInput("some of the filters are not valid", problems=tuple(problems))
    return DecisionFilter(**texts, run=run, since=since, until=until)
