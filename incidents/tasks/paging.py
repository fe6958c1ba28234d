"""Paging: what was delivered, who is paged next, what pagers answer."""

from __future__ import annotations

import logging
import time

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.outbox.pagers import opsgenie, pagerduty
from agentops.outbox.transport import NoAnswer
from incidents.services import answers, escalating, paging, second_channels
from incidents.types import TargetKind
from tenants.house import house_scope

logger = logging.getLogger(__name__)
_ASK = {TargetKind.PAGERDUTY: pagerduty.standing, TargetKind.OPSGENIE: opsgenie.standing}
_ROUND_SECONDS = 60.0


@task(Queue.DEFAULT)
def sweep_pages() -> tuple[int, int, int]:
    """Answers how many pages ended, how many were sent by a second channel, how many mails of escalation were sent."""
    at = clock.now()
    with house_scope() as tenant:
        ended = paging.note_deliveries(tenant=tenant, at=at)
    with house_scope() as tenant:
        second = second_channels.use_second_channels(tenant=tenant, at=at)
    with house_scope() as tenant:
        return ended, second, escalating.escalate(tenant=tenant, at=at)


@task(Queue.DEFAULT)
def poll_pagers() -> int:
    """Ask pagers who has what; answers how many acknowledgements that brought."""
    with house_scope() as tenant:
        polls = answers.claim_polls(tenant=tenant, at=clock.now())
    until, count = time.monotonic() + _ROUND_SECONDS, 0
    for poll in polls:
        if time.monotonic() >= until:
            break  # those that are left are due again soon
        try:
            found = _ASK[poll.kind](base_url=poll.base_url, token=poll.token, dedup_key=poll.dedup_key)
        except NoAnswer as error:
            logger.warning("the pager of page %s could not be asked: %s", poll.page_id, error)
            continue
        with house_scope() as tenant:
            count += answers.take_poll(tenant=tenant, page_id=poll.page_id, standing=found, at=clock.now())
    return count


@task(Queue.DEFAULT)
def purge_back_events() -> int:
    """Forget webhooks that nobody repeats any more."""
    with house_scope() as tenant:
        return answers.forget_back_events(tenant=tenant, at=clock.now())
