"""What becomes of a person in confirmations. Who voted is an approver's accountability: their name goes, the vote stays.

Digests of what was agreed to go with it: unsalted, they can be guessed.
"""

from __future__ import annotations

from agentops.common.forgetting import RUN_IS_THEIRS, Step, Table

_OF_THEIRS = (
    "EXISTS (SELECT 1 FROM confirmations_confirmation c WHERE c.tenant_id = %(tenant)s AND c.id = t.confirmation_id "  # noqa: S608  constants only
    "AND c.run_id <> ALL(%(held)s::uuid[]) AND (lower(c.acting_user) = ANY(%(whose)s) OR lower(c.root_user) = ANY(%(whose)s) OR "
    + RUN_IS_THEIRS.replace("t.{run}", "c.run_id")
    + "))"
)
_HELD = (
    "EXISTS (SELECT 1 FROM confirmations_confirmation c WHERE c.tenant_id = %(tenant)s AND c.id = t.confirmation_id "
    "AND c.run_id = ANY(%(held)s::uuid[]))"
)

STEPS: tuple[Step, ...] = (
    Table(
        "confirmations_vote", ("id",), theirs=_OF_THEIRS, kept=_HELD,
        emptied={"reason": "''", "action_digest": "''::bytea", "view_digest": "''::bytea"},
        texts=("label", "reason"), jsons=("proofs",),
    ),
    # One row a person and a confirmation: the name that stands there instead has to be another in each.
    Table("confirmations_vote", ("id",), theirs="lower(t.voter) = ANY(%(names)s) OR lower(replace(t.voter, 'end_user:', '')) = "
          "ANY(%(names)s) OR t.user_id = ANY(%(accounts)s)", kept=_HELD,
          emptied={"voter": "%(pseudonym)s || ' ' || t.id", "label": "%(erased)s", "user_id": "NULL::bigint"}),
    Table("confirmations_mailedcode", ("id",), theirs=f"t.user_id = ANY(%(accounts)s) OR {_OF_THEIRS}", kept=_HELD, is_removed=True),
    Table("confirmations_presentation", ("id",), theirs=_OF_THEIRS, kept=_HELD, is_removed=True),
    Table("confirmations_presentation", ("id",), texts=('"user"',), kept=_HELD),
    Table("confirmations_correctness", ("id",), run="run_id", by_run=True, emptied={"comment": "''"}, texts=("comment",)),
    Table("confirmations_correctness", ("id",), run="run_id", theirs="lower(t.voter) = ANY(%(names)s) OR "
          "lower(replace(t.voter, 'end_user:', '')) = ANY(%(names)s)",
          emptied={"voter": "%(pseudonym)s || ' ' || t.id"}),
    Table("confirmations_payment", ("run_id", "call_id"), users=("acting_user",), run="run_id", by_run=True,
          emptied={"payee": "''::bytea"}),
    Table("confirmations_standingapproval", ("id",), users=("acting_user",),
          theirs="t.user_id = ANY(%(accounts)s)", is_removed=True),
    Table("confirmations_standingapproval", ("id",), texts=("ended_by", "end_reason"), jsons=("constraints",)),
    Table("confirmations_rule", ("id",), texts=("changed_by",)),
    Table(
        "confirmations_confirmation", ("id",), users=("acting_user", "root_user"), run="run_id", by_run=True,
        emptied={
            "says": "''", "arguments": "'{}'::bytea", "binding": "'{}'::bytea", "action_digest": "''::bytea",
            "likeness": "''::bytea", "facts": "'{}'::jsonb", "raised_because": "'[]'::jsonb", "resource": "''",
            "resource_version": "''", "current": "''", "reason": "''", "executed_digest": "NULL::bytea",
        },
        texts=("decided_by", "says", "reason", "resource", "current"), jsons=("facts", "raised_because"),
    ),
)  # fmt: skip
WAITS = (
    (
        "a confirmation in the person's name is still open",
        "SELECT 1 FROM confirmations_confirmation WHERE tenant_id = %(tenant)s AND state IN ('pending', 'half', 'cooling', "
        "'approved', 'executing') AND (lower(acting_user) = ANY(%(whose)s) OR lower(root_user) = ANY(%(whose)s)) "
        "AND run_id <> ALL(%(held)s::uuid[])",
    ),
)
