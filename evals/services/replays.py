"""Writes of replays: the tape is frozen when it is asked for, and the result is compared with it once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from agentops.common import scope
from agentops.common.errors import Conflict
from agentops.common.ids import new_id
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import IdempotencyMismatch, Unknown, invalid
from evals.models import Replay
from evals.sets import replaying, tapes
from evals.types import ReplayState

_USED = "The id {} was used for another replay; choose a new one."


class AnotherResult(Conflict):
    code, title = "already_done", "The replay has its result"


def open_replay(
    *, tenant: uuid.UUID, run_id: uuid.UUID, agent_version: str, by: Actor, at: datetime, id: uuid.UUID | None = None
) -> Replay:
    """Freeze a run's tape for one replay of it. `agent_version`: that will replay it. Under an `id` of the caller's own, the
    same asked again opens nothing: the first one is answered. Raises NotFound, TooLarge, InvalidInput, IdempotencyMismatch.
    """
    scope.require_tenant(tenant)
    if len(agent_version) > 100 or not (agent_version.isprintable() or not agent_version):
        raise invalid("/agent_version", "at most 100 printable characters are expected")
    if id is not None and (opened := _opened(tenant, id, run_id, agent_version)) is not None:
        return opened
    tape = tapes.of_run(tenant=tenant, run_id=run_id)
    text, digest = tapes.text_of(tape)
    made = Replay(
        id=id or new_id(),
        tenant_id=tenant,
        run_id=run_id,
        agent=tape["agent"],
        agent_version=agent_version or tape["agent_version"],
        tape=text,
        tape_digest=digest,
        asked_at=at,
        asked_by=by.label[:200],
    )
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError as error:
        # Somebody was faster, or the id is another organisation's, of which nothing is said.
        opened = _opened(tenant, made.id, run_id, agent_version)
        if opened is None:
            raise IdempotencyMismatch(_USED.format(made.id)) from error
        return opened
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


def _opened(tenant: uuid.UUID, id: uuid.UUID, run_id: uuid.UUID, agent_version: str) -> Replay | None:
    """What was opened under this id, if it was asked for in the same words; who names no version takes the run's."""
    found = Replay.objects.filter(tenant_id=tenant, id=id).first()
    if found is None:
        return None
    version = agent_version or json.loads(found.tape)["agent_version"]
    if (found.run_id, found.agent_version) != (run_id, version):
        raise IdempotencyMismatch(_USED.format(id))
    return found


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
