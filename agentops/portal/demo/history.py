"""Twelve weeks of two agents whose quality changed: what judges, cohorts and drift have to look at from the first minute.

`care-line` gets worse a little every week, which no day shows; it asks each user at the end whether that helped, and only
so many answers tell a slide from chance. `parcel-tracker` got another prompt twelve days ago, and answers worse since; few
of its users say what they think. Both are told by plain JSON, as an agent without an SDK tells.
"""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from agentops.portal.demo.keyfile import DemoKeys
from agentops.portal.demo.mishaps import Sender

WEEKS = 12
RUNS = WEEKS * 7 * 6  # of each
CARE_LINE, PARCEL_TRACKER = "care-line", "parcel-tracker"
TENANT = "northwind"
MODEL = "gpt-4.1-mini-2025-04-14"
_AT_ONCE = 40  # runs in a request
_WORSE_SINCE_WEEKS, _BOUNDARY_DAYS = 5.5, 12
_LANGUAGES, _REGIONS = ("de", "en", "fr"), ("eu-central", "eu-west", "us-east")
_ASKED = {
    CARE_LINE: (
        "How do I wash the merino base layer?",
        "My tent's zip is stuck. What can I do?",
        "Which sleeping bag is warm enough for minus five?",
        "Can I have the boots resoled?",
        "The jacket lost its water repellency.",
    ),
    PARCEL_TRACKER: (
        "Where is my order ord_{n}?",
        "When does parcel ord_{n} arrive?",
        "ord_{n} says delivered, but nothing is here.",
        "Can ord_{n} still go to another address?",
    ),
}
_GOOD = {
    CARE_LINE: (
        "Wash it at 30 degrees with wool detergent, without softener, and dry it flat. The label on the left seam says the same.",
        "Rub a candle along both sides of the zip and close it slowly; if a tooth is bent, our workshop mends it within a week.",
        "The Arctic 400 is made for minus seven (comfort). You can send it back within thirty days if it is too warm.",
    ),
    PARCEL_TRACKER: (
        "ord_{n} left our warehouse on Monday and is with the carrier in Hanover. It arrives on Thursday before noon.",
        "The carrier left ord_{n} with your neighbour at number 14 at 10:32; the signature is in your account.",
        "Yes. I changed the address of ord_{n} to the one in your account; you have a mail that says so.",
    ),
}
_BAD = (
    "Sorry, I could not find that. Perhaps try again later.",
    "I am sorry, I can't say.",
    "Unfortunately I am unable to tell. Please write to our support.",
)


@dataclass(frozen=True, slots=True)
class Release:
    """What a run says of the agent that made it."""

    version: str
    prompt_hash: str


FIRST = Release("2026-09-01", "sha256:" + "1" * 64)
SECOND = Release("2026-11-14", "sha256:" + "2" * 64)


def send(*, base_url: str, keys: DemoKeys) -> int:
    """Send what the portal does not have yet; answers how many runs."""
    texts = keys.keys[TENANT]
    if _is_there(base_url, texts["read"]):
        return 0
    sender = Sender(base_url, texts["ingest"])
    runs = list(told(datetime.now(UTC)))
    for place in range(0, len(runs), _AT_ONCE):
        some = runs[place : place + _AT_ONCE]
        sender.post("/api/v1/traces", {"spans": [span for run in some for span in run.spans]})
        for run in some:
            if run.feedback is not None:
                sender.post("/api/v1/feedback", run.feedback)
    return len(runs)


@dataclass(frozen=True, slots=True)
class ToldRun:
    spans: list[dict[str, Any]]
    feedback: dict[str, Any] | None
    is_good: bool


def told(now: datetime) -> Iterator[ToldRun]:
    """From the oldest on."""
    rng = Random("history of quality")
    for back in range(WEEKS * 7, 0, -1):
        for number in range(RUNS // (WEEKS * 7)):
            at = now - timedelta(days=back, hours=-1.5 * number, seconds=rng.randrange(600))
            weeks_worse = max(0.0, _WORSE_SINCE_WEEKS - back / 7)
            yield run_of(rng, CARE_LINE, FIRST, at, is_good=rng.random() < 0.94 - 0.08 * weeks_worse)
            release = SECOND if back <= _BOUNDARY_DAYS else FIRST
            yield run_of(rng, PARCEL_TRACKER, release, at, is_good=rng.random() < (0.93 if release is FIRST else 0.6))


def run_of(rng: Random, agent: str, release: Release, at: datetime, *, is_good: bool, like: str = "") -> ToldRun:
    """One run of an agent that speaks like `like` (CARE_LINE or PARCEL_TRACKER; without, it is one of them)."""
    like = like or agent
    trace_id, root, call, tool = (
        f"{rng.getrandbits(128):032x}",
        f"{rng.getrandbits(64) | 1:016x}",
        f"{rng.getrandbits(64) | 1:016x}",
        f"{rng.getrandbits(64) | 1:016x}",
    )
    number = rng.randrange(1000, 9999)
    asked = rng.choice(_ASKED[like]).format(n=number)
    answer = (rng.choice(_GOOD[like]) if is_good else rng.choice(_BAD)).format(n=number)
    user = f"cus_{rng.randrange(400):03d}"
    tokens = rng.randrange(600, 1400)
    shared = {
        "trace_id": trace_id,
        "agent": agent,
        "agent_version": release.version,
        "user_id": user,
        "session_id": f"ses_{trace_id[:10]}",
        "prompt_hash": release.prompt_hash,
        "status": "ok",
    }
    spans: list[dict[str, Any]] = [
        {
            **shared,
            "span_id": root,
            "kind": "run",
            "name": f"invoke_agent {agent}",
            "input": asked,
            "output": answer,
            "attributes": {
                "agentops.cohort.plan": rng.choice(("guest", "member")),
                "agentops.cohort.language": rng.choice(_LANGUAGES),
                "agentops.cohort.region": rng.choice(_REGIONS),
            },
            **_times(at, 0, 6),
        },
        {
            **shared,
            "span_id": tool,
            "parent_span_id": root,
            "kind": "tool",
            "name": "execute_tool look_up",
            "tool": "look_up",
            "arguments": {"query": asked},
            "result": {"found": is_good},
            **_times(at, 0.4, 1.2),
        },
        {
            **shared,
            "span_id": call,
            "parent_span_id": root,
            "kind": "llm",
            "name": "chat",
            "model": MODEL,
            "provider": "openai",
            "input_tokens": tokens,
            "output_tokens": 40 + len(answer) // 4,
            "input": asked,
            "output": answer,
            **_times(at, 1.4, 5.8),
        },
    ]
    return ToldRun(spans, _feedback(rng, trace_id, user, is_good=is_good, is_asked=like == CARE_LINE), is_good)


def _feedback(rng: Random, run: str, user: str, *, is_good: bool, is_asked: bool) -> dict[str, Any] | None:
    """One user in six says something unasked, and those who were let down more often."""
    if rng.random() > (0.12 if is_good else 0.3) and not is_asked:
        return None
    is_up = rng.random() < (0.95 if is_good else 0.1)
    comment = (
        "" if is_up or rng.random() < 0.5 else rng.choice(("That did not help.", "Not an answer.", "I asked twice."))
    )
    return {"run_id": run, "user": user, "rating": "up" if is_up else "down", "comment": comment}


def _times(at: datetime, since: float, until: float) -> dict[str, str]:
    return {
        "started_at": (at + timedelta(seconds=since)).isoformat(),
        "ended_at": (at + timedelta(seconds=until)).isoformat(),
    }


def _is_there(base_url: str, key: str) -> bool:
    query = urllib.parse.urlencode({"agent": CARE_LINE, "limit": 1})
    request = urllib.request.Request(  # noqa: S310  the address is the operator's
        f"{base_url}/api/v1/runs?{query}", headers={"Authorization": f"Bearer {key}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return bool(json.load(answer)["results"])
