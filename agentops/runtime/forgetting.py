"""What becomes of a person in the guard. A call's digests go with its answer: sent again, it is another call, and refused.

A kill switch that stops the person and is set goes on stopping them: it is kept, with who it stops, until it is lifted.
"""

from __future__ import annotations

from agentops.common.forgetting import Step, Table

STEPS: tuple[Step, ...] = (
    Table(
        "runtime_guardcall", ("run_started_at", "run_id", "call_id"), run="run_id", by_run=True,
        emptied={
            "answer": "'{}'", "closing_answer": "''", "digest": "''::bytea", "closing_digest": "''::bytea",
            "likeness": "''::bytea", "external_id": "''", "idempotency_key": "''",
        },
        jsons=("answer", "closing_answer"), texts=("external_id", "idempotency_key"),
    ),
    Table(
        "runtime_decision", ("decided_at", "id"), users=("user_id",), run="run_id", by_run=True,
        emptied={"detail": "''", "data": "'{}'::jsonb"}, texts=("detail",), jsons=("data",),
    ),
    Table(
        "runtime_runstart", ("call_id",), run="run_id", by_run=True,
        emptied={"answer": "'{}'", "digest": "''::bytea"}, jsons=("answer",),
    ),
    Table("runtime_wantedanswer", ("run_id",), run="run_id", by_run=True, is_removed=True),
    Table("runtime_storedanswer", ("digest",), users=("user_id",), is_removed=True),
    Table("runtime_storedanswer", ("digest",), jsons=("output",)),
    Table("runtime_userminute", ("user_id", "minute", "agent"), users=("user_id",), is_removed=True),
    Table(
        "runtime_guardedrun", ("run_id",), users=("user_id",), run="run_id", by_run=True,
        emptied={"session_id": "''", "scope": "'{}'::jsonb", "history": "'{}'::jsonb", "end_detail": "''"},
        texts=("session_id", "end_detail"), jsons=("scope", "history", "lineage"),
    ),
    Table("runtime_killswitch", ("id",), texts=("scope_id", "reason", "set_by", "lifted_by", "lift_reason"),
          kept="t.lifted_at IS NULL AND t.scope = 'user' AND lower(t.scope_id) = ANY(%(names)s)"),
)  # fmt: skip
WAITS = (
    (
        "a guarded run of the person is still going",
        "SELECT 1 FROM runtime_guardedrun WHERE tenant_id = %(tenant)s AND status = 1 AND lower(user_id) = ANY(%(whose)s) "
        "AND run_id <> ALL(%(held)s::uuid[])",
    ),
)
KEPT = (
    (
        "a kill switch that is set on the person: it stops them until it is lifted",
        "SELECT count(*) FROM runtime_killswitch WHERE tenant_id = %(tenant)s AND lifted_at IS NULL AND scope = 'user' "
        "AND lower(scope_id) = ANY(%(names)s)",
    ),
)
