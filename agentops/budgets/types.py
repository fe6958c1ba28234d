"""Words of the ledger."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import models

from agentops.common.partitions import Partitioned

LEDGER_PARTITIONS = Partitioned(table="budgets_ledgerentry", every="month", ahead=2, back=4)


class EntryKind(models.IntegerChoices):
    CHARGE = 1, "Charge"  # a model call that was observed
    CORRECTION = 2, "Correction"  # takes back what an earlier entry charged, for a stated reason


@dataclass(slots=True, kw_only=True)
class Charge:
    """One model call to be charged (or, with negative counts, taken back). Tokens as in `traces.types.Span`.

    `amount_nano_usd` is None for a model without a price: such a call is loud, never free.
    """

    kind: EntryKind
    occurred_at: datetime
    run_id: uuid.UUID
    span_id: int
    call_id: str
    agent: str
    user_id: str
    model: str
    provider: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    amount_nano_usd: int | None
    price_version: str
    reason: str = ""

    @property
    def sign(self) -> int:
        """How the number of calls changes: a correction takes one back."""
        return -1 if self.kind == EntryKind.CORRECTION else 1
