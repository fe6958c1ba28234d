"""What becomes of a person among the end users. Accounts of members are not the log's: who leaves is removed as a member."""

from __future__ import annotations

from agentops.common.forgetting import Step, Table

STEPS: tuple[Step, ...] = (
    Table(
        "tenants_enduser", ("id",), theirs="lower(t.external_id) = ANY(%(names)s) OR t.user_id = ANY(%(accounts)s)",
        emptied={"external_id": "%(pseudonym)s || ' ' || t.id", "user_id": "NULL::bigint"},
    ),
)  # fmt: skip
