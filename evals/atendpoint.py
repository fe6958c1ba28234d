"""Running cases and replays at an agent's registered address: ask, read strictly, write. No transaction is open meanwhile."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection

from agentops.common import clock, secrets, strictjson
from agentops.common.errors import DomainError
from agentops.common.ids import new_id
from agentops.common.reading import Reading
from agentops.common.scope import tenant_scope
from agentops.common.secrets import SecretLost
from agentops.outbox import asking
from agentops.outbox.asking import NoAnswer
from evals import queries, services
from evals.errors import AlreadyDone, Unknown
from evals.models import CaseRun
from evals.sets import telling
from evals.types import Runner

_WHILE_SECONDS = 150.0  # then another worker goes on: a task of ours is killed after five minutes
_LATER = (429, 502, 503, 504)


class NotTold(Exception):
    """The address gave nothing that could be read as what an agent did; the message says why."""


@dataclass(frozen=True)
class _Place:
    url: str
    secret: str
    seconds: int
    at_once: int


def run_some(*, tenant: uuid.UUID, suite_run: uuid.UUID) -> int:
    """Run cases until there are none to be had, or for a while; answers how many were ended."""
    try:
        with tenant_scope(tenant):
            run = queries.suite_run(tenant=tenant, suite_run=suite_run).run
            place = _place(tenant, run.agent)
    except (Unknown, SecretLost):
        return 0  # it ends when nobody has gone on with it for long
    until, ended = time.monotonic() + _WHILE_SECONDS, 0
    lease = timedelta(seconds=place.seconds + 60)
    with ThreadPoolExecutor(max_workers=place.at_once) as threads:
        while time.monotonic() < until:
            claim = new_id()
            try:
                with tenant_scope(tenant):
                    taken = services.claim_cases(
                        tenant=tenant,
                        suite_run=suite_run,
                        claim=claim,
                        most=place.at_once,
                        runner=Runner.ENDPOINT,
                        at=clock.now(),
                        lease=lease,
                    )
            except (AlreadyDone, Unknown):
                return ended
            if not taken:
                return ended
            bodies = [_body(each) for each in taken]
            asked = list(threads.map(lambda body: _asked(place, body), bodies))
            for found, told in zip(taken, asked, strict=True):
                ended += told is not None and _write(tenant, suite_run, found, claim, told)
            if any(told is None for told in asked):
                return ended
    return ended


def replay_at_endpoint(*, tenant: uuid.UUID, replay: uuid.UUID) -> dict[str, Any]:
    """What the agent's address did with a replay's tape, as `telling.read` gives it. Raises Unknown, NotTold."""
    with tenant_scope(tenant):
        found = queries.replay(tenant=tenant, replay=replay)
        try:
            place = _place(tenant, found.agent)
        except SecretLost as error:
            raise NotTold(str(error)) from error
    told = _ask(place, {"replay": str(replay), "tape": json.loads(found.tape)})
    if told is None:
        raise NotTold("it asked for patience; try again later")
    return told


def _place(tenant: uuid.UUID, agent: str) -> _Place:
    found = queries.agent_endpoint(tenant=tenant, agent=agent)
    return _Place(found.url, secrets.open_(found.secret_cipher), found.timeout_seconds, found.max_in_flight)


def _body(found: CaseRun) -> dict[str, Any]:
    content = json.loads(found.case.content)
    return {
        "case_run": str(found.id),
        "key": found.key,
        "title": found.case.title,
        "turn": found.turn,
        "fault": found.fault or None,
        "input": content["input"],
        "offers": content.get("offers", []),
        "tools": content.get("tools", []),
    }


def _asked(place: _Place, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was told; where nothing was that could be read, that the agent broke, and how. None: ask again later."""
    try:
        return _ask(place, body)
    except NotTold as error:
        return telling.read(Reading({"error": str(error)}))
    finally:
        connection.close()


def _ask(place: _Place, body: Mapping[str, Any]) -> dict[str, Any] | None:
    message = f"msg_{new_id().hex}"
    raw = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
    try:
        answer = asking.ask(
            place.url, raw, secret=place.secret, message=message, seconds=place.seconds, most_bytes=telling.MOST_BYTES
        )
    except NoAnswer as error:
        raise NotTold(f"the agent's address: {error}") from error
    if answer.status in _LATER:
        return None
    if answer.status != 200:
        raise NotTold(f"the agent's address answered with the status {answer.status}")
    try:
        read = Reading(strictjson.loads(answer.body, max_bytes=telling.MOST_BYTES, max_depth=telling.MOST_DEPTH))
        told = telling.read(read)
        read.done()
    except DomainError as refusal:
        said = "; ".join(f"{each.pointer}: {each.detail}" for each in refusal.problems[:3]) or refusal.detail
        raise NotTold(f"the answer of the agent's address cannot be read: {said}") from refusal
    return told


def _write(tenant: uuid.UUID, suite_run: uuid.UUID, found: CaseRun, claim: uuid.UUID, told: Mapping[str, Any]) -> bool:
    try:
        with tenant_scope(tenant):
            services.take_case_result(
                tenant=tenant,
                suite_run=suite_run,
                case_run=found.id,
                claim=claim,
                outcome=services.CaseOutcome(**told),
                at=clock.now(),
            )
    except DomainError:
        return False  # somebody else has it, or the suite run was ended
    return True
