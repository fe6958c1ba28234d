"""Shares of runs that fail or refuse, against a budget or against what was usual. Figures in, a verdict out."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from incidents.detecting.defaults import DEFAULTS
from incidents.detecting.looking import Around, Look
from incidents.detecting.seen import SampleRun, Seen
from incidents.types import AlertClass, ScopeType

HOUR, RECENT = timedelta(hours=1), timedelta(minutes=5)
# A share is called a spike only if chance makes it so rarely: a month has some 170,000 looks at twenty agents.
BY_CHANCE = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFigures:
    """Finished runs of one agent, in an hour and in its last five minutes."""

    tenant: uuid.UUID
    agent: str
    runs: int
    failed: int
    recent_runs: int
    recent_failed: int
    version: str = ""
    samples: tuple[SampleRun, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalFigures:
    """Finished runs of one agent in an hour, in the same hour a week before, and in the day before the hour."""

    tenant: uuid.UUID
    agent: str
    runs: int
    refused: int
    week_runs: int
    week_refused: int
    day_runs: int
    day_refused: int
    version: str = ""
    samples: tuple[SampleRun, ...] = ()


def burn(failed: int, runs: int, *, budget_percent: float) -> float:
    """So many times as fast as the budget allows: 1 uses it up exactly in its 30 days (Site Reliability Workbook, ch. 5)."""
    return failed / runs * 100 / budget_percent if runs else 0.0


def burns_down(figures: ErrorFigures, params: Mapping[str, float]) -> float | None:
    """The slower of both burn rates where both are above the bound: it is bad, and it still is."""
    if figures.runs < params["least_runs"] or figures.recent_failed < params["least_recent"]:
        return None
    budget = params["budget_percent"]
    slower = min(
        burn(figures.failed, figures.runs, budget_percent=budget),
        burn(figures.recent_failed, figures.recent_runs, budget_percent=budget),
    )
    return slower if slower > params["burn"] else None


def chance_of(at_least: int, runs: int, share: float) -> float:
    """How likely it is that at least so many of `runs` are hit, each with the same share (the binomial's upper tail)."""
    if at_least <= 0:
        return 1.0
    if at_least <= share * runs or share >= 1:
        return 1.0  # below the mean nothing is rare
    total, log_share, log_rest = 0.0, math.log(share), math.log1p(-share)
    for hit in range(at_least, runs + 1):
        term = math.exp(
            math.lgamma(runs + 1)
            - math.lgamma(hit + 1)
            - math.lgamma(runs - hit + 1)
            + hit * log_share
            + (runs - hit) * log_rest
        )
        total += term
        if term < total * 1e-9:
            break  # the rest only falls
    return total


def usual_share(figures: RefusalFigures, least_runs: float) -> float | None:
    """What is usual: the same hour last week, or the day before where that week had too few runs; None: not known.

    One refusal more than there was, so that nothing is usual never.
    """
    for runs, refused in ((figures.week_runs, figures.week_refused), (figures.day_runs, figures.day_refused)):
        if runs >= least_runs:
            return (refused + 1) / (runs + 1)
    return None


def refuses_more(figures: RefusalFigures, params: Mapping[str, float]) -> float | None:
    """The usual share, in 0 to 1, where the hour's share is far above it, and not by chance."""
    if figures.runs < params["least_runs"]:
        return None
    usual = usual_share(figures, params["least_runs"])
    if usual is None:
        return None
    share = figures.refused / figures.runs
    if share < usual * params["times"] or share * 100 < usual * 100 + params["points"]:
        return None
    return usual if chance_of(figures.refused, figures.runs, usual) < BY_CHANCE else None


def see_errors(rows: Iterable[ErrorFigures], around: Around) -> Look:
    """Agents whose runs fail too fast."""
    seen = []
    for row in rows:
        setting = around.setting(AlertClass.ERROR_RATE, row.tenant, row.agent)
        rate = burns_down(row, setting.params)
        if rate is None:
            continue
        percent = row.recent_failed / row.recent_runs * 100
        seen.append(
            Seen(
                alert_class=AlertClass.ERROR_RATE,
                scope_type=ScopeType.AGENT,
                scope_id=row.agent,
                about_tenant=row.tenant,
                agent=row.agent,
                agent_version=row.version,
                severity=DEFAULTS[AlertClass.ERROR_RATE].severity,
                summary=f"{around.who(row.agent, row.tenant, begins=True)} fails in {percent:.0f} % of its runs: {row.failed} of "
                f"{row.runs} in the last hour, {row.recent_failed} of {row.recent_runs} in the last five minutes.",
                value=rate,
                threshold=setting.params["burn"],
                unit="× the error budget",
                since=around.at - HOUR,
                data={
                    "runs": row.runs,
                    "failed": row.failed,
                    "recent_runs": row.recent_runs,
                    "recent_failed": row.recent_failed,
                },
                runs=row.samples,
            )
        )
    return Look(seen=seen)


def see_refusals(rows: Iterable[RefusalFigures], around: Around) -> Look:
    """Agents that refuse far more often than they did."""
    seen = []
    for row in rows:
        setting = around.setting(AlertClass.REFUSAL_SPIKE, row.tenant, row.agent)
        usual = refuses_more(row, setting.params)
        if usual is None:
            continue
        percent = row.refused / row.runs * 100
        seen.append(
            Seen(
                alert_class=AlertClass.REFUSAL_SPIKE,
                scope_type=ScopeType.AGENT,
                scope_id=row.agent,
                about_tenant=row.tenant,
                agent=row.agent,
                agent_version=row.version,
                severity=DEFAULTS[AlertClass.REFUSAL_SPIKE].severity,
                summary=f"{around.who(row.agent, row.tenant, begins=True)} refuses {percent:.0f} % of its runs in the last hour "
                f"({row.refused} of {row.runs}); usual are {usual * 100:.0f} %.",
                value=percent,
                threshold=max(usual * setting.params["times"] * 100, usual * 100 + setting.params["points"]),
                unit="% of runs",
                since=around.at - HOUR,
                data={
                    "runs": row.runs,
                    "refused": row.refused,
                    "usual_percent": round(usual * 100, 1),
                    "week_runs": row.week_runs,
                    "week_refused": row.week_refused,
                },
                runs=row.samples,
            )
        )
    return Look(seen=seen)
