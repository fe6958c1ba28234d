"""Finding runs: each filter is one index range in page order, and ranges are merged.

A filter's rows stand in the index in the order of the page, so the first page and the thousandth cost the same, and
two filters meet in a merge of two ordered ranges. Free text has no index (no operator for it may use one under
row-level security): it reads back through the newest runs that pass the other filters, for a bounded time.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from agentops.traces.models import Run
from agentops.traces.models.run import FacetKey
from agentops.traces.search import RunSearch

TEXT_BUDGET_SECONDS = 0.22
TEXT_CHUNK_RUNS = 40
COUNT_MOST = 1000
_Key = tuple[datetime, uuid.UUID]


@dataclass(frozen=True, slots=True)
class RunPage:
    """A page of runs, newest first. `looked_back_to` is set where a text search stopped for time, not for lack of runs."""

    runs: list[Run]
    next: Cursor | None
    looked_back_to: datetime | None = None


def find_runs(*, tenant: uuid.UUID | None, search: RunSearch, cursor: Cursor | None, limit: int = 50) -> RunPage:
    """The runs of a search after a cursor. Without a tenant (staff) only times and a least cost may be filtered."""
    if search.text:
        return _find_text(tenant=tenant, search=search, cursor=cursor, limit=limit)
    keys = _keys(tenant, search, cursor, limit + 1)
    more = Cursor(*keys[limit - 1]) if len(keys) > limit else None
    return RunPage(runs=_load(tenant, keys[:limit]), next=more)


def bounded_count(*, tenant: uuid.UUID | None, search: RunSearch) -> int:
    """How many runs there are, at most COUNT_MOST + 1: "1,000+" is enough for a person and costs the same for all."""
    sql, params = _statement(tenant, search, None, COUNT_MOST + 1)
    with connection.cursor() as db:
        db.execute(f"SELECT count(*) FROM ({sql}) AS found", params)  # noqa: S608
        return int(db.fetchone()[0])


def get_run(*, tenant: uuid.UUID, run_id: uuid.UUID) -> Run:
    """Raises NotFound."""
    run = Run.objects.filter(tenant_id=tenant, run_id=run_id).first()
    if run is None:
        raise NotFound(f"There is no run {run_id.hex} here.")
    return run


def run_exists(*, tenant: uuid.UUID, run_id: uuid.UUID) -> bool:
    return Run.objects.filter(tenant_id=tenant, run_id=run_id).exists()


def has_runs(*, tenant: uuid.UUID) -> bool:
    return Run.objects.filter(tenant_id=tenant).exists()


def neighbours_by_prompt(*, run: Run, limit: int = 5) -> list[Run]:
    """The newest other runs with the same prompt hash."""
    if not run.prompt_hash:
        return []
    search = RunSearch(facets=((FacetKey.PROMPT_HASH, run.prompt_hash),))
    found = find_runs(tenant=run.tenant_id, search=search, cursor=None, limit=limit + 1).runs
    return [other for other in found if other.run_id != run.run_id][:limit]


def _keys(tenant: uuid.UUID | None, search: RunSearch, cursor: Cursor | None, limit: int) -> list[_Key]:
    sql, params = _statement(tenant, search, cursor, limit)
    with connection.cursor() as db:
        db.execute(sql, params)
        return [(row[0], row[1]) for row in db.fetchall()]


def _statement(tenant: uuid.UUID | None, search: RunSearch, cursor: Cursor | None, limit: int) -> tuple[str, list[Any]]:
    """SELECT (started_at, run_id) in page order.

    Every relation gets the time bounds: PostgreSQL carries an equality over a join, but not a range.
    """
    relations: list[tuple[str, str, list[Any]]] = []
    for place, (key, value) in enumerate(search.facets):
        name = f"f{place}"
        relations.append((name, "traces_runfacet", [key, value]))
    if not relations or search.min_cost_nano_usd is not None:
        relations.append(("r", "traces_run", []))
    first = relations[0][0]
    wheres: list[str] = []
    params: list[Any] = []
    for name, _table, facet in relations:
        if tenant is not None:
            wheres.append(f"{name}.tenant_id = %s")
            params.append(tenant)
        if facet:
            wheres.append(f"{name}.key = %s AND {name}.value = %s")
            params += [int(facet[0]), facet[1]]
        if name != first:
            wheres.append(
                f"{name}.tenant_id = {first}.tenant_id AND {name}.started_at = {first}.started_at "
                f"AND {name}.run_id = {first}.run_id"
            )
        if search.since is not None:
            wheres.append(f"{name}.started_at >= %s")
            params.append(search.since)
        if search.until is not None:
            wheres.append(f"{name}.started_at < %s")
            params.append(search.until)
        if cursor is not None:
            wheres.append(f"({name}.started_at, {name}.run_id) < (%s, %s)")
            params += [cursor.at, cursor.id]
        if name == "r" and search.min_cost_nano_usd is not None:
            wheres.append("r.cost_nano_usd >= %s")
            params.append(search.min_cost_nano_usd)
    tables = ", ".join(f"{table} {name}" for name, table, _ in relations)
    sql = f"SELECT {first}.started_at, {first}.run_id FROM {tables}"  # noqa: S608  names are ours, values are parameters
    if wheres:
        sql += " WHERE " + " AND ".join(wheres)
    return f"{sql} ORDER BY {first}.started_at DESC, {first}.run_id DESC LIMIT {int(limit)}", params


def _load(tenant: uuid.UUID | None, keys: Sequence[_Key]) -> list[Run]:
    rows = Run.objects.filter(run_id__in=[key[1] for key in keys])
    if tenant is not None:
        rows = rows.filter(tenant_id=tenant)
    by_key = {(run.started_at, run.run_id): run for run in rows}
    return [by_key[key] for key in keys if key in by_key]


# -- free text -------------------------------------------------------------------------------------------------------


def _find_text(*, tenant: uuid.UUID | None, search: RunSearch, cursor: Cursor | None, limit: int) -> RunPage:
    """Read back chunk by chunk until the page is full, the runs are out or the time is up."""
    until = time.monotonic() + TEXT_BUDGET_SECONDS
    found: list[_Key] = []
    place = cursor
    while True:
        keys = _keys(tenant, search, place, TEXT_CHUNK_RUNS)
        if not keys:
            return RunPage(runs=_load(tenant, found), next=None)
        hits = _containing(tenant, keys, search.text)
        for key in keys:
            place = Cursor(*key)
            if key[1] in hits:
                found.append(key)
                if len(found) == limit:
                    return RunPage(runs=_load(tenant, found), next=place)
        if len(keys) < TEXT_CHUNK_RUNS:
            return RunPage(runs=_load(tenant, found), next=None)
        if time.monotonic() >= until:
            return RunPage(runs=_load(tenant, found), next=place, looked_back_to=place.at if place else None)


def _containing(tenant: uuid.UUID | None, keys: Sequence[_Key], text: str) -> set[uuid.UUID]:
    """Which of the runs have a span whose name or content contains the text, whatever its case."""
    in_json = orjson.dumps(text).decode()[1:-1]  # content is JSON text: quotes and backslashes stand escaped there
    run_ids = [key[1] for key in keys]
    tenant_test, tenant_params = ("tenant_id = %s AND ", [tenant]) if tenant is not None else ("", [])
    with connection.cursor() as db:
        db.execute(
            f"SELECT DISTINCT day FROM traces_run WHERE {tenant_test} run_id = ANY(%s)",  # noqa: S608
            [*tenant_params, run_ids],
        )
        days = [row[0] for row in db.fetchall()]
        if not days:
            return set()
        literals = ", ".join(f"'{day:%Y-%m-%d}'" for day in days)  # literals, so that the other days are never planned
        db.execute(
            f"SELECT DISTINCT run_id FROM traces_span WHERE {tenant_test} day IN ({literals}) AND run_id = ANY(%s) "  # noqa: S608
            "AND (position(lower(%s) IN lower(details)) > 0 OR position(lower(%s) IN lower(name)) > 0)",
            [*tenant_params, run_ids, in_json, text],
        )
        return {row[0] for row in db.fetchall()}
