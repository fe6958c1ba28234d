"""One worker's round of asking: claim, prepare, ask many at once, write each end as it comes; until nothing is due or time is up.

One thread asks (judging/asking.py), this one reads and writes: each step in a short transaction of its own, none of which is
open while anybody is asked. Killed at any line, what it had claimed is claimed again, and scored once.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque

from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from evals.judging import asking
from evals.queries import judging as queries
from evals.services.judging.claiming import claim
from evals.services.judging.ending import write_answer
from evals.services.judging.preparing import prepare

logger = logging.getLogger(__name__)
IN_FLIGHT_MOST = 64  # of one worker; endpoints have their own limits besides
LOOK_EVERY = 0.5  # seconds


def ask_due(*, seconds: float, in_flight: int = IN_FLIGHT_MOST) -> int:
    """Ask what is due, in all organisations; answers how many ends were written. Claims nothing after `seconds`; then it
    waits for what is under way, at most asking.LONGEST_SECONDS."""
    until = time.monotonic() + seconds
    tenants = _Due()
    if not tenants.look():
        return 0
    written, is_idle = 0, False
    with asking.Asker(connections=in_flight) as asker:
        while True:
            begun = 0
            if time.monotonic() < until and asker.in_flight < in_flight:
                begun = _begin(asker, tenants, in_flight - asker.in_flight)
            was_idle, is_idle = is_idle, not asker.in_flight and not begun
            if is_idle and (was_idle or time.monotonic() >= until or not tenants.look(anew=True)):
                return written  # what is due now was looked at once more, and not for ever
            answer = asker.take(seconds=LOOK_EVERY) if asker.in_flight else None
            while answer is not None:
                written += _write(answer)
                tenants.has_room(answer.question.tenant)
                answer = asker.take(seconds=0.0) if asker.in_flight else None


class _Due:
    """The organisations in which judgements wait, by turns; looked up anew every LOOK_EVERY."""

    def __init__(self) -> None:
        self._queue: deque[uuid.UUID] = deque()
        self._next = 0.0

    def look(self, *, anew: bool = False) -> bool:
        """Does anything wait? `anew`: by the rows of this moment."""
        if anew or time.monotonic() >= self._next:
            with staff_scope():
                found = queries.tenants_with_due(clock.now())
            self._queue = deque(sorted(found))
            self._next = time.monotonic() + LOOK_EVERY
        return bool(self._queue)

    def turns(self) -> list[uuid.UUID]:
        """All of them; who was first is last the next time."""
        self.look()
        self._queue.rotate(-1)
        return list(self._queue)

    def has_room(self, tenant: uuid.UUID) -> None:
        """Something ended there, so its endpoint takes more."""
        if tenant not in self._queue:
            self._queue.append(tenant)

    def is_through(self, tenant: uuid.UUID) -> None:
        """Nothing more can be claimed there until it is looked again."""
        if tenant in self._queue:
            self._queue.remove(tenant)


def _begin(asker: asking.Asker, due: _Due, room: int) -> int:
    """Fill what is free, an equal share for each organisation at a time; answers how many were claimed."""
    begun = 0
    turns = due.turns()
    for tenant in turns:
        share = max(1, (room - begun) // len(turns))
        with tenant_scope(tenant):
            found = claim(tenant=tenant, most=share, at=clock.now())
        if len(found) < share:
            due.is_through(tenant)
        for one in found:
            question = _question(tenant, one.judgement.id, one.claim)
            if question is not None:
                asker.submit(question)
        begun += len(found)
        if begun >= room:
            break
    return begun


def _question(tenant: uuid.UUID, judgement: uuid.UUID, claim_id: uuid.UUID) -> asking.Question | None:
    try:
        with tenant_scope(tenant):
            return prepare(tenant=tenant, judgement=judgement, claim=claim_id, at=clock.now())
    except (
        Exception
    ):  # one that cannot be read must not keep the others waiting; its claim runs out, and it is tried again
        logger.exception("a judgement could not be prepared: %s", judgement)
        return None


def _write(answer: asking.Answer) -> int:
    tenant = answer.question.tenant
    try:
        with tenant_scope(tenant):
            return int(write_answer(tenant=tenant, answer=answer, at=clock.now()))
    except Exception:  # nor must one whose end cannot be written
        logger.exception("the end of a judgement could not be written: %s", answer.question.id)
        return 0
