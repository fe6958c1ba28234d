"""Who runs which case. A claim is the runner's own id; it holds until its time is over and somebody else takes the case.

Whoever writes a case locks its suite run first, and an agent's address before that.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import F, Q

from agentops.common import scope
from evals.errors import AlreadyDone, Unknown
from evals.models import AgentEndpoint, CaseRun, SuiteRun
from evals.services.suites import ending
from evals.types import CaseState, Runner, SuiteState

CLAIM_MOST = 50
LEASE = timedelta(minutes=10)
ATTEMPTS_MOST = 3
PATIENCE_LEAST, PATIENCE_MOST = timedelta(seconds=15), timedelta(minutes=10)  # where the address says nothing itself
WISH_LEAST, WISH_MOST = timedelta(seconds=1), timedelta(hours=1)
_SILENT_FOR = timedelta(hours=6)
_OVER = {
    Runner.CLIENT: "nobody went on with the suite run",
    Runner.ENDPOINT: "the agent's address ended no case for six hours",
}


def claim_cases(
    *,
    tenant: uuid.UUID,
    suite_run: uuid.UUID,
    claim: uuid.UUID,
    most: int,
    runner: Runner,
    at: datetime,
    lease: timedelta = LEASE,
) -> Sequence[CaseRun]:
    """Up to so many cases to run; the same claim asked again gets the same ones. Empty: there are none to be had now.

    Raises Unknown, AlreadyDone where the suite run has ended.
    """
    scope.require_tenant(tenant)
    run = SuiteRun.objects.select_for_update().filter(tenant_id=tenant, id=suite_run, runner=runner).first()
    if run is None:
        raise Unknown("There is no such suite run.")
    of_run = CaseRun.objects.filter(tenant_id=tenant, suite_run_id=suite_run)
    held = of_run.filter(claim=claim)
    if not held.exists():
        if run.state != SuiteState.RUNNING:
            raise AlreadyDone(f"this suite run has ended: {run.get_state_display().lower()}")
        free = of_run.filter(Q(state=CaseState.PLANNED) | Q(state=CaseState.CLAIMED, claimed_until__lt=at))
        taken = list(
            free.filter(attempts__lt=ATTEMPTS_MOST)
            .select_for_update(skip_locked=True)
            .order_by("turn", "key", "fault")
            .values_list("id", "attempts")[: min(most, CLAIM_MOST)]
        )
        for attempts in {number for _, number in taken}:
            of_run.filter(id__in=[id for id, number in taken if number == attempts]).update(
                state=CaseState.CLAIMED, claim=claim, claimed_until=at + lease, attempts=attempts + 1
            )
        if runner == Runner.CLIENT:  # an address is seen when it answers
            SuiteRun.objects.filter(tenant_id=tenant, id=suite_run, last_seen_at__lt=at).update(last_seen_at=at)
    return list(held.filter(state=CaseState.CLAIMED).select_related("case").order_by("turn", "key", "fault"))


def claim_for_endpoint(
    *, tenant: uuid.UUID, suite_run: uuid.UUID, agent: str, claim: uuid.UUID, at: datetime, lease: timedelta
) -> Sequence[CaseRun]:
    """What an agent's address takes now beside what it is asked already, by whichever worker; nothing while it rests.

    Raises Unknown, AlreadyDone.
    """
    scope.require_tenant(tenant)
    endpoint = AgentEndpoint.objects.select_for_update().filter(tenant_id=tenant, agent=agent).first()
    if endpoint is None or (endpoint.paused_until is not None and endpoint.paused_until > at):
        return []
    asked = CaseRun.objects.filter(
        tenant_id=tenant,
        suite_run__agent=agent,
        suite_run__runner=Runner.ENDPOINT,
        state=CaseState.CLAIMED,
        claimed_until__gte=at,
    )
    room = endpoint.max_in_flight - asked.count()
    if room <= 0:
        return []
    return claim_cases(
        tenant=tenant, suite_run=suite_run, claim=claim, most=room, runner=Runner.ENDPOINT, at=at, lease=lease
    )


def put_back(
    *, tenant: uuid.UUID, suite_run: uuid.UUID, agent: str, claim: uuid.UUID, wish: int | None, why: str, at: datetime
) -> None:
    """The address asked for patience (for `wish` seconds) or was not there, as `why` says: it rests, and what this claim still
    holds has lost no attempt.

    Where it says no time, it rests as long again as it has given nothing. It is asked in vain for six hours at most.
    """
    scope.require_tenant(tenant)
    endpoint = AgentEndpoint.objects.select_for_update().filter(tenant_id=tenant, agent=agent).first()
    run = SuiteRun.objects.select_for_update().filter(tenant_id=tenant, id=suite_run).first()
    if run is None:
        return
    pause = min(max(at - run.last_seen_at, PATIENCE_LEAST), PATIENCE_MOST)
    if wish is not None:
        pause = min(max(timedelta(seconds=wish), WISH_LEAST), WISH_MOST)
    until = at + pause
    if endpoint is not None and (endpoint.paused_until is None or endpoint.paused_until < until):
        endpoint.paused_until = until
        endpoint.save(update_fields=["paused_until"])
    CaseRun.objects.filter(tenant_id=tenant, suite_run=run, claim=claim, state=CaseState.CLAIMED).update(
        state=CaseState.PLANNED,
        claim=None,
        claimed_until=None,
        attempts=F("attempts") - 1,
        detail=f"the agent's address {why}; it rests until {until:%Y-%m-%d %H:%M:%S} UTC",
    )


def give_up_claims(*, tenant: uuid.UUID, at: datetime) -> int:
    """Cases that were taken so often and never finished have broken; runs that nobody goes on with are over.

    Answers how many cases.
    """
    scope.require_tenant(tenant)
    lost = CaseRun.objects.filter(
        tenant_id=tenant, state=CaseState.CLAIMED, claimed_until__lt=at, attempts__gte=ATTEMPTS_MOST
    )
    given_up = 0
    for suite_run in lost.order_by("suite_run").values_list("suite_run", flat=True).distinct():
        locked = SuiteRun.objects.select_for_update().get(tenant_id=tenant, id=suite_run)
        given_up += lost.filter(suite_run=locked).update(
            state=CaseState.ERRORED,
            detail=f"it was taken {ATTEMPTS_MOST} times and never finished",
            ended_at=at,
            claim=None,
        )
        ending.end_if_done(locked, at)
    silent = SuiteRun.objects.filter(tenant_id=tenant, state=SuiteState.RUNNING, last_seen_at__lt=at - _SILENT_FOR)
    for locked in silent.select_for_update(skip_locked=True):
        waits = CaseRun.objects.filter(tenant_id=tenant, suite_run=locked)
        if waits.filter(state=CaseState.JUDGING).exists():
            continue
        given_up += waits.filter(state__in=[CaseState.PLANNED, CaseState.CLAIMED]).update(
            state=CaseState.ERRORED, detail=_OVER[Runner(locked.runner)], ended_at=at, claim=None
        )
        ending.end_if_done(locked, at, otherwise=SuiteState.ABANDONED)
    return given_up
