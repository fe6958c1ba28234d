"""The breakdown by action on the pages of one actor and of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from audit.queries import Gathered
from audit.searching import Filters


@dataclass(frozen=True, slots=True)
class SortLine:
    """One kind of action: how often, when last, and the address of its entries."""

    action: str
    count: int
    last_at: datetime
    url: str


def sort_lines(gathered: Gathered, log_url: str, filters: Filters) -> list[SortLine]:
    return [
        SortLine(
            sort.action, sort.count, sort.last_at, f"{log_url}?{urlencode([*filters.given, ('action', sort.action)])}"
        )
        for sort in gathered.sorts
    ]
