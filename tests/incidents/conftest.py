"""Fixtures of the tests of incidents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app

from agentops.common.ids import new_id


@pytest.fixture
def own_broker() -> Iterator[Any]:
    """The broker's client, with keys of this test's own, which are those that are looked at.

    Tests of all workers ring for work in the queues that the product uses, and nobody there takes it.
    """
    conf = current_app.conf
    before = conf.broker_transport_options
    conf.broker_transport_options = {**before, "global_keyprefix": f"{new_id()}:"}
    try:
        with current_app.connection_for_read() as broker:
            yield broker.default_channel.client
    finally:
        conf.broker_transport_options = before
