"""What becomes of a person in the outbox: what waits for them is not sent any more, what was sent loses address and content."""

from __future__ import annotations

from agentops.common.forgetting import Step, Table

_TO_THEM = "lower(t.destination) = ANY(%(names)s) OR t.context::text ~ %(named)s OR t.dedup_key ~ %(named)s"
_OF_THEIRS = (
    "EXISTS (SELECT 1 FROM outbox_message m WHERE m.tenant_id = %(tenant)s AND m.id = t.message_id AND ("  # noqa: S608  constants only
    + _TO_THEM.replace("t.", "m.")
    + "))"
)

STEPS: tuple[Step, ...] = (
    Table("outbox_attempt", ("id",), theirs=_OF_THEIRS, emptied={"detail": "''"}, texts=("detail",)),
    Table("outbox_message", ("id",), theirs="t.state = 'waiting' AND lower(t.destination) = ANY(%(names)s)", is_removed=True),
    Table(
        "outbox_message", ("id",), theirs=f"t.state <> 'waiting' AND ({_TO_THEM})",
        emptied={
            "context": "'{}'::jsonb", "is_wiped": "true", "dedup_key": "%(erased)s || ' ' || t.id", "order_key": "''",
            "last_error": "''",
            "destination": "CASE WHEN lower(t.destination) = ANY(%(names)s) THEN %(pseudonym)s ELSE t.destination END",
        },
    ),
    # To others, and not sent yet: it is sent, without the name.
    Table("outbox_message", ("id",), texts=("last_error", "order_key"), jsons=("context",)),
    Table("outbox_pace", ("channel", "destination"), theirs="lower(t.destination) = ANY(%(names)s)", is_removed=True),
)  # fmt: skip
