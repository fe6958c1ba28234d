"""Running cases and replays at an agent's registered address: ask, read strictly, write. No transaction is open meanwhile."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Mapping, Sequence
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
from evals.services.suites.endpoints import TIMEOUT_MOST
from evals.sets import telling

logger = logging.getLogger(__name__)
BEGIN_SECONDS = 45.0  # in which a turn begins asks; the longest of them ends within a task's four minutes all the same
_LATER = (429, 502, 503, 504)


class NotTold(Exception):
    """The address gave nothing that could be read as what an agent did; the message says why."""


@dataclass(frozen=True)
class _Patience:
    """The address wants to be asked later, after so many seconds if it says so, or nobody was there; `why` says which."""

    seconds: int | None
    why: str


@dataclass(frozen=True)
class _Place:
    agent: str
    url: str
    secret: str
    seconds: int
    at_once: int


def run_some(*, tenant: uuid.UUID, suite_run: uuid.UUID, until: float) -> int:
    """Run cases until there are none to be had; answers how many were ended. Begins no ask after `until`, of the monotonic
    clock, and waits for those that are under way."""
    try:
        with tenant_scope(tenant):
            run = queries.suite_run(tenant=tenant, suite_run=suite_run).run
            place = _place(tenant, run.agent)
    except (Unknown, SecretLost):
        return 0  # it ends when nobody has gone on with it for long
    of_suite: dict[str, Any] = {"tenant": tenant, "suite_run": suite_run}
    ended = 0
    with ThreadPoolExecutor(max_workers=place.at_once) as threads:
        while time.monotonic() < until and (found := _taken(place, of_suite)):
            claim, taken = found
            asked = list(threads.map(lambda body: _asked(place, body), map(_body, taken)))
            wishes = [told for told in asked if isinstance(told, _Patience)]
            for case_run, told in zip(taken, asked, strict=True):
                ended += not isinstance(told, _Patience) and _write(of_suite, case_run, claim, told)
            if wishes:
                wish = max((each.seconds for each in wishes if each.seconds is not None), default=None)
                with tenant_scope(tenant):
                    services.put_back(
                        **of_suite, agent=place.agent, claim=claim, wish=wish, why=wishes[0].why, at=clock.now()
                    )
                return ended
    return ended


def _taken(place: _Place, of_suite: Mapping[str, Any]) -> tuple[uuid.UUID, Sequence[CaseRun]] | None:
    """A claim, and its cases; None where there are none to be had now."""
    claim, lease = new_id(), timedelta(seconds=place.seconds + 60)
    try:
        with tenant_scope(of_suite["tenant"]):
            taken = services.claim_for_endpoint(**of_suite, agent=place.agent, claim=claim, at=clock.now(), lease=lease)
    except (AlreadyDone, Unknown):
        return None
    return (claim, taken) if taken else None


def replay_at_endpoint(*, tenant: uuid.UUID, replay: uuid.UUID) -> dict[str, Any]:
    """What the agent's address did with a replay's tape, as `telling.read` gives it. Raises Unknown, NotTold."""
    with tenant_scope(tenant):
        found = queries.replay(tenant=tenant, replay=replay)
        try:
            place = _place(tenant, found.agent)
        except SecretLost as error:
            raise NotTold(str(error)) from error
    told = _ask(place, {"replay": str(replay), "tape": json.loads(found.tape)})
    if isinstance(told, _Patience):
        when = "later" if told.seconds is None else f"in {told.seconds} seconds"
        raise NotTold(f"the agent's address {told.why}; try again {when}")
    return told


def _place(tenant: uuid.UUID, agent: str) -> _Place:
    found = queries.agent_endpoint(tenant=tenant, agent=agent)
    seconds = min(found.timeout_seconds, TIMEOUT_MOST)
    return _Place(agent, found.url, secrets.open_(found.secret_cipher), seconds, found.max_in_flight)


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


def _asked(place: _Place, body: Mapping[str, Any]) -> dict[str, Any] | _Patience:
    """What was told; where nothing was that could be read, that the agent broke, and how."""
    try:
        return _ask(place, body)
    except NotTold as error:
        return telling.broken(str(error))
    finally:
        connection.close()


def _ask(place: _Place, body: Mapping[str, Any]) -> dict[str, Any] | _Patience:
    message = f"msg_{new_id().hex}"
    raw = json.dumps(body, separators=(",", ":"), sort_keys=True).encode()
    try:
        answer = asking.ask(
            place.url, raw, secret=place.secret, message=message, seconds=place.seconds, most_bytes=telling.MOST_BYTES
        )
    except NoAnswer as error:
        if error.is_unsent:
            return _Patience(None, f"could not be reached ({error})")
        raise NotTold(f"the agent's address: {error}") from error
    if answer.status in _LATER:
        return _Patience(answer.retry_after, "asked for patience")
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


def _write(of_suite: Mapping[str, Any], found: CaseRun, claim: uuid.UUID, told: Mapping[str, Any]) -> bool:
    try:
        with tenant_scope(of_suite["tenant"]):
            outcome = services.CaseOutcome(**told)
            services.take_case_result(**of_suite, case_run=found.id, claim=claim, outcome=outcome, at=clock.now())
    except DomainError:
        return False  # somebody else has it, or the suite run was ended
    except Exception:  # one that cannot be written must not take the others' results along; its claim runs out
        logger.exception("the result of a case could not be written: %s", found.id)
        return False
    return True
