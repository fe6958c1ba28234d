"""`bench quiet`: how often people are paged in a month in which nothing is wrong, and whether they are when something is.

What decides here is what decides in production: `budgets.alarms` on minutes and days, the detectors of `incidents/detecting`
on what they find, and `detecting.policy` on what becomes an alert and what is told again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from agentops.portal.bench import quiet_looks as looks
from agentops.portal.bench import quiet_month as months
from agentops.portal.bench.quiet_book import Book

MOST_FALSE = 2
SEEDS = 5


def run(*, seeds: int, busiest: float, say: Callable[[str], object]) -> dict[str, Any]:
    """Pages of each seed's month; sound if there are at most two in each, and trouble is found in every one."""
    began = time.monotonic()
    table: dict[str, dict[str, Any]] = {}
    for seed in range(1, seeds + 1):
        random = np.random.default_rng(seed)
        agents = months.month(random, busiest=busiest)
        pages = _paged(agents)
        found = _trouble(random, agents)
        table[f"seed {seed}"] = figures = {
            "runs": sum(len(agent.minute) for agent in agents),
            "false_pages": sum(pages.values()),
            "of": dict(sorted(pages.items())),
            "trouble_found": found,
        }
        say(f"  seed {seed}: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items()))
    return {
        "false_pages": [row["false_pages"] for row in table.values()],
        "seconds": round(time.monotonic() - began, 1),
        "table": table,
        "sound": all(row["false_pages"] <= MOST_FALSE and all(row["trouble_found"].values()) for row in table.values()),
    }


def _paged(agents: list[months.Agent]) -> Counter[str]:
    book = Book()
    for told in _all(agents):
        book.look(*told)
    return book.pages


def _all(agents: list[months.Agent]) -> Iterator[looks.Told]:
    yield from looks.spikes(agents)
    for agent in agents:
        yield from looks.errors(agent)
        yield from looks.refusals(agent)
        yield from looks.long_runs(agent)
    yield from looks.days(agents)


def _trouble(random: np.random.Generator, agents: list[months.Agent]) -> dict[str, bool]:
    """The same agents with trouble in the busiest one: a detector that never speaks would be quiet, too."""
    busiest = max(agents, key=lambda agent: len(agent.minute))
    week = slice((months.WARM_UP_DAYS + 20) * months.DAY, (months.WARM_UP_DAYS + 27) * months.DAY)
    start = week.start + int(
        np.argmax(busiest.by_minute()[week])
    )  # at night, with a run or two an hour, nobody could tell
    in_hour = (busiest.minute >= start) & (busiest.minute < start + 60)
    in_minute = (busiest.minute >= start) & (busiest.minute < start + 3)
    first = int(np.flatnonzero(in_hour)[0])
    dear = replace(busiest, cost=np.where(in_minute, busiest.cost * 40, busiest.cost))
    failing = replace(busiest, failed=busiest.failed | (in_hour & (random.random(len(in_hour)) < 0.6)))
    refusing = replace(busiest, refused=busiest.refused | (in_hour & (random.random(len(in_hour)) < 0.4)))
    long = replace(busiest, tokens=busiest.tokens.copy(), steps=busiest.steps.copy())
    long.tokens[first], long.steps[first] = 5_000_000, 900
    found: dict[str, bool] = {}
    for name, told in (
        ("cost_spike", looks.spikes([dear])),
        ("error_rate", looks.errors(failing)),
        ("refusal_spike", looks.refusals(refusing)),
        ("token_p99", looks.long_runs(long)),
    ):
        book = Book()
        for each in told:
            book.look(*each)
        found[name] = book.pages[name] > 0
    return found
