"""From a claim to its end: three steps, of which the middle one holds no transaction."""

from __future__ import annotations

import logging
import uuid

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.outbox import mail, services, webhook
from agentops.outbox.pagers import chat, opsgenie, pagerduty
from agentops.outbox.types import Channel, Claimed, Outcome, State

logger = logging.getLogger(__name__)

_CHANNELS = {
    Channel.MAIL: mail.deliver,
    Channel.WEBHOOK: webhook.deliver,
    Channel.PAGERDUTY: pagerduty.deliver,
    Channel.OPSGENIE: opsgenie.deliver,
    Channel.CHAT: chat.deliver,
}


def deliver_one(*, tenant: uuid.UUID, message: uuid.UUID | None = None) -> State | None:
    """Send this message, or whichever of the tenant's is due; None where there was nothing to take.

    Opens its own scopes. Killed between sending and noting it, the message is sent again once the claim is over:
    at least once, and its id (`webhook-id`, `Message-ID`) is the same each time.
    """
    with tenant_scope(tenant):
        claimed = services.claim(tenant=tenant, message=message)
    if claimed is None:
        return None
    outcome = _sent(claimed)
    with tenant_scope(tenant):
        return services.settle(tenant=tenant, claimed=claimed, outcome=outcome, at=clock.now())


def _sent(claimed: Claimed) -> Outcome:
    if claimed.is_late:
        return Outcome(is_sent=False, detail="Not sent: it would have come too late to be of use.", is_final=True)
    try:
        return _CHANNELS[claimed.channel](claimed)
    except Exception as error:
        # Our own mistake, or a library's: the row must say so, and another attempt costs nothing.
        logger.exception("message %s could not be sent", claimed.id)
        return Outcome(is_sent=False, detail=f"It could not be sent ({type(error).__name__}).")
