"""What the agents of the demo are for, and the stories of their ordinary days."""

from __future__ import annotations

from random import Random

from agentops.portal.demo.agents import (
    accounts,
    calendar,
    catalogue,
    concierge,
    crm,
    disputes,
    fraud,
    invoices,
    kyc,
    payments,
    returns,
    trips,
)
from agentops.portal.demo.steps import Story

# Weights are shares of the ordinary traffic.
STORIES: tuple[tuple[int, Story], ...] = (
    *concierge.STORIES,
    *returns.STORIES,
    *trips.STORIES,
    *invoices.STORIES,
    *catalogue.STORIES,
    *disputes.STORIES,
    *accounts.STORIES,
    *payments.STORIES,
    *crm.STORIES,
    *fraud.STORIES,
    *kyc.STORIES,
    *calendar.STORIES,
)
NIGHTLY: Story = catalogue.nightly


def any_story(rng: Random) -> Story:
    return rng.choices([story for _, story in STORIES], [weight for weight, _ in STORIES])[0]
