"""Who runs which case. A claim is the runner's own id; it holds until its time is over and somebody else takes the case."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from agentops.common import scope
from evals.errors import AlreadyDone, Unknown
from evals.models import CaseRun, SuiteRun
from evals.services.suites import ending
from evals.types import CaseState, Runner, SuiteState

CLAIM_MOST = 50
LEASE = timedelta(minutes=10)
ATTEMPTS_MOST = 3
_SILENT_FOR = timedelta(hours=6)


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
    run = SuiteRun.objects.filter(tenant_id=tenant, id=suite_run, runner=runner).first()
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
        SuiteRun.objects.filter(tenant_id=tenant, id=suite_run, last_seen_at__lt=at).update(last_seen_at=at)
    return list(held.filter(state=CaseState.CLAIMED).select_related("case").order_by("turn", "key", "fault"))


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
            state=CaseState.ERRORED, detail="nobody went on with the suite run", ended_at=at, claim=None
        )
        ending.end_if_done(locked, at, otherwise=SuiteState.ABANDONED)
    return given_up
