"""Runs that ran away: ended by the guard, or far above what is usual in steps or in tokens."""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from agentops.common.money import NANO
from incidents.detecting.defaults import DEFAULTS
from incidents.detecting.looking import Around, Look
from incidents.detecting.seen import SampleRun, Seen
from incidents.types import AlertClass, ScopeType, Severity

# Read again by the next looks: a row is seen when its transaction has committed, which is after the time in it.
WINDOW = timedelta(minutes=10)
HARMFUL_TIER = 3
MOST_REVIEWS = 20  # runs that one look sends to the review queue
WHY = {
    "step_cap_reached": "at its cap of model calls",
    "tool_cap_reached": "at its cap of tool calls",
    "repetition": "because it repeated itself",
    "token_budget_exceeded": "at its cap of tokens",
    "cost_budget_exceeded": "at its cap of cost",
    "run_finished": "past its deadline",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run that the guard ended by a cap or a detector."""

    tenant: uuid.UUID
    run: uuid.UUID
    agent: str
    version: str
    ended_at: datetime
    code: str
    tool: str
    steps: int
    nano_usd: int
    harmful: int  # calls of tier 3 and above that were let through before
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongRun:
    """An observed run beside what is usual for its agent; `usual` is None where that is not known."""

    tenant: uuid.UUID
    run: uuid.UUID
    agent: str
    version: str
    at: datetime
    amount: int
    usual: float | None
    usual_runs: int = 0
    median: float = 0.0
    step: str = ""


def see_runaways(ended: Iterable[EndedRun], long: Iterable[LongRun], around: Around) -> Look:
    """Guarded runs count once each; an observed one counts again whenever it has doubled."""
    known: dict[str, str] = {}
    by_agent: dict[tuple[uuid.UUID, str], list[EndedRun]] = defaultdict(list)
    for row in ended:
        by_agent[row.tenant, row.agent].append(row)
        known[f"{row.tenant}/{row.run}"] = row.ended_at.isoformat()
    seen = []
    for (tenant, agent), rows in sorted(by_agent.items(), key=lambda each: (str(each[0][0]), each[0][1])):
        setting = around.setting(AlertClass.RUNAWAY, tenant, agent)
        news = [row for row in rows if f"{row.tenant}/{row.run}" not in around.known]
        if news and len(rows) >= setting.params["runs"]:
            seen.append(_guarded(rows, news, around, threshold=setting.params["runs"]))
    for observed in long:
        params = around.setting(AlertClass.RUNAWAY, observed.tenant, observed.agent).params
        bound = params["steps_times"] * max(observed.usual or 0, params["steps_least"])
        if observed.amount <= bound:
            continue
        mark = f"{observed.tenant}/{observed.run}/{int(math.log2(observed.amount))}"
        known[mark] = observed.at.isoformat()
        if mark not in around.known:
            seen.append(_observed(observed, around, bound))
    return Look(seen=seen, known=_recent({**around.known, **known}, around.at))


def see_tokens(long: Iterable[LongRun], around: Around) -> Look:
    """Finished runs far above their agent's p99 of tokens; each is sent to the review queue, which `known` keeps as a plan."""
    known: dict[str, str] = {}
    todo: list[list[str]] = list(around.known.get("todo", []))
    seen = []
    for row in long:
        params = around.setting(AlertClass.TOKEN_P99, row.tenant, row.agent).params
        if row.usual is None or row.usual_runs < params["least_runs"]:
            continue
        bound = tokens_bound(row, params)
        if row.amount <= bound:
            continue
        mark = f"{row.tenant}/{row.run}"
        known[mark] = row.at.isoformat()
        if mark in around.known.get("runs", {}):
            continue
        if len(todo) < MOST_REVIEWS:
            todo.append([str(row.tenant), str(row.run)])
        seen.append(
            Seen(
                alert_class=AlertClass.TOKEN_P99,
                scope_type=ScopeType.AGENT,
                scope_id=row.agent,
                about_tenant=row.tenant,
                agent=row.agent,
                agent_version=row.version,
                severity=DEFAULTS[AlertClass.TOKEN_P99].severity,
                summary=f"A run of {around.who(row.agent, row.tenant)} used {row.amount:,} tokens; 99 of 100 use less than "
                f"{row.usual:,.0f}. It is in the review queue.",
                value=row.amount / row.usual if row.usual else float(row.amount),
                threshold=bound / row.usual if row.usual else bound,
                unit="× the p99 of tokens",
                since=row.at,
                data={"tokens": row.amount, "p99": row.usual, "runs_known": row.usual_runs},
                runs=(SampleRun(tenant=row.tenant, run=row.run, at=row.at, step=row.step, value=float(row.amount)),),
            )
        )
    kept = _recent({**around.known.get("runs", {}), **known}, around.at)
    return Look(seen=seen, known={"runs": kept, "todo": todo})


def tokens_bound(row: LongRun, params: Mapping[str, float]) -> float:
    """Far above the p99, as far as the agent's runs differ: where the p99 is four times the median, runs of twelve times it
    are none of a hundred, but one of some thousands. Each run in a month is looked at, so the bound is beyond that."""
    usual = row.usual or 0.0
    spread = (usual / row.median) ** params["spread"] if row.median > 0 else 1.0
    return max(params["times"] * usual, usual * spread, params["least_tokens"])


def _guarded(rows: list[EndedRun], news: list[EndedRun], around: Around, *, threshold: float) -> Seen:
    last = max(news, key=lambda row: (row.ended_at, row.run))
    is_harmful = any(row.harmful for row in rows)
    harm = " It had acted with effects outside by then." if is_harmful else ""
    what = (
        f"A run of {around.who(last.agent, last.tenant)} was stopped"
        if len(rows) == 1
        else f"{len(rows)} runs of {around.who(last.agent, last.tenant)} were stopped in ten minutes, the last"
    )
    return Seen(
        alert_class=AlertClass.RUNAWAY,
        scope_type=ScopeType.AGENT,
        scope_id=last.agent,
        about_tenant=last.tenant,
        agent=last.agent,
        agent_version=last.version,
        tool=last.tool,
        severity=Severity.SEV1 if is_harmful else DEFAULTS[AlertClass.RUNAWAY].severity,
        summary=f"{what} {WHY.get(last.code, 'by the guard')}, after {last.steps} steps.{harm}",
        value=float(len(rows)),
        threshold=threshold,
        unit="runs in ten minutes",
        since=min(row.ended_at for row in rows),
        data={
            "codes": sorted({row.code for row in rows}),
            "steps": max(row.steps for row in rows),
            "cost_usd": sum(row.nano_usd for row in rows) / NANO,
            "harmful_calls": sum(row.harmful for row in rows),
        },
        runs=tuple(
            SampleRun(tenant=row.tenant, run=row.run, at=row.ended_at, step=row.step, value=float(row.steps))
            for row in news
        ),
    )


def _observed(row: LongRun, around: Around, bound: float) -> Seen:
    usual = f"99 of 100 make fewer than {row.usual:.0f}" if row.usual else f"{bound:.0f} are the bound"
    return Seen(
        alert_class=AlertClass.RUNAWAY,
        scope_type=ScopeType.AGENT,
        scope_id=row.agent,
        about_tenant=row.tenant,
        agent=row.agent,
        agent_version=row.version,
        severity=DEFAULTS[AlertClass.RUNAWAY].severity,
        summary=f"A run of {around.who(row.agent, row.tenant)}, which the guard does not hold, has made {row.amount:,} steps; "
        f"{usual}.",
        value=1.0,
        threshold=1.0,
        unit="runs in ten minutes",
        since=row.at,
        data={"steps": row.amount, "p99": row.usual, "bound": bound, "is_observed": True},
        runs=(SampleRun(tenant=row.tenant, run=row.run, at=row.at, step=row.step, value=float(row.amount)),),
    )


def _recent(known: Mapping[str, str], at: datetime) -> dict[str, str]:
    """What the next looks read again; twice the window, as a clock may be behind."""
    oldest = (at - 2 * WINDOW).isoformat()
    return {mark: when for mark, when in known.items() if isinstance(when, str) and when >= oldest}
