"""Writes of replays: the tape is frozen when it is asked for, and the result is compared with it once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentops.common import scope
from agentops.common.errors import Conflict
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import Unknown, invalid
from evals.models import Replay
from evals.sets import replaying, tapes
from evals.types import ReplayState


class AnotherResult(Conflict):
    code, title = "already_done", "The replay has its result"


def open_replay(*, tenant: uuid.UUID, run_id: uuid.UUID, agent_version: str, by: Actor, at: datetime) -> Replay:
    """Freeze a run's tape for one replay of it. `agent_version`: that will replay it. Raises NotFound, TooLarge, InvalidInput."""
    scope.require_tenant(tenant)
    if len(agent_version) > 100 or not (agent_version.isprintable() or not agent_version):
        raise invalid("/agent_version", "at most 100 printable characters are expected")
    tape = tapes.of_run(tenant=tenant, run_id=run_id)
    text, digest = tapes.text_of(tape)
    made = Replay.objects.create(
        tenant_id=tenant,
        run_id=run_id,
        agent=tape["agent"],
        agent_version=agent_version or tape["agent_version"],
        tape=text,
        tape_digest=digest,
        asked_at=at,
        asked_by=by.label[:200],
    )
    audit.record(
        tenant=tenant,
        action="replay.asked",
        actor=by,
        target=Target(type="run", id=run_id.hex),
        outcome=Outcome.SUCCESS,
        data={"agent": made.agent, "version": made.agent_version, "tape": digest},
        at=at,
        run=run_id,
    )
    return made


def take_replay_result(*, tenant: uuid.UUID, replay: uuid.UUID, result: Mapping[str, Any], at: datetime) -> Replay:
    """Compare what a replay did with its tape. The same result again changes nothing; another one is refused.

    `result` has steps (as checking.Seen says), output, broke, input_tokens, output_tokens, cost_usd. Raises Unknown, AnotherResult.
    """
    scope.require_tenant(tenant)
    found = Replay.objects.select_for_update().filter(tenant_id=tenant, id=replay).first()
    if found is None:
        raise Unknown("There is no such replay.")
    text, digest = replaying.result_text(result)
    if found.state == ReplayState.DONE:
        if found.result_digest != digest:
            raise AnotherResult("this replay has another result already; ask for a new one")
        return found
    found.diff = replaying.compare(json.loads(found.tape), json.loads(text))
    found.is_same = found.diff["is_same"]
    found.result, found.result_digest = text, digest
    found.state, found.ended_at = ReplayState.DONE, at
    found.save()
    return found
