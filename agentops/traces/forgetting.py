"""What becomes of a person in traces. Children go before their runs; a resend of an emptied span finds its key taken."""

from __future__ import annotations

from agentops.common.forgetting import RUN_IS_THEIRS, Step, Table

_THEIRS = RUN_IS_THEIRS.format(run="run_id")

STEPS: tuple[Step, ...] = (
    Table(
        "traces_span", ("day", "run_id", "span_id"), users=("user_id",), run="run_id", by_run=True,
        emptied={"details": "'{}'", "session_id": "''"},
        texts=("name", "error_type", "session_id", "tool_call_id", "idempotency_key", "external_id"), jsons=("details",),
    ),
    Table(
        "traces_spanevent", ("run_id", "digest"), run="run_id", by_run=True, emptied={"body": "'{}'", "name": "''"},
        texts=("name",), jsons=("body",),
    ),
    # Sessions and errors are a person's words as much as their name is; the facet of the user becomes the pseudonym's.
    Table(
        "traces_runfacet", ("key", "value", "started_at", "run_id"), run="run_id",
        theirs=f"t.key = 4 AND {_THEIRS}", is_removed=True,
    ),
    Table(
        "traces_runfacet", ("key", "value", "started_at", "run_id"), run="run_id",
        theirs="t.key = 3 AND lower(t.value) = ANY(%(names)s)", emptied={"value": "%(pseudonym)s"},
    ),
    Table("traces_runfacet", ("key", "value", "started_at", "run_id"), run="run_id", texts=("value",)),
    Table(
        "traces_run", ("run_id",), users=("user_id",), run="run_id", by_run=True,
        emptied={"session_id": "''", "input_preview": "''", "output_preview": "''"},
        texts=("name", "session_id", "input_preview", "output_preview"), jsons=("basis",),
    ),
    # What could not be read cannot be struck either.
    Table(
        "traces_deadletter", ("id",), is_removed=True,
        theirs="t.raw ~ %(named)s OR t.detail ~ %(named)s",
    ),
    Table("traces_savedsearch", ("id",), texts=("name", "query")),
)  # fmt: skip
