"""The rows by which a run is found: one for each value of a filter, kept with the run in its transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from django.db.backends.utils import CursorWrapper

from agentops.common import clock
from agentops.traces import rollup
from agentops.traces.rollup import RunState

_FACET_LIST = "json_to_recordset(%s::json) AS n (key int2, value text, started_at timestamptz, run_id uuid)"
_FacetRow = tuple[int, str, int, uuid.UUID]  # key, value, start in nanoseconds, run


@dataclass(slots=True)
class Before:
    """A run as it was, to tell which facets changed."""

    facets: set[tuple[int, str]]
    started_ns: int


def write(cursor: CursorWrapper, tenant: uuid.UUID, runs: Sequence[RunState], before: dict[uuid.UUID, Before]) -> None:
    """Bring the facets of runs to what the runs say now; `before` is what they said, of those there were."""
    gone: list[_FacetRow] = []
    added: list[_FacetRow] = []
    for run in runs:
        old = before.get(run.run_id)
        present = rollup.facets_of(run)
        if old is None:
            added += [(key, value, run.started_ns, run.run_id) for key, value in present]
        elif old.started_ns != run.started_ns:
            gone += [(key, value, old.started_ns, run.run_id) for key, value in old.facets]
            added += [(key, value, run.started_ns, run.run_id) for key, value in present]
        else:
            gone += [(key, value, run.started_ns, run.run_id) for key, value in old.facets - present]
            added += [(key, value, run.started_ns, run.run_id) for key, value in present - old.facets]
    _delete(cursor, tenant, gone)
    if added:
        cursor.execute(
            "INSERT INTO traces_runfacet (tenant_id, key, value, started_at, run_id) "  # noqa: S608
            f"SELECT %s, n.* FROM {_FACET_LIST} ON CONFLICT DO NOTHING",
            [tenant, _facets_json(added)],
        )


def delete_all(cursor: CursorWrapper, tenant: uuid.UUID, runs: Sequence[RunState]) -> None:
    """Delete every facet of runs that are forgotten."""
    _delete(
        cursor,
        tenant,
        [(key, value, run.started_ns, run.run_id) for run in runs for key, value in rollup.facets_of(run)],
    )


def _delete(cursor: CursorWrapper, tenant: uuid.UUID, gone: list[_FacetRow]) -> None:
    if gone:
        cursor.execute(
            f"DELETE FROM traces_runfacet f USING {_FACET_LIST} WHERE f.tenant_id = %s AND f.key = n.key "  # noqa: S608
            "AND f.value = n.value AND f.started_at = n.started_at AND f.run_id = n.run_id",
            [_facets_json(gone), tenant],
        )


def _facets_json(rows: list[_FacetRow]) -> str:
    """In key order: the order of locks. As JSON: psycopg quotes arrays of hundreds of values ten times slower."""
    rows.sort()
    return orjson.dumps(
        [
            {"key": key, "value": value, "started_at": clock.from_ns(started_ns), "run_id": run_id}
            for key, value, started_ns, run_id in rows
        ]
    ).decode()
