"""Spend of a period by user, agent, model, tool or day: a page of rows, and what the others add up to."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal

from agentops.budgets import queries
from agentops.budgets.asking import PAGE_ROWS, Asked
from agentops.budgets.presenting import enforcement, hit_rate, ratio
from agentops.budgets.queries import SumRow, ToolRow

GROUPS: dict[str, tuple[str, ...]] = {
    "user": ("user_id",),
    "agent": ("agent",),
    "model": ("model", "provider"),
    "day": ("day",),
}
NOBODY = {"user": "(no user named)", "agent": "(no agent named)", "model": "(no model named)", "tool": "(no tool used)"}
ALL_ROWS = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One row. What a tool's row cannot tell is None."""

    name: str
    detail: str  # beside the name: a model's provider
    amount_nano_usd: int
    share: Decimal | None
    key: str = ""  # as filters know it
    runs: int | None = None
    sums: SumRow | None = None

    @property
    def hit_rate(self) -> Decimal | None:
        return hit_rate(self.sums) if self.sums else None

    @property
    def enforcement(self) -> str:
        """How far the spend of an agent can be stopped: a key of marks.SPEND."""
        return enforcement(self.sums) if self.sums else ""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The rows of one page; with the rest, they add up to the total."""

    by: str
    lines: list[Line]
    count: int
    most_nano_usd: int  # of the dearest here: bars are drawn against it
    rest_nano_usd: int  # of those on other pages
    waiting_nano_usd: int | None  # by tool: spent, but not divided over tools yet
    total_nano_usd: int

    @property
    def is_cut(self) -> bool:
        return self.count > len(self.lines)

    @property
    def rest_count(self) -> int:
        return self.count - len(self.lines)


def breakdown(*, tenant: uuid.UUID, asked: Asked, total: SumRow, zone: tzinfo, is_whole: bool = False) -> Breakdown:
    """The page that was asked for; with `is_whole`, all rows."""
    most, skip = (ALL_ROWS, 0) if is_whole else (PAGE_ROWS, asked.skip)
    if asked.by == "tool":
        return _by_tool(tenant, asked, total.amount_nano_usd, zone, most, skip)
    if asked.by == "day":
        rows = queries.sums(tenant=tenant, since=asked.start, until=asked.end, by=("day",))
        return _of_rows(asked.by, rows, len(rows), total.amount_nano_usd)
    found = queries.ranking(
        tenant=tenant, since=asked.start, until=asked.end, by=GROUPS[asked.by], most=most, skip=skip
    )
    return _of_rows(asked.by, found.rows, found.count, total.amount_nano_usd)


def _of_rows(by: str, rows: list[SumRow], count: int, total: int) -> Breakdown:
    lines = [_line(by, row, total) for row in rows]
    return _made(by, lines, count, total, None)


def _line(by: str, row: SumRow, total: int) -> Line:
    if by == "day":
        assert row.day
        name, key = f"{row.day:%a %-d %b}", row.day.isoformat()
    else:
        key = str(getattr(row, GROUPS[by][0]))
        name = key or NOBODY[by]
    detail = row.provider if by == "model" else ""
    return Line(name, detail, row.amount_nano_usd, ratio(row.amount_nano_usd, total), key=key, sums=row)


def _by_tool(tenant: uuid.UUID, asked: Asked, total: int, zone: tzinfo, most: int, skip: int) -> Breakdown:
    end = asked.end.astimezone(zone).date()
    found = queries.tools(tenant=tenant, first=asked.first_day, end=end, most=most, skip=skip)
    return _made(
        asked.by, [_tool_line(row, total) for row in found.rows], found.count, total, total - found.amount_nano_usd
    )


def _tool_line(row: ToolRow, total: int) -> Line:
    return Line(
        row.tool or NOBODY["tool"],
        "",
        row.amount_nano_usd,
        ratio(row.amount_nano_usd, total),
        key=row.tool,
        runs=row.runs,
    )


def _made(by: str, lines: list[Line], count: int, total: int, waiting: int | None) -> Breakdown:
    shown = sum(line.amount_nano_usd for line in lines)
    most = max((line.amount_nano_usd for line in lines), default=0)
    return Breakdown(by, lines, count, most, total - shown - (waiting or 0), waiting, total)
