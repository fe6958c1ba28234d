"""What becomes of a person in the catalog: their known contacts go, and they go from the contacts of others."""

from __future__ import annotations

from agentops.common.forgetting import Step, Table

STEPS: tuple[Step, ...] = (
    Table("catalog_contactset", ("id",), users=("user_id",), is_removed=True),
    Table(
        "catalog_contactset", ("id",),
        theirs="EXISTS (SELECT 1 FROM unnest(t.contacts) c WHERE lower(c) = ANY(%(names)s))",
        emptied={"contacts": "ARRAY(SELECT c FROM unnest(t.contacts) c WHERE lower(c) <> ALL(%(names)s))"},
        texts=("set_by",),
    ),
)  # fmt: skip
